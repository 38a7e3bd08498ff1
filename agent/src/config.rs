//! Decides what the agent's configuration file may say. Nothing else reads it, and nothing else configures the agent
//! on this machine; what the cloud desires can never widen it.

mod mark;
mod sign_in;

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::TimeDelta;
use rollcall_protocol::{catalogue, limits};
use secrecy::SecretString;
use serde::Deserialize;

use crate::diagnostic::Diagnostic;
use crate::directory::access::Access;
use crate::directory::ceiling::NeverRead;
use crate::directory::connect::{Target, Timeouts};
use crate::directory::controllers::Controllers;
use crate::directory::names::NameServer;
use crate::directory::people::AttributeList;
use crate::exit::Exit;
use crate::platform::private_file;
use crate::platform::reason;

pub use sign_in::{SignIn, Transport};

/// Every key with its meaning. `enroll` writes this file when there is none.
pub const TEMPLATE: &str = include_str!("agent.toml");

/// The file as written.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where it was read from; `None` when there is no file.
    #[serde(skip)]
    pub path: Option<PathBuf>,
    #[serde(default = "default_data_dir")]
    pub data_dir: PathBuf,
    pub ldap: Option<Ldap>,
    #[serde(default)]
    pub cloud: Cloud,
    #[serde(default)]
    pub cycle: CycleTimes,
    #[serde(default)]
    pub update: Update,
    #[serde(default)]
    pub privacy: Privacy,
    #[serde(default)]
    pub log: Log,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ldap {
    /// One domain controller, or several in the order to try.
    #[serde(default)]
    pub host: Hosts,
    /// The domain whose controllers DNS knows; after those of `host`.
    pub domain: Option<String>,
    /// Asked in place of the machine's own name servers.
    pub name_server: Option<SocketAddr>,
    pub port: Option<u16>,
    pub address: Option<IpAddr>,
    pub transport: Option<Transport>,
    pub ca_file: Option<PathBuf>,
    pub sign_in: Option<SignIn>,
    pub principal: Option<String>,
    pub realm: Option<String>,
    pub keytab_file: Option<PathBuf>,
    pub ticket_cache: Option<String>,
    pub bind_user: Option<String>,
    pub password_file: Option<PathBuf>,
    #[serde(default = "default_connect_seconds")]
    pub connect_seconds: u64,
    #[serde(default = "default_entry_seconds")]
    pub entry_seconds: u64,
}

/// `host = "dc1"` or `host = ["dc1", "dc2"]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged, expecting = "a name or a list of names")]
pub enum Hosts {
    One(String),
    Many(Vec<String>),
}

impl Default for Hosts {
    fn default() -> Self {
        Self::Many(Vec::new())
    }
}

impl Hosts {
    fn names(&self) -> &[String] {
        match self {
            Self::One(name) => std::slice::from_ref(name),
            Self::Many(names) => names,
        }
    }
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cloud {
    pub proxy: Option<Proxy>,
    pub proxy_user: Option<String>,
    pub proxy_password_file: Option<PathBuf>,
    pub ca_file: Option<PathBuf>,
}

/// The way out through an HTTP proxy.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "String")]
pub enum Proxy {
    /// As Windows' own settings say; elsewhere as the environment of the service does: `HTTPS_PROXY`, `NO_PROXY`.
    System,
    /// Scheme, host and port.
    At(String),
}

impl From<String> for Proxy {
    fn from(text: String) -> Self {
        if text == "system" { Self::System } else { Self::At(text) }
    }
}

impl Cloud {
    fn check(&self) -> Result<(), String> {
        match &self.proxy {
            // Whatever stands before an @ could be a password, and the address is shown.
            Some(Proxy::At(url)) if url.contains('@') => {
                Err("cloud.proxy is scheme, host and port; name and password belong into cloud.proxy_user and \
                     cloud.proxy_password_file"
                    .to_owned())
            }
            Some(Proxy::At(_)) if self.proxy_user.is_some() != self.proxy_password_file.is_some() => {
                Err("cloud.proxy_user and cloud.proxy_password_file stand together or not at all".to_owned())
            }
            Some(Proxy::At(_)) => Ok(()),
            Some(Proxy::System) | None if self.proxy_user.is_some() || self.proxy_password_file.is_some() => {
                Err("cloud.proxy_user needs the address of the proxy in cloud.proxy".to_owned())
            }
            Some(Proxy::System) | None => Ok(()),
        }
    }

    pub fn proxy_password(&self) -> Result<Option<SecretString>, Diagnostic> {
        self.proxy_password_file.as_deref().map(read_secret).transpose()
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CycleTimes {
    #[serde(default = "default_second_reading_seconds")]
    pub second_reading_seconds: u64,
}

impl Default for CycleTimes {
    fn default() -> Self {
        Self { second_reading_seconds: default_second_reading_seconds() }
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Update {
    #[serde(default = "default_trial_seconds")]
    pub trial_seconds: u32,
}

impl Default for Update {
    fn default() -> Self {
        Self { trial_seconds: default_trial_seconds() }
    }
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Privacy {
    #[serde(default)]
    pub withhold: Vec<String>,
    #[serde(default)]
    pub never_read: Vec<String>,
}

impl Privacy {
    pub fn attributes(&self) -> Result<AttributeList, String> {
        AttributeList::without(&self.withhold).map_err(|error| format!("privacy.withhold: {error}"))
    }

    pub fn never_read(&self) -> Result<NeverRead, String> {
        if self.never_read.len() > limits::CEILING {
            return Err(format!("privacy.never_read: at most {} places", limits::CEILING));
        }
        NeverRead::parse(&self.never_read).map_err(|error| format!("privacy.never_read: {error}"))
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    #[serde(default)]
    pub level: Level,
    /// Where the service keeps log files.
    pub folder: Option<PathBuf>,
}

impl Default for Log {
    fn default() -> Self {
        Self { level: Level::Info, folder: None }
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    Error,
    Warn,
    #[default]
    Info,
    Debug,
}

/// Where an installation keeps its data unless the file says otherwise.
pub fn default_data_dir() -> PathBuf {
    if cfg!(windows) { PathBuf::from(r"C:\ProgramData\Rollcall") } else { PathBuf::from("/var/lib/rollcall-agent") }
}

fn default_connect_seconds() -> u64 {
    10
}

fn default_entry_seconds() -> u64 {
    60
}

fn default_trial_seconds() -> u32 {
    600
}

fn default_second_reading_seconds() -> u64 {
    300
}

/// Where the file lies unless `--config` says otherwise.
pub fn default_path() -> PathBuf {
    default_data_dir().join("agent.toml")
}

impl Config {
    /// Reads the file. A mistake is told with its line and column.
    pub fn read(path: &Path) -> Result<Self, Diagnostic> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| unreadable(format!("{} cannot be read: {}", path.display(), reason::of(&error))))?;
        let config = Self::parse(&text).map_err(|mistake| unreadable(format!("{}: {mistake}", path.display())))?;
        Ok(Self { path: Some(path.to_owned()), ..config })
    }

    /// Reads the text of a file.
    pub fn parse(text: &str) -> Result<Self, String> {
        let config: Self = toml::from_str(text).map_err(|error| {
            let at = error.span().map(|span| position(text, span.start)).unwrap_or_default();
            format!("{at}{}", error.message())
        })?;
        if let Some(ldap) = &config.ldap {
            ldap.check()?;
        }
        config.cloud.check()?;
        config.privacy.attributes()?;
        config.privacy.never_read()?;
        Ok(config)
    }

    /// Everything a cycle needs to reach the directory. The password is read here, each time, so that a changed file
    /// takes effect with the next cycle.
    pub fn access(&self) -> Result<Access, Diagnostic> {
        let ldap = self.ldap.as_ref().ok_or_else(|| unreadable("the section [ldap] is missing".to_owned()))?;
        Ok(Access {
            controllers: ldap.controllers(),
            target: ldap.target(),
            methods: ldap.methods()?,
            attributes: self.privacy.attributes().map_err(unreadable)?,
            never_read: self.privacy.never_read().map_err(unreadable)?,
        })
    }

    pub fn second_reading_after(&self) -> TimeDelta {
        // More than a lifetime is as good as a lifetime, and can be added to every date.
        TimeDelta::seconds(u32::try_from(self.cycle.second_reading_seconds).unwrap_or(u32::MAX).into())
    }
}

impl Ldap {
    fn check(&self) -> Result<(), String> {
        let hosts = self.host.names();
        if hosts.iter().any(|host| host.parse::<IpAddr>().is_ok()) {
            return Err("ldap.host must be the full DNS name that stands in the certificate; an address belongs into \
                        ldap.address"
                .to_owned());
        }
        if hosts.iter().chain(&self.domain).any(|name| name.trim().is_empty())
            || (hosts.is_empty() && self.domain.is_none())
        {
            return Err(
                "ldap.host must name a domain controller, or ldap.domain the domain whose controllers DNS knows"
                    .to_owned(),
            );
        }
        if self.address.is_some() && hosts.len() != 1 {
            return Err("ldap.address is where the one ldap.host is; with several, or with none, ask DNS".to_owned());
        }
        if self.port == Some(0) {
            return Err("ldap.port must be at least 1".to_owned());
        }
        if self.connect_seconds == 0 || self.entry_seconds == 0 {
            return Err("ldap.connect_seconds and ldap.entry_seconds must be at least 1".to_owned());
        }
        self.check_sign_in()
    }

    fn controllers(&self) -> Controllers {
        Controllers {
            hosts: self.host.names().to_vec(),
            domain: self.domain.clone(),
            names: self.name_server.map_or(NameServer::OfTheMachine, NameServer::At),
        }
    }

    /// The first controller of the file; others are reached in the same way.
    pub fn target(&self) -> Target {
        Target {
            host: self.host.names().first().or(self.domain.as_ref()).cloned().unwrap_or_default(),
            address: self.address,
            ca_file: self.ca_file.clone(),
            timeouts: Timeouts {
                connect: Duration::from_secs(self.connect_seconds),
                entry: Duration::from_secs(self.entry_seconds),
                ..Timeouts::default()
            },
        }
    }
}

/// A password from a file that nobody else may read, without the line break at its end.
fn read_secret(path: &Path) -> Result<SecretString, Diagnostic> {
    let cannot =
        |error: std::io::Error| unreadable(format!("{} cannot be read: {}", path.display(), reason::of(&error)));
    if private_file::is_readable_by_others(path).map_err(cannot)? {
        return Err(Diagnostic::new(catalogue::SECRET_FILE_OPEN, path.display(), Exit::Failed));
    }
    let text = zeroize::Zeroizing::new(std::fs::read_to_string(path).map_err(cannot)?);
    Ok(SecretString::from(text.trim_end_matches(['\r', '\n']).to_owned()))
}

fn unreadable(detail: String) -> Diagnostic {
    Diagnostic::new(catalogue::CONFIG_UNREADABLE, detail, Exit::Usage)
}

/// `line 3, column 7: `
fn position(text: &str, at: usize) -> String {
    let before = text.get(..at).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    format!("line {line}, column {column}: ")
}

#[cfg(test)]
mod tests {
    use super::*;

    // Its examples are those of both systems, and Windows takes no keytab.
    #[cfg(unix)]
    #[test]
    fn the_template_documents_a_valid_file_once_its_examples_are_switched_on() {
        let uncommented: String =
            TEMPLATE.lines().map(|line| line.strip_prefix("#: ").unwrap_or(line)).collect::<Vec<_>>().join("\n");

        assert!(Config::parse(TEMPLATE).is_ok());
        let config = Config::parse(&uncommented).unwrap();
        assert!(config.ldap.is_some_and(|ldap| ldap.address.is_some() && ldap.keytab_file.is_some()));
        assert!(config.cloud.proxy.is_some() && config.cloud.ca_file.is_some());
    }

    #[cfg(unix)]
    #[test]
    fn the_unit_lets_the_service_write_where_the_template_says() {
        let unit = include_str!("../../installer/linux/rollcall-agent.service");
        let setting = |name: &str| unit.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('=')).unwrap();
        let example = |key: &str| {
            let line = TEMPLATE.lines().find_map(|line| line.strip_prefix("#: ")?.strip_prefix(key)).unwrap();
            PathBuf::from(line.trim_matches([' ', '=', '"']))
        };

        assert_eq!(example("data_dir"), Path::new(setting("ReadWritePaths")));
        assert_eq!(example("folder"), Path::new("/var/log").join(setting("LogsDirectory")));
    }

    #[test]
    fn a_password_cannot_stand_in_the_address_of_the_proxy_and_is_not_repeated() {
        let mistake = Config::parse("[cloud]\nproxy = \"http://joe:canary@proxy:3128\"\n").unwrap_err();

        assert!(mistake.contains("proxy_password_file") && !mistake.contains("canary"), "{mistake}");
    }

    #[test]
    fn a_name_for_the_proxy_needs_its_password_and_the_proxy() {
        for lines in [
            "proxy_user = \"a\"",
            "proxy = \"system\"\nproxy_user = \"a\"\nproxy_password_file = \"b\"",
            "proxy = \"http://p:1\"\nproxy_user = \"a\"",
        ] {
            assert!(Config::parse(&format!("[cloud]\n{lines}\n")).is_err(), "{lines}");
        }
        let system = Config::parse("[cloud]\nproxy = \"system\"\n").unwrap();
        assert_eq!(system.cloud.proxy, Some(Proxy::System));
    }

    #[test]
    fn an_unknown_key_is_told_with_its_line_and_column() {
        let mistake =
            Config::parse("[ldap]\nhost = \"dc1.lab\"\nbind_user = \"a\"\npassword_file = \"b\"\ntls = false\n");

        assert!(mistake.unwrap_err().starts_with("line 5, column 1: unknown field `tls`"));
    }

    #[test]
    fn a_value_of_the_wrong_kind_is_told_with_its_line_and_column() {
        let mistake = Config::parse("[cycle]\nsecond_reading_seconds = \"soon\"\n").unwrap_err();

        assert!(mistake.starts_with("line 2, column 26: "), "{mistake}");
    }

    #[test]
    fn case_28_clear_text_cannot_be_written_down() {
        let text = "[ldap]\nhost=\"dc1.lab\"\nbind_user=\"a\"\npassword_file=\"b\"\ntransport=\"ldap\"\n";

        assert!(Config::parse(text).unwrap_err().contains("unknown variant `ldap`"));
    }

    #[test]
    fn controllers_are_named_one_by_one_or_by_their_domain() {
        let parse = |line: &str| Config::parse(&format!("[ldap]\nbind_user=\"a\"\npassword_file=\"b\"\n{line}"));

        for line in ["host=\"dc1.lab\"", "host=[\"dc1.lab\",\"dc2.lab\"]", "domain=\"lab\""] {
            assert!(parse(line).is_ok(), "{line}");
        }
        assert!(parse("").unwrap_err().contains("ldap.domain"));
        assert!(parse("host=[]").unwrap_err().contains("ldap.domain"));
        assert!(parse("host=[\"dc1.lab\",\"dc2.lab\"]\naddress=\"192.0.2.1\"").unwrap_err().contains("ask DNS"));
        assert!(parse("host=[\"dc1.lab\",\"192.0.2.1\"]").unwrap_err().contains("ldap.address"));
    }

    #[test]
    fn an_address_as_host_is_refused_with_the_way_out() {
        let text = "[ldap]\nhost=\"10.0.0.1\"\nbind_user=\"a\"\npassword_file=\"b\"\n";

        assert!(Config::parse(text).unwrap_err().contains("ldap.address"));
    }

    #[cfg(unix)]
    #[test]
    fn a_password_file_that_others_can_read_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(0o644)).unwrap();
        let text = format!("[ldap]\nhost=\"dc1.lab\"\nbind_user=\"a\"\npassword_file={:?}\n", file.path());

        let seen = Config::parse(&text).unwrap().access().unwrap_err();

        assert_eq!(seen.fault.code, "RC-1012");
    }
}
