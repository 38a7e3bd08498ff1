//! What a client needs to sign in to the domain with Kerberos: a configuration of its own, a keytab, a ticket cache.

use super::{SERVICE_ACCOUNT, Samba, SambaError, provision};
use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

impl Samba {
    pub fn realm(&self) -> String {
        self.domain_name.to_uppercase()
    }

    /// The service account as Kerberos names it.
    pub fn principal(&self) -> String {
        format!("{SERVICE_ACCOUNT}@{}", self.realm())
    }

    /// A `krb5.conf` that knows this domain and nothing else; `KRB5_CONFIG` makes a process use it. The block of the
    /// realm must stand on several lines to be read.
    pub fn kerberos_config(&self) -> Result<PathBuf, SambaError> {
        let (realm, address) = (self.realm(), self.address());
        let text = format!(
            "[libdefaults]\n default_realm = {realm}\n dns_lookup_kdc = false\n dns_lookup_realm = false\n rdns = false\n \
             dns_canonicalize_hostname = false\n[realms]\n {realm} = {{\n  kdc = {address}\n }}\n"
        );
        self.write("krb5.conf", &text)
    }

    /// The same with key servers that do not exist.
    pub fn kerberos_config_without_servers(&self) -> Result<PathBuf, SambaError> {
        let realm = self.realm();
        let text = format!(
            "[libdefaults]\n default_realm = {realm}\n dns_lookup_kdc = false\n rdns = false\n[realms]\n {realm} = {{\n  kdc = \
             127.0.0.1:1\n }}\n"
        );
        self.write("krb5-without.conf", &text)
    }

    fn write(&self, name: &str, text: &str) -> Result<PathBuf, SambaError> {
        let file = self.folder.path().join(name);
        fs::write(&file, text).map_err(SambaError::io(name))?;
        Ok(file)
    }

    /// The key of the service account, for its owner alone to read.
    pub fn keytab(&self) -> Result<PathBuf, SambaError> {
        let file = self.folder.path().join("agent.keytab");
        if !file.exists() {
            let mut command = Command::new("/usr/bin/samba-tool");
            command.args(["domain", "exportkeytab"]).arg(&file).arg(format!("--principal={SERVICE_ACCOUNT}"));
            command.arg("-s").arg(self.folder.path().join("smb.conf"));
            provision::finish("samba-tool domain exportkeytab", &mut command)?;
            fs::set_permissions(&file, Permissions::from_mode(0o600)).map_err(SambaError::io("agent.keytab"))?;
        }
        Ok(file)
    }

    /// A cache with a ticket of the service account that lasts this long, `10h` or `20s`.
    pub fn ticket_cache(&self, lifetime: &str) -> Result<PathBuf, SambaError> {
        let file = self.folder.path().join(format!("tickets-{lifetime}"));
        let mut command = Command::new("/usr/bin/kinit");
        command.env("KRB5_CONFIG", self.kerberos_config()?).args(["-l", lifetime, "-k", "-t"]).arg(self.keytab()?);
        command.arg("-c").arg(&file).arg(self.principal());
        provision::finish("kinit", &mut command)?;
        Ok(file)
    }

    /// Gives the service account another password, which makes every keytab before it worthless.
    pub fn change_password(&self, password: &str) -> Result<(), SambaError> {
        let mut command = Command::new("/usr/bin/samba-tool");
        command.args(["user", "setpassword", SERVICE_ACCOUNT]).arg(format!("--newpassword={password}"));
        command.arg("-s").arg(self.folder.path().join("smb.conf"));
        provision::finish("samba-tool user setpassword", &mut command)
    }

    /// Where the domain keeps its files.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}
