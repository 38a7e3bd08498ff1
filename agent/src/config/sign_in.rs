//! Decides which ways to sign in a configuration allows, and in which order they are tried: what stores no password
//! first, what needs no certificate before what does.

use rollcall_protocol::catalogue;
use secrecy::SecretString;
use serde::Deserialize;

use super::{Ldap, unreadable};
use crate::diagnostic::Diagnostic;
use crate::directory::method::{Credentials, Method, Tls};
use crate::exit::Exit;
use crate::platform::kerberos::{Identity, Tickets};
use crate::platform::private_file;
use crate::platform::reason;

/// The one kind of sign-in, where the file names one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SignIn {
    Kerberos,
    Password,
}

/// The one way to protect the connection, where the file names one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// Kerberos encrypts, on the plain port.
    Sealed,
    Ldaps,
    StartTls,
}

impl Ldap {
    /// Refuses what contradicts itself, while the mistake can still be told with its place.
    pub(super) fn check_sign_in(&self) -> Result<(), String> {
        if self.bind_user.is_some() != self.password_file.is_some() {
            return Err("ldap.bind_user and ldap.password_file belong together".to_owned());
        }
        if self.keytab_file.is_some() && self.ticket_cache.is_some() {
            return Err("ldap.keytab_file and ldap.ticket_cache are two sources of tickets: choose one".to_owned());
        }
        let for_linux = self.keytab_file.is_some() || self.ticket_cache.is_some() || self.principal.is_some();
        if cfg!(windows) && for_linux {
            return Err("on Windows the account of the service signs in: ldap.keytab_file, ldap.ticket_cache and \
                        ldap.principal are for Linux"
                .to_owned());
        }
        if self.sign_in == Some(SignIn::Password) && self.password_file.is_none() {
            return Err("ldap.sign_in = \"password\" needs ldap.bind_user and ldap.password_file".to_owned());
        }
        match (self.transport, self.uses_kerberos(), self.uses_password()) {
            (_, false, false) => {
                Err("the section [ldap] names no way to sign in: ldap.keytab_file, ldap.ticket_cache, \
                                      ldap.sign_in = \"kerberos\", or ldap.bind_user with ldap.password_file"
                    .to_owned())
            }
            (Some(Transport::Sealed), false, true) => {
                Err("ldap.transport = \"sealed\" is Kerberos; a password travels over \"ldaps\" or \"starttls\" only"
                    .to_owned())
            }
            (_, _, _) => Ok(()),
        }
    }

    fn uses_kerberos(&self) -> bool {
        match self.sign_in {
            Some(SignIn::Kerberos) => true,
            Some(SignIn::Password) => false,
            // A service of Windows always has an account of its own, so that nothing needs to be configured.
            None => {
                self.keytab_file.is_some() || self.ticket_cache.is_some() || (cfg!(windows) && !self.has_password())
            }
        }
    }

    fn uses_password(&self) -> bool {
        match self.sign_in {
            Some(SignIn::Kerberos) => false,
            Some(SignIn::Password) | None => self.has_password(),
        }
    }

    fn has_password(&self) -> bool {
        self.password_file.is_some()
    }

    /// The ways that this file allows, best first. Secrets are read here.
    pub fn methods(&self) -> Result<Vec<Method>, Diagnostic> {
        let mut methods = Vec::new();
        if self.uses_kerberos() {
            let identity = self.identity()?;
            methods.extend(self.sealed().map(|port| Method::KerberosSealed { port, identity: identity.clone() }));
            let over = |(tls, port)| Method::KerberosOverTls { tls, port, identity: identity.clone() };
            methods.extend(self.tls().into_iter().map(over));
        }
        if let (true, Some(user)) = (self.uses_password(), &self.bind_user) {
            let credentials = Credentials { user: user.clone(), password: self.password()? };
            let over = |(tls, port)| Method::PasswordOverTls { tls, port, credentials: credentials.clone() };
            methods.extend(self.tls().into_iter().map(over));
        }
        Ok(methods)
    }

    fn sealed(&self) -> Option<u16> {
        match (self.transport, self.port) {
            (Some(Transport::Sealed), port) => Some(port.unwrap_or(389)),
            (Some(Transport::Ldaps | Transport::StartTls), _) | (None, Some(_)) => None,
            (None, None) => Some(389),
        }
    }

    /// A port alone means LDAPS.
    fn tls(&self) -> Vec<(Tls, u16)> {
        let (ldaps, start_tls) = ((Tls::Ldaps, self.port.unwrap_or(636)), (Tls::StartTls, self.port.unwrap_or(389)));
        match (self.transport, self.port) {
            (Some(Transport::Sealed), _) => Vec::new(),
            (Some(Transport::Ldaps), _) | (None, Some(_)) => vec![ldaps],
            (Some(Transport::StartTls), _) => vec![start_tls],
            (None, None) => vec![ldaps, start_tls],
        }
    }

    fn identity(&self) -> Result<Identity, Diagnostic> {
        let tickets = match (&self.keytab_file, &self.ticket_cache) {
            (Some(keytab), _) => {
                // Whoever reads a keytab is the account.
                refuse_if_open(keytab)?;
                Tickets::Keytab(keytab.clone())
            }
            (None, Some(cache)) => Tickets::Cache(cache.clone()),
            (None, None) => Tickets::OwnAccount,
        };
        Ok(Identity { tickets, principal: self.principal.clone(), realm: self.realm.clone() })
    }

    fn password(&self) -> Result<SecretString, Diagnostic> {
        let Some(path) = &self.password_file else {
            return Err(unreadable("ldap.password_file is missing".to_owned()));
        };
        super::read_secret(path)
    }
}

fn refuse_if_open(path: &std::path::Path) -> Result<(), Diagnostic> {
    let cannot =
        |error: std::io::Error| unreadable(format!("{} cannot be read: {}", path.display(), reason::of(&error)));
    if private_file::is_readable_by_others(path).map_err(cannot)? {
        return Err(Diagnostic::new(catalogue::SECRET_FILE_OPEN, path.display(), Exit::Failed));
    }
    Ok(())
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use super::super::Config;
    use std::io::Write;
    use std::os::unix::fs::PermissionsExt;

    fn secret_file() -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"secret\n").unwrap();
        std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(0o600)).unwrap();
        file
    }

    fn order(lines: &str) -> Vec<String> {
        let config = Config::parse(&format!("[ldap]\nhost = \"dc1.lab.example\"\n{lines}")).unwrap();
        config.ldap.unwrap().methods().unwrap().iter().map(ToString::to_string).collect()
    }

    fn mistake(lines: &str) -> String {
        Config::parse(&format!("[ldap]\nhost = \"dc1.lab.example\"\n{lines}")).unwrap_err()
    }

    fn password(file: &tempfile::NamedTempFile) -> String {
        format!("bind_user = \"svc@lab.example\"\npassword_file = \"{}\"\n", file.path().display())
    }

    #[test]
    fn kerberos_comes_before_a_password_and_sealing_before_certificates() {
        let file = secret_file();

        let seen = order(&format!("{}keytab_file = {:?}\n", password(&file), file.path()));

        let expected = [
            "Kerberos, sealed (389)",
            "Kerberos, LDAPS (636)",
            "Kerberos, StartTLS (389)",
            "password, LDAPS (636)",
            "password, StartTLS (389)",
        ];
        assert_eq!(seen, expected);
    }

    #[test]
    fn only_what_is_configured_is_tried() {
        let file = secret_file();
        let both = format!("{}ticket_cache = \"/tmp/krb5cc\"\n", password(&file));

        assert_eq!(order(&password(&file)), ["password, LDAPS (636)", "password, StartTLS (389)"]);
        assert_eq!(order(&format!("{}port = 10636\n", password(&file))), ["password, LDAPS (10636)"]);
        assert_eq!(order(&format!("{both}transport = \"sealed\"\nport = 1389\n")), ["Kerberos, sealed (1389)"]);
        assert_eq!(
            order(&format!("{both}transport = \"ldaps\"\n")),
            ["Kerberos, LDAPS (636)", "password, LDAPS (636)"]
        );
        assert_eq!(
            order(&format!("{both}sign_in = \"kerberos\"\ntransport = \"starttls\"\n")),
            ["Kerberos, StartTLS (389)"]
        );
        assert_eq!(order("sign_in = \"kerberos\"\ntransport = \"sealed\"\n"), ["Kerberos, sealed (389)"]);
    }

    #[test]
    fn a_password_can_never_be_sent_without_tls() {
        let file = secret_file();

        assert!(mistake(&format!("{}transport = \"sealed\"\n", password(&file))).contains("ldaps"));
    }

    #[test]
    fn contradictions_are_told() {
        assert!(mistake("").contains("no way to sign in"));
        assert!(mistake("bind_user = \"svc\"\n").contains("belong together"));
        assert!(mistake("keytab_file = \"a\"\nticket_cache = \"b\"\n").contains("choose one"));
        assert!(mistake("sign_in = \"password\"\nkeytab_file = \"a\"\n").contains("password_file"));
    }

    #[test]
    fn a_keytab_that_others_can_read_is_refused() {
        let file = secret_file();
        std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(0o644)).unwrap();
        let text = format!("[ldap]\nhost = \"dc1.lab.example\"\nkeytab_file = {:?}\n", file.path());

        let seen = Config::parse(&text).unwrap().access().unwrap_err();

        assert_eq!(seen.fault.code, "RC-1012");
    }
}
