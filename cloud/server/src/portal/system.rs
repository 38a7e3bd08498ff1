//! The installation itself: version, database, work in the queue, and jobs that were given up.

use askama::Template;
use axum::{
    extract::{Path, Query, State},
    response::Response,
};
use chrono::{DateTime, Utc};
use rollcall_domain::{
    ids::JobId,
    role::{Act, Reach},
};
use rollcall_protocol::catalogue::{self, Fault};
use rollcall_store::{restores, work};

use super::{
    answer::{PageError, page, see},
    guard::{Done, SignedIn, require},
    pages::Pages,
    person::Fact,
    view::{Frame, Moment, Section, grouped},
};
use crate::{setback::Setback, state::AppState};

pub fn routes() -> Pages {
    Pages::new().get("/system", show).post("/system/jobs/{job}/retry", retry)
}

#[derive(Debug, Clone)]
pub struct DeadJob {
    pub id: String,
    pub kind: String,
    pub since: Moment,
    pub fault: &'static Fault,
    /// What is known besides, such as the relay's answer.
    pub detail: Option<String>,
}

#[derive(Debug, Template)]
#[template(path = "system.html")]
pub struct SystemPage {
    pub frame: Frame,
    pub facts: Vec<Fact>,
    pub work: Vec<Fact>,
    pub dead: Vec<DeadJob>,
    /// Agents that know more than a restored database does. Of all customers: only for those who reach all of them.
    pub outlived_restore: i64,
}

async fn show(
    State(state): State<AppState>,
    signed: SignedIn,
    Query(done): Query<Done>,
) -> Result<Response, PageError> {
    require(&signed, Act::ViewSystem)?;
    let now = state.now();
    let mut tx = state.db.read(&signed.who.scope).await?;
    let standing = work::count(&mut tx, now).await?;
    let dead = work::list_dead(&mut tx, 100).await?;
    let outlived_restore = match signed.who.scope.reach() {
        Reach::All => restores::count(&mut tx, now - restores::NEWS_FOR).await?,
        Reach::Chosen(_) => 0,
    };
    let mut frame = signed.frame(&mut tx, "System", Section::System).await?;
    frame.notice = done.notice();
    let mut facts = vec![
        Fact::new("Version", env!("CARGO_PKG_VERSION")),
        Fact::new("Protocol", rollcall_protocol::PROTO.to_string()),
        Fact::new("Database", state.db.engine_name()),
    ];
    facts.extend(state.settings.iter().map(|(label, value)| Fact::new(label, value.clone()).mono()));
    let lag =
        standing.oldest_due.map_or_else(|| "none".to_owned(), |due| format!("{} s", (now - due).num_seconds().max(0)));
    let planned = match standing.next_planned {
        Some(next) => format!("{}, next {}", grouped(standing.planned), next.format("%-d %b, %H:%M UTC")),
        None => "none".to_owned(),
    };
    Ok(page(&SystemPage {
        frame,
        facts,
        work: vec![
            Fact::new("Jobs waiting", grouped(standing.ready)),
            Fact::new("Running", grouped(standing.running)),
            Fact::new("Oldest waits", lag),
            Fact::new("Planned for later", planned),
            Fact::new("Given up", grouped(standing.dead)),
        ],
        dead: dead.into_iter().map(|job| row(job, now)).collect(),
        outlived_restore,
    }))
}

/// What a human decides by. The log of the server has more, under the job's id.
fn row(job: work::Dead, now: DateTime<Utc>) -> DeadJob {
    let setback =
        job.last_error.map_or_else(|| Setback::from(&catalogue::UNEXPECTED), |written| Setback::read(&written));
    DeadJob {
        id: job.id.to_string(),
        kind: job.kind,
        since: Moment::new(job.due_at, now),
        fault: setback.fault,
        detail: setback.detail,
    }
}

async fn retry(
    State(state): State<AppState>,
    signed: SignedIn,
    Path(job): Path<String>,
) -> Result<Response, PageError> {
    require(&signed, Act::ViewSystem)?;
    let job: JobId = job.parse()?;
    let now = state.now();
    let mut tx = state.db.write(&signed.who.scope).await?;
    if !work::revive(&mut tx, job, now).await? {
        return Err(PageError::NotFound);
    }
    let note = crate::services::who::Note::of(job);
    signed.who.note(&mut tx, now, "job.retry", None, note);
    tx.commit().await?;
    Ok(see("/system?done=job-retried"))
}
