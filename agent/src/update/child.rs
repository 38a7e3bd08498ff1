//! A version that runs as a process of its own. It ends when its standard input closes, so that it never outlives
//! whoever started it.

use std::ffi::OsString;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::process::{Child, Command};
use tokio::sync::oneshot;

use crate::log::Reader;

/// How long a version may take to end once it is told to, before it is killed. Shorter than the four seconds after which
/// the service ends itself: nothing of it may be left running when it says that it has stopped, or an uninstallation
/// would find the folder in use.
pub const GRACE: Duration = Duration::from_secs(3);

/// A started version.
#[derive(Debug)]
pub struct Running {
    child: Child,
}

impl Running {
    /// Starts the hidden command `work` of a program, with the configuration of this one.
    pub fn start(program: &Path, config: Option<&PathBuf>, reader: Reader) -> io::Result<Self> {
        let mut arguments: Vec<OsString> = Vec::new();
        if let Some(config) = config {
            arguments.extend(["--config".into(), config.into()]);
        }
        arguments.push("work".into());
        match reader {
            Reader::Service | Reader::Fetched => arguments.push("--for-service".into()),
            Reader::Terminal => {}
        }
        let child = Command::new(program).args(arguments).stdin(Stdio::piped()).kill_on_drop(true).spawn()?;
        Ok(Self { child })
    }

    pub async fn ended(&mut self) -> io::Result<ExitStatus> {
        // Not `wait` on the child itself, which would close its standard input first.
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// Tells it to end, and sees that it does.
    pub async fn stop(mut self) {
        drop(self.child.stdin.take());
        if tokio::time::timeout(GRACE, self.child.wait()).await.is_err() {
            tracing::warn!("a version did not end when told to; it is killed");
            let _ = self.child.kill().await;
        }
    }
}

/// In the started version: ready once whoever started it closed our standard input, or is gone.
pub async fn told_by_parent() {
    let (told, hears) = oneshot::channel();
    // A read of standard input cannot be given up, so it has a thread that ends with the process.
    std::thread::spawn(move || {
        let mut ignored = [0; 64];
        while io::stdin().read(&mut ignored).is_ok_and(|read| read > 0) {}
        let _ = told.send(());
        // Whoever would kill us may be gone.
        std::thread::sleep(GRACE);
        std::process::exit(0);
    });
    let _ = hears.await;
}
