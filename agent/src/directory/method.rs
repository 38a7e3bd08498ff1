//! Decides in which ways one domain controller may be reached, and what a failed way means for those that follow.
//!
//! Every way encrypts everything before a secret travels. A clear-text sign-in cannot be written down.

use std::fmt;

use secrecy::SecretString;

use super::bind::BindRefused;
use super::connect::ConnectError;
use super::tls::TlsRefused;

/// How TLS begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tls {
    /// At once, on a port of its own.
    Ldaps,
    /// Asked for on the plain port, before anything else.
    StartTls,
}

/// A name and a password.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// A DN or a user principal name.
    pub user: String,
    pub password: SecretString,
}

/// One way to reach a domain controller and to sign in.
#[derive(Debug, Clone)]
pub enum Method {
    PasswordOverTls { tls: Tls, port: u16, credentials: Credentials },
}

impl Method {
    pub fn port(&self) -> u16 {
        match self {
            Self::PasswordOverTls { port, .. } => *port,
        }
    }

    /// What keeps others from reading along.
    pub fn protection(&self) -> &'static str {
        match self {
            Self::PasswordOverTls { .. } => "TLS; the domain controller's certificate is trusted",
        }
    }
}

/// For people to read, in `check`, `status` and the portal: `password, LDAPS (636)`.
impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PasswordOverTls { tls, port, .. } => write!(f, "password, {tls} ({port})"),
        }
    }
}

impl fmt::Display for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ldaps => "LDAPS",
            Self::StartTls => "StartTLS",
        })
    }
}

/// What a failed way means for those after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Another port or another protection may work.
    GoOn,
    /// Whoever refused will refuse again, and repeated refusals lock an account.
    Stop,
}

/// Judges a failed way.
pub fn after(error: &ConnectError) -> Next {
    match error {
        ConnectError::Unreachable { .. }
        | ConnectError::TimedOut { .. }
        | ConnectError::StartTlsRefused(_)
        | ConnectError::Ended(_) => Next::GoOn,
        ConnectError::NameUnknown { .. } | ConnectError::NoMethod => Next::Stop,
        ConnectError::Tls(refused) => after_tls(refused),
        ConnectError::Bind(refused) => after_bind(refused),
        ConnectError::EveryMethod { decisive, .. } => after(decisive),
    }
}

/// A domain controller without a usable certificate may still seal with Kerberos; a broken file of ours is for a human.
fn after_tls(refused: &TlsRefused) -> Next {
    match refused {
        TlsRefused::Untrusted { .. }
        | TlsRefused::OtherName { .. }
        | TlsRefused::Expired { .. }
        | TlsRefused::Handshake { .. } => Next::GoOn,
        TlsRefused::NotAName { .. } | TlsRefused::CaFile { .. } => Next::Stop,
    }
}

fn after_bind(refused: &BindRefused) -> Next {
    match refused {
        BindRefused::EmptyPassword
        | BindRefused::NameOrPassword
        | BindRefused::Locked
        | BindRefused::DisabledOrExpired
        | BindRefused::PasswordExpired
        | BindRefused::NotHereOrNow => Next::Stop,
        // About the connection, not about who signs in.
        BindRefused::SigningDemanded | BindRefused::ChannelBindingDemanded | BindRefused::Other(_) => Next::GoOn,
    }
}
