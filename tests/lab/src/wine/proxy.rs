//! The proxy settings of this Windows, written where `netsh winhttp set proxy` and the Internet options write them.

use super::Wine;
use crate::world::ProgramError;

const CONNECTIONS: &str = r"Software\Microsoft\Windows\CurrentVersion\Internet Settings\Connections";
/// How both values begin, as Windows writes them.
const OF_THE_MACHINE: u32 = 0x18;
const OF_THE_ACCOUNT: u32 = 0x46;

const DIRECT: u32 = 1;
const NAMED: u32 = 2;
const SCRIPT: u32 = 4;

impl Wine {
    /// What services use.
    pub async fn set_machine_proxy(&self, servers: &str, bypass: &str) -> Result<(), ProgramError> {
        let value = [head(OF_THE_MACHINE, DIRECT | NAMED), text(servers), text(bypass)].concat();
        self.write_binary(&format!(r"HKLM\{CONNECTIONS}"), "WinHttpSettings", &value).await
    }

    pub async fn clear_machine_proxy(&self) -> Result<(), ProgramError> {
        let key = format!(r"HKLM\{CONNECTIONS}");
        self.must(self.wine(&["reg", "delete", &key, "/v", "WinHttpSettings", "/f"])).await
    }

    /// What the account's Internet options say.
    pub async fn set_account_proxy(&self, servers: &str, bypass: &str) -> Result<(), ProgramError> {
        let value = [head(OF_THE_ACCOUNT, DIRECT | NAMED), text(servers), text(bypass), text("")].concat();
        self.write_binary(&format!(r"HKCU\{CONNECTIONS}"), "DefaultConnectionSettings", &value).await
    }

    /// The same with a script in place of names.
    pub async fn set_account_script(&self, address: &str) -> Result<(), ProgramError> {
        let value = [head(OF_THE_ACCOUNT, DIRECT | SCRIPT), text(""), text(""), text(address)].concat();
        self.write_binary(&format!(r"HKCU\{CONNECTIONS}"), "DefaultConnectionSettings", &value).await
    }

    async fn write_binary(&self, key: &str, name: &str, value: &[u8]) -> Result<(), ProgramError> {
        let digits = value.iter().fold(String::new(), |digits, byte| digits + &format!("{byte:02x}"));
        self.must(self.wine(&["reg", "add", key, "/v", name, "/t", "REG_BINARY", "/d", &digits, "/f"])).await
    }
}

fn head(magic: u32, flags: u32) -> Vec<u8> {
    [magic, 0, flags].map(u32::to_le_bytes).concat()
}

fn text(text: &str) -> Vec<u8> {
    let length = u32::try_from(text.len()).unwrap_or_default();
    [&length.to_le_bytes(), text.as_bytes()].concat()
}
