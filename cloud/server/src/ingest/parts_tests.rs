//! What a batch may say of its place in a cycle: no cycle has more parts than it says, and none is loaded that has.

use rollcall_domain::{ids::AgentId, run::RunResult};
use rollcall_protocol::{
    answer::{Answer, Receipt, Refusal},
    batch::CycleKind,
    body,
    checkin::Clearing,
    evidence::Evidence,
    limits,
};
use rollcall_store::{
    agents,
    inbox::{self, Waiting},
};
use uuid::Uuid;

use crate::testing::{TestAgent, TestCloud, crowd, stories};

stories! { parts_are_counted_the_same_on_postgres: [
    a_cycle_has_no_more_parts_than_it_says,
    a_part_follows_the_one_before_it,
    a_cycle_of_too_many_parts_is_refused_without_being_loaded,
    long_words_about_a_reading_are_cut,
] }

/// A batch that says it is this part of this cycle. If it is refused, the next one is at its place.
async fn push_part(cloud: &TestCloud, agent: &mut TestAgent, cycle: u128, numbers: (u32, u32)) -> Answer<Receipt> {
    let before = agent.head;
    let told = agent.part(cloud, CycleKind::Full, 0, Uuid::from_u128(cycle), numbers, 0);
    let sealed = agent.seal_part(cloud, told, vec![]);
    let answer = agent.push(cloud, &sealed).await;
    if !matches!(answer, Answer::Accepted(_)) {
        agent.head = before;
    }
    answer
}

async fn waiting(cloud: &TestCloud, agent: &TestAgent, cycle: u128) -> Waiting {
    let mut tx = cloud.db().read(&cloud.who.scope).await.unwrap();
    let (scope, _) = agents::find(&mut tx, &cloud.who.scope, AgentId::from(agent.id)).await.unwrap().unwrap();
    inbox::count_waiting(&mut tx, &scope, Uuid::from_u128(cycle)).await.unwrap()
}

async fn a_cycle_has_no_more_parts_than_it_says(cloud: TestCloud) {
    let mut agent = TestAgent::enrol(&cloud, 1).await;
    assert!(matches!(push_part(&cloud, &mut agent, 1, (1, 2)).await, Answer::Accepted(_)));

    for numbers in [(1, 2), (1, 3), (2, 3), (3, 2), (1, limits::PARTS + 1)] {
        let again = push_part(&cloud, &mut agent, 1, numbers).await;
        assert_eq!(again, Answer::Refused(Refusal::Malformed), "{numbers:?}");
    }
    assert!(matches!(push_part(&cloud, &mut agent, 2, (1, 2)).await, Answer::Accepted(_)), "a new one begins");
    let again = push_part(&cloud, &mut agent, 1, (1, 2)).await;
    assert_eq!(again, Answer::Refused(Refusal::Malformed), "the first one waits still");

    assert_eq!(waiting(&cloud, &agent, 1).await, Waiting { parts: 1, bytes: 0, own_parts: 1, own_bytes: 0 });
}

async fn a_part_follows_the_one_before_it(cloud: TestCloud) {
    let mut agent = TestAgent::enrol(&cloud, 1).await;
    let none_before = push_part(&cloud, &mut agent, 1, (2, 3)).await;
    assert_eq!(none_before, Answer::Refused(Refusal::Malformed));

    push_part(&cloud, &mut agent, 1, (1, 3)).await;
    assert_eq!(push_part(&cloud, &mut agent, 1, (3, 3)).await, Answer::Refused(Refusal::Malformed));
    assert_eq!(push_part(&cloud, &mut agent, 2, (2, 3)).await, Answer::Refused(Refusal::Malformed));
    for next in [2, 3] {
        assert!(matches!(push_part(&cloud, &mut agent, 1, (next, 3)).await, Answer::Accepted(_)), "{next}");
    }
}

/// As an earlier version may have stored it.
async fn a_cycle_of_too_many_parts_is_refused_without_being_loaded(cloud: TestCloud) {
    let mut agent = TestAgent::enrol(&cloud, 1).await;
    let import = cloud.import(Uuid::from_u128(0x0f)).await;
    let sealed = agent.read(&cloud, crowd(3, import), &Evidence::Deleted);
    agent.push(&cloud, &sealed).await;
    cloud
        .run_sql(
            "insert into inbox
                 (msp_id, agent_id, epoch, seq, cycle, part, parts, jws_hash, jws, body, received_at)
             with recursive n(i) as (select 1 union all select i + 1 from n where i < 1500)
             select b.msp_id, b.agent_id, b.epoch, b.seq + 1000 + n.i, b.cycle, b.part, b.parts, b.jws_hash, b.jws, b.body,
                 b.received_at
             from inbox b
             cross join n",
        )
        .await;

    cloud.work().await;

    let refused = &cloud.runs().await[0];
    assert_eq!((refused.result, refused.reason_code.as_deref()), (RunResult::Failed, Some("RC-3106")));
    assert_eq!(refused.batches, i64::from(limits::PARTS) + 1, "one too many, and no more, were looked at");
    assert_eq!(waiting(&cloud, &agent, 1).await.parts, 0, "all of it is set aside");
    for part in agent.read_full(&cloud, crowd(3, import), 2) {
        agent.push(&cloud, &part).await;
    }
    cloud.work().await;
    assert_eq!(cloud.people().await.len(), 3, "what comes next is applied");
}

async fn long_words_about_a_reading_are_cut(cloud: TestCloud) {
    let mut agent = TestAgent::enrol(&cloud, 1).await;
    let clearing =
        |number| Clearing { attribute: format!("{number}{}", "x".repeat(20)), people: 4, of: 5, import: None };
    agent.lost = (0..100).map(clearing).collect();
    agent.lost[0].attribute = "x".repeat(1_000);
    let mut told = agent.part(&cloud, CycleKind::Full, 0, Uuid::from_u128(1), (1, 1), 0);
    told.dc.dns_name = "x".repeat(1_000);

    let sealed = agent.seal_part(&cloud, told, body::Writer::new().unwrap().finish().unwrap().bytes);
    let answer = agent.push(&cloud, &sealed).await;
    assert!(matches!(answer, Answer::Accepted(_)), "{answer:?}");
    cloud.work().await;

    let run = &cloud.runs().await[0];
    assert_eq!(run.dc_host.as_ref().map(String::len), Some(256));
    let detail = run.reason_detail.as_ref().unwrap();
    assert!(!detail.contains(&"x".repeat(257)) && detail.matches(" of 4 ").count() == 64, "{detail}");
}
