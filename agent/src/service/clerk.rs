//! Carries out what an operator ordered beside the readings, whatever else goes on: so far, support bundles.

use std::convert::Infallible;
use std::time::Duration;

use rollcall_protocol::catalogue;
use tokio::time::Instant;
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
        let due = errands.due(desired.borrow_and_update().as_ref(), Instant::now());
        if let Some(command) = due {
            send_bundle(config, link, desk, &mut errands, command).await;
            continue;
        }
        let again = errands.again_at().unwrap_or_else(|| Instant::now() + LONG);
        tokio::select! {
            () = tokio::time::sleep_until(again) => {}
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

/// Makes a bundle, unless an earlier try has, and sends it. Whoever asked sees it in the portal, or why it did not come.
async fn send_bundle(config: &Config, link: &Link, desk: &Desk, errands: &mut Errands, command: Uuid) {
    let made = match errands.take_made(command) {
        Some(zip) => Ok(zip),
        None => make(config, link).await,
    };
    let (sent, made) = match made {
        Ok(zip) => (cloud::bundle::send(link, command, &zip).await.map_err(|why| Failure::sending(&why)), Some(zip)),
        Err(diagnostic) => (Err(Failure { diagnostic, hope: Hope::None }), None),
    };
    match sent {
        Ok(receipt) => {
            tracing::info!(bundle = %receipt.bundle, "a support bundle was sent");
            errands.settle(command);
            desk.clear(&catalogue::BUNDLE_FAILED);
            desk.done(&[command]);
        }
        Err(failure) => {
            let why = &failure.diagnostic;
            tracing::warn!(code = why.fault.code, detail = %why.detail, "a support bundle could not be sent");
            match errands.failed(command, &failure, made, Instant::now()) {
                AfterFailure::TryAgain => {}
                AfterFailure::GiveUp => {
                    let detail = format!("{}: {}", why.fault.code, why.detail);
                    let failed = Diagnostic::new(catalogue::BUNDLE_FAILED, detail, Exit::Attention);
                    desk.raise(&failed, link.clock.now());
                    desk.done(&[command]);
                }
            }
        }
    }
    desk.news.notify_one();
}

async fn make(config: &Config, link: &Link) -> Result<Vec<u8>, Diagnostic> {
    let caution = Caution::RespectLastRefusal;
    let situation = Situation { config: Ok(config), clock: &link.clock, chance: &link.chance, caution };
    Ok(Box::pin(bundle::make(&situation)).await?.zip)
}
