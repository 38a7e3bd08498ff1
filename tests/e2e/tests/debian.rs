//! The Debian package of the agent: what is in it, and its life on a machine from installation to purge.

#![expect(clippy::unwrap_used, reason = "a test fails loudly")]

use rollcall_e2e::Customer;
use rollcall_lab::debian::Debian;
use rollcall_lab::directory::{Directory, Plan, Setup};
use rollcall_lab::world::{Agent, AgentSetup, Binding, Cloud, CloudSetup, Finished, Program, find, finish};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tokio::process::Command;

const HOME: &str = "/var/lib/rollcall-agent";
const UNIT: &str = "rollcall-agent.service";

/// The package of this version with the agent under test in it.
async fn pack(out: &Path, version: &str) -> PathBuf {
    let mut xtask = Command::new(find("xtask").unwrap());
    xtask.args(["debian", "--deb-version", version, "--out"]).arg(out);
    xtask.arg("--exe").arg(find("rollcall-agent").unwrap());
    let done = finish(&mut xtask, Duration::from_mins(5)).await.unwrap();
    assert_eq!(done.code, Some(0), "{}{}", done.stdout, done.stderr);
    let made =
        |path: &PathBuf| path.extension().is_some_and(|kind| kind == "deb") && path.to_string_lossy().contains(version);
    fs::read_dir(out).unwrap().map(|entry| entry.unwrap().path()).find(made).unwrap()
}

#[tokio::test]
async fn the_package_holds_just_its_files_and_debians_own_judge_finds_nothing_in_it() {
    let folder = tempfile::tempdir().unwrap();

    let package = pack(folder.path(), "0.1.0").await;

    let listed = run("dpkg-deb", &["--contents"], &package).await.stdout;
    let files: Vec<&str> = listed.lines().filter(|line| !line.starts_with('d')).collect();
    assert_eq!(files.len(), 6, "{listed}");
    for (mode, file) in [
        ("-rwxr-xr-x root/root", "./usr/bin/rollcall-agent"),
        ("-rw-r--r-- root/root", "./usr/lib/systemd/system/rollcall-agent.service"),
        ("-rw-r--r-- root/root", "./usr/share/man/man8/rollcall-agent.8.gz"),
    ] {
        assert!(files.iter().any(|line| line.starts_with(mode) && line.ends_with(file)), "{file}: {listed}");
    }
    let judged = run("lintian", &["--allow-root", "--fail-on", "warning"], &package).await;
    assert_eq!((judged.code, judged.stdout.as_str()), (Some(0), ""), "{}", judged.stderr);
}

async fn run(program: &str, arguments: &[&str], file: &Path) -> Finished {
    finish(Command::new(program).args(arguments).arg(file), Duration::from_mins(5)).await.unwrap()
}

/// A machine on which the package lives, and the cloud it talks to.
struct Site {
    machine: Debian,
    cloud: Cloud,
    customer: Customer,
    directory: Directory,
}

impl Site {
    async fn found(machine: Debian, brought: &Path) -> Self {
        let directory = Directory::start(&Plan::new(20, 1), Setup::default()).unwrap();
        let binding = Binding::to_directory(&directory, &brought.join("ca.pem")).unwrap();
        let cloud = Cloud::start(&CloudSetup::default()).await.unwrap();
        let api = cloud.api();
        let made = api.post("/customers", &json!({"name": "Alder & Finch"})).await.unwrap();
        let agent = Agent::prepare(&AgentSetup::new(binding)).unwrap();
        let customer = Customer { id: made["id"].as_str().unwrap().to_owned(), api, agent };
        Self { machine, cloud, customer, directory }
    }

    async fn must(&self, arguments: &[&str]) -> String {
        let done = self.machine.run(arguments).await.unwrap();
        assert_eq!(done.code, Some(0), "{arguments:?}: {}{}", done.stdout, done.stderr);
        done.stdout
    }

    /// As the page of the manual says: as the agent's own account.
    async fn agent(&self, arguments: &[&str]) -> String {
        self.must(&[&["runuser", "-u", "rollcall-agent", "--", "rollcall-agent"], arguments].concat()).await
    }

    async fn install(&self, package: &Path) {
        let name = package.file_name().unwrap().to_string_lossy();
        self.must(&["dpkg", "--install", &format!("/tmp/brought/{name}")]).await;
    }

    /// What an administrator writes, for the agent alone.
    async fn configure(&self) {
        let text = format!(
            "[ldap]\nhost = '{}'\naddress = '{}'\nport = {}\ntransport = 'ldaps'\nca_file = '/etc/rollcall-agent/ca.pem'\n\
             bind_user = '{}'\npassword_file = '/etc/rollcall-agent/password'\n",
            self.directory.host_name(),
            self.directory.ldaps().ip(),
            self.directory.ldaps().port(),
            self.directory.bind_name()
        );
        let write = "install -o rollcall-agent -g rollcall-agent -m 0600 /dev/null \"$0\" && printf %s \"$1\" > \"$0\"";
        for (path, text) in
            [("/etc/rollcall-agent/password", self.directory.password()), ("/var/lib/rollcall-agent/agent.toml", &text)]
        {
            self.must(&["sh", "-c", write, path, text]).await;
        }
        self.must(&["install", "-m", "0644", "/tmp/brought/ca.pem", "/etc/rollcall-agent/ca.pem"]).await;
    }

    /// Asks until the answer is this one.
    async fn until(&self, what: &str, asking: &[&str], answer: &str) {
        let mut said = String::new();
        for _ in 0..150 {
            said = self.machine.run(asking).await.unwrap().stdout;
            if said.trim() == answer {
                return;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        panic!("{what}: {said}");
    }

    async fn identity(&self) -> String {
        self.must(&["cat", "/var/lib/rollcall-agent/identity.json"]).await
    }

    async fn is_there(&self, path: &str) -> bool {
        self.machine.run(&["test", "-e", path]).await.unwrap().code == Some(0)
    }

    /// The service as its unit starts it, until it has read the directory and is told to stop.
    async fn serve(&self, log: &Path) {
        let mut command =
            self.machine.command(&["runuser", "-u", "rollcall-agent", "--", "rollcall-agent", "service"]).unwrap();
        let mut service = Program::start(&mut command, log).unwrap();
        let read =
            self.customer.until("the first reading", async || Ok(self.customer.runs().await?.into_iter().next()));
        let run: Value = read.await.unwrap_or_else(|missing| panic!("{missing}\n{}", service.said()));
        assert_eq!(run["reason"], Value::Null, "{run}");
        // Whose process it is, seen from outside.
        let owner = self.must(&["ps", "-o", "user:20=", "-C", "rollcall-agent"]).await;
        assert!(owner.lines().all(|user| user.trim() == "rollcall-agent") && !owner.is_empty(), "{owner}");
        self.must(&["pkill", "-TERM", "-x", "rollcall-agent"]).await;
        service.stop(Duration::from_secs(30)).await.unwrap();
    }
}

async fn lives_and_dies(lower: &Path) {
    // given: a machine, two versions, a cloud
    let folder = tempfile::tempdir().unwrap();
    let first = pack(folder.path(), "0.1.0").await;
    let second = pack(folder.path(), "0.1.1").await;
    let site = Site::found(Debian::over(lower, folder.path()).unwrap(), folder.path()).await;

    // when: the package is installed
    site.install(&first).await;

    // then: it has an account of its own, closed folders, a unit that systemd understands and will start
    let account = site.must(&["getent", "passwd", "rollcall-agent"]).await;
    assert!(account.contains(HOME) && account.trim_end().ends_with("/usr/sbin/nologin"), "{account}");
    for path in [HOME, "/etc/rollcall-agent"] {
        assert_eq!(site.must(&["stat", "-c", "%U:%G %a", path]).await.trim(), "rollcall-agent:rollcall-agent 700");
    }
    site.must(&["systemd-analyze", "verify", "--man=no", UNIT]).await;
    assert_eq!(site.must(&["systemctl", "is-enabled", UNIT]).await.trim(), "enabled");

    // when: it is enrolled and runs as that account
    site.configure().await;
    let token = site.customer.token().await.unwrap();
    site.agent(&["enroll", "--token", &token]).await;
    site.serve(&folder.path().join("service.log")).await;
    let identity = site.identity().await;

    // then: an upgrade is the same agent, and an operator's choice not to start it stays
    site.must(&["systemctl", "disable", "--quiet", UNIT]).await;
    site.install(&second).await;
    assert_eq!(site.identity().await, identity);
    let version = site.must(&["dpkg-query", "--show", "--showformat=${Version}", "rollcall-agent"]).await;
    assert_eq!(version, "0.1.1");
    assert_eq!(site.machine.run(&["systemctl", "is-enabled", UNIT]).await.unwrap().stdout.trim(), "disabled");
    site.agent(&["sync"]).await;

    // then: a removal keeps who it is, for another installation
    site.must(&["dpkg", "--remove", "rollcall-agent"]).await;
    assert!(!site.is_there("/usr/bin/rollcall-agent").await);
    assert_eq!(site.identity().await, identity);
    site.install(&second).await;
    site.agent(&["status"]).await;

    // then: a purge leaves nothing
    site.must(&["dpkg", "--purge", "rollcall-agent"]).await;
    for path in ["/usr/bin/rollcall-agent", HOME, "/etc/rollcall-agent", "/etc/systemd/system/rollcall-agent.service"] {
        assert!(!site.is_there(path).await, "{path}");
    }
    let account = site.machine.run(&["getent", "passwd", "rollcall-agent"]).await.unwrap();
    assert_eq!((account.code, account.stdout.as_str()), (Some(2), ""));
    drop(site.cloud);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_package_runs_as_its_own_account_keeps_its_identity_over_upgrades_and_leaves_nothing_when_purged() {
    lives_and_dies(Path::new("/")).await;
}

/// What the unit says is what systemd does.
#[tokio::test(flavor = "multi_thread")]
async fn systemd_starts_confines_restarts_and_stops_the_service() {
    // given: a machine with a running systemd, and the package
    let folder = tempfile::tempdir().unwrap();
    let package = pack(folder.path(), "0.1.0").await;
    let site = Site::found(Debian::boot(Path::new("/"), folder.path()).unwrap(), folder.path()).await;
    site.until("systemd", &["systemctl", "is-active", "lab.target"], "active").await;
    site.install(&package).await;
    let state = |property: &'static str| ["systemctl", "show", "--value", "--property", property, UNIT];
    site.until("the service, waiting for an identity", &["systemctl", "is-active", UNIT], "active").await;

    // when: the machine is enrolled
    site.configure().await;
    let token = site.customer.token().await.unwrap();
    site.agent(&["enroll", "--token", &token]).await;

    // then: the service reads, as its own account, without a right of its own
    site.customer
        .until("the first reading", async || Ok(site.customer.runs().await?.into_iter().next()))
        .await
        .unwrap();
    let process = site.must(&state("MainPID")).await.trim().to_owned();
    let owner = site.must(&["ps", "-o", "user:20=", "-p", &process]).await;
    assert_eq!(owner.trim(), "rollcall-agent");
    let status = site.must(&["cat", &format!("/proc/{process}/status")]).await;
    for (line, value) in
        [("CapEff", "0000000000000000"), ("CapBnd", "0000000000000000"), ("NoNewPrivs", "1"), ("Seccomp", "2")]
    {
        let is = status.lines().find_map(|text| text.strip_prefix(line)).map(|text| text.trim_matches([':', '\t']));
        assert_eq!(is, Some(value), "{line}: {status}");
    }
    let mounts = site.must(&["cat", &format!("/proc/{process}/mounts")]).await;
    let is_writable =
        |place: &str| mounts.lines().any(|line| line.contains(&format!(" {place} ")) && line.contains(" rw,"));
    assert!(!is_writable("/") && is_writable(HOME), "{mounts}");

    // then: killed it comes back, told to stop it ends within five seconds
    site.must(&[
        "sh",
        "-c",
        "mkdir /run/systemd/system/$0.d && printf '[Service]\\nRestartSec=1\\n' > /run/systemd/system/$0.d/soon.conf",
        UNIT,
    ])
    .await;
    site.must(&["systemctl", "daemon-reload"]).await;
    site.must(&["kill", "-KILL", &process]).await;
    site.until("a restart", &state("NRestarts"), "1").await;
    site.until("the service", &["systemctl", "is-active", UNIT], "active").await;
    let before = Instant::now();
    site.must(&["systemctl", "stop", UNIT]).await;
    assert!(before.elapsed() < Duration::from_secs(5), "{:?}", before.elapsed());
    assert_eq!(site.must(&state("Result")).await.trim(), "success");
    let journal = site.must(&["journalctl", "--no-pager", "--unit", UNIT]).await;
    assert!(journal.contains("Stopped"), "{journal}");
    drop(site.cloud);
}

/// The same where nothing but Debian's essentials was installed: `ROLLCALL_DEBIAN_ROOT` names such a folder, made by
/// `debootstrap --variant=minbase --include=adduser,ca-certificates,systemd,procps bookworm FOLDER`.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a folder with a fresh Debian"]
#[expect(clippy::disallowed_methods, reason = "the folder is told by this one variable")]
async fn a_package_lives_and_dies_on_a_fresh_debian() {
    let fresh = std::env::var_os("ROLLCALL_DEBIAN_ROOT").map(PathBuf::from);
    lives_and_dies(&fresh.unwrap()).await;
}
