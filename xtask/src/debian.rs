//! Builds the Debian package of the agent: the program, its unit, its account.

use crate::shell::{self, Outcome};
use clap::Args as ClapArgs;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

#[derive(ClapArgs)]
pub struct Args {
    /// Where the package goes; `debian` in the target folder unless set.
    #[arg(long)]
    out: Option<PathBuf>,
}

const VERSION: &str = env!("CARGO_PKG_VERSION");

pub fn run(args: &Args) -> Outcome {
    shell::run(shell::cargo().args(["build", "--release", "--locked", "--package", "rollcall-agent"]))?;
    let target = crate::windows::target_folder()?;
    let out = args.out.clone().unwrap_or_else(|| target.join("debian"));
    let tree = out.join("tree");
    let _ = fs::remove_dir_all(&tree);
    let linux = shell::root().join("installer/linux");
    place(&target.join("release/rollcall-agent"), &tree.join("usr/bin/rollcall-agent"), 0o755)?;
    let unit = "usr/lib/systemd/system/rollcall-agent.service";
    place(&linux.join("rollcall-agent.service"), &tree.join(unit), 0o644)?;
    let text = read(&tree.join(unit))?.replace("/usr/local/bin/", "/usr/bin/");
    write(&tree.join(unit), &text)?;
    for script in ["postinst", "prerm", "postrm"] {
        place(&linux.join("debian").join(script), &tree.join("DEBIAN").join(script), 0o755)?;
    }
    let control =
        read(&linux.join("debian/control"))?.replace("@VERSION@", VERSION).replace("@ARCH@", &architecture()?);
    write(&tree.join("DEBIAN/control"), &control)?;
    let package = out.join(format!("rollcall-agent_{VERSION}_{}.deb", architecture()?));
    shell::run(shell::command("dpkg-deb").args(["--root-owner-group", "--build"]).arg(&tree).arg(&package))?;
    println!("debian: {}", package.display());
    Ok(())
}

fn architecture() -> Outcome<String> {
    Ok(shell::output(shell::command("dpkg").arg("--print-architecture"))?.trim().to_owned())
}

fn place(from: &Path, to: &Path, mode: u32) -> Outcome {
    let failed = |error: std::io::Error| format!("{}: {error}", to.display());
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder).map_err(failed)?;
    }
    fs::copy(from, to).map_err(|error| format!("{}: {error}", from.display()))?;
    fs::set_permissions(to, fs::Permissions::from_mode(mode)).map_err(failed)
}

fn read(path: &Path) -> Outcome<String> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

fn write(path: &Path, text: &str) -> Outcome {
    fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}
