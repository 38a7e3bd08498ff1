//! Tests everything the agent needs, part by part, and says for each failure what mends it. It changes nothing, and it
//! signs in to the directory once: repeated wrong passwords lock an account. A refusal is kept for whoever comes next.
//!
//! In the order of the `mod` lines: what a check can say, this machine, the cloud, the domain controller, the selection.

pub mod finding;
mod machine;
mod cloud;
pub mod ways;
mod name_form;
mod certificate;
mod rights;
mod controller;
mod coverage;
mod selection;

use finding::{Checked, Report};

use crate::clock::{Chance, Clock};
use crate::config::Config;
use crate::diagnostic::Diagnostic;
use crate::exit::Exit;

/// What is checked, and who asks.
#[derive(Debug, Clone, Copy)]
pub struct Situation<'a> {
    pub config: Result<&'a Config, &'a Diagnostic>,
    pub clock: &'a Clock,
    pub chance: &'a Chance,
    pub caution: Caution,
}

/// Whether the sign-in may be tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Caution {
    /// Somebody sits here and wants to know.
    TryOnce,
    /// Asked from afar, perhaps again and again, perhaps of an agent that is paused: what the directory refused in the last
    /// cycle is not tried anew, and nobody is read.
    RespectLastRefusal,
}

/// What all checks found, and how the command ends.
#[derive(Debug)]
pub struct Outcome {
    pub checks: Vec<Checked>,
    pub exit: Exit,
}

/// Runs every check. `listener` hears each as it is made.
pub async fn run(situation: &Situation<'_>, listener: &(dyn Fn(&Checked) + Sync)) -> Outcome {
    let mut report = Report::new(listener);
    if let Some(config) = machine::check_configuration(&mut report, situation.config) {
        let store = machine::check_store(&mut report, config, situation.clock);
        let desired = cloud::check(&mut report, config, situation, store.as_ref()).await;
        Box::pin(controller::check(&mut report, config, situation, store.as_ref(), desired.as_ref())).await;
    }
    let exit = report.exit();
    Outcome { checks: report.into_checks(), exit }
}
