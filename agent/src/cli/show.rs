//! `show`: prints exactly what left this network, from the ledger that the agent keeps of every acknowledged batch, and
//! proves each batch by the signature it left with.

use std::io::BufRead;

use rollcall_protocol::catalogue;
use rollcall_protocol::key::PublicKey;
use uuid::Uuid;

use super::output::{Form, Output};
use crate::config::Config;
use crate::diagnostic::Diagnostic;
use crate::exit::Exit;
use crate::folder::kept;
use crate::identity::Identity;
use crate::spool::ledger::{Proof, Sent, SentCycle};
use crate::spool::{Spool, SpoolError};

/// What to print.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// One line per cycle, the newest so many.
    Cycles(u32),
    /// Everything that the ledger has.
    All,
    /// The items of the newest cycle.
    Last,
    /// The items of the cycle whose id begins so.
    Cycle(String),
}

impl Wanted {
    pub fn read(cycle: Option<&str>, last: u32) -> Self {
        match cycle.map(str::to_ascii_lowercase) {
            None => Self::Cycles(last),
            Some(word) if word == "all" => Self::All,
            Some(word) if word == "last" => Self::Last,
            Some(id) => Self::Cycle(id),
        }
    }
}

pub fn run(config: &Config, wanted: &Wanted, output: &Output) -> Result<Exit, Diagnostic> {
    let failed = |error: SpoolError| Diagnostic::from(&error);
    let Some(spool) = Spool::open_to_look(&config.data_dir).map_err(failed)? else { return Ok(Exit::Ok) };
    let key = Identity::find(&config.data_dir)?.and_then(|identity| identity.signer().ok());
    let ledger = Ledger { key: key.map(|signer| signer.key.public()), spool, output: *output };
    let altered = match wanted {
        Wanted::Cycles(last) => {
            tell_ceiling(config, *output);
            ledger.cycles(*last).map_err(failed)?
        }
        Wanted::All => ledger.items(None).map_err(failed)?,
        Wanted::Last => match ledger.spool.list_sent_cycles(1).map_err(failed)?.pop() {
            Some(newest) => ledger.items(Some(newest.cycle)).map_err(failed)?,
            None => 0,
        },
        Wanted::Cycle(start) => ledger.items(Some(find(&ledger.spool, start)?)).map_err(failed)?,
    };
    match altered {
        0 => Ok(Exit::Ok),
        count => Err(Diagnostic::new(catalogue::LEDGER_ALTERED, format!("{count} batches"), Exit::Failed)),
    }
}

fn find(spool: &Spool, start: &str) -> Result<Uuid, Diagnostic> {
    let start = start.replace('-', "");
    let cycles = spool.list_sent_cycles(u32::MAX).map_err(|error| Diagnostic::from(&error))?;
    let mut fitting = cycles.iter().filter(|sent| sent.cycle.simple().to_string().starts_with(&start));
    match (fitting.next(), fitting.next()) {
        (Some(one), None) => Ok(one.cycle),
        (None, _) => Err(usage("no cycle in the ledger begins so; it goes back 64 MiB")),
        (Some(_), Some(_)) => Err(usage("more than one cycle begins so")),
    }
}

fn usage(detail: &str) -> Diagnostic {
    Diagnostic::new(catalogue::INVALID, detail, Exit::Usage)
}

/// What was kept back stands above what was sent. As JSON it is the first line.
fn tell_ceiling(config: &Config, output: Output) {
    let Some(ceiling) = kept::ceiling(config) else { return };
    let list = |words: Vec<&str>| if words.is_empty() { "nothing".to_owned() } else { words.join(", ") };
    let withheld = list(ceiling.withheld.iter().map(String::as_str).collect());
    let places = list(ceiling.never_read.iter().map(|place| place.place.as_str()).collect());
    let left_out = ceiling.people_left_out.map_or_else(String::new, |people| format!(" ({people} people left out)"));
    let text = format!("Withheld attributes: {withheld}. Never read: {places}{left_out}.");
    output.result(text, &serde_json::json!({ "ceiling": ceiling }));
}

struct Ledger {
    key: Option<PublicKey>,
    spool: Spool,
    output: Output,
}

impl Ledger {
    /// One line per cycle, each batch of it proven. Answers how many batches do not fit their signature.
    fn cycles(&self, last: u32) -> Result<u32, SpoolError> {
        let mut altered = 0;
        for sent in self.spool.list_sent_cycles(last)? {
            let mut proof = Proof::Proven;
            self.spool.list_sent::<SpoolError>(Some(sent.cycle), |batch| {
                let one = batch.prove(self.key.as_ref());
                altered += u32::from(one == Proof::Altered);
                proof = proof.and(one);
                Ok(())
            })?;
            self.line(&sent, proof);
        }
        Ok(altered)
    }

    fn line(&self, sent: &SentCycle, proof: Proof) {
        let text = format!(
            "{}  {}  {:>3} batches {:>7} items {:>9} bytes  {}",
            sent.sent_at.format("%Y-%m-%d %H:%M:%S"),
            sent.cycle,
            sent.batches,
            sent.items,
            sent.bytes,
            proof.words(),
        );
        let mut json = sent.to_json();
        if let Some(object) = json.as_object_mut() {
            object.insert("proof".to_owned(), proof.words().into());
        }
        self.output.result(text, &json);
    }

    /// Every batch with its items as they were sent; of one cycle, or of all.
    fn items(&self, cycle: Option<Uuid>) -> Result<u32, SpoolError> {
        let mut altered = 0;
        self.spool.list_sent::<SpoolError>(cycle, |sent| {
            let proof = sent.prove(self.key.as_ref());
            altered += u32::from(proof == Proof::Altered);
            self.print(&sent, proof)
        })?;
        Ok(altered)
    }

    /// A heading per batch and then its items as they were sent; as JSON, one object per batch with the same.
    fn print(&self, sent: &Sent, proof: Proof) -> Result<(), SpoolError> {
        let claims = &sent.claims;
        match self.output.form() {
            Form::Text => {
                self.output.line(format_args!(
                    "# {} batch {}.{} part {} of {}: {} items, {} bytes as sent, {}",
                    sent.sent_at.to_rfc3339(),
                    claims.link.chain.epoch,
                    claims.link.chain.seq,
                    claims.link.cycle.part,
                    claims.link.cycle.parts,
                    claims.link.cycle.items,
                    sent.body.len(),
                    proof.words(),
                ));
                each_item(sent, |item| self.output.line(item))
            }
            Form::Json => {
                let mut items = Vec::new();
                each_item(sent, |item| items.push(serde_json::from_str(item).unwrap_or(serde_json::Value::Null)))?;
                let proof = proof.words();
                self.output.line(
                    serde_json::json!({ "sent_at": sent.sent_at, "proof": proof, "claims": claims, "items": items }),
                );
                Ok(())
            }
        }
    }
}

fn each_item(sent: &Sent, mut visit: impl FnMut(&str)) -> Result<(), SpoolError> {
    let inflated = zstd::Decoder::new(sent.body.as_slice()).map_err(|_| SpoolError::Unreadable)?;
    for line in std::io::BufReader::new(inflated).lines() {
        visit(&line.map_err(|_| SpoolError::Unreadable)?);
    }
    Ok(())
}
