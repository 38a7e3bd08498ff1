//! `show`: prints exactly what left this network, from the ledger that the agent keeps of every acknowledged batch.

use std::io::BufRead;

use super::output::{Form, Output};
use crate::config::Config;
use crate::diagnostic::Diagnostic;
use crate::exit::Exit;
use crate::spool::ledger::Sent;
use crate::spool::{Spool, SpoolError};

pub fn run(config: &Config, last: u32, output: &Output) -> Result<Exit, Diagnostic> {
    let spool = Spool::open_to_look(&config.data_dir).map_err(|error| Diagnostic::from(&error))?;
    if let Some(spool) = spool {
        let listed = spool.list_sent::<SpoolError>(last, |sent| print(&sent, *output));
        listed.map_err(|error| Diagnostic::from(&error))?;
    }
    Ok(Exit::Ok)
}

/// A heading per batch and then its items as they were sent; as JSON, one object per batch with the same.
fn print(sent: &Sent, output: Output) -> Result<(), SpoolError> {
    let claims = &sent.batch.claims;
    match output.form() {
        Form::Text => {
            output.line(format_args!(
                "# {} batch {}.{} part {} of {}: {} items, {} bytes as sent",
                sent.sent_at.to_rfc3339(),
                claims.link.chain.epoch,
                claims.link.chain.seq,
                claims.link.cycle.part,
                claims.link.cycle.parts,
                claims.link.cycle.items,
                sent.batch.body.len(),
            ));
            each_item(sent, |item| output.line(item))
        }
        Form::Json => {
            let mut items = Vec::new();
            each_item(sent, |item| items.push(serde_json::from_str(item).unwrap_or(serde_json::Value::Null)))?;
            output.line(serde_json::json!({ "sent_at": sent.sent_at, "claims": claims, "items": items }));
            Ok(())
        }
    }
}

fn each_item(sent: &Sent, mut visit: impl FnMut(&str)) -> Result<(), SpoolError> {
    let inflated = zstd::Decoder::new(sent.batch.body.as_slice()).map_err(|_| SpoolError::Unreadable)?;
    for line in std::io::BufReader::new(inflated).lines() {
        visit(&line.map_err(|_| SpoolError::Unreadable)?);
    }
    Ok(())
}
