//! Reads a directory with `OpenLDAP`'s `ldapsearch`: a second opinion from a client that is not ours.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    process::Command,
};
use thiserror::Error;

#[derive(Debug, Error)]
pub enum LdapSearchError {
    #[error("ldapsearch is missing: install the package ldap-utils")]
    Missing,
    #[error("ldapsearch did not run: {0}")]
    Run(#[from] io::Error),
    #[error("ldapsearch ended with {code}: {message}")]
    Failed { code: i32, message: String },
    #[error("ldapsearch printed a line that is not LDIF: {0}")]
    Ldif(String),
}

/// One object as LDIF gave it: attribute names in lower case, values as bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LdifEntry {
    pub dn: String,
    pub attributes: BTreeMap<String, Vec<Vec<u8>>>,
}

impl LdifEntry {
    pub fn values(&self, name: &str) -> &[Vec<u8>] {
        self.attributes.get(&name.to_ascii_lowercase()).map_or(&[], Vec::as_slice)
    }

    /// The first value as text.
    pub fn text(&self, name: &str) -> Option<String> {
        self.values(name).first().map(|value| String::from_utf8_lossy(value).into_owned())
    }

    pub fn texts(&self, name: &str) -> Vec<String> {
        self.values(name).iter().map(|value| String::from_utf8_lossy(value).into_owned()).collect()
    }
}

/// How to reach a directory, and as whom.
#[derive(Debug, Clone)]
pub struct LdapSearch {
    url: String,
    ca: PathBuf,
    bind: Option<(String, String)>,
    options: Vec<String>,
    seconds: u32,
}

impl LdapSearch {
    /// `url` is an `ldaps://` or `ldap://` address; certificates are checked against the authority in `ca`.
    pub fn new(url: impl Into<String>, ca: &Path) -> Self {
        Self { url: url.into(), ca: ca.to_owned(), bind: None, options: Vec::new(), seconds: 300 }
    }

    pub fn bind(mut self, name: &str, password: &str) -> Self {
        self.bind = Some((name.to_owned(), password.to_owned()));
        self
    }

    /// An option of the command line, `-E` or `-ZZ` for example.
    pub fn option(mut self, option: &str) -> Self {
        self.options.push(option.to_owned());
        self
    }

    /// Ends the program after this time, with code 124: `OpenLDAP` waits for ever for a silent server.
    pub fn within_seconds(self, seconds: u32) -> Self {
        Self { seconds, ..self }
    }

    /// In pages of this many, without a word between them.
    pub fn paged(self, entries: usize) -> Self {
        self.option("-E").option(&format!("pr={entries}/noprompt"))
    }

    /// Runs one search; `scope` is `base`, `one` or `sub`.
    pub fn run(
        &self,
        base: &str,
        scope: &str,
        filter: &str,
        attributes: &[&str],
    ) -> Result<Vec<LdifEntry>, LdapSearchError> {
        let mut command = Command::new("timeout");
        command.args(["--kill-after=1", &self.seconds.to_string(), "ldapsearch"]);
        command.env("LDAPTLS_CACERT", &self.ca).env("LDAPRC", "/nonexistent");
        command.args(["-LLL", "-o", "ldif-wrap=no", "-x", "-H", &self.url, "-b", base, "-s", scope]);
        if let Some((name, password)) = &self.bind {
            command.args(["-D", name, "-w", password]);
        }
        let output = command.args(&self.options).arg(filter).args(attributes).output().map_err(missing)?;
        // The code of `timeout` for a program that is not there.
        if output.status.code() == Some(127) {
            return Err(LdapSearchError::Missing);
        }
        if !output.status.success() {
            let message = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            return Err(LdapSearchError::Failed { code: output.status.code().unwrap_or(-1), message });
        }
        parse(&String::from_utf8_lossy(&output.stdout))
    }
}

fn missing(error: io::Error) -> LdapSearchError {
    if error.kind() == io::ErrorKind::NotFound { LdapSearchError::Missing } else { LdapSearchError::Run(error) }
}

/// Takes LDIF apart (RFC 2849), as `ldapsearch -LLL -o ldif-wrap=no` prints it.
pub fn parse(ldif: &str) -> Result<Vec<LdifEntry>, LdapSearchError> {
    let mut entries = Vec::new();
    for block in ldif.split("\n\n") {
        let mut entry = LdifEntry::default();
        for line in block.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let (name, value) = attribute(line)?;
            if name == "dn" {
                entry.dn = String::from_utf8_lossy(&value).into_owned();
            } else {
                entry.attributes.entry(name).or_default().push(value);
            }
        }
        // References and blank blocks are no objects; the rootDSE is one, without a name.
        let is_object = !entry.attributes.is_empty() && !entry.attributes.contains_key("ref");
        if is_object || !entry.dn.is_empty() {
            entries.push(entry);
        }
    }
    Ok(entries)
}

fn attribute(line: &str) -> Result<(String, Vec<u8>), LdapSearchError> {
    let bad = || LdapSearchError::Ldif(line.to_owned());
    let (name, rest) = line.split_once(':').ok_or_else(bad)?;
    let value = match rest.strip_prefix(':') {
        Some(encoded) => base64(encoded.trim()).ok_or_else(bad)?,
        None => rest.strip_prefix(' ').unwrap_or(rest).as_bytes().to_vec(),
    };
    Ok((name.to_ascii_lowercase(), value))
}

fn base64(text: &str) -> Option<Vec<u8>> {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut bytes, mut bits, mut held) = (Vec::with_capacity(text.len() * 3 / 4), 0_u32, 0);
    for digit in text.bytes().filter(|byte| *byte != b'=') {
        let value = DIGITS.iter().position(|known| *known == digit)?;
        bits = (bits << 6) | u32::try_from(value).ok()?;
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push(u8::try_from((bits >> held) & 0xff).ok()?);
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_and_encoded_values_are_both_read() {
        let entries = parse("dn: CN=A\ncn: A\nobjectGUID:: AQID\nmail: a@b\nmail: c@d\n\nref: ldap://x\n\n").unwrap();
        assert_eq!(entries.len(), 1);
        assert_eq!(entries[0].values("objectguid"), [vec![1, 2, 3]]);
        assert_eq!(entries[0].texts("mail"), ["a@b", "c@d"]);
    }
}
