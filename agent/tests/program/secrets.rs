//! No secret is ever said: not on a terminal, not in the log at its most talkative, not in the spool, not in an error.

use rollcall_protocol::answer::Refusal;
use rollcall_protocol::desired::Order;

use crate::cloud::HangUp;
use crate::home::Home;

const TALKATIVE: &str = "[log]\nlevel = \"debug\"\n";

/// Everything that must be said nowhere, with its name.
fn canaries(home: &Home, token: &str) -> Vec<(&'static str, String)> {
    let identity = std::fs::read_to_string(home.path("data/identity.json")).unwrap();
    let identity: serde_json::Value = serde_json::from_str(&identity).unwrap();
    vec![
        ("the directory's password", home.directory.password().to_owned()),
        ("the token", token.to_owned()),
        ("the private key", identity["key"].as_str().unwrap().to_owned()),
    ]
}

fn assert_silent(where_: &str, bytes: &[u8], canaries: &[(&'static str, String)]) {
    for (name, secret) in canaries {
        let is_there = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
        assert!(!is_there, "{name} stands in {where_}");
    }
}

#[tokio::test]
async fn no_secret_is_said_on_any_way_through_the_program() {
    let home = Home::new(60).await;
    home.configure(TALKATIVE);
    let token = home.cloud.token();
    let mut said = Vec::new();
    said.push(home.agent(&["enroll", "--token", &token]).await);
    said.push(home.agent(&["enroll", "--token", &token]).await);
    home.cloud.select(home.staff());
    let mut secrets = canaries(&home, &token);
    for command in
        [["sync"].as_slice(), &["sync", "--dry-run"], &["check"], &["status"], &["show"], &["--json", "check"]]
    {
        said.push(home.agent(command).await);
    }
    // A service that rotates, is refused, loses its line and its spool.
    let mut service = home.start(&["run"]);
    home.cloud.books(|books| books.hang_up_on_rotation = Some(HangUp::After));
    home.cloud.order(Order::RotateKey);
    home.cloud.until("the rotation breaks off", |books| books.hang_up_on_rotation.is_none()).await;
    secrets.extend(canaries(&home, &token));
    service.start_kill().unwrap();
    service.wait().await.unwrap();
    std::fs::write(home.path("data/spool.sqlite"), vec![0x55; 8192]).unwrap();
    home.cloud.books(|books| books.refuse_batches.extend([Refusal::Malformed, Refusal::Unauthorized, Refusal::Fork]));
    for _ in 0..3 {
        said.push(home.agent(&["sync"]).await);
    }
    home.cloud.go_away().await;
    said.push(home.agent(&["check"]).await);
    secrets.extend(canaries(&home, &token));

    for (number, output) in said.iter().enumerate() {
        assert_silent(&format!("the output of command {number}"), &output.stdout, &secrets);
        assert_silent(&format!("the errors of command {number}"), &output.stderr, &secrets);
    }
    assert_silent("the log", home.log().as_bytes(), &secrets);
    for entry in std::fs::read_dir(home.path("data")).unwrap().map(Result::unwrap) {
        // The two files that hold keys, closed to everybody else.
        if entry.file_name() != "identity.json" && entry.file_name() != "previous-key.json" {
            assert_silent(&entry.path().display().to_string(), &std::fs::read(entry.path()).unwrap(), &secrets);
        }
    }
    for request in home.cloud.books(|books| books.checkins.clone()) {
        assert_silent("a check-in", &serde_json::to_vec(&request).unwrap(), &secrets);
    }
}
