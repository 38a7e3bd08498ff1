//! Jobs that were given up: begin one again.

use rollcall_domain::{
    ids::JobId,
    role::{Act, Reach, Role},
};
use rollcall_store::work;

use super::who::{Note, ServiceError, Who};
use crate::state::AppState;

/// Jobs are those of the whole MSP: whoever reaches some of its customers must not send what is about the others.
pub fn may_retry(who: &Who) -> Result<(), ServiceError> {
    who.may(Act::RetryJobs)?;
    match who.scope.reach() {
        Reach::All => Ok(()),
        Reach::Chosen(_) => Err(ServiceError::Forbidden { needed: Role::Admin }),
    }
}

pub async fn retry(state: &AppState, who: &Who, job: JobId) -> Result<(), ServiceError> {
    may_retry(who)?;
    let now = state.now();
    let mut tx = state.db.write(&who.scope).await?;
    if !work::revive(&mut tx, job, now).await? {
        return Err(ServiceError::NotFound);
    }
    who.note(&mut tx, now, "job.retry", None, Note::of(job));
    Ok(tx.commit().await?)
}

#[cfg(test)]
mod tests {
    use rollcall_domain::ids::MailId;
    use rollcall_store::{
        audit,
        jobs::{self, NewJob},
    };

    use super::*;
    use crate::testing::{TestCloud, stories};

    stories! { jobs_are_begun_again_on_postgres: [
        only_who_reaches_every_customer_begins_a_job_again,
    ] }

    async fn only_who_reaches_every_customer_begins_a_job_again(cloud: TestCloud) {
        let (state, who) = (&cloud.state, &cloud.who);
        let job = state.mint(JobId::mint);
        let mut tx = cloud.db().write(&who.scope).await.unwrap();
        jobs::enqueue(&mut tx, NewJob::send_mail(job, state.mint(MailId::mint), cloud.now())).await.unwrap();
        tx.commit().await.unwrap();
        cloud.run_sql("update jobs set state = 'dead'").await;
        let of_one_customer = Who { scope: who.scope.narrowed(&[cloud.customer]), ..who.clone() };
        let who_looks = Who { role: Role::Engineer, ..who.clone() };

        for refused in [&of_one_customer, &who_looks] {
            let refused = retry(state, refused, job).await;
            assert!(matches!(refused, Err(ServiceError::Forbidden { .. })), "{refused:?}");
        }
        retry(state, who, job).await.unwrap();

        assert!(matches!(retry(state, who, job).await, Err(ServiceError::NotFound)), "it waits already");
        let mut tx = cloud.db().read(&who.scope).await.unwrap();
        let lines = audit::list(&mut tx, &who.scope, None, 50).await.unwrap();
        assert_eq!(lines.iter().filter(|line| line.action == "job.retry").count(), 1);
    }
}
