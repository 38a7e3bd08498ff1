//! How an agent comes to be, and every way in which it does not.

use chrono::TimeDelta;

use crate::cloud::now;
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
