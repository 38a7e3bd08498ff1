//! A Debian to install packages on: what is installed on this machine, or in a folder, with everything that is written
//! kept apart and gone when dropped. It has mounts and processes of its own, and no running systemd.

use crate::world::{Finished, ProgramError, finish};
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Duration;
use tempfile::TempDir;
use tokio::process::Command;

/// Unpacking waits for the disk after every file.
const PATIENCE: Duration = Duration::from_mins(4);

/// Lays the machine out and holds it: while this shell lives, so do its mounts and processes.
const HOLD: &str = "set -e
mount -t overlay overlay -o lowerdir=\"$1\",upperdir=\"$2/written\",workdir=\"$2/work\" \"$2/root\"
mount --bind /dev \"$2/root/dev\"
mount -t proc proc \"$2/root/proc\"
mount -t tmpfs tmpfs \"$2/root/run\"
mount -t tmpfs tmpfs \"$2/root/tmp\"
mkdir \"$2/root/tmp/brought\"
mount --bind \"$3\" \"$2/root/tmp/brought\"
echo ready
exec sleep infinity";

#[derive(Debug)]
pub struct Debian {
    folder: TempDir,
    holder: Child,
}

impl Debian {
    /// A machine with what is installed below `lower`. Needs root, as installing packages does. What lies in `brought` is
    /// seen there as `/tmp/brought`.
    pub fn over(lower: &Path, brought: &Path) -> Result<Self, ProgramError> {
        let folder = tempfile::tempdir().map_err(io)?;
        for name in ["written", "work", "root"] {
            fs::create_dir(folder.path().join(name)).map_err(io)?;
        }
        let mut command = std::process::Command::new("unshare");
        command.args(["--mount", "--pid", "--fork", "--kill-child", "sh", "-c", HOLD, "hold"]);
        command.arg(lower).arg(folder.path()).arg(brought);
        let mut holder = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().map_err(io)?;
        let mut said = String::new();
        if let Some(output) = holder.stdout.take() {
            BufReader::new(output).read_line(&mut said).map_err(io)?;
        }
        let machine = Self { folder, holder };
        if said.trim() == "ready" { Ok(machine) } else { Err(io(std::io::Error::other("no machine: is this root?"))) }
    }

    /// Runs a program of this machine as root, to its end.
    pub async fn run(&self, arguments: &[&str]) -> Result<Finished, ProgramError> {
        finish(&mut self.command(arguments)?, PATIENCE).await
    }

    /// A program of this machine that is still to be started. It ends with the machine.
    pub fn command(&self, arguments: &[&str]) -> Result<Command, ProgramError> {
        let mut command = Command::new("nsenter");
        command.arg("--target").arg(self.inside()?.to_string()).args(["--mount", "--pid", "chroot"]);
        command.arg(self.folder.path().join("root")).args(arguments);
        command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("DEBIAN_FRONTEND", "noninteractive");
        Ok(command)
    }

    /// The first process inside; the holder itself is outside and only waits for it.
    fn inside(&self) -> Result<u32, ProgramError> {
        let children = format!("/proc/{0}/task/{0}/children", self.holder.id());
        let children = fs::read_to_string(children).map_err(io)?;
        let first = children.split_whitespace().next().and_then(|child| child.parse().ok());
        first.ok_or_else(|| io(std::io::Error::other("the machine has ended")))
    }
}

fn io(error: std::io::Error) -> ProgramError {
    ProgramError::Io { program: "unshare".into(), error }
}

impl Drop for Debian {
    /// The first process of the machine goes with its holder, and with it all others and the mounts.
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}
