//! A spool that was damaged in any way is noticed or harmless: no panic, no alarm, and not one wrong change.
//!
//! Each case is made from its number alone. `cargo xtask soak spool` runs ten thousand, the suite five hundred.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::time::Instant;

use chrono::DateTime;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rollcall_agent::cycle::{CycleError, Extent, Purpose};
use rollcall_agent::service::guarded::guarded;
use rollcall_agent::spool::{self, Spool, SpoolError};
use rollcall_lab::directory::NewPerson;
use rollcall_protocol::chain::Verdict;
use uuid::Uuid;

use crate::site::{Installation, Site, StandIn};

const SEED: u64 = 20_261_122;

/// The files of a spool at one moment, and what the cloud knew then.
struct Moment {
    files: BTreeMap<String, Vec<u8>>,
    cloud: StandIn,
}

impl Moment {
    /// Copied while the spool is open: what a power cut would leave.
    fn of(site: &Site) -> Self {
        let read = |entry: fs::DirEntry| {
            let name = entry.file_name().into_string().unwrap();
            (name, fs::read(entry.path()).unwrap())
        };
        let entries = fs::read_dir(site.folder.path()).unwrap().map(Result::unwrap);
        let is_of_spool = |entry: &fs::DirEntry| entry.file_name() != "ca.pem";
        Self { files: entries.filter(is_of_spool).map(read).collect(), cloud: site.cloud.clone() }
    }
}

/// Three moments in the life of an agent, and the truth that must come out of each whatever is damaged.
struct Range {
    site: Site,
    moments: Vec<Moment>,
    backup: Vec<u8>,
    truth: BTreeMap<Uuid, String>,
    left: BTreeSet<Uuid>,
}

impl Range {
    async fn build() -> Self {
        let mut site = Site::synced(40, &["Staff"]).await;
        let backup = fs::read(site.folder.path().join(spool::FILE)).unwrap();
        site.sync().await.unwrap();
        reopen(&mut site);
        let at_rest = Moment::of(&site);
        let left = change_something(&site);
        site.cycle(Extent::AsNeeded, &[], Purpose::Publish).await.unwrap();
        let waiting = Moment::of(&site);
        let agent: &mut Installation = &mut site;
        let batch = agent.spool.next_batch().unwrap().unwrap();
        agent.spool.mark_tried(&batch).unwrap();
        assert_eq!(agent.cloud.offer(&batch.jws, &batch.body, &agent.signer.key), Verdict::Next);
        agent.cloud.check_set();
        let unheard = Moment::of(&site);
        // The truth is what comes out where nothing was damaged.
        let folder = site.folder.path().to_owned();
        close(&mut site);
        go_on(&mut site, &folder).await.unwrap();
        let truth = site.cloud.people.clone();
        Self { site, moments: vec![at_rest, waiting, unheard], backup, truth, left }
    }

    /// Damages one moment and lets the agent go on from there until it is quiet.
    async fn case(&mut self, number: u64) -> Result<(), String> {
        let mut chance = StdRng::seed_from_u64(SEED ^ number);
        let moment = &self.moments[chance.random_range(0..self.moments.len())];
        let folder = tempfile::tempdir().unwrap();
        for (name, bytes) in &moment.files {
            fs::write(folder.path().join(name), bytes).unwrap();
        }
        self.site.cloud = moment.cloud.clone();
        self.site.cloud.departures.clear();
        let harm = damage(folder.path(), &self.backup, &mut chance);
        let told = |why: String| format!("case {number} ({harm}): {why}");
        match guarded(go_on(&mut self.site, folder.path())).await {
            Ok(Ok(departed)) if !departed.is_subset(&self.left) => Err(told(format!("{departed:?} departed"))),
            Ok(Ok(_)) if self.site.cloud.people != self.truth => Err(told("the people differ".to_owned())),
            Ok(Ok(_)) if !self.site.cloud.unconfirmed.is_empty() => Err(told("somebody is left in doubt".to_owned())),
            Ok(Ok(_)) => Ok(()),
            Ok(Err(why)) => Err(told(why)),
            Err(_) => Err(told("a panic".to_owned())),
        }
    }
}

/// One leaves, one is deleted, one comes and one changes.
fn change_something(site: &Site) -> BTreeSet<Uuid> {
    let people: Vec<Uuid> = site.expected().into_keys().collect();
    site.directory.move_to(people[0], site.ou("Contractors")).unwrap();
    site.directory.delete(people[1]).unwrap();
    site.directory.disable(people[2]).unwrap();
    let person = NewPerson {
        given_name: "Nora".into(),
        surname: "Okafor".into(),
        account_name: "nokafor".into(),
        mail: Some("nora@lab.example".into()),
    };
    site.directory.add_person(site.ou("Staff"), &person).unwrap();
    people[..2].iter().copied().collect()
}

/// What the service does, step by step, until a reading finds nothing new and the cloud has no question. Answers who
/// departed.
async fn go_on(site: &mut Site, folder: &Path) -> Result<BTreeSet<Uuid>, String> {
    let mut departed = BTreeSet::new();
    let mut quiet = 0;
    site.spool = Spool::open(folder, DateTime::UNIX_EPOCH).map_err(|error| error.to_string())?.0;
    for _ in 0..30 {
        match step(site).await {
            Ok(news) => {
                departed.extend(site.cloud.departures.drain(..).map(|departure| departure.guid));
                quiet = if news { 0 } else { quiet + 1 };
                if quiet == 2 {
                    return Ok(departed);
                }
            }
            Err(Trouble::Spool(SpoolError::Unwritable(why))) => return Err(format!("unwritable: {why}")),
            Err(Trouble::Spool(error)) => mend(site, folder, &error)?,
            Err(Trouble::Other(why)) => return Err(why),
        }
    }
    Err("it does not settle".to_owned())
}

/// Another one takes its place meanwhile.
fn close(site: &mut Site) {
    let elsewhere = tempfile::tempdir().unwrap();
    site.spool = Spool::open(elsewhere.path(), DateTime::UNIX_EPOCH).unwrap().0;
}

/// Closing moves everything from the log into the file itself.
fn reopen(site: &mut Site) {
    close(site);
    site.spool = Spool::open(site.folder.path(), DateTime::UNIX_EPOCH).unwrap().0;
}

fn mend(site: &mut Site, folder: &Path, error: &SpoolError) -> Result<(), String> {
    close(site);
    if !matches!(error, SpoolError::Gone) {
        spool::set_aside(folder, DateTime::UNIX_EPOCH).map_err(|error| error.to_string())?;
    }
    site.spool = Spool::open(folder, DateTime::UNIX_EPOCH).map_err(|error| error.to_string())?.0;
    Ok(())
}

enum Trouble {
    Spool(SpoolError),
    Other(String),
}

impl From<SpoolError> for Trouble {
    fn from(error: SpoolError) -> Self {
        Self::Spool(error)
    }
}

/// Sends what waits, or reads. Answers whether anything happened that the cloud had not known.
async fn step(site: &mut Installation) -> Result<bool, Trouble> {
    site.spool.check_in_place()?;
    if site.spool.state()?.chain.is_none() {
        let epoch = site.cloud.begin_epoch(site.spool.last_epoch());
        site.spool.begin_epoch(epoch)?;
        return Ok(true);
    }
    if let Some(batch) = site.spool.next_batch()? {
        match site.cloud.offer(&batch.jws, &batch.body, &site.signer.key) {
            Verdict::Next | Verdict::Duplicate => {
                site.spool.acknowledge(&batch, site.clock.now())?;
            }
            Verdict::Gap { .. } | Verdict::WrongEpoch => site.spool.lose_place()?,
            Verdict::Fork => return Err(Trouble::Other("a false alarm: taken for a clone".to_owned())),
        }
        if batch.claims.link.cycle.is_last() {
            site.cloud.check_set();
        }
        return Ok(batch.claims.link.cycle.items > 0);
    }
    let asked: Vec<Uuid> = site.cloud.unconfirmed.iter().copied().collect();
    match site.cycle(Extent::AsNeeded, &asked, Purpose::Publish).await {
        Ok(_) => Ok(!asked.is_empty()),
        Err(CycleError::Spool(error)) => Err(error.into()),
        Err(error) => Err(Trouble::Other(error.to_string())),
    }
}

/// Does one kind of harm, or two, to the files; says which.
fn damage(folder: &Path, backup: &[u8], chance: &mut StdRng) -> String {
    let names: Vec<&str> = ["spool.sqlite", "spool.sqlite-wal", "place.json"]
        .into_iter()
        .filter(|name| folder.join(name).exists())
        .collect();
    let name = names[chance.random_range(0..names.len())];
    let path = folder.join(name);
    let mut bytes = fs::read(&path).unwrap();
    if bytes.is_empty() {
        return "none".to_owned();
    }
    let at = chance.random_range(0..bytes.len());
    let length = [1, 16, 512, 4096][chance.random_range(0..4)].min(bytes.len() - at);
    let how = match chance.random_range(0..9) {
        0..=2 => {
            for _ in 0..chance.random_range(1..9) {
                let at = chance.random_range(0..bytes.len());
                bytes[at] ^= 1 << chance.random_range(0..8);
            }
            "flipped bits"
        }
        3 => {
            bytes.truncate(at);
            "cut off"
        }
        4 => {
            bytes[at..at + length].fill(0);
            "zeroes"
        }
        5 => {
            bytes[at..at + length].fill_with(|| chance.random());
            "noise"
        }
        6 => {
            let from = chance.random_range(0..=bytes.len() - length);
            bytes.copy_within(from..from + length, at);
            "a piece of itself"
        }
        7 => {
            fs::remove_file(&path).unwrap();
            return format!("{name} deleted");
        }
        _ => {
            fs::write(folder.join("spool.sqlite"), backup).unwrap();
            let _ = fs::remove_file(folder.join("spool.sqlite-wal"));
            return "an old backup".to_owned();
        }
    };
    fs::write(&path, bytes).unwrap();
    format!("{name}: {how} at {at}")
}

#[expect(clippy::print_stdout, reason = "a campaign tells its seed, size and bound")]
async fn campaign(cases: u64) {
    let started = Instant::now();
    let mut range = Range::build().await;
    let mut failures = 0;
    for number in 0..cases {
        if let Err(failure) = range.case(number).await {
            println!("{failure}");
            failures += 1;
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "a few thousand")]
    let bound = 3.0 / cases as f64;
    println!(
        "spool: seed {SEED}, {cases} cases, {} failures, below {bound:.5} at 95 %, {:.0?}",
        failures,
        started.elapsed()
    );
    assert_eq!(failures, 0);
}

#[tokio::test]
async fn five_hundred_damaged_spools_send_no_wrong_change() {
    Box::pin(campaign(500)).await;
}

#[tokio::test]
#[ignore = "cargo xtask soak spool"]
async fn soak_spool() {
    Box::pin(campaign(10_000)).await;
}
