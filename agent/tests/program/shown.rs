//! `show`: the ledger of what left, cycle by cycle, proven by the signatures it left with.

use rusqlite::Connection;
use serde_json::Value;

use crate::home::Home;

async fn lines(home: &Home, arguments: &[&str]) -> (i32, Vec<Value>) {
    let done = home.agent(&[&["--json", "show"], arguments].concat()).await;
    let text = String::from_utf8(done.stdout).unwrap();
    (done.status.code().unwrap(), text.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

/// Two cycles: everybody, and then one change.
async fn with_two_cycles() -> Home {
    let home = Home::enrolled(120).await;
    home.configure("[privacy]\nwithhold = ['mobile']\n");
    home.agent(&["sync"]).await;
    let ana = *home.seen().iter().next().unwrap();
    home.directory.rename(ana, "Renamed Person").unwrap();
    home.agent(&["sync"]).await;
    home
}

// proves: N-7
#[tokio::test]
async fn cycles_are_listed_with_their_figures_and_what_was_withheld() {
    let home = with_two_cycles().await;

    let (exit, shown) = lines(&home, &[]).await;

    assert_eq!((exit, shown.len()), (0, 3), "{shown:?}");
    assert_eq!(shown[0]["ceiling"]["withheld"], serde_json::json!(["mobile"]));
    let received = home.cloud.books(|books| {
        let cycle = |claims: &rollcall_protocol::batch::BatchClaims| claims.link.cycle.cycle.to_string();
        books.cycles.iter().map(cycle).collect::<Vec<_>>()
    });
    let listed: Vec<&str> = shown[1..].iter().filter_map(|line| line["cycle"].as_str()).collect();
    assert_eq!(listed, received);
    assert!(shown[1..].iter().all(|line| line["proof"] == "signature holds"), "{shown:?}");
    assert_eq!(lines(&home, &["--last", "1"]).await.1.len(), 2);
}

// proves: N-7
#[tokio::test]
async fn one_cycle_is_shown_with_its_items_by_the_beginning_of_its_id() {
    let home = with_two_cycles().await;
    let (_, listed) = lines(&home, &[]).await;
    let id = listed[2]["cycle"].as_str().unwrap().to_owned();

    let (exit, last) = lines(&home, &["last"]).await;
    let by_id = lines(&home, &[&id]).await;

    assert_eq!((exit, last.len(), last[0]["items"].as_array().unwrap().len()), (0, 1, 1), "{last:?}");
    assert!(last[0]["items"][0]["present"]["dn"].as_str().unwrap().contains("Renamed Person"));
    assert_eq!(by_id, (0, last));
    let (exit, said) = lines(&home, &["ffff"]).await;
    assert_eq!((exit, said[0]["problem"]["code"].as_str()), (2, Some("RC-7001")));
}

// proves: N-7
#[tokio::test]
async fn a_ledger_that_was_changed_is_told_by_its_signatures() {
    let home = with_two_cycles().await;
    let spool = Connection::open(home.path("data/spool.sqlite")).unwrap();
    let changed =
        spool.execute("update sent set body = (select body from sent order by id desc limit 1) where id = 1", []);
    assert_eq!(changed.unwrap(), 1);
    drop(spool);

    let (exit, shown) = lines(&home, &[]).await;

    assert_eq!(exit, 1, "{shown:?}");
    assert_eq!(shown[1]["proof"], "DOES NOT FIT ITS SIGNATURE");
    assert_eq!(shown[2]["proof"], "signature holds");
    assert_eq!(shown[3]["problem"]["code"], "RC-1023");
}

#[tokio::test]
async fn before_anything_left_there_is_nothing_to_show() {
    let home = Home::enrolled(20).await;

    let (exit, shown) = lines(&home, &[]).await;

    assert_eq!((exit, shown.len()), (0, 1), "{shown:?}");
}
