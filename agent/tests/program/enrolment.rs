//! How an agent comes to be, and every way in which it does not.

use chrono::TimeDelta;

use crate::cloud::{HangUp, now};
use crate::home::Home;

async fn refused(home: &Home, token: &str) -> (i32, String) {
    let (exit, said) = home.agent_json(&["enroll", "--token", token]).await;
    (exit, said["problem"]["code"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn a_token_makes_an_agent_once() {
    let home = Home::new(20).await;
    let token = home.cloud.token();

    let (exit, said) = home.agent_json(&["enroll", "--token", &token]).await;

    assert_eq!(exit, 0, "{said}");
    assert_eq!(said["customer"], "Lab");
    assert_eq!(refused(&home, &token).await, (1, "RC-1010".to_owned()));
}

#[tokio::test]
async fn a_used_expired_or_invented_token_makes_none() {
    let home = Home::new(20).await;
    let used = home.cloud.token();
    home.agent(&["enroll", "--token", &used]).await;
    std::fs::remove_dir_all(home.path("data")).unwrap();

    assert_eq!(refused(&home, &used).await, (1, "RC-3101".to_owned()));
    let expired = home.cloud.token_until(now() - TimeDelta::minutes(1));
    assert_eq!(refused(&home, &expired).await, (1, "RC-3101".to_owned()));
    assert_eq!(refused(&home, "nonsense").await, (1, "RC-3101".to_owned()));
    assert!(!home.path("data/identity.json").exists());
}

#[tokio::test]
async fn a_clock_that_is_off_by_a_day_is_learned() {
    let home = Home::new(60).await;
    home.cloud.books(|books| books.ahead = TimeDelta::days(1));
    let token = home.cloud.token_until(now() + TimeDelta::days(2));

    let done = home.agent(&["enroll", "--token", &token]).await;
    home.cloud.select(home.staff());
    let synced = home.agent(&["sync"]).await;

    assert!(done.status.success() && synced.status.success(), "{done:?} {synced:?}");
    assert_eq!(home.seen(), home.expected());
}

#[tokio::test]
async fn an_enrolment_whose_answer_is_lost_is_ended_by_the_same_command_and_makes_one_agent() {
    let home = Home::new(20).await;
    let token = home.cloud.token();
    home.cloud.books(|books| books.hang_up_on_enrolment = Some(HangUp::After));

    assert_eq!(refused(&home, &token).await.0, 4);
    let again = home.agent(&["enroll", "--token", &token]).await;

    assert!(again.status.success(), "{again:?}");
    assert_eq!(home.cloud.books(|books| books.enrolments), 1);
    assert!(!home.path("data/enrolling.json").exists());
    home.cloud.select(home.staff());
    assert!(home.agent(&["sync"]).await.status.success());
}

#[tokio::test]
async fn a_disk_without_room_does_not_cost_the_token() {
    let home = Home::new(20).await;
    let token = home.cloud.token();

    let (exit, said) = enrol_on_disk(&home, 96, &token).await;
    assert_eq!((exit, said.contains("RC-1003")), (1, true), "{said}");
    assert_eq!(home.cloud.books(|books| books.enrolments), 0);

    let (exit, said) = enrol_on_disk(&home, 4096, &token).await;
    assert_eq!(exit, 0, "{said}");
}

/// In a mount namespace of its own, the data folder on a disk of this size.
async fn enrol_on_disk(home: &Home, kib: u32, token: &str) -> (i32, String) {
    std::fs::create_dir_all(home.path("data")).unwrap();
    let script = format!(
        "mount -t tmpfs -o size={kib}k,mode=0700 none '{data}' && exec {agent} --json --config '{config}' enroll --token {token}",
        agent = env!("CARGO_BIN_EXE_rollcall-agent"),
        data = home.path("data").display(),
        config = home.path("agent.toml").display(),
    );
    let mut command = tokio::process::Command::new("unshare");
    let done = command.args(["--user", "--map-root-user", "--mount", "sh", "-c", &script]).output().await.unwrap();
    (done.status.code().unwrap(), String::from_utf8_lossy(&[done.stdout, done.stderr].concat()).into_owned())
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_does_not_cost_the_token() {
    let home = Home::new(20).await;
    std::fs::write(home.path("data"), b"a file where the folder should be").unwrap();
    let token = home.cloud.token();

    assert_eq!(refused(&home, &token).await, (1, "RC-1003".to_owned()));
    std::fs::remove_file(home.path("data")).unwrap();

    assert!(home.agent(&["enroll", "--token", &token]).await.status.success());
}

#[tokio::test]
async fn a_cloud_that_is_away_is_told_with_its_own_exit_status() {
    let home = Home::new(20).await;
    let token = home.cloud.token();
    let away = token_for("http://127.0.0.1:1");
    let unknown = token_for("https://cloud.rollcall.invalid");

    assert_eq!(refused(&home, &away).await, (4, "RC-3004".to_owned()));
    assert_eq!(refused(&home, &unknown).await.0, 4);
    assert!(home.agent(&["enroll", "--token", &token]).await.status.success());
}

fn token_for(url: &str) -> String {
    let token = rollcall_protocol::enrol::EnrolToken {
        iss: uuid::Uuid::from_u128(1),
        url: url.to_owned(),
        customer: uuid::Uuid::from_u128(2),
        jti: "AAAAAAAAAAAAAAAAAAAAAA".into(),
        exp: i64::MAX / 2,
    };
    token.sign(&rollcall_protocol::key::PrivateKey::from_seed(&[1; 32])).unwrap()
}
