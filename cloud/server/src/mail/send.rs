//! One job: a letter leaves at most once, and whoever runs the job a second time can tell whether it may have left.

use std::time::Duration;

use rollcall_domain::{ids::MailId, job::LEASE};
use rollcall_protocol::catalogue;
use rollcall_store::{
    JobScope, StoreError, jobs,
    mails::{self, Mail},
};

use super::post::Posted;
use crate::{setback::Setback, state::AppState};

/// Waits between tries to note that a letter has left: a worker that has nothing better to do, and a fact that is in no
/// other place.
const NOTE_AGAIN: [Duration; 3] = [Duration::from_secs(2), Duration::from_secs(10), Duration::from_secs(30)];

/// Why the job is to be tried again.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("{0}")]
    NotNow(Setback),
}

pub async fn send(state: &AppState, job: &JobScope, id: MailId) -> Result<(), SendError> {
    let mut tx = state.db.read(job).await?;
    let mail = mails::find(&mut tx, id).await?;
    drop(tx);
    match mail {
        Some(mail) if mail.sent_at.is_none() && mail.tried_at.is_some() => {
            let cut_off =
                Setback::new(&catalogue::MAIL_UNKNOWN, "the program, or its database, ended while it was sent");
            Ok(give_up(state, job, id, &cut_off).await?)
        }
        Some(mail) if mail.sent_at.is_none() => carry(state, job, &mail).await,
        Some(_) | None => Ok(finish(state, job).await?),
    }
}

async fn carry(state: &AppState, job: &JobScope, mail: &Mail) -> Result<(), SendError> {
    state.postman.greet().await.map_err(SendError::NotNow)?;
    mark(state, job, mail.id).await?;
    match state.postman.send(mail).await {
        Posted::Sent => {
            note_sent(state, job, mail.id).await?;
            Ok(finish(state, job).await?)
        }
        Posted::NotNow(why) => {
            unmark(state, job, mail.id).await?;
            Err(SendError::NotNow(why))
        }
        Posted::Refused(why) | Posted::Unknown(why) => Ok(give_up(state, job, mail.id, &why).await?),
    }
}

/// The last look before it leaves. A worker that was paused in `greet` may have lost the job to another, which sends it.
async fn mark(state: &AppState, job: &JobScope, id: MailId) -> Result<(), StoreError> {
    let (mut tx, now) = (state.db.write(job).await?, state.now());
    jobs::hold(&mut tx, job, now + LEASE).await?;
    mails::set_tried(&mut tx, id, now).await?;
    tx.commit().await
}

/// It did not leave, and only who holds the job may say so.
async fn unmark(state: &AppState, job: &JobScope, id: MailId) -> Result<(), StoreError> {
    let mut tx = state.db.write(job).await?;
    jobs::hold(&mut tx, job, state.now() + LEASE).await?;
    mails::clear_tried(&mut tx, id).await?;
    tx.commit().await
}

/// The relay has it, whoever holds the job by now. Nobody else knows, so a database that is away a while is waited for.
async fn note_sent(state: &AppState, job: &JobScope, id: MailId) -> Result<(), StoreError> {
    for pause in NOTE_AGAIN {
        match try_to_note(state, job, id).await {
            Err(error) if error.may_pass() => tracing::warn!(%error, mail = %id, "that a mail was sent is noted later"),
            noted @ (Ok(()) | Err(_)) => return noted,
        }
        tokio::time::sleep(pause).await;
    }
    try_to_note(state, job, id).await
}

async fn try_to_note(state: &AppState, job: &JobScope, id: MailId) -> Result<(), StoreError> {
    let mut tx = state.db.write(job).await?;
    mails::set_sent(&mut tx, id, state.now()).await?;
    tx.commit().await
}

async fn finish(state: &AppState, job: &JobScope) -> Result<(), StoreError> {
    let mut tx = state.db.write(job).await?;
    jobs::finish(&mut tx, job).await?;
    tx.commit().await
}

/// A human sees it and why among the jobs that were given up. Trying it again there sends it once more, knowingly.
async fn give_up(state: &AppState, job: &JobScope, id: MailId, why: &Setback) -> Result<(), StoreError> {
    let mut tx = state.db.write(job).await?;
    mails::clear_tried(&mut tx, id).await?;
    jobs::bury(&mut tx, job, &why.to_string()).await?;
    tx.commit().await
}
