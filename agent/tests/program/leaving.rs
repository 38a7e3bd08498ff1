//! `unenroll` tells the cloud and leaves nothing of the customer on the machine.

use std::time::Duration;

use chrono::DateTime;
use rollcall_agent::spool::Spool;
use rollcall_lab::directory::Fault;
use rollcall_protocol::checkin::Phase;
use rollcall_protocol::desired::Pause;

use crate::cloud::Books;
use crate::home::Home;

fn files(home: &Home) -> Vec<String> {
    let files = std::fs::read_dir(home.path("data")).unwrap().map(|file| file.unwrap().file_name());
    files.map(|name| name.into_string().unwrap()).collect()
}

#[tokio::test]
async fn an_agent_that_leaves_tells_the_cloud_and_keeps_no_key_and_nobody() {
    let home = Home::enrolled(60).await;
    home.agent(&["sync"]).await;

    let (exit, said) = home.agent_json(&["unenroll"]).await;

    assert_eq!((exit, said["cloud_told"].as_bool()), (0, Some(true)), "{said}");
    assert_eq!(home.cloud.books(|books| books.farewells), 1);
    assert!(!files(&home).contains(&"identity.json".to_owned()), "{:?}", files(&home));
    let spool = std::fs::read(home.path("data/spool.sqlite")).unwrap();
    let text = String::from_utf8_lossy(&spool);
    assert!(home.directory.people().iter().all(|person| !text.contains(&person.dn)));
    let (exit, said) = home.agent_json(&["status"]).await;
    assert_eq!((exit, said["problem"]["code"].as_str()), (3, Some("RC-1009")));
}

#[tokio::test]
async fn an_agent_that_is_revoked_while_it_reads_keeps_nobody_it_has_read() {
    let home = Home::enrolled(120).await;
    home.directory.fault(Fault::Drip { bytes_per_second: 60_000 });
    let mut service = home.start(&["run"]);
    until_reading(&home).await;

    home.cloud.books(|books| books.refuse_checkins.push_back(books.revocation()));
    home.cloud.want(|_| {});
    let ended = tokio::time::timeout(Duration::from_mins(1), service.wait()).await.unwrap().unwrap();

    assert_eq!(ended.code(), Some(3), "{}", home.log());
    assert!(!files(&home).iter().any(|name| name.starts_with("reading") || name.starts_with("identity")));
    for name in files(&home) {
        let text = std::fs::read(home.path("data").join(&name)).unwrap();
        let text = String::from_utf8_lossy(&text);
        assert!(home.directory.people().iter().all(|person| !text.contains(&person.dn)), "{name}");
    }
}

#[tokio::test]
async fn a_reading_that_was_killed_is_gone_after_the_next_start_though_nothing_is_read_then() {
    let home = Home::enrolled(120).await;
    home.directory.fault(Fault::Drip { bytes_per_second: 60_000 });
    let mut service = home.start(&["run"]);
    until_reading(&home).await;
    service.start_kill().unwrap();
    service.wait().await.unwrap();
    home.cloud.want(|desired| desired.pause = Some(Pause { until: None }));

    let _service = home.start(&["run"]);

    home.cloud.until("the pause is shown", |books| is_at(books, Phase::Paused)).await;
    assert!(!files(&home).iter().any(|name| name.starts_with("reading")), "{:?}", files(&home));
}

fn is_at(books: &Books, phase: Phase) -> bool {
    books.checkins.last().is_some_and(|said| said.status.phase == phase)
}

/// Until the first people could lie on the disk.
async fn until_reading(home: &Home) {
    home.cloud.until("a reading", |_| files(home).iter().any(|name| name.starts_with("reading"))).await;
}

#[tokio::test]
async fn without_the_cloud_nothing_is_wiped_unless_it_is_asked_for() {
    let home = Home::enrolled(20).await;
    let mut identity: serde_json::Value =
        serde_json::from_slice(&std::fs::read(home.path("data/identity.json")).unwrap()).unwrap();
    identity["url"] = "http://127.0.0.1:1".into();
    std::fs::write(home.path("data/identity.json"), identity.to_string()).unwrap();

    let (exit, said) = home.agent_json(&["unenroll"]).await;
    assert_eq!((exit, said["problem"]["code"].as_str()), (4, Some("RC-3004")), "{said}");
    assert!(files(&home).contains(&"identity.json".to_owned()));

    let (exit, said) = home.agent_json(&["unenroll", "--even-unheard"]).await;
    assert_eq!((exit, said["cloud_told"].as_bool()), (10, Some(false)), "{said}");
    assert!(!files(&home).contains(&"identity.json".to_owned()));
}

#[tokio::test]
async fn a_broken_identity_is_replaced_by_a_new_token_or_wiped_when_that_is_asked_for() {
    let home = Home::enrolled(40).await;
    home.agent(&["sync"]).await;
    let spoil = || {
        let length = std::fs::metadata(home.path("data/identity.json")).unwrap().len();
        // As a power cut leaves a file.
        std::fs::write(home.path("data/identity.json"), vec![0; usize::try_from(length).unwrap()]).unwrap();
    };
    spoil();
    let (exit, said) = home.agent_json(&["unenroll"]).await;
    assert_eq!((exit, said["problem"]["code"].as_str()), (3, Some("RC-1009")), "{said}");

    let (exit, said) = home.agent_json(&["enroll", "--token", "nonsense"]).await;
    assert_eq!((exit, said["problem"]["code"].as_str()), (1, Some("RC-3101")), "{said}");
    assert!(!files(&home).contains(&"identity.broken.json".to_owned()), "a token of no use replaces nothing");
    let spool = Spool::open(&home.path("data"), DateTime::UNIX_EPOCH).unwrap().0;
    assert!(spool.count_people().unwrap() > 0, "nor does it forget whom this machine has read");
    drop(spool);
    let (exit, said) = home.agent_json(&["enroll", "--token", &home.cloud.token()]).await;
    assert_eq!(exit, 0, "{said}");
    assert!(files(&home).contains(&"identity.broken.json".to_owned()));
    assert!(!files(&home).contains(&"desired.jws".to_owned()), "those were for another agent");
    assert_eq!(home.agent_json(&["status"]).await.0, 0);

    spoil();
    let (exit, said) = home.agent_json(&["unenroll", "--even-unheard"]).await;
    assert_eq!((exit, said["cloud_told"].as_bool()), (10, Some(false)), "{said}");
    assert!(!files(&home).iter().any(|name| name.starts_with("identity")), "{:?}", files(&home));
}
