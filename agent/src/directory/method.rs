//! Decides in which ways one domain controller may be reached, and what a failed way means for those that follow.
//!
//! Every way encrypts everything before a secret travels. A clear-text sign-in cannot be written down.

use std::fmt;

use rollcall_protocol::hash::Hash;
use secrecy::SecretString;

use super::bind::BindRefused;
use super::connect::ConnectError;
use super::tls::TlsRefused;
use crate::platform::kerberos::{Identity, KerberosFault};

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
    /// Kerberos encrypts, on the plain port: needs no certificate and no password.
    KerberosSealed {
        port: u16,
        identity: Identity,
    },
    /// Kerberos signs in, TLS encrypts.
    KerberosOverTls {
        tls: Tls,
        port: u16,
        identity: Identity,
    },
    PasswordOverTls {
        tls: Tls,
        port: u16,
        credentials: Credentials,
    },
}

impl Method {
    pub fn port(&self) -> u16 {
        match self {
            Self::KerberosSealed { port, .. }
            | Self::KerberosOverTls { port, .. }
            | Self::PasswordOverTls { port, .. } => *port,
        }
    }

    /// What keeps others from reading along.
    pub fn protection(&self) -> &'static str {
        match self {
            Self::KerberosSealed { .. } => "Kerberos; every buffer is sealed",
            Self::KerberosOverTls { .. } | Self::PasswordOverTls { .. } => {
                "TLS; the domain controller's certificate is trusted"
            }
        }
    }

    /// Tells one account from another. A secret of it is not in there.
    pub fn account(&self) -> Hash {
        match self {
            Self::KerberosSealed { identity, .. } | Self::KerberosOverTls { identity, .. } => {
                Hash::of(format!("Kerberos {:?} {:?}", identity.tickets, identity.principal).as_bytes())
            }
            Self::PasswordOverTls { credentials, .. } => {
                Hash::of(format!("password {}", credentials.user.to_lowercase()).as_bytes())
            }
        }
    }

    fn signs_in_with(&self) -> SignIn {
        match self {
            Self::KerberosSealed { .. } | Self::KerberosOverTls { .. } => SignIn::Kerberos,
            Self::PasswordOverTls { .. } => SignIn::Password,
        }
    }
}

/// For people to read, in `check`, `status` and the portal: `password, LDAPS (636)`.
impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::KerberosSealed { port, .. } => write!(f, "Kerberos, sealed ({port})"),
            Self::KerberosOverTls { tls, port, .. } => write!(f, "Kerberos, {tls} ({port})"),
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
    /// Kerberos itself does not work here; a password may.
    WithoutKerberos,
    /// Whoever refused will refuse again, and repeated refusals lock an account.
    Stop,
}

impl Next {
    /// Whether this way is still worth trying.
    pub fn allows(self, method: &Method) -> bool {
        match (self, method.signs_in_with()) {
            (Self::GoOn, SignIn::Kerberos | SignIn::Password) | (Self::WithoutKerberos, SignIn::Password) => true,
            (Self::WithoutKerberos, SignIn::Kerberos) | (Self::Stop, _) => false,
        }
    }
}

enum SignIn {
    Kerberos,
    Password,
}

/// Judges a failed way.
pub fn after(error: &ConnectError) -> Next {
    match error {
        ConnectError::Unreachable { .. }
        | ConnectError::TimedOut { .. }
        | ConnectError::StartTlsRefused(_)
        | ConnectError::Ended(_) => Next::GoOn,
        ConnectError::NameUnknown { .. } | ConnectError::ForeignController { .. } | ConnectError::NoMethod => {
            Next::Stop
        }
        ConnectError::Tls(refused) => after_tls(refused),
        ConnectError::Bind(refused) => after_bind(refused),
        ConnectError::Kerberos(fault) => after_kerberos(fault),
        ConnectError::EveryMethod { decisive, .. } => after(decisive),
    }
}

fn after_kerberos(fault: &KerberosFault) -> Next {
    match fault {
        KerberosFault::Refused | KerberosFault::Revoked | KerberosFault::KeyExpired => Next::Stop,
        KerberosFault::LibraryMissing(_)
        | KerberosFault::NoTicket
        | KerberosFault::TicketExpired
        | KerberosFault::ClockSkew
        | KerberosFault::ServiceUnknown(_)
        | KerberosFault::NoKeyServer(_)
        | KerberosFault::Other { .. } => Next::WithoutKerberos,
        // About this connection: inside TLS it may be otherwise.
        KerberosFault::NotGranted(_) | KerberosFault::Disturbed(_) => Next::GoOn,
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
        | BindRefused::NotHereOrNow
        | BindRefused::Other(_) => Next::Stop,
        // About the connection or the controller, not about who signs in.
        BindRefused::SigningDemanded | BindRefused::ChannelBindingDemanded | BindRefused::NotNow(_) => Next::GoOn,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn password() -> Method {
        let credentials = Credentials { user: "svc".into(), password: "secret".to_owned().into() };
        Method::PasswordOverTls { tls: Tls::Ldaps, port: 636, credentials }
    }

    fn kerberos() -> Method {
        let tickets = crate::platform::kerberos::Tickets::OwnAccount;
        Method::KerberosSealed { port: 389, identity: Identity { tickets, principal: None, realm: None } }
    }

    #[test]
    fn an_account_is_the_same_whatever_way_it_takes_and_another_one_is_not() {
        let credentials =
            |user: &str, password: &str| Credentials { user: user.into(), password: password.to_owned().into() };
        let of = |tls, credentials| Method::PasswordOverTls { tls, port: 636, credentials }.account();

        assert_eq!(of(Tls::Ldaps, credentials("svc", "old")), of(Tls::StartTls, credentials("SVC", "new")));
        assert_ne!(of(Tls::Ldaps, credentials("svc", "old")), of(Tls::Ldaps, credentials("svd", "old")));
        assert_ne!(kerberos().account(), password().account());
    }

    #[test]
    fn ways_are_named_as_people_read_them() {
        assert_eq!(kerberos().to_string(), "Kerberos, sealed (389)");
        assert_eq!(password().to_string(), "password, LDAPS (636)");
    }

    #[test]
    fn a_refusal_of_the_account_ends_every_further_attempt() {
        for refused in [BindRefused::NameOrPassword, BindRefused::Locked, BindRefused::PasswordExpired] {
            assert_eq!(after(&refused.into()), Next::Stop);
        }
        for refused in [KerberosFault::Refused, KerberosFault::Revoked, KerberosFault::KeyExpired] {
            assert_eq!(after(&refused.into()), Next::Stop);
        }
    }

    #[test]
    fn where_kerberos_itself_does_not_work_only_a_password_is_left() {
        for fault in [KerberosFault::ClockSkew, KerberosFault::NoTicket, KerberosFault::LibraryMissing("libgssapi")] {
            let next = after(&fault.into());
            assert!(next.allows(&password()) && !next.allows(&kerberos()), "{next:?}");
        }
    }

    #[test]
    fn a_port_that_is_closed_or_a_certificate_that_is_missing_leaves_every_other_way() {
        let closed = ConnectError::Unreachable { host: "dc1.lab".into(), port: 636, why: "refused".into() };
        let untrusted = ConnectError::Tls(TlsRefused::Untrusted { host: "dc1.lab".into() });

        let busy = ConnectError::Bind(BindRefused::NotNow(51));
        for error in [closed, untrusted, ConnectError::StartTlsRefused(52), busy] {
            assert!(after(&error).allows(&password()) && after(&error).allows(&kerberos()), "{error}");
        }
    }
}
