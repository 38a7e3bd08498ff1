//! Everything an installer can get wrong answers with its code, its cause and its cure, and changes nothing.

#![expect(clippy::unwrap_used, reason = "a test fails loudly")]

use rollcall_e2e::Customer;
use rollcall_lab::authority::Flavour;
use rollcall_lab::directory::{Directory, Fault, Plan, Setup};
use rollcall_lab::world::{Agent, AgentSetup, Api, Binding, Cloud, CloudSetup, Finished};
use serde_json::json;
use std::fs;
use std::time::Duration;

const LIMIT: Duration = Duration::from_mins(1);

struct Town {
    directory: Directory,
    cloud: Cloud,
    folder: tempfile::TempDir,
}

impl Town {
    async fn found() -> Self {
        let directory = Directory::start(&Plan::new(20, 1), Setup::default()).unwrap();
        let cloud = Cloud::start(&CloudSetup::default()).await.unwrap();
        Self { directory, cloud, folder: tempfile::tempdir().unwrap() }
    }

    fn setup(&self) -> AgentSetup {
        AgentSetup::new(Binding::to_directory(&self.directory, &self.folder.path().join("ca.pem")).unwrap())
    }

    async fn customer(&self, setup: &AgentSetup) -> Customer {
        Customer::install(&self.cloud, "Eastgate Foods", setup).await.unwrap()
    }

    async fn sync_says(&self, change: impl FnOnce(&mut AgentSetup), code: &str) {
        let mut setup = self.setup();
        change(&mut setup);
        let customer = self.customer(&setup).await;
        let said = customer.sync_fails().await.unwrap();
        assert!(said.contains(code) && said.contains("\"fix\""), "expected {code}, heard:\n{said}");
    }
}

fn refuses(done: &Finished, code: &str) {
    let said = format!("{}{}", done.stdout, done.stderr);
    assert_ne!(done.code, Some(0), "{said}");
    assert!(said.contains(code) && said.contains("Fix"), "expected {code}, heard:\n{said}");
    assert!(!said.contains("panicked"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_opens_the_door_once_and_only_the_right_one() {
    let town = Town::found().await;
    let customer = town.customer(&town.setup()).await;
    let token = customer.token().await.unwrap();
    let second = Agent::prepare(&town.setup()).unwrap();
    assert_eq!(second.enrol(&token).await.unwrap().code, Some(0));

    let third = Agent::prepare(&town.setup()).unwrap();
    refuses(&third.enrol(&token).await.unwrap(), "RC-3101");
    refuses(&third.enrol("not-a-token").await.unwrap(), "RC-3101");
    let fresh = customer.token().await.unwrap();
    let bent = format!("{}{}", &fresh[..fresh.len() - 4], "AAAA");
    refuses(&third.enrol(&bent).await.unwrap(), "RC-3101");
    refuses(&second.enrol(&fresh).await.unwrap(), "RC-1010");
    assert_eq!(third.enrol(&fresh).await.unwrap().code, Some(0), "a refused try used nothing up");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_reported_once_and_never_retried() {
    let town = Town::found().await;
    let mut setup = town.setup();
    setup.binding.password = "wrong".into();
    let mut customer = town.customer(&setup).await;
    let said = customer.sync_fails().await.unwrap();
    assert!(said.contains("RC-2201"), "{said}");
    town.directory.reset_tally();
    customer.agent.run().unwrap();
    tokio::time::sleep(Duration::from_secs(4)).await;
    let tally = town.directory.tally();
    assert!(tally.refused_binds <= 1, "{} refused binds would lock the account", tally.refused_binds);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_directory_refuses_has_a_code_each() {
    let town = Town::found().await;
    town.sync_says(|setup| setup.binding.password = String::new(), "RC-2201").await;
    town.sync_says(|setup| setup.binding.host = "no-such-dc.invalid".into(), "RC-2104").await;
    town.sync_says(
        |setup| {
            setup.binding.host = "no-such-dc.invalid".into();
            setup.binding.address = String::new();
        },
        "RC-2101",
    )
    .await;
    town.sync_says(|setup| setup.binding.port = 1, "RC-2102").await;
    for (data, code) in [("775", "RC-2202"), ("533", "RC-2203"), ("532", "RC-2204")] {
        town.directory.fault(Fault::RefuseBinds { data });
        town.sync_says(|_| {}, code).await;
        town.directory.heal();
    }
    for (flavour, code) in
        [(Flavour::WrongName, "RC-2104"), (Flavour::Expired, "RC-2105"), (Flavour::SelfSigned, "RC-2103")]
    {
        town.directory.show_certificate(flavour).unwrap();
        town.sync_says(|_| {}, code).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_configuration_that_cannot_be_read_names_the_line() {
    let town = Town::found().await;
    let mut setup = town.setup();
    setup.extra = "colour = \"green\"\n".into();
    let agent = Agent::prepare(&setup).unwrap();
    let done = agent.finish(&["status"], LIMIT).await.unwrap();
    refuses(&done, "RC-1006");
    assert!(format!("{}{}", done.stdout, done.stderr).contains("line"));

    let mut setup = town.setup();
    setup.binding.transport = "plain".into();
    let agent = Agent::prepare(&setup).unwrap();
    refuses(&agent.finish(&["status"], LIMIT).await.unwrap(), "RC-1006");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_without_a_place_to_write_says_so() {
    let town = Town::found().await;
    let agent = Agent::prepare(&town.setup()).unwrap();
    fs::write(agent.folder().join("data"), "a file where the folder should be").unwrap();
    let api = town.cloud.api();
    let customer = api.post("/customers", &json!({"name": "Fjord"})).await.unwrap();
    let path = format!("/customers/{}/enrol-tokens", customer["id"].as_str().unwrap());
    let token = api.post(&path, &json!({})).await.unwrap()["token"].as_str().unwrap().to_owned();
    refuses(&agent.enrol(&token).await.unwrap(), "RC-1003");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cloud_that_cannot_start_says_why_and_what_to_do() {
    let cloud = Cloud::start(&CloudSetup::default()).await.unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let port = cloud.run_with(&["serve"], &[("ROLLCALL_DATA_DIR", elsewhere.path().to_str().unwrap())]).await.unwrap();
    refuses(&port, "RC-8004");
    let second = cloud.run_with(&["serve"], &[("ROLLCALL_LISTEN", "127.0.0.1:0")]).await.unwrap();
    refuses(&second, "RC-8012");
    let unknown = cloud.run_with(&["doctor"], &[("ROLLCALL_LISTNE", "127.0.0.1:1")]).await.unwrap();
    refuses(&unknown, "RC-8001");
    assert!(unknown.stderr.contains("ROLLCALL_LISTEN") || unknown.stdout.contains("ROLLCALL_LISTEN"));
    let invalid = cloud.run_with(&["doctor"], &[("ROLLCALL_LISTEN", "everywhere")]).await.unwrap();
    refuses(&invalid, "RC-8002");
    let folder = cloud.run_with(&["serve"], &[("ROLLCALL_DATA_DIR", "/proc/nowhere")]).await.unwrap();
    refuses(&folder, "RC-8003");
    let database =
        cloud.run_with(&["serve"], &[("ROLLCALL_DATABASE_URL", "postgres://nobody@127.0.0.1:1/none")]).await.unwrap();
    refuses(&database, "RC-8005");
    let key = cloud.run_with(&["doctor"], &[("ROLLCALL_MASTER_KEY", &"A".repeat(43))]).await.unwrap();
    refuses(&key, "RC-8007");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_who_lost_the_sign_in_link_gets_another_and_nobody_else_does() {
    let cloud = Cloud::start(&CloudSetup::default()).await.unwrap();
    let init = ["init", "--msp", "Northwind IT", "--json", "--owner"];

    let again = cloud.run(&[&init[..], &["owner@northwind.example"]].concat()).await.unwrap();
    let stranger = cloud.run(&[&init[..], &["mallory@northwind.example"]].concat()).await.unwrap();

    let said: serde_json::Value = serde_json::from_str(&again.stdout).unwrap();
    let client = Api::client();
    let fresh = client.get(said["signin_link"].as_str().unwrap()).send().await.unwrap();
    let old = client.get(&cloud.signin_link).send().await.unwrap();
    assert_eq!(fresh.status(), 200);
    assert!(old.text().await.unwrap().contains("RC-7010"));
    refuses(&stranger, "RC-8011");
}
