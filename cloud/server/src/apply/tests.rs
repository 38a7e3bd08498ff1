//! What a cycle does to the accounts, told from the outside: an agent sends, the cloud shows.

use rollcall_domain::run::RunResult;
use rollcall_protocol::{answer::Answer, evidence::Evidence};
use uuid::Uuid;

use crate::testing::{TestAgent, TestCloud, ana, person};

#[tokio::test]
async fn a_new_hire_becomes_an_account() {
    let cloud = TestCloud::on_sqlite().await;
    let mut agent = TestAgent::enrol(&cloud, 1).await;
    let import = cloud.import(Uuid::from_u128(0x0f)).await;

    let answer = agent.sync(&cloud, vec![ana(import)], &Evidence::Deleted).await;

    assert!(matches!(answer, Answer::Accepted(_)));
    assert_eq!(cloud.people().await, [("Ana Bauer".to_owned(), "active")]);
    let run = &cloud.runs().await[0];
    assert_eq!((run.result, run.counts.added, run.counts.people), (RunResult::Ok, 1, 1));
    assert_eq!(run.digest_agrees, Some(true));
    assert_eq!(cloud.changes_of("Ana Bauer").await, ["joined"]);
}
