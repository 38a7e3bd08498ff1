//! A thousand power cuts on the way to a new version, and after each the agent starts.

use super::*;
use crate::update::choose::{self, Choice, Seen};
use crate::update::files::Disk;
use crate::update::ledger::Trial;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rollcall_protocol::hash::Hash;
use std::collections::BTreeMap;

/// A disk that loses power after some operations, and with it whatever was not synced.
struct Doomed {
    left: u32,
    done: u32,
    /// What of a file would outlast a cut.
    synced: BTreeMap<PathBuf, Vec<u8>>,
    /// Names that changed since their folder was synced: path and what lay there before.
    names: Vec<(PathBuf, Option<Vec<u8>>)>,
    folders: Folders,
}

/// What becomes of a new name when the power goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Folders {
    /// It stays once its folder was synced, as on Linux.
    Synced,
    /// It stays when the journal was written, of which nobody hears; it keeps the order. As on NTFS.
    Journalled,
}

impl Doomed {
    fn after(left: u32, folders: Folders) -> Self {
        Self { left, done: 0, synced: BTreeMap::new(), names: Vec::new(), folders }
    }

    /// One that never loses power, and never waits for a real disk either.
    fn never() -> Self {
        Self::after(u32::MAX, Folders::Synced)
    }

    fn step(&mut self) -> io::Result<()> {
        self.done += 1;
        self.left = self.left.checked_sub(1).ok_or_else(|| io::Error::other("the power is cut"))?;
        Ok(())
    }

    fn note_name(&mut self, path: &Path) {
        self.names.push((path.to_path_buf(), fs::read(path).ok()));
    }

    /// What lies on the disk when the power is back: unsynced bytes and names are there, in part, or not.
    fn lose(self, chance: &mut StdRng) {
        for (path, kept) in &self.synced {
            let Ok(written) = fs::read(path) else { continue };
            let survived = match chance.random_range(0..4) {
                0 => written,
                1 => kept.clone(),
                2 => written[..chance.random_range(kept.len().min(written.len())..=written.len())].to_vec(),
                _ => written.iter().enumerate().map(|(at, byte)| if at < kept.len() { *byte } else { 0 }).collect(),
            };
            fs::write(path, survived).unwrap();
        }
        // Later changes of names are lost before earlier ones, as a journal loses its end.
        let lost = chance.random_range(0..=self.names.len());
        for (path, before) in self.names.into_iter().rev().take(lost) {
            match before {
                Some(bytes) if path.parent().is_some_and(Path::is_dir) => fs::write(&path, bytes).unwrap(),
                Some(_) => {}
                None => drop(fs::remove_file(&path)),
            }
        }
    }
}

impl Files for Doomed {
    fn make_folder(&mut self, path: &Path) -> io::Result<()> {
        self.step()?;
        Disk.make_folder(path)
    }

    fn create(&mut self, path: &Path) -> io::Result<()> {
        self.step()?;
        self.note_name(path);
        self.synced.insert(path.to_path_buf(), Vec::new());
        Disk.create(path)
    }

    fn append(&mut self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        self.step()?;
        Disk.append(path, bytes)
    }

    fn sync(&mut self, path: &Path) -> io::Result<()> {
        self.step()?;
        self.synced.remove(path);
        Ok(())
    }

    fn make_executable(&mut self, path: &Path) -> io::Result<()> {
        self.step()?;
        Disk.make_executable(path)
    }

    fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        self.step()?;
        self.note_name(to);
        if let Some(kept) = self.synced.remove(from) {
            self.synced.insert(to.to_path_buf(), kept);
        }
        Disk.rename(from, to)
    }

    fn sync_folder(&mut self, path: &Path) -> io::Result<()> {
        self.step()?;
        match self.folders {
            Folders::Synced => self.names.retain(|(name, _)| name.parent() != Some(path)),
            Folders::Journalled => {}
        }
        Ok(())
    }

    fn remove(&mut self, path: &Path) -> io::Result<()> {
        self.step()?;
        if path.is_file() {
            self.note_name(path);
        }
        Disk.remove(path)
    }
}

const OWN: Version = Version::new(0, 1, 0);

fn bytes(minor: u64) -> Vec<u8> {
    format!("program of minor version {minor}; ").repeat(200).into_bytes()
}

fn program(minor: u64) -> Installed {
    let bytes = bytes(minor);
    Installed { version: Version::new(0, minor, 0), length: bytes.len() as u64, sha256: Hash::of(&bytes) }
}

fn put(store: &Store, files: &mut impl Files, minor: u64) -> io::Result<()> {
    let mut incoming = store.receive(files, &program(minor).version)?;
    for part in bytes(minor).chunks(1000) {
        incoming.append(part)?;
    }
    incoming.finish()
}

/// What the launcher does before it starts anything.
fn choose(store: &Store, files: &mut impl Files) -> io::Result<Choice> {
    let ledger = store.open(DateTime::UNIX_EPOCH);
    let has_proven_itself = ledger.trial.as_ref().is_some_and(|trial| store.has_mark(&trial.installed.version));
    let is_sound = |installed: &Installed| store.is_sound(installed);
    let seen = Seen { own: &OWN, has_proven_itself, is_sound: &is_sound, now: DateTime::UNIX_EPOCH };
    let (choice, after) = choose::decide(ledger, &seen);
    store.write(files, &after)?;
    store.tidy(files, &after)?;
    Ok(choice)
}

/// From the moment a version is wanted until it has proven itself, as agent, launcher and new agent do it.
fn update(store: &Store, files: &mut impl Files) -> io::Result<Choice> {
    if !store.is_sound(&program(3)) {
        put(store, files, 3)?;
    }
    store.stage(files, &program(3))?;
    choose(store, files)?;
    store.leave_mark(files, &program(3).version)?;
    choose(store, files)
}

/// A machine on which version 0.2.0, fetched earlier, runs.
fn machine() -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::new(folder.path());
    put(&store, &mut Doomed::never(), 2).unwrap();
    store.write(&mut Doomed::never(), &Ledger { proven: Some(program(2)), ..Ledger::default() }).unwrap();
    (folder, store)
}

fn operations() -> u32 {
    let (_folder, store) = machine();
    let mut counted = Doomed::never();
    assert_eq!(update(&store, &mut counted).unwrap(), Choice::Proven(program(3)));
    counted.done
}

#[test]
fn a_power_cut_at_any_step_leaves_an_agent_that_starts_and_still_gets_there() {
    cut_the_power(Folders::Synced);
}

// proves: R-15
#[test]
fn so_it_does_where_nobody_can_sync_a_folder_as_on_windows() {
    cut_the_power(Folders::Journalled);
}

fn cut_the_power(folders: Folders) {
    let operations = operations();
    for seed in 0..1000_u32 {
        let (_folder, store) = machine();
        let mut doomed = Doomed::after(seed % operations, folders);
        let cut = update(&store, &mut doomed);
        assert!(cut.is_err(), "the power was cut");
        doomed.lose(&mut StdRng::seed_from_u64(seed.into()));

        let started = choose(&store, &mut Doomed::never()).unwrap();

        let (Choice::Proven(chosen) | Choice::OnTrial(chosen)) = started else {
            panic!("cut {seed}: the fetched versions are lost")
        };
        let on_disk = fs::read(store.program(&chosen.version)).unwrap();
        assert!(on_disk == bytes(2) || on_disk == bytes(3), "cut {seed}: {} is damaged", chosen.version);
        assert_eq!(update(&store, &mut Doomed::never()).unwrap(), Choice::Proven(program(3)), "cut {seed}");
        assert!(store.is_sound(&program(2)), "cut {seed}: the version before is kept");
    }
}

/// Otherwise who holds the news back could serve an agent what it has already refused.
// proves: R-15
#[test]
fn a_power_cut_at_any_step_forgets_nothing_that_was_seen_before() {
    let seen = |number| Remembered { root: "root".into(), timestamp: number, snapshot: number, targets: number };
    for (seed, folders) in (0..400_u32).zip([Folders::Synced, Folders::Journalled].into_iter().cycle()) {
        let (_folder, store) = machine();
        store.remember(&mut Doomed::never(), &seen(1)).unwrap();
        let mut doomed = Doomed::after(seed % 8, folders);
        let done = store.remember(&mut doomed, &seen(2)).is_ok();
        doomed.lose(&mut StdRng::seed_from_u64(seed.into()));

        let kept = store.remembered();

        assert!(
            kept == Some(seen(2)) || (kept == Some(seen(1)) && !(done && folders == Folders::Synced)),
            "{seed}: {kept:?}"
        );
    }
}

#[test]
fn a_program_that_changed_on_the_disk_is_not_sound() {
    let (_folder, store) = machine();
    let path = store.program(&program(2).version);
    let mut changed = bytes(2);
    for damage in 0..3 {
        match damage {
            0 => changed[17] ^= 1,
            1 => changed.truncate(100),
            _ => changed = [bytes(2), b"x".to_vec()].concat(),
        }
        fs::write(&path, &changed).unwrap();
        assert!(!store.is_sound(&program(2)));
    }
}

#[test]
fn what_is_known_of_the_versions_may_be_lost_without_harm() {
    let (folder, store) = machine();
    for rubbish in [&b""[..], b"\0\0\0\0", b"{", b"{\"proven\":7}"] {
        fs::write(folder.path().join("versions").join(LEDGER), rubbish).unwrap();
        assert_eq!(choose(&store, &mut Doomed::never()).unwrap(), Choice::Own);
    }
}

#[test]
fn a_version_that_was_taken_back_is_not_staged_into_another_trial() {
    let (_folder, store) = machine();
    put(&store, &mut Doomed::never(), 3).unwrap();
    let mut ledger = Ledger { trial: Some(Trial { installed: program(3), starts: 1 }), ..Ledger::default() };
    ledger.take_back(crate::update::ledger::Why::Ended, DateTime::UNIX_EPOCH);
    store.write(&mut Doomed::never(), &ledger).unwrap();

    store.stage(&mut Doomed::never(), &program(3)).unwrap();

    assert_eq!(store.open(DateTime::UNIX_EPOCH).trial, None);
}
