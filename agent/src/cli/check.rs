//! `check`: prints what every check found, and ends with the first failure's status.

use super::output::{Form, Output};
use crate::check::finding::Checked;
use crate::check::{self, Caution, Situation};
use crate::clock::{Chance, Clock};
use crate::config::Config;
use crate::diagnostic::Diagnostic;
use crate::exit::Exit;

pub async fn run(config: Result<Config, Diagnostic>, clock: &Clock, chance: &Chance, output: &Output) -> Exit {
    let situation = Situation { config: config.as_ref(), clock, chance, caution: Caution::TryOnce };
    let print = |checked: &Checked| match output.form() {
        Form::Text => output.line(checked.to_text()),
        Form::Json => output.line(checked.to_json()),
    };
    Box::pin(check::run(&situation, &print)).await.exit
}
