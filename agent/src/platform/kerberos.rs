//! Decides what the agent asks of the operating system's Kerberos: one security context with one domain controller.
//!
//! Two systems answer: GSSAPI where there is a `libgssapi_krb5`, SSPI on Windows. A context has one owner and is never
//! used by two at once; both libraries demand that.

use std::path::PathBuf;

#[cfg(not(windows))]
use super::gssapi as system;
#[cfg(windows)]
use super::sspi as system;

/// Where the tickets come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tickets {
    /// What the account of this process has: machine account or gMSA on Windows, the default ticket cache elsewhere.
    OwnAccount,
    /// A file with the account's key; the tickets stay in memory.
    Keytab(PathBuf),
    /// A cache that somebody else fills, `FILE:/run/…` or a path.
    Cache(String),
}

/// Who signs in with Kerberos.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    pub tickets: Tickets,
    /// `name@REALM`; without it the first one that the tickets are for.
    pub principal: Option<String>,
    /// The domain controller's realm; without it the domain part of its name.
    pub realm: Option<String>,
}

/// The domain controller as Kerberos knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    pub host: String,
    pub realm: String,
}

impl Service {
    /// The name is one that the file gives, or lies below the domain that the file gives: DNS, whose answers anybody on the
    /// way can write, names nobody else. Aliases and addresses are not followed back to a name.
    pub fn ldap(host: &str, realm: Option<&str>) -> Self {
        let domain = host.split_once('.').map_or("", |(_, domain)| domain);
        Self { host: host.to_lowercase(), realm: realm.unwrap_or(domain).to_uppercase() }
    }

    /// `ldap/dc1.lab.example@LAB.EXAMPLE`
    pub fn principal(&self) -> String {
        format!("ldap/{}@{}", self.host, self.realm)
    }
}

/// What the context is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Purpose {
    /// It seals everything that follows.
    Sealing,
    /// It only proves who both are; TLS protects. The hash of the server's certificate ties the two together.
    InsideTls { binding: Option<Vec<u8>> },
}

/// Everything that a new context depends on.
#[derive(Debug, Clone)]
pub struct Request {
    pub service: Service,
    pub identity: Identity,
    pub purpose: Purpose,
}

/// One exchange of the handshake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    pub send: Vec<u8>,
    pub handshake: Handshake,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Handshake {
    Continues,
    Established,
}

/// Whether a buffer was encrypted, or only protected against change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sealing {
    Sealed,
    SignedOnly,
}

/// What an established context really protects against, whatever was asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Granted {
    pub mutual: bool,
    pub integrity: bool,
    pub confidentiality: bool,
    pub sequence: bool,
    pub replay: bool,
}

impl Granted {
    /// The first protection that sealing needs and that is not there. Without sequence detection somebody on the way
    /// could drop buffers unnoticed, which would read as people who are gone.
    pub fn lacks_for(self, purpose: &Purpose) -> Option<&'static str> {
        let needed: &[(bool, &'static str)] = match purpose {
            Purpose::InsideTls { .. } => &[(self.mutual, "mutual authentication")],
            Purpose::Sealing => &[
                (self.mutual, "mutual authentication"),
                (self.integrity, "integrity"),
                (self.confidentiality, "confidentiality"),
                (self.sequence, "sequence detection"),
                (self.replay, "replay detection"),
            ],
        };
        needed.iter().find(|(granted, _)| !granted).map(|(_, name)| *name)
    }
}

/// A security context with a domain controller.
pub trait SecurityContext: Send {
    /// Takes what the other side sent (nothing at first) and says what to send. May ask a key server and so take long.
    fn step(&mut self, received: &[u8]) -> Result<Step, KerberosFault>;

    fn granted(&self) -> Granted;

    fn wrap(&mut self, plain: &[u8], sealing: Sealing) -> Result<Vec<u8>, KerberosFault>;

    /// Fails for every buffer that was changed, repeated, or does not follow the one before it.
    fn unwrap(&mut self, wrapped: &[u8]) -> Result<(Vec<u8>, Sealing), KerberosFault>;

    /// How much may be wrapped so that the result is no longer than this.
    fn largest_plain(&mut self, largest_wrapped: u32) -> Result<usize, KerberosFault>;
}

/// A new context; nothing was sent or asked yet.
pub fn open(request: &Request) -> Result<Box<dyn SecurityContext>, KerberosFault> {
    Ok(Box::new(system::Context::open(request)?))
}

/// Why Kerberos did not work. No text of a library is in it: these are read by people.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KerberosFault {
    #[error("the Kerberos library {0} is not on this machine")]
    LibraryMissing(&'static str),
    #[error("there is no ticket and no key to get one with")]
    NoTicket,
    #[error("the ticket has expired")]
    TicketExpired,
    #[error("the clocks of this machine and of the domain controller are too far apart")]
    ClockSkew,
    #[error("the domain does not know the service {0}")]
    ServiceUnknown(String),
    #[error("no key server of the realm {0} answers")]
    NoKeyServer(String),
    #[error("the domain does not know the account, or its key is not the current one")]
    Refused,
    #[error("the account is disabled, locked or expired")]
    Revoked,
    #[error("the key of the account has expired")]
    KeyExpired,
    #[error("the domain controller does not grant {0}")]
    NotGranted(&'static str),
    #[error("a sealed buffer was {0}")]
    Disturbed(Damage),
    #[error("Kerberos failed while {stage} ({major:#x}, {minor})")]
    Other { stage: &'static str, major: u32, minor: i32 },
}

/// What happened to a buffer on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    #[error("changed on its way")]
    Changed,
    #[error("received twice")]
    Repeated,
    #[error("lost, or overtaken by a later one")]
    Missing,
    #[error("not encrypted")]
    Unsealed,
    #[error("announced with the impossible length {0}")]
    Length(u32),
    #[error("cut off before its end")]
    CutOff,
    #[error("not complete within {0} s")]
    Late(u64),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_named_by_the_configured_host_and_the_realm_of_its_domain() {
        assert_eq!(Service::ldap("DC1.lab.example", None).principal(), "ldap/dc1.lab.example@LAB.EXAMPLE");
        assert_eq!(
            Service::ldap("dc1.branch.test", Some("lab.example")).principal(),
            "ldap/dc1.branch.test@LAB.EXAMPLE"
        );
    }

    #[test]
    fn every_single_protection_is_needed_for_sealing() {
        let all = Granted { mutual: true, integrity: true, confidentiality: true, sequence: true, replay: true };

        assert_eq!(all.lacks_for(&Purpose::Sealing), None);
        assert_eq!(Granted { sequence: false, ..all }.lacks_for(&Purpose::Sealing), Some("sequence detection"));
        assert_eq!(Granted { confidentiality: false, ..all }.lacks_for(&Purpose::Sealing), Some("confidentiality"));
        assert_eq!(Granted::default().lacks_for(&Purpose::InsideTls { binding: None }), Some("mutual authentication"));
    }
}
