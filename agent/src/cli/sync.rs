//! `sync`: one cycle by hand, with the second reading where somebody is missing and it is near, and everything sent.

mod hand;

use chrono::TimeDelta;
use rollcall_protocol::batch::Trigger;
use rollcall_protocol::catalogue;
use rollcall_protocol::desired::Role;

use super::output::Output;
use crate::clock::{Chance, Clock};
use crate::config::Config;
use crate::cycle::{Purpose, Summary};
use crate::diagnostic::Diagnostic;
use crate::exit::Exit;
use crate::folder::lock;
use crate::identity::Identity;
use crate::spool;
use hand::Hand;

/// What `--dry-run` means.
pub fn purpose(dry_run: bool) -> Purpose {
    if dry_run { Purpose::DryRun } else { Purpose::Publish }
}

pub async fn run(
    config: &Config,
    clock: &Clock,
    chance: &Chance,
    purpose: Purpose,
    output: &Output,
) -> Result<Exit, Diagnostic> {
    let folder = config.data_dir.as_path();
    let identity = Identity::get(folder)?;
    let _lock = lock::take(folder)?;
    let done = by_hand(config, identity, clock, chance, purpose, output).await;
    // The next command begins anew with an empty spool and everybody.
    if done.as_ref().is_err_and(|told| told.fault == catalogue::SPOOL_REBUILT) {
        spool::set_aside(folder, clock.now()).map_err(|error| Diagnostic::from(&error))?;
    }
    done
}

async fn by_hand(
    config: &Config,
    identity: Identity,
    clock: &Clock,
    chance: &Chance,
    purpose: Purpose,
    output: &Output,
) -> Result<Exit, Diagnostic> {
    let mut hand = Hand::open(config, identity, clock, chance)?;
    let desired = hand.instructions(purpose).await?;
    if desired.pause.as_ref().is_some_and(|pause| pause.holds(clock.signed_now())) {
        return Err(Diagnostic::new(catalogue::PAUSED, "by the portal", Exit::Attention));
    }
    match desired.role {
        Role::Active => {}
        Role::Standby => return Err(Diagnostic::new(catalogue::PAUSED, "this agent stands by", Exit::Attention)),
    }
    let access = config.access()?;
    match purpose {
        Purpose::Publish => hand.push_all().await?,
        Purpose::DryRun => {}
    }
    let mut summary = hand.cycle(&desired, &access, Trigger::CommandLine, purpose).await?;
    if purpose == Purpose::Publish {
        hand.push_all().await?;
        if summary.counts.awaiting > 0 && config.second_reading_after() <= LONGEST_SECOND_WAIT {
            wait_for_second_reading(config.second_reading_after(), output).await;
            let second = hand.cycle(&desired, &access, Trigger::SecondReading, purpose).await?;
            hand.push_all().await?;
            summary = together(summary, second);
        }
    }
    output.result(text(&summary, purpose), &json(&summary, purpose)?);
    Ok(if needs_attention(&summary, purpose) { Exit::Attention } else { Exit::Ok })
}

/// A second reading that is further away is left to the service or to a later command.
const LONGEST_SECOND_WAIT: TimeDelta = TimeDelta::seconds(30);

/// What was found is sent already, so that an interruption here loses nothing.
async fn wait_for_second_reading(after: TimeDelta, output: &Output) {
    output.notice(format!("Somebody was not found; reading a second time in {} s.", after.num_seconds()));
    tokio::time::sleep(after.to_std().unwrap_or_default()).await;
}

/// Two readings of one command, told as one.
fn together(first: Summary, second: Summary) -> Summary {
    let mut counts = second.counts;
    counts.added += first.counts.added;
    counts.changed += first.counts.changed;
    counts.departed += first.counts.departed;
    counts.held += first.counts.held;
    Summary {
        counts,
        batches: first.batches + second.batches,
        bytes: first.bytes + second.bytes,
        started_at: first.started_at,
        ..second
    }
}

fn needs_attention(summary: &Summary, purpose: Purpose) -> bool {
    let waits = match purpose {
        Purpose::Publish => summary.counts.awaiting > 0,
        Purpose::DryRun => false,
    };
    waits || summary.counts.held > 0 || !summary.concerns.is_empty()
}

fn text(summary: &Summary, purpose: Purpose) -> String {
    let counts = &summary.counts;
    let verb = match purpose {
        Purpose::Publish => "sent",
        Purpose::DryRun => "would be sent (dry run)",
    };
    let mut lines = vec![
        format!("{} people in scope of {} in the domain.", summary.people, summary.people_in_domain),
        format!("{} new, {} changed, {} memberships ended.", counts.added, counts.changed, counts.departed),
        format!("{} bytes in {} batches {verb}.", summary.bytes, summary.batches),
    ];
    if counts.held > 0 {
        lines.push(format!("{} removals are held for review in the portal.", counts.held));
    }
    if counts.awaiting > 0 {
        lines.push(format!(
            "{} wait for a second reading; it follows with the service or a later sync.",
            counts.awaiting
        ));
    }
    lines.extend(summary.concerns.iter().map(|concern| Diagnostic::from(concern).to_string()));
    lines.join("\n")
}

fn json(summary: &Summary, purpose: Purpose) -> Result<serde_json::Value, Diagnostic> {
    let mut json = serde_json::to_value(summary).map_err(Diagnostic::unexpected)?;
    if let Some(object) = json.as_object_mut() {
        object.insert("dry_run".into(), (purpose == Purpose::DryRun).into());
    }
    Ok(json)
}
