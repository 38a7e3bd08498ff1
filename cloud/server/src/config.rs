//! The only place that reads the environment: strings in, a typed configuration out, or what is wrong with them.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use rollcall_protocol::catalogue;
use rollcall_store::db::Place;

use crate::start::StartError;

/// Everything that can be set from outside.
#[derive(Debug, Clone)]
pub struct Config {
    pub data_dir: PathBuf,
    pub database: Place,
    pub listen: SocketAddr,
    pub admin_listen: SocketAddr,
    /// `None`: the address it listens on.
    pub public_url: Option<String>,
    pub master_key: MasterKeySource,
    /// Without one nobody is told anything by mail.
    pub smtp: Option<Relay>,
    pub tls: Option<TlsFiles>,
    /// Where the agent's installer lies.
    pub installer_dir: PathBuf,
    /// Published releases of the agent; without it no agent is updated from here.
    pub releases_dir: Option<PathBuf>,
    /// A filter in the form of `tracing-subscriber`.
    pub log: String,
}

/// The mail relay, and in whose name it is asked. The address may hold a password, so it is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Relay {
    url: String,
    pub from: String,
}

impl Relay {
    pub const fn new(url: String, from: String) -> Self {
        Self { url, from }
    }

    pub fn url(&self) -> &str {
        &self.url
    }
}

impl std::fmt::Debug for Relay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Relay").field("from", &self.from).finish_non_exhaustive()
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

/// Where the key comes from that seals secrets at rest.
#[derive(Clone, PartialEq, Eq)]
pub enum MasterKeySource {
    /// 32 bytes as 64 hexadecimal digits.
    Given(String),
    File(PathBuf),
    /// A file of its own in the data folder, made at the first start.
    DataFolder,
}

impl std::fmt::Debug for MasterKeySource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Given(_) => f.write_str("given in ROLLCALL_MASTER_KEY"),
            Self::File(file) => write!(f, "file {}", file.display()),
            Self::DataFolder => f.write_str("master.key in the data folder"),
        }
    }
}

const PREFIX: &str = "ROLLCALL_";
const KNOWN: [&str; 14] = [
    "ROLLCALL_DATABASE_URL",
    "ROLLCALL_DATA_DIR",
    "ROLLCALL_LISTEN",
    "ROLLCALL_ADMIN_LISTEN",
    "ROLLCALL_PUBLIC_URL",
    "ROLLCALL_MASTER_KEY",
    "ROLLCALL_MASTER_KEY_FILE",
    "ROLLCALL_SMTP_URL",
    "ROLLCALL_MAIL_FROM",
    "ROLLCALL_TLS_CERT",
    "ROLLCALL_TLS_KEY",
    "ROLLCALL_INSTALLER_DIR",
    "ROLLCALL_RELEASES_DIR",
    "ROLLCALL_LOG",
];

impl Config {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the environment")]
    pub fn from_environment() -> Result<Self, StartError> {
        Self::parse(std::env::vars())
    }

    pub fn parse(variables: impl IntoIterator<Item = (String, String)>) -> Result<Self, StartError> {
        let set: BTreeMap<String, String> =
            variables.into_iter().filter(|(name, value)| name.starts_with(PREFIX) && !value.is_empty()).collect();
        if let Some(unknown) = set.keys().find(|name| !KNOWN.contains(&name.as_str())) {
            let detail = format!("{unknown}; did you mean {}?", nearest(unknown));
            return Err(StartError::new(&catalogue::VARIABLE_UNKNOWN, detail));
        }
        let get = |name: &str| set.get(name).cloned();
        let data_dir = PathBuf::from(get("ROLLCALL_DATA_DIR").unwrap_or_else(|| "./rollcall-data".to_owned()));
        Ok(Self {
            database: database(get("ROLLCALL_DATABASE_URL"), &data_dir)?,
            listen: address("ROLLCALL_LISTEN", get("ROLLCALL_LISTEN"), "127.0.0.1:8080")?,
            admin_listen: address("ROLLCALL_ADMIN_LISTEN", get("ROLLCALL_ADMIN_LISTEN"), "127.0.0.1:9090")?,
            public_url: get("ROLLCALL_PUBLIC_URL").map(public_url).transpose()?,
            master_key: master_key(get("ROLLCALL_MASTER_KEY"), get("ROLLCALL_MASTER_KEY_FILE"))?,
            smtp: relay(get("ROLLCALL_SMTP_URL"), get("ROLLCALL_MAIL_FROM"))?,
            tls: tls(get("ROLLCALL_TLS_CERT"), get("ROLLCALL_TLS_KEY"))?,
            installer_dir: get("ROLLCALL_INSTALLER_DIR").map_or_else(|| data_dir.join("installer"), PathBuf::from),
            releases_dir: get("ROLLCALL_RELEASES_DIR").map(PathBuf::from),
            log: get("ROLLCALL_LOG").unwrap_or_else(|| "info".to_owned()),
            data_dir,
        })
    }

    /// What is in force, for `doctor` and the system page: no secret in it.
    pub fn redacted(&self) -> Vec<(&'static str, String)> {
        vec![
            ("ROLLCALL_DATABASE_URL", self.database.describe()),
            ("ROLLCALL_DATA_DIR", self.data_dir.display().to_string()),
            ("ROLLCALL_LISTEN", self.listen.to_string()),
            ("ROLLCALL_ADMIN_LISTEN", self.admin_listen.to_string()),
            (
                "ROLLCALL_PUBLIC_URL",
                self.public_url.clone().unwrap_or_else(|| "(the address it listens on)".to_owned()),
            ),
            ("ROLLCALL_MASTER_KEY", format!("{:?}", self.master_key)),
            ("ROLLCALL_SMTP_URL", if self.smtp.is_some() { "(set)" } else { "(not set)" }.to_owned()),
            ("ROLLCALL_MAIL_FROM", self.smtp.as_ref().map_or("(not set)".to_owned(), |relay| relay.from.clone())),
            (
                "ROLLCALL_TLS_CERT",
                self.tls.as_ref().map_or("(not set)".to_owned(), |tls| tls.certificate.display().to_string()),
            ),
            ("ROLLCALL_INSTALLER_DIR", self.installer_dir.display().to_string()),
            (
                "ROLLCALL_RELEASES_DIR",
                self.releases_dir.as_ref().map_or("(not set)".to_owned(), |folder| folder.display().to_string()),
            ),
            ("ROLLCALL_LOG", self.log.clone()),
        ]
    }
}

fn invalid(name: &str, why: impl std::fmt::Display) -> StartError {
    StartError::new(&catalogue::VARIABLE_INVALID, format!("{name}: {why}"))
}

fn database(url: Option<String>, data_dir: &std::path::Path) -> Result<Place, StartError> {
    match url {
        Some(url) => Place::parse(&url).map_err(|error| invalid("ROLLCALL_DATABASE_URL", error)),
        None => Ok(Place::sqlite(data_dir.join("rollcall.db"))),
    }
}

fn address(name: &str, value: Option<String>, default: &str) -> Result<SocketAddr, StartError> {
    let value = value.unwrap_or_else(|| default.to_owned());
    value.parse().map_err(|_| invalid(name, format!("{value:?} is no address and port such as 127.0.0.1:8080")))
}

/// Scheme, host and port, no trailing slash: so it can be compared with what a browser says.
fn public_url(value: String) -> Result<String, StartError> {
    let value = value.trim_end_matches('/').to_owned();
    let host = value.strip_prefix("https://").or_else(|| value.strip_prefix("http://"));
    match host {
        Some(host) if !host.is_empty() && !host.contains(['/', '?', '#', '@', ' ']) => Ok(value),
        Some(_) | None => {
            Err(invalid("ROLLCALL_PUBLIC_URL", "scheme, host and port only, such as https://rollcall.example"))
        }
    }
}

fn master_key(given: Option<String>, file: Option<String>) -> Result<MasterKeySource, StartError> {
    match (given, file) {
        (Some(_), Some(_)) => Err(invalid("ROLLCALL_MASTER_KEY", "set it or ROLLCALL_MASTER_KEY_FILE, not both")),
        (Some(given), None) => Ok(MasterKeySource::Given(given)),
        (None, Some(file)) => Ok(MasterKeySource::File(file.into())),
        (None, None) => Ok(MasterKeySource::DataFolder),
    }
}

/// A password leaves this machine under TLS or not at all.
fn relay(url: Option<String>, from: Option<String>) -> Result<Option<Relay>, StartError> {
    let url = match (url, &from) {
        (Some(url), _) => url,
        (None, Some(_)) => return Err(invalid("ROLLCALL_SMTP_URL", "is missing; ROLLCALL_MAIL_FROM is set")),
        (None, None) => return Ok(None),
    };
    let Some(from) = from else { return Err(invalid("ROLLCALL_MAIL_FROM", "is missing; ROLLCALL_SMTP_URL is set")) };
    let is_bare = url.starts_with("smtp://") && !url.contains("tls=required");
    if is_bare && url.contains('@') {
        return Err(invalid("ROLLCALL_SMTP_URL", "a password needs smtps://, or ?tls=required at the end"));
    }
    Ok(Some(Relay::new(url, from)))
}

fn tls(certificate: Option<String>, key: Option<String>) -> Result<Option<TlsFiles>, StartError> {
    match (certificate, key) {
        (Some(certificate), Some(key)) => Ok(Some(TlsFiles { certificate: certificate.into(), key: key.into() })),
        (None, None) => Ok(None),
        (Some(_), None) => Err(invalid("ROLLCALL_TLS_KEY", "is missing; ROLLCALL_TLS_CERT is set")),
        (None, Some(_)) => Err(invalid("ROLLCALL_TLS_CERT", "is missing; ROLLCALL_TLS_KEY is set")),
    }
}

/// The known name that needs the fewest changes of single letters.
fn nearest(unknown: &str) -> &'static str {
    KNOWN.iter().copied().min_by_key(|known| distance(known, unknown)).unwrap_or(KNOWN[0])
}

fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(set: &[(&str, &str)]) -> Result<Config, StartError> {
        Config::parse(set.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
    }

    #[test]
    fn nothing_set_means_one_machine_and_sqlite() {
        let config = parse(&[]).unwrap();
        assert_eq!(config.listen.to_string(), "127.0.0.1:8080");
        assert!(matches!(config.database, Place::Sqlite { file } if file.ends_with("rollcall-data/rollcall.db")));
    }

    #[test]
    fn an_unknown_variable_is_an_error_that_names_the_nearest_known_one() {
        let error = parse(&[("ROLLCALL_DATABSE_URL", "x")]).unwrap_err();
        assert_eq!(error.fault.code, "RC-8001");
        assert_eq!(error.detail, "ROLLCALL_DATABSE_URL; did you mean ROLLCALL_DATABASE_URL?");
    }

    #[test]
    fn variables_of_other_programs_are_none_of_our_business() {
        assert!(parse(&[("PATH", "/bin"), ("ROLLCALLER", "x")]).is_ok());
    }

    #[test]
    fn a_public_url_is_scheme_host_and_port() {
        assert_eq!(
            parse(&[("ROLLCALL_PUBLIC_URL", "https://r.example/")]).unwrap().public_url.unwrap(),
            "https://r.example"
        );
        for bad in ["r.example", "https://r.example/x", "ftp://r.example", "https://"] {
            assert_eq!(parse(&[("ROLLCALL_PUBLIC_URL", bad)]).unwrap_err().fault.code, "RC-8002", "{bad}");
        }
    }

    #[test]
    fn the_password_of_the_mail_server_is_never_printed() {
        let from = ("ROLLCALL_MAIL_FROM", "rollcall@northwind.example");
        let config = parse(&[("ROLLCALL_SMTP_URL", "smtps://rollcall:c0ffee@mail.example"), from]).unwrap();
        assert!(!format!("{config:?} {:?}", config.redacted()).contains("c0ffee"));
    }

    #[test]
    fn a_mail_relay_is_named_whole_and_gets_its_password_under_tls_alone() {
        let from = ("ROLLCALL_MAIL_FROM", "rollcall@northwind.example");
        let with = |url| parse(&[("ROLLCALL_SMTP_URL", url), from]);

        assert!(with("smtp://u:p@mail.example:587?tls=required").is_ok() && with("smtp://mail.example:25").is_ok());
        assert_eq!(with("smtp://u:p@mail.example:587").unwrap_err().fault.code, "RC-8002");
        assert_eq!(parse(&[from]).unwrap_err().fault.code, "RC-8002");
        assert_eq!(parse(&[("ROLLCALL_SMTP_URL", "smtp://mail.example")]).unwrap_err().fault.code, "RC-8002");
    }

    #[test]
    fn a_master_key_is_never_printed() {
        let config = parse(&[("ROLLCALL_MASTER_KEY", "c0ffee")]).unwrap();
        assert!(!format!("{config:?} {:?}", config.redacted()).contains("c0ffee"));
    }
}
