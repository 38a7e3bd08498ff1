//! What every handler and worker shares.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use rollcall_store::Db;
use tokio::sync::watch;

use crate::{
    admission::{Pace, Room},
    clock::{Clock, Entropy},
    installer::Shelf,
    keys::CloudIdentity,
    live::Hub,
    mail::Postman,
    readiness::Readiness,
    releases::{Looks, Releases},
};

/// Cheap to clone; handed to every handler.
#[derive(Debug, Clone)]
pub struct AppState {
    pub db: Db,
    pub clock: Clock,
    pub entropy: Entropy,
    pub cloud: Arc<CloudIdentity>,
    pub hub: Hub,
    pub releases: Releases,
    pub looks: Looks,
    pub pace: Pace,
    pub room: Room,
    /// Scheme, host and port under which agents and browsers reach this cloud; no trailing slash.
    pub public_url: Arc<str>,
    /// What `doctor` and the system page may show.
    pub settings: Arc<[(&'static str, String)]>,
    pub installer: Shelf,
    pub shutdown: Shutdown,
    pub readiness: Arc<Readiness>,
    pub postman: Postman,
}

impl AppState {
    pub fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    /// Ten random bytes and the time: what an id is minted from.
    pub fn mint<I>(&self, mint: impl FnOnce(DateTime<Utc>, [u8; 10]) -> I) -> I {
        mint(self.now(), self.entropy.bytes())
    }
}

/// Told once when the program is to end; everything that waits listens to it.
#[derive(Debug, Clone)]
pub struct Shutdown(watch::Receiver<bool>);

/// Held by whoever may end the program.
#[derive(Debug)]
pub struct ShutdownSwitch(watch::Sender<bool>);

impl Shutdown {
    pub fn new() -> (ShutdownSwitch, Self) {
        let (sender, receiver) = watch::channel(false);
        (ShutdownSwitch(sender), Self(receiver))
    }

    /// Returns when the program is to end, also when it already is.
    pub async fn begun(&self) {
        let mut receiver = self.0.clone();
        // An error means the switch is gone, which ends the program too.
        let _ = receiver.wait_for(|begun| *begun).await;
    }

    pub fn has_begun(&self) -> bool {
        *self.0.borrow()
    }
}

impl ShutdownSwitch {
    pub fn throw(&self) {
        self.0.send_replace(true);
    }
}
