//! Starts the version that should run, watches one that is on trial, and goes back when it fails.

use std::path::PathBuf;
use std::pin::Pin;
use std::process::ExitStatus;
use std::time::Duration;

use rollcall_protocol::catalogue;

use super::supervisor;
use crate::clock::{Chance, Clock};
use crate::config::Config;
use crate::diagnostic::Diagnostic;
use crate::exit::Exit;
use crate::folder::lock;
use crate::identity::Identity;
use crate::log::Reader;
use crate::update::child::Running;
use crate::update::choose::{self, Choice, Seen};
use crate::update::files::Disk;
use crate::update::ledger::{Installed, Ledger, Why};
use crate::update::store::Store;
use crate::version;

/// What the launcher is told from outside.
#[derive(Debug, Clone)]
pub struct Launch {
    /// The configuration file, when one was named; a started version gets the same.
    pub config_file: Option<PathBuf>,
    /// Who reads this process's lines; a started version has the same reader.
    pub reader: Reader,
    pub times: Times,
}

/// How patient it is with a version on trial.
#[derive(Debug, Clone, Copy)]
pub struct Times {
    /// Until a version on trial must have reached the cloud.
    pub trial: Duration,
    /// Before one that ended by itself is started again.
    pub pause: Duration,
}

impl Times {
    pub fn of(config: &Config) -> Self {
        // A version that gets no time at all could never prove itself.
        let trial = Duration::from_secs(config.update.trial_seconds.max(5).into());
        Self { trial, pause: Duration::from_secs(5) }
    }
}

/// How a version came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    /// Because we were told to stop.
    Told,
    /// Something else may have to be started now.
    Again,
    /// By itself, in a way that whoever started us should know.
    Over(Exit),
}

/// Runs until `stop` is ready, or until no version has anything left to do.
pub async fn run(
    config: &Config,
    launch: &Launch,
    clock: &Clock,
    chance: &Chance,
    stop: impl Future<Output = ()>,
) -> Result<Exit, Diagnostic> {
    tokio::pin!(stop);
    let launcher = Launcher { config, launch, clock, chance, store: Store::new(&config.data_dir) };
    loop {
        let (choice, ledger) = launcher.choose();
        let ended = match choice {
            Choice::Own => launcher.run_own(stop.as_mut()).await?,
            Choice::Proven(installed) => match launcher.start(&installed) {
                Some(running) => watch(running, stop.as_mut()).await,
                // Its file is sound and the machine will not start it (any more): the installer's version still runs.
                None => launcher.run_own(stop.as_mut()).await?,
            },
            Choice::OnTrial(installed) => launcher.run_on_trial(&installed, ledger, stop.as_mut()).await,
        };
        match ended {
            Ended::Told => return Ok(Exit::Ok),
            Ended::Over(exit) => return Ok(exit),
            Ended::Again => {}
        }
    }
}

struct Launcher<'a> {
    config: &'a Config,
    launch: &'a Launch,
    clock: &'a Clock,
    chance: &'a Chance,
    store: Store,
}

impl Launcher<'_> {
    /// The next version to start. The ledger that led to it is on the disk before it starts; if it cannot be written,
    /// nothing is put on trial.
    fn choose(&self) -> (Choice, Ledger) {
        let now = self.clock.now();
        let before = self.store.open(now);
        let has_proven_itself =
            before.trial.as_ref().is_some_and(|trial| self.store.has_mark(&trial.installed.version));
        let store = self.store.clone();
        let is_sound = |installed: &Installed| is_sound(&store, installed);
        let seen = Seen { own: version::number(), has_proven_itself, is_sound: &is_sound, now };
        let (choice, after) = choose::decide(before.clone(), &seen);
        if let Err(error) = self.store.write(&mut Disk, &after) {
            tracing::error!(%error, "what is known of the versions could not be written; nothing goes on trial");
            let untried = Ledger { trial: None, ..before };
            return choose::decide(untried, &seen);
        }
        if let Err(error) = self.store.tidy(&mut Disk, &after) {
            tracing::warn!(%error, "an old version could not be removed");
        }
        (choice, after)
    }

    fn start(&self, installed: &Installed) -> Option<Running> {
        let program = self.store.program(&installed.version);
        tracing::info!(version = %installed.version, "starting");
        match Running::start(&program, self.launch.config_file.as_ref(), self.launch.reader) {
            Ok(running) => Some(running),
            Err(error) => {
                tracing::error!(%error, version = %installed.version, "cannot be started");
                None
            }
        }
    }

    /// The installer's version, in this process.
    async fn run_own(&self, stop: Pin<&mut impl Future<Output = ()>>) -> Result<Ended, Diagnostic> {
        let exit = Box::pin(supervisor::run(self.config, self.clock, self.chance, stop)).await?;
        Ok(if exit == Exit::Updated { Ended::Again } else { Ended::Over(exit) })
    }

    async fn run_on_trial(
        &self,
        installed: &Installed,
        mut ledger: Ledger,
        mut stop: Pin<&mut impl Future<Output = ()>>,
    ) -> Ended {
        let Some(mut running) = self.start(installed) else { return self.pause(stop).await };
        let proven = tokio::select! {
            () = stop.as_mut() => {
                running.stop().await;
                return Ended::Told;
            }
            status = running.ended() => return self.ended_early(installed, status.ok(), stop).await,
            () = tokio::time::sleep(self.launch.times.trial) => self.store.has_mark(&installed.version),
            () = mark_appears(&self.store, installed) => true,
        };
        if !proven {
            tracing::error!(version = %installed.version, "did not reach the cloud in time; going back");
            running.stop().await;
            ledger.take_back(Why::Silent, self.clock.now());
            self.keep(&ledger);
            return Ended::Again;
        }
        tracing::info!(version = %installed.version, "has reached the cloud and stays");
        ledger.promote();
        self.keep(&ledger);
        watch(running, stop).await
    }

    /// The next look at the ledger counts its starts and goes back when there were enough.
    async fn ended_early(
        &self,
        installed: &Installed,
        status: Option<ExitStatus>,
        stop: Pin<&mut impl Future<Output = ()>>,
    ) -> Ended {
        let is_enrolled = Identity::find(&self.config.data_dir).is_ok_and(|identity| identity.is_some());
        if !is_enrolled {
            return Ended::Over(Exit::NotEnrolled);
        }
        if self.store.has_mark(&installed.version) {
            return judge(status);
        }
        let code = status.and_then(|status| status.code());
        tracing::error!(version = %installed.version, code, "ended before it had reached the cloud");
        self.pause(stop).await
    }

    async fn pause(&self, stop: Pin<&mut impl Future<Output = ()>>) -> Ended {
        let jittered = self.launch.times.pause.mul_f64(1.0 + self.chance.fraction());
        tokio::select! {
            () = stop => Ended::Told,
            () = tokio::time::sleep(jittered) => Ended::Again,
        }
    }

    fn keep(&self, ledger: &Ledger) {
        if let Err(error) = self.store.write(&mut Disk, ledger) {
            tracing::error!(%error, "what is known of the versions could not be written");
        }
    }
}

/// Looks at the program's every byte; told when it is not the verified one any more.
fn is_sound(store: &Store, installed: &Installed) -> bool {
    let is_sound = store.is_sound(installed);
    if !is_sound {
        tracing::error!(code = catalogue::VERSION_DAMAGED.code, version = %installed.version, "is damaged and not started");
    }
    is_sound
}

/// A version that has proven itself, until it ends or is told to.
async fn watch(mut running: Running, stop: Pin<&mut impl Future<Output = ()>>) -> Ended {
    tokio::select! {
        () = stop => {
            running.stop().await;
            Ended::Told
        }
        status = running.ended() => judge(status.ok()),
    }
}

async fn mark_appears(store: &Store, installed: &Installed) {
    while !store.has_mark(&installed.version) {
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

/// What the end of a proven version means.
fn judge(status: Option<ExitStatus>) -> Ended {
    let code = status.and_then(|status| status.code()).and_then(|code| u8::try_from(code).ok());
    match code.and_then(Exit::from_code) {
        Some(Exit::Updated) => Ended::Again,
        Some(exit) => Ended::Over(exit),
        None => Ended::Over(Exit::Failed),
    }
}

/// Longer than a version that was left behind lives on.
const LINGER: Duration = Duration::from_secs(5);

/// Waits a little for a version that an earlier launcher left behind: it ends by itself, but not in no time.
pub async fn wait_for_lock(config: &Config) {
    let store = Store::new(&config.data_dir);
    let deadline = tokio::time::Instant::now() + LINGER;
    while store.remembered().is_some() && lock::is_held(&config.data_dir) && tokio::time::Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
