//! How a program of the product runs under test: found, started, heard, killed without warning, waited for.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::process::{Child, Command};

use crate::witness;

#[derive(Debug, thiserror::Error)]
pub enum ProgramError {
    #[error("{0} was not built: run `cargo build --workspace --bins`, or set ROLLCALL_BIN_DIR")]
    NotBuilt(PathBuf),
    #[error("{program}: {error}")]
    Io { program: String, error: std::io::Error },
    #[error("{program} did not end within {limit:?}")]
    Endless { program: String, limit: Duration },
    #[error("{program} ended at once ({status}); it said:\n{said}")]
    EndedAtOnce { program: String, status: String, said: String },
    #[error("{program} was not ready within {limit:?}; it said:\n{said}")]
    NotReady { program: String, limit: Duration, said: String },
}

/// A port that is free now. The next program may still take it; a test that loses this race fails loudly.
pub fn free_port() -> std::io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// Finds one of the product's programs: in `ROLLCALL_BIN_DIR`, else where cargo put this test.
#[expect(clippy::disallowed_methods, reason = "the lab is told where the programs are by this one variable")]
pub fn find(name: &str) -> Result<PathBuf, ProgramError> {
    let beside = || {
        let own = std::env::current_exe().ok()?;
        let folder = own.parent()?;
        // Test programs lie in `deps`, one below the programs.
        Some(if folder.ends_with("deps") { folder.parent()?.to_path_buf() } else { folder.to_path_buf() })
    };
    let folder = std::env::var_os("ROLLCALL_BIN_DIR").map(PathBuf::from).or_else(beside).unwrap_or_default();
    let path = folder.join(name);
    if path.is_file() { Ok(path) } else { Err(ProgramError::NotBuilt(path)) }
}

/// What a program that ran to its end left.
#[derive(Debug, Clone)]
pub struct Finished {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

/// A running program. Its output goes to a file; dropping it kills it.
#[derive(Debug)]
pub struct Program {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Program {
    pub fn start(command: &mut Command, log: &Path) -> Result<Self, ProgramError> {
        let name = name_of(command.as_std().get_program());
        let io = |error| ProgramError::Io { program: name.clone(), error };
        let out = OpenOptions::new().create(true).append(true).open(log).map_err(io)?;
        let err: File = out.try_clone().map_err(io)?;
        let child = command.stdin(Stdio::null()).stdout(out).stderr(err).kill_on_drop(true).spawn().map_err(io)?;
        Ok(Self { name: name.clone(), child, log: log.to_path_buf() })
    }

    pub fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Everything it, and its predecessors with the same log, said so far.
    pub fn said(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    pub fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// `kill -9`: no warning, no clean-up.
    pub async fn kill(&mut self) -> Result<(), ProgramError> {
        self.child.kill().await.map_err(|error| ProgramError::Io { program: self.name.clone(), error })
    }

    /// A polite stop (SIGTERM), and how long it took at most.
    pub async fn stop(&mut self, limit: Duration) -> Result<(), ProgramError> {
        if let Some(id) = self.id() {
            let kill = Command::new("kill").arg(id.to_string()).status().await;
            kill.map_err(|error| ProgramError::Io { program: "kill".into(), error })?;
        }
        match tokio::time::timeout(limit, self.child.wait()).await {
            Ok(_) => Ok(()),
            Err(_) => Err(ProgramError::Endless { program: self.name.clone(), limit }),
        }
    }

    /// Waits until `is_ready` says so, or the program ends, or `limit` passes.
    pub async fn wait_until<F>(&mut self, limit: Duration, mut is_ready: F) -> Result<(), ProgramError>
    where
        F: AsyncFnMut() -> bool,
    {
        let deadline = tokio::time::Instant::now() + limit;
        while !is_ready().await {
            if let Ok(Some(status)) = self.child.try_wait() {
                let (program, said) = (self.name.clone(), self.said());
                return Err(ProgramError::EndedAtOnce { program, status: status.to_string(), said });
            }
            if tokio::time::Instant::now() > deadline {
                return Err(ProgramError::NotReady { program: self.name.clone(), limit, said: self.said() });
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        witness::said(&self.name, &fs::read(&self.log).unwrap_or_default());
    }
}

/// The product's own programs: nothing secret may stand in what they say.
const OURS: [&str; 2] = ["rollcall", "rollcall-agent"];

/// Runs a program to its end.
pub async fn finish(command: &mut Command, limit: Duration) -> Result<Finished, ProgramError> {
    let name = name_of(command.as_std().get_program());
    // This one is there to hand out a key and a link, on its output alone.
    let hands_out = command.as_std().get_args().any(|argument| argument == "init");
    let finished = run_to_end(command, limit).await?;
    if OURS.contains(&name.as_str()) {
        witness::said(&name, finished.stderr.as_bytes());
        witness::said(&name, if hands_out { b"" } else { finished.stdout.as_bytes() });
    }
    Ok(finished)
}

async fn run_to_end(command: &mut Command, limit: Duration) -> Result<Finished, ProgramError> {
    let program = name_of(command.as_std().get_program());
    let output = command.stdin(Stdio::null()).kill_on_drop(true).output();
    let output = match tokio::time::timeout(limit, output).await {
        Ok(Ok(output)) => output,
        Ok(Err(error)) => return Err(ProgramError::Io { program, error }),
        Err(_) => return Err(ProgramError::Endless { program, limit }),
    };
    Ok(Finished {
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

fn name_of(program: &OsStr) -> String {
    Path::new(program).file_name().unwrap_or(program).to_string_lossy().into_owned()
}
