//! `status`: who this agent is, how the last cycle ended, and what waits to be sent.

use std::path::Path;

use rollcall_protocol::catalogue;
use rollcall_protocol::ceiling::Ceiling;
use rollcall_protocol::checkin::CycleOutcome;

use super::output::Output;
use crate::cloud::way_out::Router;
use crate::config::Config;
use crate::cycle::Reached;
use crate::diagnostic::Diagnostic;
use crate::exit::Exit;
use crate::folder::pending::{self, Pending};
use crate::folder::{kept, lock};
use crate::identity::Identity;
use crate::spool::Spool;

pub async fn run(config: &Config, output: &Output) -> Result<Exit, Diagnostic> {
    let folder = config.data_dir.as_path();
    let identity = Identity::get(folder).map_err(|missing| explain(missing, folder))?;
    let spool = Spool::open_to_look(folder).map_err(|error| Diagnostic::from(&error))?;
    let (state, waiting, people) = match &spool {
        None => Default::default(),
        Some(spool) => {
            let look = || Ok((spool.state()?, spool.waiting()?, spool.count_people()?));
            look().map_err(|error: crate::spool::SpoolError| Diagnostic::from(&error))?
        }
    };
    let report = kept::REPORT.find(folder);
    let reached = kept::REACHED.find(folder);
    let ceiling = kept::ceiling(config);
    let is_running = lock::is_held(folder);
    let last = match report.as_ref().map(|report| &report.outcome) {
        None => "no cycle yet".to_owned(),
        Some(CycleOutcome::Complete) => "complete".to_owned(),
        Some(CycleOutcome::Incomplete { problem, .. }) => format!("failed: {} {}", problem.code, problem.detail),
    };
    let way_out = Router::new(&identity.url, &config.cloud).look().await.to_string();
    let text = format!(
        "Agent     agt_{}\nCustomer  {} ({})\nCloud     {}\nProxy     {way_out}\nService   {}\nDomain    {}\nReached   {}\nLast      {last}\nPeople    {people}\nKept back {}\nWaiting   {} batches, {} bytes",
        identity.agent,
        identity.customer,
        identity.msp,
        identity.url,
        if is_running { "running" } else { "not running" },
        state.domain.as_ref().map_or("not read yet", |domain| domain.dns_name.as_str()),
        reached.as_ref().map_or_else(|| "not yet".to_owned(), told),
        ceiling.as_ref().map_or_else(|| "the settings cannot be read".to_owned(), kept_back),
        waiting.batches,
        waiting.bytes,
    );
    let json = serde_json::json!({
        "agent": format!("agt_{}", identity.agent),
        "customer": identity.customer,
        "msp": identity.msp,
        "cloud": identity.url,
        "proxy": way_out,
        "running": is_running,
        "domain": state.domain,
        "dc": state.base.dc,
        "snapshot": state.base.snapshot,
        "reached": reached,
        "last_cycle": report,
        "people": people,
        "ceiling": ceiling,
        "awaiting_second_reading": state.awaiting,
        "waiting_batches": waiting.batches,
        "waiting_bytes": waiting.bytes,
    });
    output.result(text, &json);
    Ok(Exit::Ok)
}

/// One line for each, so that an owner sees at a glance what leaves the network and what does not.
fn kept_back(ceiling: &Ceiling) -> String {
    let mut lines = Vec::new();
    if !ceiling.withheld.is_empty() {
        lines.push(format!("attributes never sent: {}", ceiling.withheld.join(", ")));
    }
    for place in &ceiling.never_read {
        let is_lost = ceiling.people_left_out.is_some() && place.guid.is_none();
        let lost = if is_lost { " (not found: nobody joins or leaves)" } else { "" };
        lines.push(format!("never read: {}{lost}", place.place));
    }
    match (ceiling.never_read.is_empty(), ceiling.people_left_out) {
        (true, _) => {}
        (false, None) => lines.push("how many people that leaves out is known after the next reading".to_owned()),
        (false, Some(people)) => lines.push(format!("people left out: {people}")),
    }
    if lines.is_empty() { "nothing".to_owned() } else { lines.join("\n          ") }
}

/// The way that was taken, and the better ones that failed.
fn told(reached: &Reached) -> String {
    let failed = reached.failed.iter().map(|failed| format!("\n          failed: {failed}"));
    std::iter::once(reached.used.clone()).chain(failed).collect()
}

/// Says what became of a token that the installation brought.
fn explain(missing: Diagnostic, folder: &Path) -> Diagnostic {
    if missing.fault != catalogue::NOT_ENROLLED {
        return missing;
    }
    let detail = match pending::find(folder) {
        None => return missing,
        Some(Pending::Waits(_)) => "the token of the installation waits for the cloud".to_owned(),
        Some(Pending::Refused(problem)) => {
            format!("the token of the installation was refused: {} {}", problem.code, problem.detail)
        }
    };
    Diagnostic { detail, ..missing }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rollcall_protocol::ceiling::NeverRead;

    #[test]
    fn what_is_kept_back_is_said_with_its_effect() {
        let board = NeverRead { place: "OU=Board,DC=lab".into(), guid: None };
        let narrow = |people_left_out| Ceiling {
            withheld: vec!["mobile".into(), "manager".into()],
            never_read: vec![board.clone()],
            people_left_out,
        };

        assert_eq!(kept_back(&Ceiling::default()), "nothing");
        let told = kept_back(&narrow(Some(12)));
        assert!(told.starts_with("attributes never sent: mobile, manager\n"), "{told}");
        assert!(told.contains("OU=Board,DC=lab (not found") && told.ends_with("people left out: 12"), "{told}");
        assert!(kept_back(&narrow(None)).contains("known after the next reading"));
    }
}
