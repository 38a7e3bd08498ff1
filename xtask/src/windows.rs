//! Builds the Windows agent and its MSI on Linux, signs both, and writes what goes with them.
//!
//! The MSI is the same for every customer: nothing is put into it after it was signed, and nothing of a customer before.

mod compiler;
mod tables;
mod sign;
mod winget;
mod unit_tests;

use crate::pin;
use crate::shell::{self, Outcome};
use clap::Args as ClapArgs;
use compiler::Library;
use std::fs;
use std::path::{Path, PathBuf};

pub const TARGET: &str = "x86_64-pc-windows-gnu";
const EXE: &str = "rollcall-agent.exe";
pub const MSI: &str = "rollcall-agent-x64.msi";
/// More would be noticed by those who roll it out over slow lines.
const LARGEST_EXE: u64 = 10 * 1024 * 1024;
/// For size: it waits for the network, and is rolled out by the hundred.
pub const OPTIMISED: (&str, &str) = ("CARGO_PROFILE_RELEASE_OPT_LEVEL", "s");

#[derive(ClapArgs, Default)]
pub struct Args {
    /// Version of the MSI; the workspace's unless set. To try upgrades.
    #[arg(long)]
    msi_version: Option<String>,
    /// Where the results go; `windows` in the target folder unless set.
    #[arg(long)]
    out: Option<PathBuf>,
    /// Packs this program instead of building one.
    #[arg(long)]
    exe: Option<PathBuf>,
    /// The makers' root whose releases the agent believes, `1.root.json` of `release keys`; without one it takes no updates.
    #[arg(long)]
    update_root: Option<PathBuf>,
    /// Where the MSI will be published; with it the winget manifest is written.
    #[arg(long)]
    download_url: Option<String>,
    #[command(flatten)]
    signing: sign::Signing,
    /// Builds the agent's unit tests as a Windows program instead, and names it on the last line.
    #[arg(long)]
    unit_tests: bool,
}

impl Args {
    pub fn of_unit_tests() -> Self {
        Self { unit_tests: true, ..Self::default() }
    }
}

pub fn run(args: &Args) -> Outcome {
    if args.unit_tests {
        println!("{}", unit_tests::build()?.display());
        return Ok(());
    }
    let version = args.msi_version.clone().unwrap_or_else(|| env!("CARGO_PKG_VERSION").to_owned());
    let target = target_folder()?;
    let exe = args.exe.clone().map_or_else(build, Ok)?;
    let out = args.out.clone().unwrap_or_else(|| target.join("windows"));
    fs::create_dir_all(&out).map_err(|error| format!("{}: {error}", out.display()))?;
    let signer = sign::Signer::prepare(&args.signing, &out)?;
    let placed = out.join(EXE);
    let exe = pinned(exe, args.update_root.as_deref(), &out)?;
    signer.sign(&exe, &placed)?;
    check_size(&placed)?;
    let msi = out.join(MSI);
    package(&out, &version, &signer, &msi)?;
    let hash = sha256(&msi)?;
    write(&out.join(format!("{MSI}.sha256")), &format!("{hash}  {MSI}\n"))?;
    if let Some(url) = &args.download_url {
        winget::write(
            &out,
            &[("VERSION", &version), ("SHA256", &hash), ("URL", url), ("PRODUCT_CODE", &tables::product_code(&msi)?)],
        )?;
    }
    println!("windows: {} ({hash})", msi.display());
    Ok(())
}

pub fn target_folder() -> Outcome<PathBuf> {
    let text = shell::output(shell::cargo().args(["metadata", "--format-version", "1", "--no-deps", "--locked"]))?;
    let metadata: serde_json::Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    metadata["target_directory"].as_str().map(PathBuf::from).ok_or_else(|| "cargo names no target folder".to_owned())
}

fn build() -> Outcome<PathBuf> {
    let wanted = ["build", "--release", "--locked", "--package", "rollcall-agent"];
    shell::run(compiler::cargo(&wanted, Library::Standard)?.env(OPTIMISED.0, OPTIMISED.1))?;
    strip(&compiler::folder()?.join(TARGET).join("release"))
}

/// Without symbols it is a third smaller; nobody reads a trace on a customer's server.
fn strip(folder: &Path) -> Outcome<PathBuf> {
    let stripped = folder.join("rollcall-agent-stripped.exe");
    // Several tests build at once: whoever reads the program meanwhile reads a whole one.
    let beside = folder.join(format!("rollcall-agent-stripped-{}.exe", std::process::id()));
    shell::run(shell::command("x86_64-w64-mingw32-strip").arg("-s").arg("-o").arg(&beside).arg(folder.join(EXE)))?;
    fs::rename(&beside, &stripped).map_err(|error| format!("{}: {error}", stripped.display()))?;
    Ok(stripped)
}

/// The program with the makers' root in it, or as it was built.
fn pinned(exe: PathBuf, root: Option<&Path>, out: &Path) -> Outcome<PathBuf> {
    let Some(root) = root else {
        println!("windows: pinned to the test root; this program takes no updates");
        return Ok(exe);
    };
    let pinned = out.join("rollcall-agent-pinned.exe");
    pin::pin(&exe, root, &pinned)?;
    Ok(pinned)
}

fn check_size(exe: &Path) -> Outcome {
    let size = fs::metadata(exe).map_err(|error| format!("{}: {error}", exe.display()))?.len();
    println!("windows: {EXE} has {size} bytes");
    if size <= LARGEST_EXE { Ok(()) } else { Err(format!("{EXE} has {size} bytes; {LARGEST_EXE} are allowed")) }
}

fn package(out: &Path, version: &str, signer: &sign::Signer, msi: &Path) -> Outcome {
    let source = shell::root().join("installer/windows/rollcall-agent.wxs");
    let unsigned = out.join("unsigned.msi");
    // wixl finds files only below the folder it runs in.
    let icon = out.join("rollcall-agent.ico");
    fs::copy(shell::root().join("agent/windows.ico"), &icon).map_err(|error| format!("{}: {error}", icon.display()))?;
    let mut wixl = shell::command("wixl");
    wixl.current_dir(out).args(["--arch", "x64", "--define"]).arg(format!("Version={version}"));
    shell::run(wixl.arg("--output").arg(&unsigned).arg(source))?;
    tables::complete(&unsigned)?;
    signer.sign(&unsigned, msi)?;
    fs::remove_file(&unsigned).map_err(|error| format!("{}: {error}", unsigned.display()))
}

fn sha256(file: &Path) -> Outcome<String> {
    let line = shell::output(shell::command("sha256sum").arg(file))?;
    line.split_whitespace().next().map(str::to_owned).ok_or_else(|| "sha256sum printed nothing".to_owned())
}

pub fn write(path: &Path, text: &str) -> Outcome {
    fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}
