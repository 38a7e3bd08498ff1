//! A Windows to install things on: a Wine prefix of its own with a real service manager and a real `msiexec`, gone when
//! dropped. It proves what programs do; what it cannot prove stands in `docs/operate/needs-a-windows-machine.md`.

mod kerberos;
mod proxy;

use crate::world::{Finished, Program, ProgramError, finish};
use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tempfile::TempDir;
use tokio::process::Command;

/// Under load a first start takes half a minute.
const PATIENCE: Duration = Duration::from_mins(4);

/// Wine 8 lacks this library, which Rust's own needs for randomness. For tests alone; nothing of it is shipped.
const RANDOM: &str = "#include <windows.h>\n#include <ntsecapi.h>\n\
                      BOOL WINAPI ProcessPrng(PBYTE p, SIZE_T n) { return SystemFunction036(p, (ULONG)n); }\n";

/// How a program ended, told by Windows; the file says why Unix does not always know.
const LAUNCH: &str = include_str!("wine/launch.c");

/// Wine makes Windows' access lists of the file mode, so this one closes what Windows would inherit as closed.
///
/// Addresses are the same every time, where the system lets them be: Windows shares a page at 0x7ffe0000 with every
/// program, Wine 8 itself lies below it, and since Linux 6.9 the heap begins anywhere in the gigabyte behind a program.
/// Where it took that page (1 of 25,000 starts), nothing was started and nothing said.
const BEGIN: &str = "umask 077; setarch -R true 2>&- && exec setarch -R \"$0\" \"$@\"; exec \"$0\" \"$@\"";

#[derive(Debug)]
pub struct Wine {
    folder: TempDir,
    /// Of the programs that are run from here; services have that of the first start.
    environment: Vec<(String, String)>,
    /// The name servers of those programs, in the form of `resolv.conf`.
    resolver: Option<PathBuf>,
}

impl Wine {
    /// A fresh machine.
    pub async fn install() -> Result<Self, ProgramError> {
        let wine = Self { folder: tempfile::tempdir().map_err(io)?, environment: Vec::new(), resolver: None };
        wine.must(wine.wine(&["wineboot", "-i"])).await?;
        wine.compile(RANDOM, r"windows\system32\bcryptprimitives.dll", &["-shared"]).await?;
        wine.compile(LAUNCH, "launch.exe", &[]).await?;
        wine.must(wine.wine(&["winecfg", "-v", "win10"])).await?;
        // The service manager that came up before the library did would start no program that needs it.
        // It may have ended by itself; then this fails, and well.
        finish(&mut wine.as_private("wineserver", &["-k"]), PATIENCE).await?;
        wine.must(wine.as_private("wineserver", &["-w"])).await?;
        // A Windows goes on when nobody is signed in; without this, services would end with the last program.
        wine.begin("wineserver", &["-p"]).await?;
        // The first program brings the service manager up, which would keep that program's output open for ever.
        wine.begin("wine", &["wineboot"]).await?;
        Ok(wine)
    }

    /// Runs something that leaves processes behind; waiting for the end of their output would be waiting for ever.
    async fn begin(&self, program: &str, arguments: &[&str]) -> Result<(), ProgramError> {
        let mut command = self.as_private(program, arguments);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().await.map(drop).map_err(io)
    }

    /// Makes a program or a library of this text and puts it on drive C:.
    async fn compile(&self, text: &str, to: &str, flags: &[&str]) -> Result<(), ProgramError> {
        let source = self.folder.path().join("source.c");
        fs::write(&source, text).map_err(io)?;
        let mut compiler = Command::new("x86_64-w64-mingw32-gcc");
        compiler.args(flags).arg("-o").arg(self.at(to)).arg(source).arg("-ladvapi32");
        self.must(compiler).await
    }

    /// Where a file of drive C: lies in truth: `ProgramData\Rollcall`.
    pub fn at(&self, path: &str) -> PathBuf {
        self.prefix().join("drive_c").join(path.replace('\\', "/"))
    }

    /// How a program of this Windows names a file of the machine underneath.
    pub fn seen(&self, path: &Path) -> String {
        format!("Z:{}", path.display()).replace('/', "\\")
    }

    /// From now on programs ask this name server, which serves port 53.
    pub fn resolve_with(&mut self, name_server: IpAddr) -> Result<(), ProgramError> {
        let file = self.folder.path().join("resolv.conf");
        fs::write(&file, format!("nameserver {name_server}\n")).map_err(io)?;
        self.resolver = Some(file);
        Ok(())
    }

    /// Runs a program of this Windows to its end.
    pub async fn run(&self, arguments: &[&str]) -> Result<Finished, ProgramError> {
        self.run_for(PATIENCE, arguments).await
    }

    /// The same for one that may take longer.
    pub async fn run_for(&self, patience: Duration, arguments: &[&str]) -> Result<Finished, ProgramError> {
        finish(&mut self.wine(&[&[r"C:\launch.exe"], arguments].concat()), patience).await
    }

    /// Starts a program of this Windows; dropping it kills it.
    pub fn start(&self, arguments: &[&str], log: &Path) -> Result<Program, ProgramError> {
        Program::start(&mut self.wine(arguments), log)
    }

    /// `msiexec` says by its status alone how it went: 0, 3010, 1603 …, of which Unix keeps the lowest eight bits.
    pub async fn msiexec(&self, arguments: &[&str]) -> Result<Finished, ProgramError> {
        self.run(&[&["msiexec"], arguments].concat()).await
    }

    /// A value of the registry as `reg query` prints it; empty when there is none.
    pub async fn registry(&self, key: &str, value: &str) -> Result<String, ProgramError> {
        let done = self.run(&["reg", "query", key, "/v", value]).await?;
        let line = done.stdout.lines().find(|line| line.trim_start().starts_with(value)).unwrap_or_default();
        Ok(line.split_whitespace().skip(2).collect::<Vec<_>>().join(" "))
    }

    fn prefix(&self) -> PathBuf {
        self.folder.path().join("prefix")
    }

    fn wine(&self, arguments: &[&str]) -> Command {
        self.as_private("wine", arguments)
    }

    fn as_private(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = match &self.resolver {
            None => Command::new("sh"),
            Some(resolver) => in_sight_of(resolver),
        };
        command.args(["-c", BEGIN, program]).args(arguments);
        command.env("WINEPREFIX", self.prefix()).env("WINEDEBUG", "-all").env_remove("DISPLAY");
        command.envs(self.environment.iter().cloned());
        command
    }

    async fn must(&self, mut command: Command) -> Result<(), ProgramError> {
        let program = format!("{:?}", command.as_std());
        let done = finish(&mut command, PATIENCE).await?;
        if done.code == Some(0) {
            return Ok(());
        }
        Err(ProgramError::EndedAtOnce { program, status: format!("{:?}", done.code), said: done.stdout + &done.stderr })
    }
}

/// A shell for which this file stands in the place of `/etc/resolv.conf`; needs root.
fn in_sight_of(resolver: &Path) -> Command {
    let mut command = Command::new("unshare");
    let mount = "mount --bind \"$0\" /etc/resolv.conf && exec sh \"$@\"";
    command.args(["--mount", "--propagation", "private", "sh", "-c", mount]).arg(resolver);
    command
}

fn io(error: std::io::Error) -> ProgramError {
    ProgramError::Io { program: "wine".into(), error }
}

impl Drop for Wine {
    /// Every process of this prefix ends, the services among them, and of no other.
    fn drop(&mut self) {
        let mut server = std::process::Command::new("wineserver");
        let _ = server.arg("-k").env("WINEPREFIX", self.prefix()).output();
    }
}
