//! Tells one sign-in from another without knowing its secret: by what the file says of it, and by when the files with
//! password or key were last written.

use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use rollcall_protocol::hash::Hash;

use super::Config;

impl Config {
    /// Another mark means that trying again is another try.
    pub fn sign_in_mark(&self) -> Hash {
        let Some(ldap) = &self.ldap else { return Hash::of(b"no directory") };
        // The section names files and never holds what stands in them.
        let mut text = format!("{ldap:?}");
        // A cache that is no file has no time; then only its name tells.
        let cache = ldap.ticket_cache.as_ref().map(|cache| PathBuf::from(cache.strip_prefix("FILE:").unwrap_or(cache)));
        for file in [&ldap.password_file, &ldap.keytab_file, &cache].into_iter().flatten() {
            text.push_str(&written(file));
        }
        Hash::of(text.as_bytes())
    }
}

fn written(file: &Path) -> String {
    let Ok(metadata) = std::fs::metadata(file) else { return " absent".to_owned() };
    let since = metadata.modified().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
    format!(" {} {}", metadata.len(), since.map_or(0, |since| since.as_nanos()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_was_written_anew_or_another_account_is_another_sign_in() {
        let folder = tempfile::tempdir().unwrap();
        let password = folder.path().join("password");
        std::fs::write(&password, "first").unwrap();
        let config = |user: &str| {
            Config::parse(&format!(
                "[ldap]\nhost = 'dc1.lab.example'\nbind_user = '{user}'\npassword_file = '{}'",
                password.display()
            ))
            .unwrap()
        };
        let before = config("ana").sign_in_mark();

        assert_eq!(config("ana").sign_in_mark(), before);
        assert_ne!(config("ben").sign_in_mark(), before);
        std::fs::write(&password, "second").unwrap();
        assert_ne!(config("ana").sign_in_mark(), before);
    }

    /// On Windows the tickets are the account's, and no file names them.
    #[cfg(not(windows))]
    #[test]
    fn a_ticket_cache_that_was_filled_anew_is_another_sign_in() {
        let folder = tempfile::tempdir().unwrap();
        let cache = folder.path().join("cache");
        std::fs::write(&cache, "of ana").unwrap();
        for prefix in ["", "FILE:"] {
            let text = format!("[ldap]\nhost = 'dc1.lab.example'\nticket_cache = '{prefix}{}'", cache.display());
            let mark = || Config::parse(&text).unwrap().sign_in_mark();
            let before = mark();
            std::fs::write(&cache, format!("of somebody else{prefix}")).unwrap();
            assert_ne!(mark(), before, "{prefix}");
        }
    }
}
