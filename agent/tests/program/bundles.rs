//! Support bundles name nobody and hold no secret, whether made here or ordered from afar.

use std::io::{Cursor, Read};

use rollcall_protocol::answer::Refusal;
use rollcall_protocol::desired::{Order, Pause};

use crate::home::Home;

/// Every file of the zip, one after the other.
fn unpack(zip: &[u8]) -> String {
    let mut archive = zip::ZipArchive::new(Cursor::new(zip)).unwrap();
    let mut all = String::new();
    for index in 0..archive.len() {
        let mut file = archive.by_index(index).unwrap();
        all.push_str(&file.name().unwrap());
        all.push('\n');
        file.read_to_string(&mut all).unwrap();
    }
    all
}

/// What must not stand in any bundle: of people everything that names them, and every secret.
fn canaries(home: &Home) -> Vec<String> {
    let mut canaries: Vec<String> = vec![home.directory.password().to_owned()];
    let identity: serde_json::Value =
        serde_json::from_slice(&std::fs::read(home.path("data/identity.json")).unwrap()).unwrap();
    canaries.push(identity["key"].as_str().unwrap().to_owned());
    for person in home.directory.people() {
        canaries.extend([person.dn, person.guid.to_string()]);
        canaries.extend(person.mail);
        canaries.extend(person.display_name.filter(|name| name.contains(' ')));
    }
    canaries
}

fn assert_clean(home: &Home, bundle: &str) {
    for canary in canaries(home) {
        assert!(!bundle.contains(&canary), "{canary} stands in the bundle:\n{bundle}");
    }
    for word in ["hunter2", "s3cret-proxy", "eyJhbGci", "CN=Ana"] {
        assert!(!bundle.contains(word), "{word} stands in the bundle:\n{bundle}");
    }
}

/// A log in which somebody broke every rule.
fn write_bad_log(home: &Home) {
    std::fs::create_dir_all(home.path("data/logs")).unwrap();
    let person = home.directory.people().into_iter().find(|person| person.mail.is_some()).unwrap();
    let text = format!(
        "INFO reading complete people=59\nERROR {} {} password {} token eyJhbGciOiJFZERTQSJ9.e30.c2lnbmF0dXJl\n",
        person.mail.unwrap(),
        person.dn,
        home.directory.password(),
    );
    std::fs::write(home.path("data/logs/agent.log"), text).unwrap();
}

// proves: M-49
#[tokio::test]
async fn a_bundle_made_here_helps_and_gives_nobody_away() {
    let home = Home::enrolled(120).await;
    home.agent(&["sync"]).await;
    write_bad_log(&home);
    let file = home.path("bundle.zip");
    std::fs::write(home.path("bundle.new"), "somebody's").unwrap();

    let (exit, said) = home.agent_json(&["bundle", "--output", file.to_str().unwrap()]).await;

    assert_eq!(exit, 0, "{said}");
    assert_eq!(std::fs::read_to_string(home.path("bundle.new")).unwrap(), "somebody's");
    let text = unpack(&std::fs::read(&file).unwrap());
    assert_clean(&home, &text);
    for helpful in
        ["README.txt", "checks.txt", "[ OK ] domain:", "spool.json", "sent_cycles", "reading complete people=59"]
    {
        assert!(text.contains(helpful), "{helpful} is missing:\n{text}");
    }
    assert!(said["removed"].as_array().unwrap().len() >= 4, "{said}");
    assert!(text.contains("- a password or key"), "{text}");
}

// proves: M-49
#[tokio::test]
async fn a_configuration_that_cannot_be_read_is_told_without_its_text() {
    let home = Home::enrolled(20).await;
    home.configure("[cloud]\nhunter2 = 's3cret-proxy'\n");
    let file = home.path("bundle.zip");

    let (exit, _) = home.agent_json(&["bundle", "--output", file.to_str().unwrap()]).await;

    let text = unpack(&std::fs::read(&file).unwrap());
    assert_eq!(exit, 0);
    assert_clean(&home, &text);
    assert!(text.contains("RC-1006") && text.contains("line 14, column 1"), "{text}");
}

// proves: M-49
#[tokio::test]
async fn an_ordered_bundle_is_made_and_sent_while_everything_is_paused() {
    let home = Home::enrolled(120).await;
    home.agent(&["sync"]).await;
    write_bad_log(&home);
    home.cloud.want(|desired| desired.pause = Some(Pause { until: None }));
    let read_before = home.directory.tally().entries;
    let _service = home.start(&["run"]);
    let order = home.cloud.order(Order::Bundle);

    home.cloud.until("the bundle", |books| !books.bundles.is_empty()).await;

    let read = home.directory.tally().entries - read_before;
    assert!(read < 20, "{read} entries were read for it, of 120 people and more");
    let (answers, zip) = home.cloud.books(|books| books.bundles[0].clone());
    assert_eq!(answers, order);
    let text = unpack(&zip);
    assert_clean(&home, &text);
    assert!(text.contains("[ OK ] sign-in") || text.contains("sign-in: accepted"), "{text}");
    home.cloud
        .until("the order is reported done", |books| books.checkins.iter().any(|said| said.done == [order]))
        .await;
    assert_eq!(home.cloud.books(|books| books.bundles.len()), 1);
}

// proves: M-49
#[tokio::test]
async fn an_ordered_bundle_does_not_try_a_password_that_was_just_refused() {
    let home = Home::enrolled(60).await;
    home.write_secret("hunter2-wrong");
    let _service = home.start(&["run"]);
    home.cloud
        .until("the refusal", |books| {
            books.checkins.iter().any(|said| said.status.problems.iter().any(|problem| problem.code == "RC-2201"))
        })
        .await;
    home.cloud.order(Order::Bundle);

    home.cloud.until("the bundle", |books| !books.bundles.is_empty()).await;

    let text = home.cloud.books(|books| unpack(&books.bundles[0].1));
    assert!(text.contains("[SKIP] sign-in"), "{text}");
    assert_clean(&home, &text);
    assert_eq!(home.directory.tally().binds, 1);
}

#[tokio::test]
async fn a_password_that_a_bundle_was_refused_with_is_sent_by_no_other_bundle_and_is_told() {
    let home = Home::enrolled(60).await;
    home.agent(&["sync"]).await;
    // As if it had been changed in the directory since.
    home.write_secret("hunter2-wrong");
    let before = home.directory.tally().binds;
    let _service = home.start(&["run"]);

    for bundles in 1..=3 {
        home.cloud.order(Order::Bundle);
        home.cloud.until("the bundle", |books| books.bundles.len() == bundles).await;
    }

    let texts = home.cloud.books(|books| books.bundles.iter().map(|(_, zip)| unpack(zip)).collect::<Vec<_>>());
    assert!(texts[0].contains("RC-2201"), "{}", texts[0]);
    assert!(texts[1..].iter().all(|text| text.contains("[SKIP] sign-in")), "{texts:?}");
    home.cloud
        .until("it is told", |books| {
            let told = books.checkins.last().map(|said| &said.status.problems);
            told.is_some_and(|told| told.iter().any(|problem| problem.code == "RC-2201"))
        })
        .await;
    assert_eq!(home.directory.tally().binds, before + 1);
}

#[tokio::test]
async fn a_bundle_that_is_refused_for_good_is_reported_with_its_code() {
    let home = Home::enrolled(20).await;
    home.cloud.books(|books| books.refuse_bundles.extend([const { Refusal::TooLarge { limit: 4 } }; 9]));
    let _service = home.start(&["run"]);
    let order = home.cloud.order(Order::Bundle);

    home.cloud
        .until("the failure is told", |books| {
            let told = books.checkins.iter().rev().find(|said| said.done == [order]);
            told.is_some_and(|said| said.status.problems.iter().any(|problem| problem.code == "RC-1024"))
        })
        .await;
}
