//! Tickets for the programs of this Windows: those of the machine underneath, by Wine's own Kerberos.

use super::Wine;
use crate::world::ProgramError;
use std::fs;
use std::path::Path;

/// Makes Wine's Kerberos seal as Windows' does; the file says what differs.
const PACKAGE: &str = include_str!("labkerberos.c");
const PACKAGES: &str = r"HKLM\System\CurrentControlSet\Control\Lsa";

impl Wine {
    /// From now on programs have the Kerberos package that a Windows has.
    pub async fn install_kerberos(&self) -> Result<(), ProgramError> {
        self.compile(PACKAGE, r"windows\system32\labkerberos.dll", &["-shared"]).await?;
        self.must(self.wine(&["reg", "delete", &format!(r"{PACKAGES}\Kerberos"), "/f"])).await?;
        self.must(self.wine(&["reg", "add", &format!(r"{PACKAGES}\labkerberos"), "/f"])).await
    }

    /// Whose tickets the next programs have, and how they find the key servers.
    pub fn hold_tickets(&mut self, kerberos_config: &Path, ticket_cache: &Path) {
        self.environment = vec![
            ("KRB5_CONFIG".to_owned(), kerberos_config.display().to_string()),
            ("KRB5CCNAME".to_owned(), format!("FILE:{}", ticket_cache.display())),
        ];
    }

    /// The channel bindings of the last sign-in.
    pub fn channel_bindings(&self) -> Vec<u8> {
        fs::read(self.at("channel-bindings")).unwrap_or_default()
    }
}
