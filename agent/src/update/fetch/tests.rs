//! A cloud, or somebody in front of it, that hands out whatever it likes.

use super::*;
use crate::update::files::Disk;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::TimeDelta;
use rollcall_protocol::hash::Hash;
use rollcall_protocol::key::PrivateKey;
use rollcall_protocol::update::publish::{self, Lives, Signers};
use std::collections::BTreeMap;
use std::sync::Mutex;

/// The keys that belong to the root this build is pinned to.
fn makers() -> Signers {
    let read = |role: &str| -> Vec<PrivateKey> {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/testdata/update");
        let text = std::fs::read_to_string(format!("{folder}/{role}.keys")).unwrap();
        let seed = |line: &str| URL_SAFE_NO_PAD.decode(line).unwrap().try_into().unwrap();
        text.lines().map(|line| PrivateKey::from_seed(&seed(line))).collect()
    };
    Signers { root: read("root"), targets: read("targets"), snapshot: read("snapshot"), timestamp: read("timestamp") }
}

#[derive(Debug, Clone)]
enum Served {
    Bytes(Vec<u8>),
    /// Never ends.
    Endless,
    /// Breaks off as a connection does.
    Breaks(Vec<u8>),
}

#[derive(Debug, Default)]
struct Shelf {
    files: BTreeMap<String, Served>,
    handed_out: std::sync::Arc<Mutex<usize>>,
}

struct Piece {
    served: Served,
    at: usize,
    handed_out: std::sync::Arc<Mutex<usize>>,
}

impl Pieces for Piece {
    async fn next(&mut self) -> Result<Option<Vec<u8>>, LinkError> {
        let part = match &self.served {
            Served::Endless => vec![b' '; 10_000],
            Served::Bytes(bytes) | Served::Breaks(bytes) => bytes[self.at..].iter().copied().take(700).collect(),
        };
        self.at += part.len();
        *self.handed_out.lock().unwrap() += part.len();
        match (&self.served, part.is_empty()) {
            (Served::Breaks(_), true) => Err(LinkError::TimedOut { host: "cloud".into() }),
            (_, is_empty) => Ok((!is_empty).then_some(part)),
        }
    }
}

impl Source for Shelf {
    type File = Piece;

    async fn open(&self, name: &str) -> Result<Option<Piece>, LinkError> {
        let handed_out = self.handed_out.clone();
        Ok(self.files.get(name).map(|served| Piece { served: served.clone(), at: 0, handed_out }))
    }
}

fn now() -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(21_000)
}

const PROGRAM: &[u8] = &[7; 5_000];

fn shelf(number: u64, version: &str) -> Shelf {
    let release = Release {
        version: version.parse().unwrap(),
        platform: Platform::here(),
        length: PROGRAM.len() as u64,
        sha256: Hash::of(PROGRAM),
        published_at: None,
    };
    let foreign = Release { platform: Platform::new("m68k-amiga"), sha256: Hash::of(b"amiga"), ..release.clone() };
    let list = publish::releases(number, vec![foreign, release], &makers(), now(), Lives::default()).unwrap();
    let mut files: BTreeMap<String, Served> =
        list.into_iter().map(|(name, text)| (name, Served::Bytes(text.into_bytes()))).collect();
    files.insert(name::file(&Hash::of(PROGRAM)), Served::Bytes(PROGRAM.to_vec()));
    Shelf { files, ..Shelf::default() }
}

async fn get(shelf: &Shelf, store: &Store, version: &str) -> Result<Installed, FetchError> {
    let (wanted, running) = (version.parse().unwrap(), Version::new(0, 1, 0));
    let ledger = store.open(now());
    let wish = Wish { wanted: &wanted, running: &running, ledger: &ledger, now: now() };
    fetch(shelf, store, &mut Disk, wish).await
}

async fn code(shelf: &Shelf, version: &str) -> &'static str {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::new(folder.path());
    let error = get(shelf, &store, version).await.unwrap_err();
    assert!(!store.program(&version.parse().unwrap()).exists(), "nothing of a refused update lies under its name");
    Diagnostic::from(&error).fault.code
}

fn file() -> String {
    name::file(&Hash::of(PROGRAM))
}

#[tokio::test]
async fn a_signed_program_arrives_whole_and_is_not_fetched_twice() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::new(folder.path());
    let shelf = shelf(1, "0.2.0");

    let installed = get(&shelf, &store, "0.2.0").await.unwrap();
    let after_first = *shelf.handed_out.lock().unwrap();
    get(&shelf, &store, "0.2.0").await.unwrap();

    assert!(store.is_sound(&installed));
    assert_eq!(std::fs::read(store.program(&installed.version)).unwrap(), PROGRAM);
    let second = *shelf.handed_out.lock().unwrap() - after_first;
    assert!(second < PROGRAM.len(), "only the documents came again: {second} bytes");
}

#[tokio::test]
async fn a_program_that_was_swapped_cut_or_never_ends_is_refused() {
    let mut swapped = shelf(1, "0.2.0");
    swapped.files.insert(file(), Served::Bytes(vec![8; 5_000]));
    let mut cut = shelf(1, "0.2.0");
    cut.files.insert(file(), Served::Bytes(PROGRAM[..4_000].to_vec()));
    let mut endless = shelf(1, "0.2.0");
    endless.files.insert(file(), Served::Endless);
    let mut missing = shelf(1, "0.2.0");
    missing.files.remove(&file());

    assert_eq!(code(&swapped, "0.2.0").await, "RC-1048");
    assert_eq!(code(&cut, "0.2.0").await, "RC-1046");
    assert_eq!(code(&endless, "0.2.0").await, "RC-1047");
    assert_eq!(code(&missing, "0.2.0").await, "RC-1040");
}

#[tokio::test]
async fn documents_that_never_end_cost_no_more_than_their_limit() {
    for name in ["2.root.json", "timestamp.json", "1.snapshot.json", "1.targets.json"] {
        let mut endless = shelf(1, "0.2.0");
        endless.files.insert(name.to_owned(), Served::Endless);

        assert_eq!(code(&endless, "0.2.0").await, "RC-1047", "{name}");
        assert!(*endless.handed_out.lock().unwrap() < limits::UPDATE_DOCUMENT + 100_000, "{name}");
    }
}

#[tokio::test]
async fn a_version_that_is_not_released_for_this_machine_is_refused() {
    assert_eq!(code(&shelf(1, "0.2.0"), "0.3.0").await, "RC-1049");
}

#[tokio::test]
async fn an_older_version_and_an_older_publication_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::new(folder.path());
    get(&shelf(4, "0.2.0"), &store, "0.2.0").await.unwrap();

    let rolled_back = get(&shelf(3, "0.2.0"), &store, "0.2.0").await.unwrap_err();

    assert_eq!(Diagnostic::from(&rolled_back).fault.code, "RC-1043");
    assert_eq!(code(&shelf(1, "0.0.9"), "0.0.9").await, "RC-1043");
}

#[tokio::test]
async fn a_connection_that_breaks_leaves_nothing_under_the_programs_name_and_the_next_try_succeeds() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::new(folder.path());
    let mut broken = shelf(1, "0.2.0");
    broken.files.insert(file(), Served::Breaks(PROGRAM[..2_000].to_vec()));

    let error = get(&broken, &store, "0.2.0").await.unwrap_err();
    assert!(matches!(error, FetchError::Link(_)));
    assert!(!store.program(&Version::new(0, 2, 0)).exists());

    assert!(get(&shelf(1, "0.2.0"), &store, "0.2.0").await.is_ok());
}

#[tokio::test]
async fn a_version_that_was_taken_back_is_not_even_fetched_again() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::new(folder.path());
    let first = shelf(1, "0.2.0");
    let installed = get(&first, &store, "0.2.0").await.unwrap();
    let mut ledger = Ledger::default();
    ledger.admit(installed, now());
    ledger.take_back(crate::update::ledger::Why::Ended, now());
    store.write(&mut Disk, &ledger).unwrap();
    store.tidy(&mut Disk, &ledger).unwrap();

    let again = shelf(2, "0.2.0");
    let error = get(&again, &store, "0.2.0").await.unwrap_err();

    assert_eq!(Diagnostic::from(&error).fault.code, "RC-1050");
    assert!(*again.handed_out.lock().unwrap() < PROGRAM.len(), "the program itself did not come again");
}
