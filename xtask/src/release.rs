//! Publishes releases of the agent: makes the keys of the four roles, signs the list of releases, keeps it current.
//!
//! The folder it writes is the one that `ROLLCALL_RELEASES_DIR` names at the cloud, or that is copied there.

use crate::shell::Outcome;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use clap::{Parser, Subcommand};
use rand::TryRng as _;
use rand::rngs::SysRng;
use rollcall_protocol::hash::Hash;
use rollcall_protocol::key::PrivateKey;
use rollcall_protocol::update::metadata::{Described, Platform, Release, Root, Snapshot, Targets, Timestamp};
use rollcall_protocol::update::publish::{self, Lives, Signers, Written};
use rollcall_protocol::update::{Version, document, name};
use std::fs;
use std::path::{Path, PathBuf};

#[derive(Parser)]
pub struct Args {
    #[command(subcommand)]
    act: Act,
}

#[derive(Subcommand)]
enum Act {
    /// Make new keys, one file for each role, and the first root document.
    Keys {
        /// Folder for the keys; keep root.keys and targets.keys away from any network
        #[arg(long)]
        out: PathBuf,
        /// Folder of the publication, for 1.root.json
        #[arg(long)]
        releases: PathBuf,
        /// How long the first root document is good for; change keys before
        #[arg(long, default_value_t = 365)]
        days: u32,
    },
    /// Add a program to the list of releases, or replace the one of the same version and platform.
    Publish {
        #[arg(long)]
        releases: PathBuf,
        #[arg(long)]
        keys: PathBuf,
        #[arg(long)]
        exe: PathBuf,
        #[arg(long)]
        version: Version,
        /// Such as x86_64-windows; this machine's unless given
        #[arg(long)]
        platform: Option<String>,
    },
    /// Leave a version out of the list: agents that have not installed it never will.
    Withdraw {
        #[arg(long)]
        releases: PathBuf,
        #[arg(long)]
        keys: PathBuf,
        #[arg(long)]
        version: Version,
    },
    /// Say again that the list is current. Needs only snapshot.keys and timestamp.keys; run it weekly.
    Confirm {
        #[arg(long)]
        releases: PathBuf,
        #[arg(long)]
        keys: PathBuf,
    },
    /// Change keys: the next root document, signed by the keys before and after.
    Rotate {
        #[arg(long)]
        releases: PathBuf,
        /// Folder of the present keys
        #[arg(long)]
        before: PathBuf,
        /// Folder for the new ones
        #[arg(long)]
        out: PathBuf,
    },
}

pub fn run(args: &Args) -> Outcome {
    match &args.act {
        Act::Keys { out, releases, days } => make_keys(out, releases, TimeDelta::days((*days).into())),
        Act::Publish { releases, keys, exe, version, platform } => {
            let platform = platform.as_ref().map_or_else(Platform::here, Platform::new);
            let bytes = fs::read(exe).map_err(|error| format!("{}: {error}", exe.display()))?;
            let sha256 = Hash::of(&bytes);
            write(&releases.join(name::file(&sha256)), &bytes)?;
            let length = bytes.len() as u64;
            let new = Release { version: version.clone(), platform, length, sha256, published_at: Some(now()) };
            println!("release: {} {} is {sha256}, {} bytes", new.version, new.platform, new.length);
            change(releases, keys, |list| {
                list.retain(|known| (&known.version, &known.platform) != (&new.version, &new.platform));
                list.push(new);
            })
        }
        Act::Withdraw { releases, keys, version } => {
            change(releases, keys, |list| list.retain(|known| known.version != *version))
        }
        Act::Confirm { releases, keys } => confirm(releases, keys),
        Act::Rotate { releases, before, out } => rotate(releases, before, out),
    }
}

#[expect(clippy::disallowed_methods, reason = "a command of the terminal owns its clock")]
fn now() -> DateTime<Utc> {
    Utc::now()
}

fn make_keys(out: &Path, releases: &Path, life: TimeDelta) -> Outcome {
    let signers = write_keys(out)?;
    let root = publish::root(1, &signers, &[], now() + life).map_err(|error| error.to_string())?;
    fs::create_dir_all(releases).map_err(|error| error.to_string())?;
    write_all(releases, &[root])?;
    println!("release: build the agents with --update-root {}/1.root.json", releases.display());
    Ok(())
}

/// Three root keys, of which two must sign, so that one may be lost or stolen.
const KEYS: [(&str, usize); 4] = [("root", 3), ("targets", 1), ("snapshot", 1), ("timestamp", 1)];

fn write_keys(out: &Path) -> Result<Signers, String> {
    fs::create_dir_all(out).map_err(|error| format!("{}: {error}", out.display()))?;
    for (role, number) in KEYS {
        let path = key_file(out, role);
        if path.exists() {
            return Err(format!("{} exists; keys are never overwritten", path.display()));
        }
        let mut lines = String::new();
        for _ in 0..number {
            let mut seed = [0; 32];
            SysRng.try_fill_bytes(&mut seed).map_err(|error| error.to_string())?;
            lines.push_str(&URL_SAFE_NO_PAD.encode(seed));
            lines.push('\n');
        }
        write_private(&path, lines.as_bytes())?;
    }
    read_keys(out)
}

fn key_file(folder: &Path, role: &str) -> PathBuf {
    folder.join(format!("{role}.keys"))
}

fn write_private(path: &Path, bytes: &[u8]) -> Outcome {
    use std::io::Write as _;
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options.open(path).and_then(|mut file| file.write_all(bytes));
    written.map_err(|error| format!("{}: {error}", path.display()))
}

/// A role whose file is away has no keys here, and what needs them fails.
fn read_keys(folder: &Path) -> Result<Signers, String> {
    let read = |role: &str| -> Result<Vec<PrivateKey>, String> {
        let path = key_file(folder, role);
        let Ok(text) = fs::read_to_string(&path) else { return Ok(Vec::new()) };
        text.lines().map(|line| key(line).ok_or_else(|| format!("{}: not a key", path.display()))).collect()
    };
    Ok(Signers {
        root: read("root")?,
        targets: read("targets")?,
        snapshot: read("snapshot")?,
        timestamp: read("timestamp")?,
    })
}

fn key(line: &str) -> Option<PrivateKey> {
    let seed: [u8; 32] = URL_SAFE_NO_PAD.decode(line.trim()).ok()?.try_into().ok()?;
    Some(PrivateKey::from_seed(&seed))
}

/// What the folder says now. It is read with the keys of its own newest root.
struct Published {
    root: Root,
    number: u64,
    targets: Described,
    releases: Vec<Release>,
}

/// More changes of the root than any project lives to see.
const MOST_ROOTS: u64 = 10_000;

fn newest_root(folder: &Path) -> Result<(u64, Root), String> {
    let exists = |number: &u64| folder.join(name::root(*number)).exists();
    let number =
        (1..=MOST_ROOTS).take_while(exists).last().ok_or("there is no 1.root.json; begin with `release keys`")?;
    let text = fs::read_to_string(folder.join(name::root(number))).map_err(|error| error.to_string())?;
    let root = document::open_self_signed(&text).map_err(|error| error.to_string())?;
    Ok((number, root))
}

fn read_published(folder: &Path) -> Result<Option<Published>, String> {
    let (_, root) = newest_root(folder)?;
    let Ok(stamp) = fs::read_to_string(folder.join(name::TIMESTAMP)) else { return Ok(None) };
    let told = |error: rollcall_protocol::update::Refused| error.to_string();
    let read = |name: String| fs::read_to_string(folder.join(&name)).map_err(|error| format!("{name}: {error}"));
    let stamp: Timestamp = document::open(&stamp, &root.timestamp).map_err(told)?;
    let snapshot = read(name::snapshot(stamp.snapshot.version))?;
    let snapshot: Snapshot = document::open(&snapshot, &root.snapshot).map_err(told)?;
    let targets = read(name::targets(snapshot.targets.version))?;
    let list: Targets = document::open(&targets, &root.targets).map_err(told)?;
    Ok(Some(Published { root, number: stamp.version, targets: snapshot.targets, releases: list.releases }))
}

fn change(folder: &Path, keys: &Path, change: impl FnOnce(&mut Vec<Release>)) -> Outcome {
    let signers = read_keys(keys)?;
    let published = read_published(folder)?;
    let number = published.as_ref().map_or(1, |published| published.number + 1);
    let mut list = published.map(|published| published.releases).unwrap_or_default();
    change(&mut list);
    list.sort_by(|a, b| (&a.version, &a.platform).cmp(&(&b.version, &b.platform)));
    let written = publish::releases(number, list, &signers, now(), Lives::default());
    finish(folder, number, &written.map_err(|error| error.to_string())?)
}

fn confirm(folder: &Path, keys: &Path) -> Outcome {
    let signers = read_keys(keys)?;
    let published = read_published(folder)?.ok_or("nothing is published yet")?;
    let number = published.number + 1;
    let written = publish::confirm(number, published.targets, &signers, now(), Lives::default());
    finish(folder, number, &written.map_err(|error| error.to_string())?)
}

fn rotate(folder: &Path, before: &Path, out: &Path) -> Outcome {
    let before = read_keys(before)?;
    let published = read_published(folder)?.ok_or("nothing is published yet")?;
    let after = write_keys(out)?;
    let expires = now() + Lives::default().root;
    let root = publish::root(published.root.version + 1, &after, &before.root, expires);
    write_all(folder, &[root.map_err(|error| error.to_string())?])?;
    // The new keys must speak for what is published, or every agent would stop at the new root.
    let number = published.number + 1;
    let written = publish::releases(number, published.releases, &after, now(), Lives::default());
    finish(folder, number, &written.map_err(|error| error.to_string())?)
}

/// Keys that do not fit the root are found here and not at a thousand agents.
fn finish(folder: &Path, number: u64, written: &[Written]) -> Outcome {
    let (_, root) = newest_root(folder)?;
    for (name, text) in written {
        let fits = if name.ends_with(".targets.json") {
            document::open::<Targets>(text, &root.targets).map(|_| ())
        } else if name.ends_with(".snapshot.json") {
            document::open::<Snapshot>(text, &root.snapshot).map(|_| ())
        } else {
            document::open::<Timestamp>(text, &root.timestamp).map(|_| ())
        };
        fits.map_err(|error| format!("nothing was published: {error}; are these the keys of the newest root?"))?;
    }
    write_all(folder, written)?;
    println!("release: publication {number}");
    Ok(())
}

fn write_all(folder: &Path, written: &[Written]) -> Outcome {
    written.iter().try_for_each(|(name, text)| write(&folder.join(name), text.as_bytes()))
}

/// Whole or not at all: the cloud may be reading.
fn write(path: &Path, bytes: &[u8]) -> Outcome {
    let beside = path.with_extension("new");
    let written = fs::write(&beside, bytes).and_then(|()| fs::rename(&beside, path));
    written.map_err(|error| format!("{}: {error}", path.display()))
}
