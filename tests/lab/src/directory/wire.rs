//! LDAP on the wire, both ways. Own code, because the published codec takes filter values for text and Active Directory's are often binary.

pub mod ber;
pub mod request;
pub mod answer;
