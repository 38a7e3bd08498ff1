//! What a check needs to know of a way to sign in: whether it begins with TLS, and as whom.

use crate::directory::method::{Credentials, Method, Tls};

/// How TLS begins, for ways that have it.
pub fn tls_of(method: &Method) -> Option<Tls> {
    match method {
        Method::PasswordOverTls { tls, .. } | Method::KerberosOverTls { tls, .. } => Some(*tls),
        Method::KerberosSealed { .. } => None,
    }
}

/// The name and password, for ways that have one.
pub fn credentials_of(method: &Method) -> Option<&Credentials> {
    match method {
        Method::PasswordOverTls { credentials, .. } => Some(credentials),
        Method::KerberosOverTls { .. } | Method::KerberosSealed { .. } => None,
    }
}
