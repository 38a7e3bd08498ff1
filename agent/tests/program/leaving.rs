//! `unenroll` tells the cloud and leaves nothing of the customer on the machine.

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
