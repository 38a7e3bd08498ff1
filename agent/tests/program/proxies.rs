//! The way out through a proxy: signed in, inspected, and not believed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rollcall_protocol::answer::{Receipt, Refusal};
use rollcall_protocol::batch::Trigger;
use rollcall_protocol::chain::{ChainLink, Epoch};
use rollcall_protocol::checkin::{CheckinRequest, CheckinResponse, Phase};
use rollcall_protocol::desired::{DesiredState, Order};
use rollcall_protocol::hash::Hash;
use rollcall_protocol::jws::Unverified;
use rollcall_protocol::key::PrivateKey;
use serde_json::Value;

use crate::cloud::Books;
use crate::home::Home;
use crate::inspector::{CLOUD_NAME, Inspector};

/// `joe:canary-of-the-proxy`
const CREDENTIALS: &str = "am9lOmNhbmFyeS1vZi10aGUtcHJveHk=";
const PASSWORD: &str = "canary-of-the-proxy";

/// A machine whose only way to the cloud is this proxy; enrolled through it.
async fn behind_a_proxy(users: usize) -> (Home, Inspector) {
    let home = Home::new(users).await;
    let cloud = home.cloud.books(|books| books.address());
    home.cloud.books(|books| books.call_it(&format!("https://{CLOUD_NAME}")));
    let inspector = Inspector::start(cloud, Some(CREDENTIALS)).await;
    inspector.authority.write_pem(&home.path("proxy-ca.pem")).unwrap();
    home.write_secret_file("proxy-password", PASSWORD);
    configure(&home, &inspector, "");
    let done = home.agent(&["enroll", "--token", &home.cloud.token()]).await;
    assert!(done.status.success(), "{done:?}");
    home.cloud.select(home.staff());
    (home, inspector)
}

fn configure(home: &Home, inspector: &Inspector, change: &str) {
    let mut lines = vec![
        format!("proxy = \"http://{}\"", inspector.address),
        "proxy_user = \"joe\"".to_owned(),
        format!("proxy_password_file = {:?}", home.path("proxy-password").display().to_string()),
        format!("ca_file = {:?}", home.path("proxy-ca.pem").display().to_string()),
    ];
    lines.retain(|line| change.is_empty() || !line.starts_with(change));
    home.configure(&format!("[cloud]\n{}\n", lines.join("\n")));
}

async fn fails_with(home: &Home, code: &str) -> Value {
    let (exit, said) = home.agent_json(&["sync"]).await;
    assert_eq!((exit, said["problem"]["code"].as_str()), (4, Some(code)), "{said}");
    assert!(!said.to_string().contains(PASSWORD));
    said
}

async fn synced(home: &Home) {
    let (exit, said) = home.agent_json(&["sync"]).await;
    assert_eq!(exit, 0, "{said}");
}

#[tokio::test]
async fn an_inspecting_proxy_that_asks_for_a_sign_in_is_a_way_out() {
    let (home, _inspector) = behind_a_proxy(40).await;

    synced(&home).await;

    assert_eq!(home.seen(), home.expected());
}

/// The password for the proxy does not travel in the clear then.
#[tokio::test]
async fn a_proxy_with_tls_of_its_own_is_a_way_out_if_its_authority_is_named() {
    let (home, inspector) = behind_a_proxy(40).await;
    let port = inspector.secured().await;
    let [password, ca] = ["proxy-password", "proxy-ca.pem"].map(|file| home.path(file).display().to_string());
    let cloud = format!(
        "[cloud]\nproxy = \"https://localhost:{port}\"\nproxy_user = \"joe\"\nproxy_password_file = {password:?}\n"
    );

    home.configure(&cloud);
    let said = fails_with(&home, "RC-3003").await;
    assert!(said.to_string().contains("is not trusted by this machine"), "{said}");
    home.configure(&format!("{cloud}ca_file = {ca:?}\n"));
    synced(&home).await;

    assert_eq!(home.seen(), home.expected());
}

#[tokio::test]
async fn a_proxy_that_refuses_the_sign_in_is_named_without_the_password() {
    let (home, _inspector) = behind_a_proxy(20).await;
    home.write_secret_file("proxy-password", "canary-of-the-proxy-2");

    fails_with(&home, "RC-3003").await;
}

#[tokio::test]
async fn a_proxy_whose_authority_is_not_named_is_not_trusted() {
    let (home, inspector) = behind_a_proxy(20).await;
    configure(&home, &inspector, "ca_file");

    fails_with(&home, "RC-3002").await;
}

#[tokio::test]
async fn a_proxy_of_the_environment_is_taken_only_when_the_file_says_so() {
    let (home, inspector) = behind_a_proxy(20).await;
    let ca = home.path("proxy-ca.pem").display().to_string();
    let address = format!("http://joe:{PASSWORD}@{}", inspector.address);
    let environment = [("HTTPS_PROXY", address.as_str())];

    home.configure(&format!("[cloud]\nca_file = {ca:?}\n"));
    let (exit, _) = home.agent_json_in(&["sync"], &environment).await;
    assert_eq!(exit, 4, "nobody resolves that name");

    home.configure(&format!("[cloud]\nca_file = {ca:?}\nproxy = \"system\"\n"));
    let (exit, said) = home.agent_json_in(&["sync"], &environment).await;
    assert_eq!(exit, 0, "{said}");
}

/// Changes the signed instructions in an answer to a check-in.
fn in_instructions(
    mut change: impl FnMut(&str) -> String + Send + 'static,
) -> impl FnMut(&str, u16, Vec<u8>) -> (u16, Vec<u8>) {
    move |path, status, body| {
        let mut answer: Value = serde_json::from_slice(&body).unwrap_or_default();
        match answer["desired"].as_str().map(&mut change) {
            Some(changed) if path.ends_with("checkin") => {
                answer["desired"] = changed.into();
                (status, serde_json::to_vec(&answer).unwrap())
            }
            Some(_) | None => (status, body),
        }
    }
}

#[tokio::test]
async fn instructions_that_the_proxy_changed_are_refused_and_the_old_ones_stay() {
    let (home, inspector) = behind_a_proxy(60).await;
    synced(&home).await;
    let before = home.seen();
    // Another unit, signed with the proxy's own key.
    let everything = home.directory.at("OU=Contractors").unwrap();
    inspector.tamper(in_instructions(move |text| {
        let mut state: DesiredState = Unverified::parse(text).unwrap().peek().unwrap();
        state.imports[0].include[0].guid = everything;
        state.sign(&PrivateKey::from_seed(&[66; 32])).unwrap()
    }));
    home.cloud.order(Order::SyncNow);
    let (_, said) = home.agent_json(&["sync"]).await;
    assert_eq!(said["problem"]["code"], "RC-3105", "{said}");

    // The cloud's signature over other words.
    inspector.tamper(in_instructions(|text| {
        let (head, rest) = text.split_once('.').unwrap();
        let (payload, signature) = rest.split_once('.').unwrap();
        format!("{head}.{}.{signature}", payload.replacen('a', "b", 1))
    }));
    let (_, said) = home.agent_json(&["sync"]).await;
    assert_eq!(said["problem"]["code"], "RC-3105", "{said}");

    assert_eq!(home.seen(), before);
}

#[tokio::test]
async fn instructions_that_the_proxy_kept_are_too_old_to_be_obeyed() {
    let (home, inspector) = behind_a_proxy(60).await;
    let kept = Arc::new(std::sync::Mutex::new(None::<String>));
    let keep = kept.clone();
    inspector.tamper(in_instructions(move |text| {
        let mut kept = keep.lock().unwrap();
        kept.get_or_insert_with(|| text.to_owned()).clone()
    }));
    synced(&home).await;
    home.cloud.want(|desired| desired.imports.clear());
    inspector.tamper(|_, status, body| (status, body));
    let (exit, said) = home.agent_json(&["sync"]).await;
    assert!(matches!(exit, 0 | 10), "{said}");
    let old = kept.lock().unwrap().clone().unwrap();

    home.cloud.order(Order::SyncNow);
    inspector.tamper(in_instructions(move |_| old.clone()));
    let (_, said) = home.agent_json(&["sync"]).await;

    assert_eq!(said["problem"]["code"], "RC-3105", "{said}");
}

#[tokio::test]
async fn a_batch_that_the_proxy_swallowed_is_missed_and_sent_again() {
    let (home, inspector) = behind_a_proxy(60).await;
    synced(&home).await;
    let head = home.cloud.books(|books| books.head());
    // It answers like the cloud and keeps the batch to itself: the stand-in forgets that it came.
    inspector.tamper(move |path, status, body| {
        if path.ends_with("batches") {
            let head = ChainLink { seq: head.seq + 2, prev: Hash::of(b"whatever"), ..head };
            return (200, serde_json::to_vec(&Receipt { head }).unwrap());
        }
        (status, body)
    });
    let somebody = *home.expected().iter().next().unwrap();
    home.directory.move_to(somebody, home.directory.at("OU=Contractors").unwrap()).unwrap();
    home.cloud.books(|books| books.refuse_batches.push_back(Refusal::Malformed));
    synced(&home).await;
    assert!(home.seen().contains(&somebody), "the cloud never saw it");

    inspector.tamper(|_, status, body| (status, body));
    synced(&home).await;

    assert_eq!(home.seen(), home.expected());
}

#[tokio::test]
async fn a_receipt_that_names_another_batch_lets_nothing_go() {
    let (home, inspector) = behind_a_proxy(60).await;
    synced(&home).await;
    let head = home.cloud.books(|books| books.head());
    inspector.tamper(move |path, status, body| {
        if path.ends_with("batches") {
            let head = ChainLink { seq: head.seq + 1, prev: Hash::of(b"whatever"), ..head };
            return (200, serde_json::to_vec(&Receipt { head }).unwrap());
        }
        (status, body)
    });

    let (exit, said) = home.agent_json(&["sync"]).await;
    assert_eq!((exit, said["problem"]["code"].as_str()), (4, Some("RC-3005")), "{said}");

    inspector.tamper(|_, status, body| (status, body));
    synced(&home).await;
    assert_eq!(home.seen(), home.expected());
}

/// A receipt lets the agent go on to the batch that it wants to send, and the gap leads it back.
#[tokio::test]
async fn a_gap_that_the_proxy_speaks_of_again_and_again_is_not_filled_without_end() {
    let (home, inspector) = behind_a_proxy(60).await;
    synced(&home).await;
    let answers = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&answers);
    inspector.tamper(move |path, status, body| {
        if path.ends_with("batches") && count.fetch_add(1, Ordering::Relaxed).is_multiple_of(2) {
            return (409, serde_json::to_vec(&Refusal::Gap { expected: 1 }).unwrap());
        }
        (status, body)
    });
    let mut service = home.start(&["run"]);
    home.cloud.order(Order::SyncNow);
    let misses = |said: &CheckinRequest| said.status.problems.iter().any(|problem| problem.detail.contains("misses"));
    home.cloud.until("the gap is told", |books| books.checkins.iter().any(misses)).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    service.kill().await.unwrap();

    let sent = answers.load(Ordering::Relaxed);
    assert!((3..=9).contains(&sent), "{sent} batches in two seconds");
    inspector.tamper(|_, status, body| (status, body));
    synced(&home).await;
    assert_eq!(home.seen(), home.expected());
}

/// The proxy's own sign-in has run out, and it noticed only when the answer came back.
#[tokio::test]
async fn a_batch_that_a_proxy_handed_on_before_it_asked_for_a_sign_in_is_not_replaced_by_another() {
    let (home, inspector) = behind_a_proxy(60).await;
    synced(&home).await;
    inspector.tamper(|path, status, body| if path.ends_with("batches") { (407, Vec::new()) } else { (status, body) });
    let mut service = home.start(&["run"]);
    home.cloud.order(Order::SyncNow);
    home.cloud.until("the batch is taken", |books| books.cycles.len() == 2).await;
    let is_odd = |said: &CheckinRequest| said.status.problems.iter().any(|problem| problem.code == "RC-3005");
    home.cloud.until("the odd answer is told", |books| books.checkins.iter().any(is_odd)).await;

    // While it waits somebody moves, and a newer reading is ordered.
    let somebody = *home.expected().iter().next().unwrap();
    home.directory.move_to(somebody, home.directory.at("OU=Contractors").unwrap()).unwrap();
    home.cloud.order(Order::SyncNow);
    tokio::time::sleep(Duration::from_secs(2)).await;
    service.kill().await.unwrap();
    inspector.tamper(|_, status, body| (status, body));
    synced(&home).await;

    assert_eq!(home.seen(), home.expected());
}

/// Puts an epoch into each answer to a check-in, one more than in the answer before, and counts them.
fn inventing_epochs(inspector: &Inspector, first: u64) -> Arc<AtomicU64> {
    let invented = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&invented);
    inspector.tamper(move |path, status, body| {
        let answer = serde_json::from_slice::<CheckinResponse>(&body);
        match answer {
            Ok(mut answer) if path.ends_with("checkin") => {
                let number = first + count.fetch_add(1, Ordering::Relaxed);
                answer.epoch = Some(Epoch { number, start: Hash::of(b"invented") });
                (status, serde_json::to_vec(&answer).unwrap())
            }
            Ok(_) | Err(_) => (status, body),
        }
    });
    invented
}

#[tokio::test]
async fn an_epoch_that_the_proxy_invented_is_not_begun() {
    let (home, inspector) = behind_a_proxy(60).await;
    synced(&home).await;
    let invented = inventing_epochs(&inspector, 99);

    synced(&home).await;
    let (exit, said) = home.agent_json(&["sync", "--dry-run"]).await;
    assert_eq!(exit, 0, "{said}");

    assert_eq!(invented.load(Ordering::Relaxed), 2);
    assert_eq!(home.seen(), home.expected());
    assert_eq!(home.cloud.books(|books| (books.head().epoch, books.cycles.len())), (1, 2));
}

#[tokio::test]
async fn a_service_reads_nothing_for_twenty_epochs_that_the_proxy_invented_and_is_no_copy_for_a_lower_one() {
    let (home, inspector) = behind_a_proxy(60).await;
    home.cloud.books(|books| books.refuse_batches.push_back(Refusal::Epoch));
    let _service = home.start(&["run"]);
    let is_idle = |books: &mut Books| books.checkins.last().is_some_and(|said| said.status.phase == Phase::Idle);
    let in_second = |books: &mut Books| books.head().epoch == 2 && books.cycles.len() == 1 && is_idle(books);
    home.cloud.until("the reading of the second epoch", in_second).await;

    for (first, enough) in [(3, 20), (1, 1)] {
        let invented = inventing_epochs(&inspector, first);
        while invented.load(Ordering::Relaxed) < enough {
            home.cloud.want(|_| {});
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    inspector.tamper(|_, status, body| (status, body));
    home.cloud.order(Order::SyncNow);
    home.cloud.until("the ordered reading", |books| books.cycles.len() == 2).await;

    assert_eq!(home.cloud.books(|books| books.head().epoch), 2);
    assert_eq!(home.cloud.books(|books| books.cycles.last().unwrap().link.cycle.trigger), Trigger::SyncNow);
    assert_eq!(home.seen(), home.expected());
}
