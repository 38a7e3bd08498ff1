//! The MSI on a Windows (Wine): installed, enrolled, read with, upgraded, uninstalled; against a real cloud and a real
//! domain controller.

use crate::site::{EXE, HOME, MSI, SERVICE, SOURCE, Site, build, with_version};
use rollcall_e2e::SambaScope;
use rollcall_lab::samba::{Filling, Samba, SambaSetup};
use rollcall_lab::world::{Api, Binding, CloudSetup};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A customer's network with a real domain controller.
async fn with_samba() -> (Site, Samba) {
    let samba = Samba::start(&SambaSetup::default()).unwrap();
    samba.fill(&Filling::company(60, 7)).unwrap();
    // Which way it is reached is left to the agent.
    let binding = Binding { transport: String::new(), ..Binding::to_samba(&samba) };
    let site = Site::found(&binding, &CloudSetup::default(), "").await;
    (site, samba)
}

// proves: R-15, L-24
#[tokio::test(flavor = "multi_thread")]
async fn the_msi_installs_an_agent_that_enrols_reads_survives_an_upgrade_and_leaves_nothing() {
    // given: a built installer that the cloud hands out, and a customer's network
    let folder = tempfile::tempdir().unwrap();
    let first = build(&folder.path().join("first"), &with_version("0.1.0")).await;
    let second = build(&folder.path().join("second"), &with_version("0.1.1")).await;
    let (site, samba) = with_samba().await;
    let token = site.customer.token().await.unwrap();
    let downloaded = download(&site, &first, &token, folder.path()).await;

    // when: an RMM tool installs it
    let url = format!("CLOUDURL={}", site.cloud.url);
    site.install(&downloaded, &[&format!("ENROLLTOKEN={token}"), &url]).await;

    // then: the service enrols by itself, and the token is nowhere any more
    let agent = site.agent(|agent| agent["contact"] == "online").await;
    assert_service(&site).await;
    assert_token_is_nowhere(&site, &token);

    // when: an operator chooses people
    site.customer.directory().await.unwrap();
    let staff = samba.at("OU=Staff").unwrap();
    site.customer.import("Staff", &[("ou", staff)], &[]).await.unwrap();

    // then: they appear, exactly those that ldapsearch sees
    let scope = SambaScope { ous: vec![staff], groups: Vec::new() };
    wait_for_everybody(&site, &samba, &scope).await;

    // when: it is upgraded, after an operator has given it a gMSA
    let identity = site.identity().unwrap();
    let gmsa = r"LAB\gmsa-rollcall$";
    let set = site.wine.run(&["reg", "add", SERVICE, "/v", "ObjectName", "/d", gmsa, "/f"]).await.unwrap();
    assert_eq!(set.code, Some(0), "{}", set.stderr);
    site.install(&second, &[]).await;

    // then: it is the same agent under the same account, still reading
    assert_eq!(site.identity().unwrap(), identity);
    assert_eq!(site.wine.registry(SERVICE, "ObjectName").await.unwrap(), gmsa);
    assert_eq!(installed_versions(&site).await, ["0.1.1"]);
    let since = agent["last_seen_at"].as_str().unwrap().to_owned();
    let again = site.agent(|agent| agent["last_seen_at"].as_str().is_some_and(|seen| seen > since.as_str())).await;
    assert_eq!(again["id"], agent["id"]);
    site.stop_quickly().await;

    // when: it is uninstalled
    let done = site.wine.msiexec(&["/x", &site.wine.seen(&second), "/qn"]).await.unwrap();

    // then: nothing is left
    assert_eq!(done.code, Some(0));
    assert!(!site.wine.at(EXE).exists());
    assert!(!site.wine.at(HOME).exists());
    assert_eq!(site.wine.registry(SERVICE, "ImagePath").await.unwrap(), "");
    assert_eq!(site.wine.registry(SOURCE, "EventMessageFile").await.unwrap(), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_waits_while_the_cloud_is_away_and_an_uninstallation_keeps_what_it_was_told_to_keep() {
    // given: a cloud that is away
    let folder = tempfile::tempdir().unwrap();
    let msi = build(folder.path(), &with_version("0.1.0")).await;
    let (mut site, _samba) = with_samba().await;
    let token = site.customer.token().await.unwrap();
    site.cloud.kill().await.unwrap();

    // when: the agent is installed with a token that no command line shows
    let file = site.wine.at("token.txt");
    fs::write(&file, &token).unwrap();
    site.install(&msi, &[r"ENROLLTOKENFILE=C:\token.txt"]).await;

    // then: the installation stands, the token waits unreadable, and the status says so
    assert!(!file.exists(), "nobody needs it any more");
    let waiting = fs::read_to_string(site.wine.at(HOME).join("enrolment.json")).unwrap();
    assert!(waiting.contains("dpapi:") && !waiting.contains(&token), "{waiting}");
    let (code, said) = site.ask_agent(&["status"]).await;
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("waits"), "{said}");

    // when: the cloud is back
    site.cloud.serve().await.unwrap();

    // then: it enrols by itself
    site.agent(|agent| agent["contact"] == "online").await;
    let identity = site.identity().unwrap();
    assert!(identity["key"].as_str().unwrap().starts_with("dpapi:"));

    // when: it is removed with its data kept, and installed again
    // Windows' installer waits until a service has stopped before it takes the program away; Wine's does not.
    site.stop_quickly().await;
    let done = site.wine.msiexec(&["/x", &site.wine.seen(&msi), "/qn", "KEEPDATA=1"]).await.unwrap();
    assert_eq!(done.code, Some(0));
    assert!(!site.wine.at(EXE).exists());
    site.install(&msi, &[]).await;

    // then: it is the agent it was
    assert_eq!(site.identity().unwrap(), identity);
    let (code, said) = site.ask_agent(&["status"]).await;
    assert_eq!(code, Some(0), "{said}");
}

/// What the machine gets with its token is the file that was built, to the byte; without one it gets nothing.
async fn download(site: &Site, built: &Path, token: &str, folder: &Path) -> PathBuf {
    fs::create_dir_all(site.cloud.installer_dir()).unwrap();
    fs::copy(built, site.cloud.installer_dir().join(MSI)).unwrap();
    // The cloud hands out no file that may still be on its way.
    tokio::time::sleep(Duration::from_secs(4)).await;
    let address = format!("{}/agent/v1/installer", site.cloud.url);
    let refused = Api::client().get(&address).send().await.unwrap();
    assert_eq!(refused.status(), 401);
    let answer = Api::client().get(&address).bearer_auth(token).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let bytes = answer.bytes().await.unwrap();
    assert_eq!(bytes, fs::read(built).unwrap());
    let path = folder.join(MSI);
    fs::write(&path, &bytes).unwrap();
    path
}

async fn assert_service(site: &Site) {
    let wine = &site.wine;
    assert!(wine.registry(SERVICE, "ImagePath").await.unwrap().contains("rollcall-agent.exe"));
    assert_eq!(wine.registry(SERVICE, "ObjectName").await.unwrap(), r"NT SERVICE\RollcallAgent");
    assert_eq!(wine.registry(SERVICE, "Start").await.unwrap(), "0x2");
    assert!(wine.registry(SOURCE, "EventMessageFile").await.unwrap().ends_with("EventCreate.exe"));
    let (code, said) = site.ask_agent(&["status"]).await;
    assert_eq!(code, Some(0), "{said}");
    // One instance: the running service holds the folder, and its identity stays as it is.
    let identity = site.identity();
    for second in ["sync", "run"] {
        let (code, said) = site.ask_agent(&[second]).await;
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains("RC-1011"), "{said}");
    }
    assert_eq!(site.identity(), identity);
}

impl Drop for Site {
    fn drop(&mut self) {
        rollcall_lab::witness::said("windows-agent", self.log().as_bytes());
    }
}

/// Not in the installation's log by a step of ours, not in the agent's folder, in whatever file.
fn assert_token_is_nowhere(site: &Site, token: &str) {
    let secret = token.rsplit('.').next().unwrap();
    let log = fs::read(site.wine.at("install.log")).unwrap();
    let log = String::from_utf8_lossy(&log).replace('\0', "");
    // Wine lists every property at the end, also those that Windows hides (W-18).
    let shown: Vec<&str> = log.lines().filter(|line| line.contains(secret)).collect();
    assert!(shown.iter().all(|line| line.starts_with("Property(S): ENROLLTOKEN")), "{shown:?}");
    for file in fs::read_dir(site.wine.at(HOME)).unwrap() {
        let path = file.unwrap().path();
        assert!(!path.is_file() || !contains(&fs::read(&path).unwrap(), secret), "{} shows the token", path.display());
    }
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

async fn wait_for_everybody(site: &Site, samba: &Samba, scope: &SambaScope) {
    let expected = scope.people(samba).unwrap();
    assert!(expected.len() >= 60);
    let arrived = site.customer.until("everybody", async || {
        let here = site.customer.picture().await?;
        Ok(here.differences(&expected).is_empty().then_some(()))
    });
    arrived.await.unwrap_or_else(|missing| panic!("{missing}\n{}", site.log()));
}

async fn installed_versions(site: &Site) -> Vec<String> {
    let key = r"HKLM\Software\Microsoft\Windows\CurrentVersion\Uninstall";
    let done = site.wine.run(&["reg", "query", key, "/s", "/v", "DisplayVersion"]).await.unwrap();
    let lines = done.stdout.lines().filter(|line| line.contains("DisplayVersion"));
    lines
        .filter_map(|line| line.split_whitespace().last())
        .filter(|version| version.starts_with("0.1."))
        .map(str::to_owned)
        .collect()
}
