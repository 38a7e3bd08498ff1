//! Decides what a machine lacks for the tests, and installs just that.

use crate::leaks;
use crate::shell::{self, Outcome};
use rollcall_protocol::hash::Hash;
use std::fs;
use std::path::Path;
use std::process::Stdio;

/// Debian packages by what needs them. Everything else is built by cargo.
const PACKAGES: &[&str] = &[
    // A real Active Directory domain controller, and a second LDAP client as a judge of it.
    "samba",
    "samba-ad-provision",
    "samba-dsdb-modules",
    "samba-vfs-modules",
    "winbind",
    "ldb-tools",
    "ldap-utils",
    "python3-samba",
    "krb5-user",
    "libsasl2-modules-gssapi-mit",
    // The second database.
    "postgresql",
    "postgresql-contrib",
    // A real browser.
    "chromium",
    "chromium-driver",
    // The Windows agent: its compiler, its installer, its signature, and something to run them in.
    "gcc-mingw-w64-x86-64-win32",
    "mingw-w64-x86-64-dev",
    "wixl",
    "msitools",
    "osslsigncode",
    "openssl",
    "wine",
    "wine64",
    // The Debian package: what builds it, what judges it, and what a machine has that it is installed on.
    "dpkg-dev",
    "lintian",
    "adduser",
    "ca-certificates",
    "procps",
    "systemd",
];

/// The accessibility checker that the browser's tests run in each page: name, version, and hash (as releases write it) of its one file.
const AXE: (&str, &str) = ("axe-core@4.14.1", "KTSJmUUM3yhJqOcLeRL8LahahJ2jnA0NU5T1HUqe2Vw");

pub fn run() -> Outcome {
    install_packages()?;
    fetch_axe()?;
    // Four minutes to build: worth it where nothing may be skipped.
    if shell::is_ci() && !shell::has("cargo-deny") {
        shell::run(shell::cargo().args(["install", "--locked", "--quiet", "cargo-deny"]))?;
    }
    Ok(())
}

fn install_packages() -> Outcome {
    let missing = missing_packages();
    if missing.is_empty() {
        println!("setup: nothing is missing");
        return Ok(());
    }
    println!("setup: installing {}", missing.join(" "));
    if !shell::has("apt-get") {
        return Err(format!("this is no Debian; install by hand: {}", missing.join(" ")));
    }
    apt(&["update", "--quiet"])?;
    let mut arguments = vec!["install", "--yes", "--quiet", "--no-install-recommends"];
    arguments.extend(missing);
    apt(&arguments)
}

/// Into the target folder: no part of the product, and not ours to hand on.
fn fetch_axe() -> Outcome {
    let folder = leaks::target_folder()?.join("axe-core");
    let file = folder.join("axe.min.js");
    if is_axe(&file) {
        return Ok(());
    }
    if !shell::has("npm") {
        apt(&["install", "--yes", "--quiet", "--no-install-recommends", "npm"])?;
    }
    let to_text = |error: std::io::Error| format!("{}: {error}", folder.display());
    fs::create_dir_all(&folder).map_err(to_text)?;
    let mut pack = shell::command("npm");
    let packed = shell::output(pack.args(["pack", "--silent", AXE.0, "--pack-destination"]).arg(&folder))?;
    let archive = folder.join(packed.trim());
    let mut unpack = shell::command("tar");
    // The folder counts only for what is named after it.
    unpack.arg("--extract").arg("--file").arg(&archive).arg("--directory").arg(&folder);
    shell::run(unpack.args(["--strip-components=1", "package/axe.min.js"]))?;
    fs::remove_file(&archive).map_err(to_text)?;
    if is_axe(&file) { Ok(()) } else { Err(format!("{} is not the {} we know", file.display(), AXE.0)) }
}

fn is_axe(file: &Path) -> bool {
    fs::read(file).is_ok_and(|bytes| Hash::of(&bytes).to_string() == AXE.1)
}

fn missing_packages() -> Vec<&'static str> {
    PACKAGES.iter().copied().filter(|package| !is_installed(package)).collect()
}

fn is_installed(package: &str) -> bool {
    shell::command("dpkg-query")
        .args(["--show", "--showformat=${db:Status-Status}", package])
        .stderr(Stdio::null())
        .output()
        .is_ok_and(|output| output.stdout == b"installed")
}

fn apt(arguments: &[&str]) -> Outcome {
    let is_root = shell::output(shell::command("id").arg("-u"))?.trim() == "0";
    let mut command = if is_root {
        shell::command("apt-get")
    } else {
        let mut sudo = shell::command("sudo");
        sudo.args(["--preserve-env=DEBIAN_FRONTEND", "apt-get"]);
        sudo
    };
    // The machine may be starting another installation: wait for the lock instead of failing on it.
    command.args(["-o", "DPkg::Lock::Timeout=300"]).args(arguments).env("DEBIAN_FRONTEND", "noninteractive");
    shell::run(&mut command)
}
