//! Carries out what an operator ordered beside the readings, whatever else goes on: so far, support bundles.

use std::convert::Infallible;
use std::time::Duration;

use rollcall_protocol::catalogue;
use uuid::Uuid;

use super::errands::{AfterFailure, Errands, Failure, Hope};
use crate::bundle;
use crate::check::{Caution, Situation};
use crate::cloud;
use crate::cloud::link::Link;
use crate::config::Config;
use crate::desk::Desk;
use crate::diagnostic::Diagnostic;
use crate::exit::Exit;

/// Serves as long as the agent runs: also one that is paused, stands by, or was stopped because of a copy.
pub async fn serve(config: &Config, link: &Link, desk: &Desk) -> Infallible {
    let mut errands = Errands::default();
    let mut desired = desk.watch_desired();
    loop {
        let now = link.clock.now();
        let due = errands.due(desired.borrow_and_update().as_ref(), now);
        if let Some(command) = due {
            send_bundle(config, link, desk, &mut errands, command).await;
            continue;
        }
        let again = errands.again_at().map(|at| (at - now).to_std().unwrap_or_default());
        tokio::select! {
            () = tokio::time::sleep(again.unwrap_or(LONG)) => {}
            changed = desired.changed() => {
                if changed.is_err() {
                    // Nobody is left who could order anything.
                    std::future::pending::<()>().await;
                }
            }
        }
    }
}

const LONG: Duration = Duration::from_hours(1);

/// Makes a bundle and sends it. Whoever asked sees it in the portal, or why it did not come.
async fn send_bundle(config: &Config, link: &Link, desk: &Desk, errands: &mut Errands, command: Uuid) {
    let caution = Caution::RespectLastRefusal;
    let situation = Situation { config: Ok(config), clock: &link.clock, chance: &link.chance, caution };
    let sent = match Box::pin(bundle::make(&situation)).await {
        Ok(made) => cloud::bundle::send(link, command, &made.zip).await.map_err(|why| Failure::sending(&why)),
        Err(diagnostic) => Err(Failure { diagnostic, hope: Hope::None }),
    };
    let now = link.clock.now();
    match sent {
        Ok(receipt) => {
            tracing::info!(bundle = %receipt.bundle, "a support bundle was sent");
            errands.settle(command);
            desk.clear(&catalogue::BUNDLE_FAILED);
            desk.done(&[command]);
        }
        Err(Failure { diagnostic: why, hope }) => {
            tracing::warn!(code = why.fault.code, detail = %why.detail, "a support bundle could not be sent");
            match errands.failed(command, hope, now) {
                AfterFailure::TryAgain => {}
                AfterFailure::GiveUp => {
                    let detail = format!("{}: {}", why.fault.code, why.detail);
                    desk.raise(&Diagnostic::new(catalogue::BUNDLE_FAILED, detail, Exit::Attention), now);
                    desk.done(&[command]);
                }
            }
        }
    }
    desk.news.notify_one();
}
