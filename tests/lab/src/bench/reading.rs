//! How the agent reads a large directory, beside `ldapsearch` and other clients against the same server in the same minutes.

use super::clients::{Library, Source};
use super::customer::Customer;
use super::measured::{self, Measured};
use super::report::{Report, Verdict, number, ratio, shown};
use super::{BenchError, Options};
use crate::directory::{Directory, Person, Plan, Setup, Standing};
use crate::samba::{Filling, Samba, SambaSetup};
use crate::world::{Binding, Cloud, CloudSetup};
use std::collections::BTreeSet;
use std::time::Duration;
use uuid::Uuid;

/// A directory that stands, and the OU that is chosen in it.
pub(super) struct Place {
    /// Everybody: the agent counts the whole domain in the same search that brings its records.
    pub source: Source,
    pub ou: Uuid,
    /// The OU's name.
    pub chosen: String,
    /// Under the OU.
    pub people: u64,
}

/// What one size of directory cost.
struct Costs {
    yardstick: Measured,
    /// The same of the chosen OU alone.
    chosen: Measured,
    first: Measured,
    spooled: Duration,
    unchanged: Measured,
    unchanged_spooled: Duration,
    first_bytes: u64,
    unchanged_bytes: u64,
}

const READING_RATIO: f64 = 1.3;
const GROWTH_RATIO: f64 = 1.3;
const PEAK_KIB: u64 = 64 * 1024;
const UNCHANGED_BYTES: u64 = 10 * 1024;
const SMALL_PAGE: usize = 100;
const SETTLED: Duration = Duration::from_secs(2);
/// Two runs of the same differ by a few pages of memory.
const SAME_MEMORY: f64 = 1.1;

/// The budget: one large scripted directory.
pub async fn scripted(options: &Options, report: &mut Report) -> Result<(), BenchError> {
    let (directory, _trust, place) = open_scripted(options.users)?;
    let costs = measure(&place, options.rounds).await?;
    let whose = format!("{} people, scripted directory", place.people);
    tell(report, &whose, place.people, &costs);
    directory.clamp_pages(SMALL_PAGE);
    let pages = measure(&place, 1).await?;
    let (peak, before) = (pages.first.peak_kib, costs.first.peak_kib);
    let grown = number(peak) / number(before).max(1.0);
    let shown = format!("{:.1} MiB", number(peak) / 1024.0);
    let what = format!("{whose}: peak memory in pages of {SMALL_PAGE}, ten times as many");
    report.push(what, "as in pages of 1000", shown, Some(grown), Verdict::of(|| grown <= SAME_MEMORY));
    Ok(())
}

pub(super) fn open_scripted(users: usize) -> Result<(Directory, tempfile::TempDir, Place), BenchError> {
    let directory = Directory::start(&Plan::new(users, 11), Setup::default())?;
    let trust = tempfile::tempdir()?;
    let binding = Binding::to_directory(&directory, &trust.path().join("ca.pem"))?;
    let ou = directory.at("OU=Staff").ok_or(BenchError::TooLate("a directory with an OU named Staff"))?;
    let is_ours = |person: &Person| person.standing == Standing::Ordinary && person.containers.contains(&ou);
    let people = directory.people().iter().filter(|person| is_ours(person)).count() as u64;
    let base = directory.base_dn().clone();
    let chosen = format!("OU=Staff,{base}");
    Ok((directory, trust, Place { source: Source { binding, base }, ou, chosen, people }))
}

/// A real domain controller, and the client libraries that other products are built on.
pub async fn samba(options: &Options, report: &mut Report) -> Result<(), BenchError> {
    let samba = Samba::start(&SambaSetup { domain_name: "bench.example".into(), address: None })?;
    samba.fill(&Filling::company(options.samba_users, 11))?;
    let base = samba.base_dn().clone();
    let chosen = format!("OU=Staff,{base}");
    let people = samba.people()?.iter().filter(|person| person.is_under(&chosen)).count() as u64;
    let source = Source { binding: Binding::to_samba(&samba), base };
    let place = Place { source, ou: samba.at("OU=Staff")?, chosen, people };
    let costs = measure(&place, options.rounds).await?;
    let whose = format!("{people} people, Samba AD DC");
    tell(report, &whose, place.people, &costs);
    for library in [Library::ldapts()?, Library::python_ldap3()?].into_iter().flatten() {
        let run = repeat(options.rounds, || measured::measure(&mut library.read(&place.source)))?;
        let ratio = ratio(run.wall, costs.yardstick.wall);
        report.tell(format!("{whose}: {} reads only", library.name), shown(&run), Some(ratio));
    }
    Ok(())
}

/// The time per person must not rise with their number, nor the memory.
pub async fn growth(options: &Options, report: &mut Report) -> Result<(), BenchError> {
    let mut before: Option<Duration> = None;
    // Of 5,900 users 5,000 are under the chosen OU.
    let sizes = BTreeSet::from([options.users / 100, 5_900.min(options.users), options.users / 10, options.users]);
    for users in sizes {
        let (_directory, _trust, place) = open_scripted(users)?;
        let costs = measure(&place, options.rounds).await?;
        let each = costs.spooled / u32::try_from(place.people).unwrap_or(u32::MAX).max(1);
        let measured = format!(
            "{} µs a person, peak {:.1} MiB; without a change {:.2} s and {} bytes sent",
            each.as_micros(),
            number(costs.first.peak_kib) / 1024.0,
            costs.unchanged_spooled.as_secs_f64(),
            costs.unchanged_bytes,
        );
        let (ratio, budget, verdict) = match before {
            None => (None, "", Verdict::Told),
            Some(before) => {
                let ratio = ratio(each, before);
                (Some(ratio), "≤ 1.3 × the time of the size before", Verdict::of(|| ratio <= GROWTH_RATIO))
            }
        };
        before = Some(each);
        report.push(format!("growth: {} people", place.people), budget, measured, ratio, verdict);
        let verdict = Verdict::of(|| costs.unchanged_bytes <= UNCHANGED_BYTES);
        let sent = format!("{} bytes", costs.unchanged_bytes);
        report.push(format!("sent without a change, {} people", place.people), "≤ 10 KiB", sent, None, verdict);
    }
    Ok(())
}

/// `ldapsearch`, a first sync and a sync without a change, in turn, each time by a new agent.
async fn measure(place: &Place, rounds: usize) -> Result<Costs, BenchError> {
    let cloud = Cloud::start(&CloudSetup::default()).await?;
    let (mut yardsticks, mut firsts, mut unchanged) = (Vec::new(), Vec::new(), Vec::new());
    let (mut first_bytes, mut unchanged_bytes) = (0, 0);
    for round in 1..=rounds.max(1) {
        let customer = Customer::install(&cloud, &format!("Bench {round}"), &place.source.binding, place.ou).await?;
        yardsticks.push(measured::measure(&mut place.source.ldapsearch())?);
        firsts.push(customer.sync()?);
        let run = customer.wait_for_run(&cloud, place.people, &serde_json::Value::Null).await?;
        first_bytes = bytes_of(&run);
        // The cloud still moves what it applied into its file; an agent asks again hours later.
        tokio::time::sleep(SETTLED).await;
        unchanged.push(customer.sync()?);
        let run = customer.wait_for_run(&cloud, place.people, &run).await?;
        unchanged_bytes = bytes_of(&run);
    }
    let nothing = BenchError::TooLate("a round");
    let yardstick = measured::middle(yardsticks).ok_or(nothing)?;
    let chosen = Source { base: place.chosen.clone(), ..place.source.clone() };
    let chosen = repeat(rounds, || measured::measure(&mut chosen.ldapsearch()))?;
    let (first, spooled) = middle_of(firsts).ok_or(BenchError::TooLate("a round"))?;
    let (unchanged, unchanged_spooled) = middle_of(unchanged).ok_or(BenchError::TooLate("a round"))?;
    Ok(Costs { yardstick, chosen, first, spooled, unchanged, unchanged_spooled, first_bytes, unchanged_bytes })
}

fn bytes_of(run: &serde_json::Value) -> u64 {
    run["bytes"].as_u64().unwrap_or_default()
}

fn middle_of(mut runs: Vec<(Measured, Duration)>) -> Option<(Measured, Duration)> {
    runs.sort_by_key(|(_, spooled)| *spooled);
    runs.get(runs.len() / 2).copied()
}

fn repeat(rounds: usize, mut run: impl FnMut() -> Result<Measured, BenchError>) -> Result<Measured, BenchError> {
    let runs = (0..rounds.max(1)).map(|_| run()).collect::<Result<_, _>>()?;
    measured::middle(runs).ok_or(BenchError::TooLate("a round"))
}

fn tell(report: &mut Report, whose: &str, people: u64, costs: &Costs) {
    report.tell(format!("{whose}: ldapsearch reads everybody"), shown(&costs.yardstick), Some(1.0));
    let part = ratio(costs.chosen.wall, costs.yardstick.wall);
    report.tell(format!("{whose}: ldapsearch reads the chosen OU alone"), shown(&costs.chosen), Some(part));
    let reading = ratio(costs.spooled, costs.yardstick.wall);
    let spooled = format!("{:.2} s", costs.spooled.as_secs_f64());
    let verdict = Verdict::of(|| reading <= READING_RATIO);
    report.push(format!("{whose}: read, diff and spool, first"), "≤ 1.3 × ldapsearch", spooled, Some(reading), verdict);
    let processor = ratio(costs.first.processor, costs.yardstick.processor);
    report.tell(format!("{whose}: the whole first sync, pushed (ratio of CPU)"), shown(&costs.first), Some(processor));
    let sent = format!("{:.0} bytes a person", number(costs.first_bytes) / number(people).max(1.0));
    report.tell(format!("{whose}: sent by the first sync"), sent, None);
    let again = ratio(costs.unchanged_spooled, costs.yardstick.wall);
    let spooled = format!("{:.2} s", costs.unchanged_spooled.as_secs_f64());
    let verdict = Verdict::of(|| again <= READING_RATIO);
    report.push(format!("{whose}: the same without a change"), "≤ 1.3 × ldapsearch", spooled, Some(again), verdict);
    let processor = ratio(costs.unchanged.processor, costs.yardstick.processor);
    let whole = shown(&costs.unchanged);
    report.tell(format!("{whose}: the whole sync without a change (ratio of CPU)"), whole, Some(processor));
    let peak = costs.first.peak_kib.max(costs.unchanged.peak_kib);
    let shown = format!("{:.1} MiB", number(peak) / 1024.0);
    report.push(format!("{whose}: peak memory"), "≤ 64 MiB", shown, None, Verdict::of(|| peak <= PEAK_KIB));
}
