//! What a bundle tells of the agent and its spool: numbers and states, nobody by name.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::config::Config;
use crate::folder::{kept, lock};
use crate::identity::Identity;
use crate::machine;
use crate::spool::ledger::SentCycle;
use crate::spool::{Spool, SpoolError};

/// Cycles listed from the ledger, the newest.
const CYCLES: u32 = 200;

pub fn agent(config: &Config, made_at: DateTime<Utc>) -> Value {
    let identity = Identity::find(&config.data_dir).ok().flatten();
    let facts = machine::facts();
    json!({
        "made_at": made_at,
        "version": facts.agent_version,
        "host": facts.host,
        "os": facts.os,
        "running": lock::is_held(&config.data_dir),
        "agent": identity.as_ref().map(|identity| format!("agt_{}", identity.agent)),
        "cloud": identity.as_ref().map(|identity| identity.url.clone()),
        "customer": identity.as_ref().map(|identity| identity.customer.clone()),
        "enrolled_at": identity.as_ref().map(|identity| identity.enrolled_at),
        "last_cycle": kept::REPORT.find(&config.data_dir),
        "ceiling": kept::ceiling(config).map(|ceiling| json!({
            "attributes_withheld": ceiling.withheld.len(),
            "places_never_read": ceiling.never_read.len(),
            "people_left_out": ceiling.people_left_out,
        })),
    })
}

pub fn spool(config: &Config) -> Value {
    match look(config) {
        Ok(Some(told)) => told,
        Ok(None) => json!({ "exists": false }),
        Err(error) => json!({ "unreadable": crate::diagnostic::Diagnostic::from(&error).fault.code }),
    }
}

fn look(config: &Config) -> Result<Option<Value>, SpoolError> {
    let Some(spool) = Spool::open_to_look(&config.data_dir)? else { return Ok(None) };
    let (state, waiting) = (spool.state()?, spool.waiting()?);
    let cycles = spool.list_sent_cycles(CYCLES)?;
    Ok(Some(json!({
        "chain": state.chain,
        "domain": state.domain,
        "acknowledged": state.base,
        "on_its_way": state.next,
        "people": spool.count_people()?,
        "awaiting_second_reading": state.awaiting,
        "waiting_batches": waiting.batches,
        "waiting_bytes": waiting.bytes,
        "sent_cycles": cycles.iter().map(SentCycle::to_json).collect::<Vec<_>>(),
    })))
}

pub fn readme(made_at: DateTime<Utc>, removed: &[String]) -> String {
    let mut text = format!(
        "Support bundle of a Rollcall agent, made {} by version {}.\n\n\
         checks.txt           everything `rollcall-agent check` found\n\
         checks.ndjson        the same for programs\n\
         configuration.toml   the configuration; values that could be secret or personal are removed\n\
         agent.json           identity without its key, last cycle\n\
         spool.json           what waits, what was sent: numbers only\n\
         log.txt              the end of the log\n\n\
         Nobody of the directory is named in here. Removed:\n",
        made_at.format("%Y-%m-%d %H:%M:%S UTC"),
        crate::version::text(),
    );
    if removed.is_empty() {
        text.push_str("- nothing had to be\n");
    }
    for what in removed {
        text.extend(["- ", what, "\n"]);
    }
    text
}
