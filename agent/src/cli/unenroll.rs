//! `unenroll`: tells the cloud that this agent leaves for good, and then wipes what it kept here.

use rollcall_protocol::answer::Refusal;

use super::output::Output;
use crate::clock::{Chance, Clock};
use crate::cloud::leave;
use crate::cloud::link::Link;
use crate::cloud::link::LinkError;
use crate::config::Config;
use crate::diagnostic::Diagnostic;
use crate::exit::Exit;
use crate::folder::{erasure, lock};
use crate::identity::Identity;

/// What happens when the cloud cannot be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// Then nothing is wiped, so that it can be tried again.
    TellFirst,
    /// Wiped all the same; an operator then retires the agent in the portal.
    EvenUnheard,
}

impl Manner {
    pub fn of(even_unheard: bool) -> Self {
        if even_unheard { Self::EvenUnheard } else { Self::TellFirst }
    }
}

pub async fn run(
    config: &Config,
    manner: Manner,
    clock: &Clock,
    chance: &Chance,
    output: &Output,
) -> Result<Exit, Diagnostic> {
    let folder = config.data_dir.as_path();
    if erasure::is_owed(folder) {
        return finish_earlier(config, clock, *output);
    }
    let identity = match (Identity::get(folder), manner) {
        (Ok(identity), _) => identity,
        (Err(_), Manner::EvenUnheard) if Identity::is_broken(folder) => return wipe_broken(config, clock, *output),
        (Err(told), Manner::EvenUnheard | Manner::TellFirst) => return Err(told),
    };
    let _lock = lock::take(folder)?;
    let told = tell(config, &identity, clock, chance).await;
    let is_told = match (told, manner) {
        (Ok(()), _) => true,
        (Err(error), Manner::TellFirst) => return Err(error),
        (Err(error), Manner::EvenUnheard) => {
            output.notice(format!("The cloud was not told: {error}"));
            false
        }
    };
    erasure::erase(folder, clock.now())?;
    let rest = if is_told { "" } else { " Retire it in the portal: the cloud does not know yet." };
    let text = format!("agt_{} is no agent of {} any more.{rest}", identity.agent, identity.customer);
    output.result(text, &serde_json::json!({ "agent": format!("agt_{}", identity.agent), "cloud_told": is_told }));
    Ok(if is_told { Exit::Ok } else { Exit::Attention })
}

/// One that was revoked already has nothing left to say.
async fn tell(config: &Config, identity: &Identity, clock: &Clock, chance: &Chance) -> Result<(), Diagnostic> {
    let link = Link::open(config, identity, clock, chance)?;
    match leave::leave(&link, identity).await {
        Ok(()) | Err(LinkError::Refused(Refusal::Revoked { .. })) => Ok(()),
        Err(error) => Err(Diagnostic::from(&error)),
    }
}

/// An agent that has left already, and could not remove everything then.
fn finish_earlier(config: &Config, clock: &Clock, output: Output) -> Result<Exit, Diagnostic> {
    let _lock = lock::take(&config.data_dir)?;
    erasure::erase(&config.data_dir, clock.now())?;
    output.result("What was left of an earlier agent is removed.".to_owned(), &serde_json::json!({ "erased": true }));
    Ok(Exit::Ok)
}

/// Nobody can sign a farewell for it any more, nor say which agent it was.
fn wipe_broken(config: &Config, clock: &Clock, output: Output) -> Result<Exit, Diagnostic> {
    let _lock = lock::take(&config.data_dir)?;
    erasure::erase(&config.data_dir, clock.now())?;
    let text = "An agent whose identity was damaged is wiped. Retire it in the portal: the cloud does not know yet.";
    output.result(text.to_owned(), &serde_json::json!({ "erased": true, "cloud_told": false }));
    Ok(Exit::Attention)
}
