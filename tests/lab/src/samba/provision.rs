//! Makes a domain on disk and starts its controller. A provisioned, still empty domain is kept in a cache folder where there is one to write to.

use super::{ADMINISTRATOR_PASSWORD, SambaError};
use crate::authority::{Authority, Flavour, ServerNames};
use std::{
    fs::{self, File, OpenOptions},
    net::Ipv4Addr,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

const CACHE: &str = "/var/cache/rollcall-lab";

/// What must be installed, each with the package that brings it.
const PARTS: &[(&str, &str)] = &[
    ("/usr/sbin/samba", "samba"),
    ("/usr/bin/samba-tool", "samba"),
    ("/usr/share/samba/setup/provision.ldif", "samba-ad-provision"),
    ("/usr/lib/python3/dist-packages/samba/samdb.py", "python3-samba"),
    ("/usr/bin/ldapsearch", "ldap-utils"),
    ("/usr/bin/kinit", "krb5-user"),
];

pub fn require_parts() -> Result<(), SambaError> {
    for (program, package) in PARTS {
        if !Path::new(program).exists() {
            return Err(SambaError::Missing { program, package });
        }
    }
    Ok(())
}

/// A loopback address that no other controller of this machine has; given back when the process ends.
#[derive(Debug)]
pub struct Seat {
    pub address: Ipv4Addr,
    _lock: File,
}

impl Seat {
    pub fn take(wanted: Option<Ipv4Addr>) -> Result<Self, SambaError> {
        let all = (10..=250).map(|last| Ipv4Addr::new(127, 0, 0, last));
        let candidates: Vec<Ipv4Addr> = wanted.map_or_else(|| all.collect(), |address| vec![address]);
        candidates.into_iter().find_map(Self::try_take).ok_or(SambaError::NoAddress)
    }

    fn try_take(address: Ipv4Addr) -> Option<Self> {
        let path = std::env::temp_dir().join(format!("rollcall-lab-{address}.lock"));
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(path).ok()?;
        lock.try_lock().ok()?;
        // Somebody else's server may sit there, too.
        std::net::TcpListener::bind((address, 636)).ok()?;
        Some(Self { address, _lock: lock })
    }
}

/// Fills the folder with a domain, a certificate and a configuration.
pub fn prepare(folder: &Path, domain_name: &str, seat: &Seat, authority: &Authority) -> Result<(), SambaError> {
    let template = cached(domain_name);
    if let Some(template) = template.as_deref().filter(|template| template.is_dir()) {
        copy(template, folder)?;
    } else {
        provision(folder, domain_name)?;
        if let Some(template) = &template {
            keep(folder, template);
        }
    }
    write_certificates(folder, domain_name, seat, authority)?;
    fs::write(folder.join("smb.conf"), configuration(folder, domain_name, seat)).map_err(SambaError::io("smb.conf"))
}

pub fn start(folder: &Path) -> Result<Child, SambaError> {
    let log = File::create(folder.join("samba.log")).map_err(SambaError::io("samba.log"))?;
    let errors = log.try_clone().map_err(SambaError::io("samba.log"))?;
    Command::new("/usr/sbin/samba")
        .arg("-s")
        .arg(folder.join("smb.conf"))
        .args(["-i", "--debug-stdout", "-M", "single", "--option=log level=1 dsdb_json_audit:5"])
        // In this mode the controller ends when its input does, so it cannot outlive a test that was killed.
        .stdin(Stdio::piped())
        .stdout(log)
        .stderr(errors)
        .process_group(0)
        .spawn()
        .map_err(SambaError::io("samba"))
}

/// Templates of another version, or of another domain, are other templates.
fn cached(domain_name: &str) -> Option<PathBuf> {
    let version = Command::new("/usr/sbin/samba").arg("--version").output().ok()?;
    let version = String::from_utf8_lossy(&version.stdout).trim().replace(' ', "-");
    fs::create_dir_all(CACHE).ok()?;
    Some(Path::new(CACHE).join(format!("{version}-{domain_name}")))
}

fn provision(folder: &Path, domain_name: &str) -> Result<(), SambaError> {
    let realm = domain_name.to_uppercase();
    let output = Command::new("/usr/bin/samba-tool")
        .args(["domain", "provision", "--server-role=dc", "--dns-backend=SAMBA_INTERNAL", "--host-name=dc1"])
        .args(["--host-ip=127.0.0.10", "--option=server services=ldap, cldap, kdc, drepl"])
        .arg("--option=vfs objects=dfs_samba4 acl_xattr xattr_tdb")
        .arg(format!("--realm={realm}"))
        .arg(format!("--domain={}", short_name(domain_name)))
        .arg(format!("--adminpass={ADMINISTRATOR_PASSWORD}"))
        .arg(format!("--targetdir={}", folder.display()))
        .output()
        .map_err(SambaError::io("samba-tool"))?;
    if output.status.success() {
        return Ok(());
    }
    let output = String::from_utf8_lossy(&output.stderr).into_owned();
    if output.contains("Permission denied") || output.contains("need to be root") {
        return Err(SambaError::NotRoot);
    }
    Err(SambaError::Failed { program: "samba-tool domain provision", output })
}

/// Runs a program that ends by itself.
pub fn finish(program: &'static str, command: &mut Command) -> Result<(), SambaError> {
    let output = command.output().map_err(SambaError::io(program))?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    Err(SambaError::Failed { program, output: String::from_utf8_lossy(&said).into_owned() })
}

fn short_name(domain_name: &str) -> String {
    domain_name.split('.').next().unwrap_or(domain_name).to_uppercase()
}

fn copy(from: &Path, to: &Path) -> Result<(), SambaError> {
    let done = Command::new("cp").arg("-a").arg(from.join(".")).arg(to).output().map_err(SambaError::io("cp"))?;
    if done.status.success() {
        return Ok(());
    }
    Err(SambaError::Failed { program: "cp", output: String::from_utf8_lossy(&done.stderr).into_owned() })
}

/// Keeps a copy for the next time. Another process may do the same: the copy appears whole or not at all, and failing is no harm.
fn keep(folder: &Path, template: &Path) {
    let draft = template.with_extension(format!("draft-{}", std::process::id()));
    let made = fs::create_dir(&draft).is_ok() && copy(folder, &draft).is_ok() && fs::rename(&draft, template).is_ok();
    if !made {
        let _ = fs::remove_dir_all(&draft);
    }
}

fn write_certificates(folder: &Path, domain_name: &str, seat: &Seat, authority: &Authority) -> Result<(), SambaError> {
    let names = ServerNames { dns: vec![format!("dc1.{domain_name}")], addresses: vec![seat.address.into()] };
    let tls = folder.join("tls");
    fs::create_dir_all(&tls).map_err(SambaError::io("tls"))?;
    authority.issue(&names, Flavour::Good)?.write(&tls.join("cert.pem"), &tls.join("key.pem"))?;
    authority.write_pem(&tls.join("ca.pem"))?;
    // Samba refuses a key that others could read.
    Command::new("chmod").arg("600").arg(tls.join("key.pem")).output().map_err(SambaError::io("chmod"))?;
    Ok(())
}

fn configuration(folder: &Path, domain_name: &str, seat: &Seat) -> String {
    let (folder, address) = (folder.display(), seat.address);
    let (realm, workgroup) = (domain_name.to_uppercase(), short_name(domain_name));
    format!(
        "[global]
netbios name = DC1
realm = {realm}
workgroup = {workgroup}
server role = active directory domain controller
server services = ldap, cldap, kdc, drepl
interfaces = {address}/8
bind interfaces only = yes
private dir = {folder}/private
state directory = {folder}/state
cache directory = {folder}/cache
lock directory = {folder}
pid directory = {folder}
ncalrpc dir = {folder}/ncalrpc
binddns dir = {folder}/bind-dns
ntp signd socket directory = {folder}/ntp
winbindd socket directory = {folder}/winbindd
ldap server require strong auth = allow_sasl_over_tls
tls enabled = yes
tls keyfile = {folder}/tls/key.pem
tls certfile = {folder}/tls/cert.pem
tls cafile = {folder}/tls/ca.pem
vfs objects = dfs_samba4 acl_xattr xattr_tdb
log level = 0

[sysvol]
path = {folder}/state/sysvol
read only = no
"
    )
}
