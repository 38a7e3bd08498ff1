//! Decides when what is over is thrown away: each night, one tenant after the other.

use std::time::Duration;

use chrono::{DateTime, NaiveTime, TimeDelta, Utc};
use rollcall_store::{StoreError, over};

use crate::state::AppState;

/// Past midnight, UTC. Any hour would do; where customers are in Europe or America, few wait for the database then.
const AT: TimeDelta = TimeDelta::hours(2);

/// A machine may sleep, and its clock may be set.
const LOOK_EVERY: Duration = Duration::from_mins(10);

/// Until shutdown. Every worker process does it; the second one in a night finds nothing.
pub async fn run(state: AppState) {
    let mut next = next_after(state.now());
    while !state.shutdown.has_begun() {
        if state.now() >= next {
            if let Err(error) = go_round(&state).await {
                tracing::error!(%error, "the tenants could not be listed; what is over stays for another day");
            }
            next = next_after(state.now());
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            () = state.shutdown.begun() => {}
        }
    }
}

/// A tenant for whom it fails has its turn again tomorrow, and keeps nobody else waiting.
async fn go_round(state: &AppState) -> Result<(), StoreError> {
    for turn in over::list_tenants(&state.db).await? {
        match over::throw_away(&state.db, turn, state.now()).await {
            Ok(dropped) => tracing::info!(?dropped, "what is over was thrown away"),
            Err(error) => tracing::warn!(%error, "what is over could not be thrown away"),
        }
    }
    Ok(())
}

fn next_after(now: DateTime<Utc>) -> DateTime<Utc> {
    let tonight = now.date_naive().and_time(NaiveTime::MIN).and_utc() + AT;
    if now < tonight { tonight } else { tonight + TimeDelta::days(1) }
}

#[cfg(test)]
mod tests {
    use rollcall_domain::{
        ids::{AgentId, JobId, MailId, OperatorId},
        role::{Reach, Role},
    };
    use rollcall_store::{
        jobs::{self, NewJob},
        keyring::SecretHash,
        operators, sessions, signin_links,
    };

    use super::*;
    use crate::{
        services::agents::{self, Ask},
        testing::{TestAgent, TestCloud, stories},
    };

    stories! { nights_are_the_same_on_postgres: [
        what_is_over_goes_after_its_time_and_nothing_else_does,
    ] }

    #[test]
    fn each_night_comes_once() {
        let at = |hours: i64| DateTime::UNIX_EPOCH + TimeDelta::hours(hours);

        assert_eq!([0, 1, 2, 3, 25].map(|hours| next_after(at(hours))), [2, 2, 26, 26, 26].map(at));
    }

    async fn sign_in(cloud: &TestCloud, operator: OperatorId, secret: &[u8]) {
        let (now, scope) = (cloud.now(), &cloud.who.scope);
        let mut tx = cloud.db().write(scope).await.unwrap();
        let hash = SecretHash::of(secret);
        let session = sessions::NewSession { hash, operator, ip: None, user_agent: None, now };
        sessions::insert(&mut tx, session).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// An operator with a link, and a job that was given up.
    async fn set_up(cloud: &TestCloud) -> OperatorId {
        let (now, scope, state) = (cloud.now(), &cloud.who.scope, &cloud.state);
        let id = state.mint(OperatorId::mint);
        let mut tx = cloud.db().write(scope).await.unwrap();
        let (email, name, reach) = ("olga@northwind.example", "Olga Owner", &Reach::All);
        let olga = operators::NewOperator { id, email, name, role: Role::Owner, reach, created_at: now };
        operators::insert(&mut tx, scope, olga).await.unwrap();
        let expires_at = now + TimeDelta::hours(1);
        let link = signin_links::NewLink { hash: SecretHash::of(b"a link"), operator: id, created_at: now, expires_at };
        signin_links::insert(&mut tx, scope, link).await.unwrap();
        let mail = NewJob::send_mail(state.mint(JobId::mint), state.mint(MailId::mint), now);
        jobs::enqueue(&mut tx, mail).await.unwrap();
        tx.commit().await.unwrap();
        cloud.run_sql("update jobs set state = 'dead'").await;
        id
    }

    async fn count(cloud: &TestCloud, rows: &str) -> u64 {
        let counted = format!("update {rows}");
        cloud.test().run_sql(&cloud.who.scope, &counted).await.unwrap()
    }

    /// Sessions, links, tokens, commands, jobs; and the keys of the first three.
    async fn left(cloud: &TestCloud) -> ([u64; 5], u64) {
        let rows = [
            count(cloud, "sessions set ip = ip").await,
            count(cloud, "signin_links set used_at = used_at").await,
            count(cloud, "enrol_tokens set used_at = used_at").await,
            count(cloud, "commands set done_at = done_at").await,
            count(cloud, "jobs set state = state").await,
        ];
        let keys = "keyring set kind = kind where kind in ('session', 'signin_link', 'enrol_token')";
        (rows, count(cloud, keys).await)
    }

    async fn what_is_over_goes_after_its_time_and_nothing_else_does(cloud: TestCloud) {
        // One token was used, one expires.
        let mut agent = TestAgent::enrol(&cloud, 1).await;
        cloud.token().await;
        agents::ask(&cloud.state, &cloud.who, cloud.customer, Ask::SyncNow).await.unwrap();
        agent.check_in(&cloud).await;
        cloud.run_sql("update commands set done_at = created_at").await;
        agents::rotate_key(&cloud.state, &cloud.who, AgentId::from(agent.id)).await.unwrap();
        let olga = set_up(&cloud).await;
        sign_in(&cloud, olga, b"one browser").await;
        let all = ([1, 1, 2, 2, 1], 4);
        assert_eq!(left(&cloud).await, all);

        cloud.pass(TimeDelta::hours(20));
        go_round(&cloud.state).await.unwrap();
        assert_eq!(left(&cloud).await, all, "nothing is over for long enough");

        cloud.pass(TimeDelta::days(2));
        sign_in(&cloud, olga, b"another browser").await;
        go_round(&cloud.state).await.unwrap();
        assert_eq!(left(&cloud).await, ([1, 0, 2, 2, 1], 3), "the sign-in that holds stays");

        cloud.pass(TimeDelta::days(91));
        go_round(&cloud.state).await.unwrap();
        assert_eq!(left(&cloud).await, ([0, 0, 0, 1, 0], 0), "what an agent is still to do stays");
    }
}
