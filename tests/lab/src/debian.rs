//! A Debian to install packages on: what is installed on this machine, or in a folder, with everything that is written
//! kept apart and gone when dropped. It has mounts and processes of its own, and a running systemd if it was booted.

use crate::world::{Finished, ProgramError, finish};
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Duration;
use tempfile::TempDir;
use tokio::process::Command;

/// Unpacking waits for the disk after every file.
const PATIENCE: Duration = Duration::from_mins(4);

/// Lays the machine out: while the shell that does so lives, or what it becomes, so do its mounts and processes.
const LAY_OUT: &str = "set -e
mount -t overlay overlay -o lowerdir=\"$1\",upperdir=\"$2/written\",workdir=\"$2/work\" \"$2/root\"
mount --bind /dev \"$2/root/dev\"
mount -t proc proc \"$2/root/proc\"
mount -t tmpfs tmpfs \"$2/root/run\"
mount -t tmpfs tmpfs \"$2/root/tmp\"
mkdir \"$2/root/tmp/brought\"
mount --bind \"$3\" \"$2/root/tmp/brought\"
";

/// Nothing runs but what is started.
const HOLD: &str = "echo ready
exec sleep infinity";

/// systemd is the first process. It sees its own control groups, and of the kernel's settings it can change none.
const BOOT: &str = "mount --bind /proc/sys \"$2/root/proc/sys\"
mount -o remount,bind,ro \"$2/root/proc/sys\"
mount -t sysfs -o ro sysfs \"$2/root/sys\"
mount -t tmpfs tmpfs \"$2/root/sys/fs/cgroup\"
mount -t cgroup2 cgroup2 \"$2/root/sys/fs/cgroup\"
rm -rf \"$2/root\"/etc/systemd/system/*.wants \"$2/root/usr/sbin/policy-rc.d\"
printf '[Unit]\\nRequires=basic.target\\nAfter=basic.target\\nAllowIsolate=yes\\n' > \"$2/root/etc/systemd/system/lab.target\"
echo ready
exec chroot \"$2/root\" env -i container=lab PATH=/usr/sbin:/usr/bin:/sbin:/bin \\
    /lib/systemd/systemd --system --unit=lab.target --show-status=no --log-target=journal";

#[derive(Debug)]
pub struct Debian {
    folder: TempDir,
    holder: Child,
    _groups: Option<ControlGroup>,
}

/// Goes into the control group `$0` and begins anew there, with `$1` as the first program.
const ENTER: &str = "echo $$ > \"$0/cgroup.procs\"
first=\"$1\"
shift
exec unshare --cgroup --mount --pid --ipc --uts --fork --kill-child sh -c \"$first\" boot \"$@\"";

/// A control group of this machine (cgroups(7), version 2), gone when dropped.
#[derive(Debug)]
struct ControlGroup(PathBuf);

impl ControlGroup {
    fn create() -> std::io::Result<Self> {
        let mounts = fs::read_to_string("/proc/mounts")?;
        let is_one = |line: &str| line.split(' ').nth(2) == Some("cgroup2");
        let mounted = mounts.lines().find(|line| is_one(line)).and_then(|line| line.split(' ').nth(1));
        let mounted = mounted.ok_or_else(|| std::io::Error::other("no control groups of version 2"))?;
        let own = tempfile::Builder::new().prefix("rollcall-lab-").tempdir_in(mounted)?;
        Ok(Self(own.keep()))
    }
}

impl Drop for ControlGroup {
    fn drop(&mut self) {
        // Its processes were killed a moment ago.
        for _ in 0..100 {
            remove_group(&self.0);
            if !self.0.exists() {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// The files in it are the kernel's; only empty groups can be removed, the innermost first.
fn remove_group(group: &Path) {
    for entry in fs::read_dir(group).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove_group(&entry.path());
        }
    }
    let _ = fs::remove_dir(group);
}

impl Debian {
    /// A machine with what is installed below `lower`. Needs root, as installing packages does. What lies in `brought` is
    /// seen there as `/tmp/brought`.
    pub fn over(lower: &Path, brought: &Path) -> Result<Self, ProgramError> {
        let mut unshare = std::process::Command::new("unshare");
        unshare.args(["--mount", "--pid", "--fork", "--kill-child", "sh", "-c", &[LAY_OUT, HOLD].concat(), "hold"]);
        Self::lay_out(unshare, lower, brought, None)
    }

    /// The same with a running systemd. Of what is installed below `lower` it starts nothing by itself.
    pub fn boot(lower: &Path, brought: &Path) -> Result<Self, ProgramError> {
        let groups = ControlGroup::create().map_err(io)?;
        let mut shell = std::process::Command::new("sh");
        shell.args(["-c", ENTER]).arg(&groups.0).arg([LAY_OUT, BOOT].concat());
        Self::lay_out(shell, lower, brought, Some(groups))
    }

    fn lay_out(
        mut command: std::process::Command,
        lower: &Path,
        brought: &Path,
        groups: Option<ControlGroup>,
    ) -> Result<Self, ProgramError> {
        let folder = tempfile::tempdir().map_err(io)?;
        for name in ["written", "work", "root"] {
            fs::create_dir(folder.path().join(name)).map_err(io)?;
        }
        command.arg(lower).arg(folder.path()).arg(brought);
        let mut holder = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().map_err(io)?;
        let mut said = String::new();
        if let Some(output) = holder.stdout.take() {
            BufReader::new(output).read_line(&mut said).map_err(io)?;
        }
        let machine = Self { folder, holder, _groups: groups };
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
