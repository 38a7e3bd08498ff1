//! The service updates itself: it fetches what its makers published, runs it below itself, and goes back from what fails.

use crate::site::{EXE, HOME, MSI, Site, build};
use rollcall_lab::directory::{Directory, Plan, Setup};
use rollcall_lab::world::{Binding, CloudSetup, find};
use serde_json::Value;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// Makers with keys of their own, as a release has them: a release build believes no others.
struct Makers {
    folder: tempfile::TempDir,
}

impl Makers {
    fn new() -> Self {
        let makers = Self { folder: tempfile::tempdir().unwrap() };
        makers.release("keys", &["--out".into(), makers.keys().into()]);
        makers
    }

    fn keys(&self) -> PathBuf {
        self.folder.path().join("keys")
    }

    fn releases(&self) -> PathBuf {
        self.folder.path().join("releases")
    }

    fn publish(&self, version: &str, program: &[u8]) {
        let exe = self.folder.path().join("made.exe");
        fs::write(&exe, program).unwrap();
        let arguments: [OsString; 8] = [
            "--keys".into(),
            self.keys().into(),
            "--exe".into(),
            exe.into(),
            "--version".into(),
            version.into(),
            "--platform".into(),
            "x86_64-windows".into(),
        ];
        self.release("publish", &arguments);
    }

    fn release(&self, act: &str, arguments: &[OsString]) {
        let mut command = Command::new(find("xtask").unwrap());
        let done = command.args(["release", act, "--releases"]).arg(self.releases()).args(arguments).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }
}

/// The same program under another version.
fn stamped(program: &[u8], version: &str) -> Vec<u8> {
    let mut program = program.to_vec();
    let own = concat!("rollcall-agent-version:", env!("CARGO_PKG_VERSION"), "\0").as_bytes();
    let other = format!("rollcall-agent-version:{version}\0").into_bytes();
    assert_eq!(own.len(), other.len());
    let at = program.windows(own.len()).position(|bytes| bytes == own).unwrap();
    program[at..at + own.len()].copy_from_slice(&other);
    program
}

/// A program that runs, hears when it is to end, and never says a word to the cloud.
fn silent(folder: &Path) -> Vec<u8> {
    let (source, exe) = (folder.join("silent.c"), folder.join("silent.exe"));
    fs::write(&source, "#include <stdio.h>\nint main(void) { while (getchar() != EOF) {} return 0; }\n").unwrap();
    let done = Command::new("x86_64-w64-mingw32-gcc").arg("-o").arg(&exe).arg(&source).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    fs::read(exe).unwrap()
}

/// What the cloud says of the one agent, once `is_so`. A sync now shortens the wait for the next check-in.
async fn until(site: &Site, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    let deadline = Instant::now() + Duration::from_mins(5);
    let api = &site.customer.api;
    let id = site.agent(|_| true).await["id"].as_str().unwrap().to_owned();
    loop {
        api.post(&format!("/customers/{}/sync", site.customer.id), &Value::default()).await.ok();
        let agent = api.get(&format!("/agents/{id}")).await.unwrap();
        if is_so(&agent) {
            return agent;
        }
        assert!(Instant::now() < deadline, "{what}: {agent}\n{}", site.log());
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

fn went_back_from(agent: &Value, version: &str) -> bool {
    let reason = &agent["reason"];
    reason["code"] == "RC-1050" && reason["detail"].as_str().is_some_and(|detail| detail.contains(version))
}

// proves: R-15
#[tokio::test(flavor = "multi_thread")]
async fn the_service_updates_itself_goes_back_from_versions_that_fail_and_leaves_nothing_of_them() {
    // given: an installed release, and its makers
    let folder = tempfile::tempdir().unwrap();
    let makers = Makers::new();
    let root = makers.releases().join("1.root.json");
    let msi = build(folder.path(), &["--update-root".into(), root.into()]).await;
    let released = fs::read(msi.with_file_name("rollcall-agent.exe")).unwrap();
    let directory = Directory::start(&Plan::new(20, 1), Setup::default()).unwrap();
    let binding = Binding::to_directory(&directory, &folder.path().join("ca.pem")).unwrap();
    let setup = CloudSetup { releases: Some(makers.releases()), ..CloudSetup::default() };
    let site = Site::found(&binding, &setup, "[update]\ntrial_seconds = 20").await;
    let token = site.customer.token().await.unwrap();
    site.install(&folder.path().join(MSI), &[&format!("ENROLLTOKEN={token}")]).await;
    until(&site, "the first check-in", |agent| agent["version"] == "0.1.0").await;

    // when: the next version is published
    makers.publish("0.2.0", &stamped(&released, "0.2.0"));

    // then: the service runs it, and the installer's program is as it was
    let updated = until(&site, "the update", |agent| agent["version"] == "0.2.0").await;
    assert_eq!(updated["reason"], Value::Null);
    assert_eq!(fs::read(site.wine.at(EXE)).unwrap(), released);

    // when: one that Windows does not start
    makers.publish("0.3.0", b"MZ, and nothing that could run");

    // then: the version before runs again, and says so
    let back = until(&site, "going back from 0.3.0", |agent| went_back_from(agent, "0.3.0")).await;
    assert_eq!(back["version"], "0.2.0");

    // when: one that runs and never reaches the cloud
    makers.publish("0.4.0", &silent(folder.path()));

    // then: the same
    let back = until(&site, "going back from 0.4.0", |agent| went_back_from(agent, "0.4.0")).await;
    assert_eq!(back["version"], "0.2.0");
    assert!(back["reason"]["detail"].as_str().unwrap().contains("did not reach the cloud in time"));

    // when: the service is stopped, started and removed
    site.stop_quickly().await;
    site.start().await;
    let since = back["last_seen_at"].as_str().unwrap().to_owned();
    until(&site, "the start", |agent| agent["last_seen_at"].as_str().is_some_and(|seen| seen > since.as_str())).await;
    let done = site.wine.msiexec(&["/x", &site.wine.seen(&msi), "/qn"]).await.unwrap();

    // then: the fetched versions ended with it, so nothing of them is left
    assert_eq!(done.code, Some(0));
    let home = site.wine.at(HOME);
    assert!(!home.exists(), "{:?}", fs::read_dir(&home).map(Iterator::collect::<Vec<_>>));
}
