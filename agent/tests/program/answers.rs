//! Every answer of the table in the protocol, and what the agent makes of it.

use rollcall_protocol::answer::Refusal;
use rollcall_protocol::checkin::CheckinRequest;
use rollcall_protocol::desired::Order;
use rollcall_protocol::key::PrivateKey;
use rollcall_protocol::revocation::Revocation;

use crate::cloud::{AGENT, CLOUD};
use crate::home::Home;

async fn synced(users: usize) -> Home {
    let home = Home::enrolled(users).await;
    let (exit, said) = home.agent_json(&["sync"]).await;
    assert_eq!(exit, 0, "{said}");
    home
}

#[tokio::test]
async fn a_lost_receipt_is_answered_by_the_same_bytes_and_nothing_happens_twice() {
    let home = Home::enrolled(80).await;
    home.cloud.books(|books| books.swallow_receipts = 2);

    let (exit, said) = home.agent_json(&["sync"]).await;

    assert_eq!(exit, 0, "{said}");
    assert_eq!(home.cloud.books(|books| books.batches), 1);
    assert_eq!(home.seen(), home.expected());
}

#[tokio::test]
async fn a_busy_cloud_is_given_time() {
    let home = Home::enrolled(80).await;
    home.cloud.books(|books| {
        books
            .refuse_batches
            .extend([Refusal::Busy { retry_after_seconds: 1 }, Refusal::Unavailable { retry_after_seconds: 1 }]);
    });

    let (exit, said) = home.agent_json(&["sync"]).await;

    assert_eq!(exit, 0, "{said}");
    assert_eq!(home.seen(), home.expected());
}

#[tokio::test]
async fn an_epoch_that_is_over_is_followed_by_a_new_one_and_everybody() {
    let home = synced(80).await;
    let _service = home.start(&["run"]);
    home.cloud.books(|books| books.refuse_batches.push_back(Refusal::Epoch));
    home.cloud.order(Order::SyncNow);

    home.cloud
        .until("a cycle in the new epoch", |books| {
            books.cycles.last().is_some_and(|claims| claims.link.chain.epoch == 2)
        })
        .await;

    assert_eq!(home.seen(), home.expected());
}

#[tokio::test]
async fn a_cloud_that_refuses_everything_is_told_of_and_is_not_sent_everybody_without_end() {
    for refusal in [Refusal::Malformed, Refusal::TooLarge { limit: 4 }, Refusal::Epoch] {
        let home = Home::enrolled(80).await;
        home.cloud.books(|books| books.refuse_every_batch = Some(refusal));
        let _service = home.start(&["run"]);
        home.cloud
            .until("it is told", |books| {
                let told = books.checkins.iter().flat_map(|said| &said.status.problems);
                told.into_iter().any(|problem| ["RC-3106", "RC-3004"].contains(&problem.code.as_str()))
            })
            .await;
        tokio::time::sleep(std::time::Duration::from_secs(4)).await;
        let epochs = home.cloud.books(|books| books.head().epoch);
        assert!((1..=2).contains(&epochs), "{epochs} epochs in a few seconds");

        home.cloud.books(|books| books.refuse_every_batch = None);
        home.cloud.order(Order::SyncNow);

        let count = home.expected().len();
        home.cloud.until("the first cycle that is taken", |books| books.people.len() == count).await;
        home.cloud
            .until("it is told as over", |books| {
                books.checkins.last().is_some_and(|said| said.status.problems.is_empty())
            })
            .await;
    }
}

#[tokio::test]
async fn a_dry_run_asks_for_no_epoch_and_keeps_no_instructions() {
    let home = synced(60).await;
    home.cloud.books(|books| books.refuse_batches.push_back(Refusal::Epoch));
    assert_ne!(home.agent_json(&["sync"]).await.0, 0);
    let kept = std::fs::read(home.path("data/desired.jws")).unwrap();
    home.cloud.want(|_| {});

    let (exit, said) = home.agent_json(&["sync", "--dry-run"]).await;

    assert_eq!(exit, 0, "{said}");
    assert_eq!(home.cloud.books(|books| books.head().epoch), 1);
    assert_eq!(std::fs::read(home.path("data/desired.jws")).unwrap(), kept);
}

#[tokio::test]
async fn instructions_that_were_replaced_once_are_not_obeyed_again_when_their_file_is_put_back() {
    let home = synced(60).await;
    let replaced = std::fs::read(home.path("data/desired.jws")).unwrap();
    home.cloud.want(|desired| desired.imports[0].interval_minutes = 360);
    assert_eq!(home.agent_json(&["sync"]).await.0, 0);
    home.cloud.go_away().await;
    assert_eq!(home.agent_json(&["sync", "--dry-run"]).await.0, 0, "those in force are as good");

    std::fs::write(home.path("data/desired.jws"), replaced).unwrap();
    let (exit, said) = home.agent_json(&["sync", "--dry-run"]).await;
    assert_eq!(exit, 4, "{said}");

    home.cloud.come_back().await;
    assert_eq!(home.agent_json(&["sync"]).await.0, 0, "the cloud gives its newest");
}

#[tokio::test]
async fn a_check_beside_the_service_says_nothing_in_its_place() {
    let home = Home::enrolled(60).await;
    home.write_secret("wrong");
    let _service = home.start(&["run"]);
    let is_told = |said: &rollcall_protocol::checkin::CheckinRequest| {
        said.status.problems.iter().any(|problem| problem.code == "RC-2201")
    };
    home.cloud.until("the refusal is told", |books| books.checkins.last().is_some_and(is_told)).await;

    home.agent(&["check"]).await;

    assert_eq!(home.cloud.books(|books| books.questions), 1);
    assert!(home.cloud.books(|books| books.checkins.last().is_some_and(is_told)));
}

#[tokio::test]
async fn a_cloud_that_was_restored_from_a_backup_gets_what_it_lacks() {
    let home = synced(80).await;
    let after_first = home.cloud.books(|books| books.head());
    home.agent(&["sync"]).await;
    home.cloud.books(|books| books.restore(after_first.seq, after_first.prev));

    let (exit, said) = home.agent_json(&["sync"]).await;

    assert_eq!(exit, 0, "{said}");
    assert_eq!(home.cloud.books(|books| books.head().seq), after_first.seq + 2);
}

#[tokio::test]
async fn a_fork_stops_the_agent_and_is_told() {
    let home = Home::enrolled(80).await;
    home.cloud.books(|books| books.refuse_batches.push_back(Refusal::Fork));

    let (exit, said) = home.agent_json(&["sync"]).await;

    assert_eq!((exit, said["problem"]["code"].as_str()), (1, Some("RC-3103")));
}

#[tokio::test]
async fn a_service_that_was_stopped_goes_on_when_a_human_releases_it() {
    for refusal in [Refusal::Fork, Refusal::Quarantined] {
        let home = Home::enrolled(80).await;
        home.cloud.books(|books| books.refuse_batches.push_back(refusal));
        let _service = home.start(&["run"]);
        home.cloud
            .until("the stop is told", |books| {
                let told = books.checkins.last().map(|said| &said.status.problems);
                told.is_some_and(|told| told.iter().any(|problem| problem.code.starts_with("RC-31")))
            })
            .await;
        assert!(home.seen().is_empty());

        home.cloud.want(|_| {});

        let count = home.expected().len();
        home.cloud.until("the first cycle", |books| books.people.len() == count).await;
    }
}

/// A proxy may invent the answer, and then nobody could release what the cloud never stopped.
#[tokio::test]
async fn a_quarantine_that_the_cloud_knows_nothing_of_ends_with_the_next_check_in() {
    let home = synced(80).await;
    home.cloud.books(|books| books.refuse_checkins.push_back(Refusal::Quarantined));
    let is_told = |said: &CheckinRequest| said.status.problems.iter().any(|problem| problem.code == "RC-3103");

    let _service = home.start(&["run"]);

    home.cloud.until("the stop is told", |books| books.checkins.iter().any(is_told)).await;
    home.cloud.until("it is over", |books| books.checkins.last().is_some_and(|said| !is_told(said))).await;
}

#[tokio::test]
async fn a_revoked_agent_wipes_what_it_knows() {
    let home = synced(80).await;
    let mut service = home.start(&["run"]);
    home.cloud.until("a check-in of the service", |books| books.checkins.len() > 1).await;
    home.cloud.books(|books| {
        let revoked = books.revocation();
        books.refuse_checkins.push_back(revoked);
    });
    home.cloud.want(|_| {});

    let ended = tokio::time::timeout(std::time::Duration::from_secs(90), service.wait()).await.unwrap().unwrap();

    assert_eq!(ended.code(), Some(3), "{}", home.log());
    assert!(!home.path("data/identity.json").exists());
    assert!(!home.path("data/desired.jws").exists());
    let spool = std::fs::read(home.path("data/spool.sqlite")).unwrap();
    assert!(!spool.windows(11).any(|bytes| bytes == b"lab.example"), "people remain in the wiped spool");
}

#[tokio::test]
async fn a_revocation_that_the_cloud_did_not_sign_is_not_believed() {
    let home = synced(80).await;
    home.cloud.books(|books| {
        let proxy = PrivateKey::from_seed(&[66; 32]);
        let forged = Revocation { cloud: CLOUD, agent: AGENT }.sign(&proxy).unwrap();
        books.refuse_checkins.extend([Refusal::Revoked { proof: None }, Refusal::Revoked { proof: Some(forged) }]);
    });

    for _ in 0..2 {
        let (exit, said) = home.agent_json(&["sync"]).await;
        assert_eq!((exit, said["problem"]["code"].as_str()), (4, Some("RC-3005")), "{said}");
    }

    assert!(home.path("data/identity.json").exists());
    let (exit, said) = home.agent_json(&["sync"]).await;
    assert_eq!(exit, 0, "{said}");
}

#[tokio::test]
async fn a_damaged_spool_begins_a_new_epoch_and_loses_nobody() {
    let home = synced(80).await;
    std::fs::write(home.path("data/spool.sqlite"), vec![0x55; 16 * 1024]).unwrap();

    let (exit, said) = home.agent_json(&["sync"]).await;

    assert_eq!(exit, 0, "{said}");
    assert_eq!(home.cloud.books(|books| books.cycles.last().unwrap().link.chain.epoch), 2);
    assert_eq!(home.seen(), home.expected());
    assert!(home.path("data/spool.damaged.sqlite").exists());
}
