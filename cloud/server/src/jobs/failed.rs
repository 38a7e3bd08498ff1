//! Decides what becomes of a job that did not end well: another try, or given up with all that waits behind it.

use rollcall_domain::{ids::AgentId, job};
use rollcall_protocol::catalogue;
use rollcall_store::{
    JobScope, StoreError,
    jobs::{self, Claimed},
};

use super::payload::Work;
use crate::{apply, setback::Setback, state::AppState};

/// Why a job did not end well, for the log. People are shown the fault of the catalogue.
#[derive(Debug, thiserror::Error)]
pub enum Failed {
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What it works on stood in the way.
    #[error("{0}")]
    Met(Setback),
    #[error("it panicked: {0}")]
    Panicked(tokio::task::JoinError),
    #[error("it ended the program each time it was tried")]
    Lost,
}

/// Where it failed: whether waiting can help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Blame {
    /// The database. It comes back, and the work is as good as before.
    Surroundings,
    /// The work itself: the next try would fail as well.
    Work,
}

impl Failed {
    fn blame(&self) -> Blame {
        match self {
            Self::Store(error) if error.may_pass() => Blame::Surroundings,
            Self::Store(_) | Self::Met(_) | Self::Panicked(_) | Self::Lost => Blame::Work,
        }
    }

    fn setback(&self, work: &Work) -> Setback {
        match (self, work) {
            (Self::Met(setback), _) => setback.clone(),
            (Self::Store(_) | Self::Panicked(_) | Self::Lost, Work::ApplyCycle { .. }) => {
                Setback::from(&catalogue::APPLY_FAILED)
            }
            (
                Self::Store(_) | Self::Panicked(_) | Self::Lost,
                Work::SendMail { .. } | Work::DropBundles | Work::Unreadable,
            ) => Setback::from(&catalogue::UNEXPECTED),
        }
    }
}

/// Another try later, as long as one is left.
pub async fn put_back(state: &AppState, claimed: &Claimed, work: &Work, failed: &Failed) -> Result<(), StoreError> {
    let wait = match failed {
        Failed::Store(_) | Failed::Met(_) | Failed::Panicked(_) => {
            job::retry_after(claimed.attempts, state.entropy.chance())
        }
        Failed::Lost => None,
    };
    let setback = failed.setback(work);
    let Some(wait) = wait else { return give_up(state, claimed, work, failed, &setback).await };
    let mut tx = state.db.write(&claimed.scope).await?;
    jobs::retry(&mut tx, &claimed.scope, state.now() + wait, &setback.to_string()).await?;
    tx.commit().await
}

/// A cycle that is to blame goes with its job: otherwise each later job of the agent would meet it again.
async fn give_up(
    state: &AppState,
    claimed: &Claimed,
    work: &Work,
    failed: &Failed,
    setback: &Setback,
) -> Result<(), StoreError> {
    if let (Work::ApplyCycle { agent }, Blame::Work) = (work, failed.blame()) {
        match bury_with_cycle(state.clone(), claimed.scope, *agent, setback.to_string()).await {
            Ok(()) => return Ok(()),
            Err(error) => tracing::error!(%error, job = %claimed.scope.job(), "a cycle could not be set aside"),
        }
    }
    let mut tx = state.db.write(&claimed.scope).await?;
    jobs::bury(&mut tx, &claimed.scope, &setback.to_string()).await?;
    tx.commit().await
}

/// In a task of its own, as each try was: whatever is wrong with the cycle ends no worker.
async fn bury_with_cycle(state: AppState, scope: JobScope, agent: AgentId, setback: String) -> Result<(), Failed> {
    let buried = tokio::spawn(async move {
        let mut tx = state.db.write(&scope).await?;
        apply::set_aside(&mut tx, &state, agent).await?;
        jobs::bury(&mut tx, &scope, &setback).await?;
        tx.commit().await
    });
    buried.await.map_err(Failed::Panicked)?.map_err(Failed::Store)
}
