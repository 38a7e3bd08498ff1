//! One job: a letter leaves at most once, and whoever runs the job a second time can tell whether it may have left.

use rollcall_domain::ids::MailId;
use rollcall_protocol::catalogue;
use rollcall_store::{
    JobScope, StoreError, jobs,
    mails::{self, Mail},
};

use super::post::Posted;
use crate::state::AppState;

/// Why the job is to be tried again.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("{0}")]
    NotNow(String),
}

pub async fn send(state: &AppState, job: &JobScope, id: MailId) -> Result<(), SendError> {
    let mut tx = state.db.read(job).await?;
    let mail = mails::find(&mut tx, id).await?;
    drop(tx);
    match mail {
        Some(mail) if mail.sent_at.is_none() && mail.tried_at.is_some() => {
            Ok(give_up(state, job, id, &unknown("the program ended while it was sent")).await?)
        }
        Some(mail) if mail.sent_at.is_none() => carry(state, job, &mail).await,
        Some(_) | None => Ok(finish(state, job).await?),
    }
}

async fn carry(state: &AppState, job: &JobScope, mail: &Mail) -> Result<(), SendError> {
    state.postman.greet().await.map_err(SendError::NotNow)?;
    set_tried(state, job, mail.id, Tried::Yes).await?;
    match state.postman.send(mail).await {
        Posted::Sent => {
            let mut tx = state.db.write(job).await?;
            mails::set_sent(&mut tx, mail.id, state.now()).await?;
            jobs::finish(&mut tx, job).await?;
            Ok(tx.commit().await?)
        }
        Posted::NotNow(why) => {
            set_tried(state, job, mail.id, Tried::No).await?;
            Err(SendError::NotNow(why))
        }
        Posted::Refused(why) | Posted::Unknown(why) => Ok(give_up(state, job, mail.id, &why).await?),
    }
}

enum Tried {
    Yes,
    No,
}

async fn set_tried(state: &AppState, job: &JobScope, id: MailId, tried: Tried) -> Result<(), StoreError> {
    let mut tx = state.db.write(job).await?;
    let at = match tried {
        Tried::Yes => Some(state.now()),
        Tried::No => None,
    };
    mails::set_tried(&mut tx, id, at).await?;
    tx.commit().await
}

async fn finish(state: &AppState, job: &JobScope) -> Result<(), StoreError> {
    let mut tx = state.db.write(job).await?;
    jobs::finish(&mut tx, job).await?;
    tx.commit().await
}

/// A human sees it among the jobs that were given up. Trying it again there sends it once more, knowingly.
async fn give_up(state: &AppState, job: &JobScope, id: MailId, why: &str) -> Result<(), StoreError> {
    let mut tx = state.db.write(job).await?;
    mails::set_tried(&mut tx, id, None).await?;
    jobs::bury(&mut tx, job, why).await?;
    tx.commit().await
}

fn unknown(why: &str) -> String {
    format!("{}: {why}", catalogue::MAIL_UNKNOWN.code)
}
