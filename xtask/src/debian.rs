//! Builds the Debian package of the agent: the program, its unit, its account, its page of the manual.

use crate::pin;
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
    /// Packs this program instead of building one.
    #[arg(long)]
    exe: Option<PathBuf>,
    /// Version of the package; the workspace's unless set. To try upgrades.
    #[arg(long)]
    deb_version: Option<String>,
    /// The makers' root whose releases the agent believes, `1.root.json` of `release keys`; without one it takes no updates.
    #[arg(long)]
    update_root: Option<PathBuf>,
}

const PROGRAM: &str = "usr/bin/rollcall-agent";
const UNIT: &str = "usr/lib/systemd/system/rollcall-agent.service";
const PAGES: &str = "usr/share/doc/rollcall-agent";
const MANUAL: &str = "usr/share/man/man8/rollcall-agent.8";

pub fn run(args: &Args) -> Outcome {
    let target = crate::windows::target_folder()?;
    let exe = args.exe.clone().map_or_else(|| build(&target), Ok)?;
    let version = args.deb_version.clone().unwrap_or_else(|| env!("CARGO_PKG_VERSION").to_owned());
    let out = args.out.clone().unwrap_or_else(|| target.join("debian"));
    let tree = out.join("tree");
    let _ = fs::remove_dir_all(&tree);
    place_program(&exe, args.update_root.as_deref(), &tree.join(PROGRAM))?;
    place_unit(&tree.join(UNIT))?;
    place_pages(&tree, &version)?;
    describe(&tree, &version)?;
    close_to_writers(&tree)?;
    let package = out.join(format!("rollcall-agent_{version}_{}.deb", architecture()?));
    shell::run(shell::command("dpkg-deb").args(["--root-owner-group", "-Zgzip", "--build"]).arg(&tree).arg(&package))?;
    println!("debian: {}", package.display());
    Ok(())
}

fn build(target: &Path) -> Outcome<PathBuf> {
    shell::run(shell::cargo().args(["build", "--release", "--locked", "--package", "rollcall-agent"]))?;
    Ok(target.join("release/rollcall-agent"))
}

fn place_program(exe: &Path, root: Option<&Path>, to: &Path) -> Outcome {
    place(exe, to, 0o755)?;
    shell::run(shell::command("strip").args(["--remove-section=.comment", "--remove-section=.note"]).arg(to))?;
    let Some(root) = root else {
        println!("debian: pinned to the test root; this program takes no updates");
        return Ok(());
    };
    pin::pin(to, root, to)
}

/// The same unit as for an installation by hand, but for the program's place.
fn place_unit(to: &Path) -> Outcome {
    let text = read(&linux().join("rollcall-agent.service"))?;
    write(to, &text.replace("/usr/local/bin/", "/usr/bin/"))
}

/// What Debian's policy asks for: licence, what changed, a page of the manual.
fn place_pages(tree: &Path, version: &str) -> Outcome {
    place(&linux().join("debian/copyright"), &tree.join(PAGES).join("copyright"), 0o644)?;
    place(&shell::root().join("CHANGELOG.md"), &tree.join(PAGES).join("CHANGELOG.md"), 0o644)?;
    place(&linux().join("debian/rollcall-agent.8"), &tree.join(MANUAL), 0o644)?;
    // Of the source, not of the build, so that two builds are the same.
    let date = shell::output(shell::command("git").args(["log", "-1", "--format=%cD"]))?;
    fill(
        &linux().join("debian/changelog"),
        &[("VERSION", version), ("DATE", date.trim())],
        &tree.join(PAGES).join("changelog"),
    )?;
    let pages = [tree.join(PAGES).join("changelog"), tree.join(PAGES).join("CHANGELOG.md"), tree.join(MANUAL)];
    // Without the time of day, so that two builds are the same.
    shell::run(shell::command("gzip").args(["--best", "--no-name"]).args(pages))
}

/// The package's own description: what it needs, how large it is, what each file's sum is, and its scripts.
fn describe(tree: &Path, version: &str) -> Outcome {
    let size =
        shell::output(shell::command("du").args(["--summarize", "--apparent-size", "--block-size=1024"]).arg(tree))?;
    let size = size.split_whitespace().next().unwrap_or("0");
    let places = [
        ("VERSION", version),
        ("ARCH", &architecture()?),
        ("LIBRARIES", &libraries(&tree.join(PROGRAM))?),
        ("SIZE", size),
    ];
    fill(&linux().join("debian/control"), &places, &tree.join("DEBIAN/control"))?;
    let sums = shell::output(
        shell::command("find").current_dir(tree).args(["usr", "-type", "f", "-exec", "md5sum", "{}", "+"]),
    )?;
    for script in ["postinst", "prerm", "postrm"] {
        place(&linux().join("debian").join(script), &tree.join("DEBIAN").join(script), 0o755)?;
    }
    write(&tree.join("DEBIAN/md5sums"), &sums)
}

/// The libraries that the program is linked with, in the versions it needs: this machine's tool finds them.
fn libraries(program: &Path) -> Outcome<String> {
    // It asks for the description of a source package, which there is none of.
    let folder = program.with_file_name("shlibdeps");
    write(&folder.join("debian/control"), "Source: rollcall-agent\n\nPackage: rollcall-agent\nArchitecture: any\n")?;
    let said = shell::output(shell::command("dpkg-shlibdeps").current_dir(&folder).arg("-O").arg("-e").arg(program));
    fs::remove_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let said = said?;
    let found = said.lines().find_map(|line| line.strip_prefix("shlibs:Depends="));
    found.map(str::to_owned).ok_or_else(|| format!("dpkg-shlibdeps said {said:?}"))
}

/// Files and folders are nobody's to change but root's, whatever the builder's mask was.
fn close_to_writers(tree: &Path) -> Outcome {
    shell::run(shell::command("chmod").arg("--recursive").arg("u=rwX,go=rX").arg(tree))
}

fn architecture() -> Outcome<String> {
    Ok(shell::output(shell::command("dpkg").arg("--print-architecture"))?.trim().to_owned())
}

fn linux() -> PathBuf {
    shell::root().join("installer/linux")
}

fn place(from: &Path, to: &Path, mode: u32) -> Outcome {
    let failed = |error: std::io::Error| format!("{}: {error}", to.display());
    make_room(to)?;
    fs::copy(from, to).map_err(|error| format!("{}: {error}", from.display()))?;
    fs::set_permissions(to, fs::Permissions::from_mode(mode)).map_err(failed)
}

fn make_room(path: &Path) -> Outcome {
    let Some(folder) = path.parent() else { return Ok(()) };
    fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))
}

/// Fills the places `@NAME@` of a template.
fn fill(template: &Path, places: &[(&str, &str)], to: &Path) -> Outcome {
    let fill = |text: String, (place, value): &(&str, &str)| text.replace(&format!("@{place}@"), value);
    write(to, &places.iter().fold(read(template)?, fill))
}

fn read(path: &Path) -> Outcome<String> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

fn write(path: &Path, text: &str) -> Outcome {
    make_room(path)?;
    fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}
