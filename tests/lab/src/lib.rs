//! The lab: everything the product is tested against, and the programs under test themselves. The counterparts are written
//! from the vendors' documents and share no code with the product.

pub mod authority;
pub mod bench;
pub mod browser;
pub mod demo;
pub mod directory;
pub mod debian;
pub mod dns;
pub mod ldapsearch;
pub mod oracle;
pub mod postgres;
pub mod powershell;
pub mod proxy;
pub mod samba;
pub mod tamper;
pub mod wine;
pub mod witness;
pub mod world;
