//! Imports in the API: whom a directory brings over, paused, resumed, changed and ended.

use axum::{Json, extract::State, http::StatusCode};
use chrono::{DateTime, Utc};
use rollcall_domain::{
    ids::{CustomerId, DirectoryId, ImportId},
    import::{ImportSettings, Nesting, RemovalPolicy, Schedule, Selection, SelectionKind},
    membership::MembershipState,
};
use rollcall_store::{CustomerScope, Tx, imports as store, memberships};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use super::{
    asking::{Body, Id, Key, Page},
    customers::{NewPause, PauseState},
    idempotency::Once,
    problem::Problem,
};
use crate::{
    services::{
        agents::{self, Ask},
        imports,
        pauses::{self, Target},
        reach,
    },
    state::AppState,
};

pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(get, change, end))
        .routes(routes!(sync))
        .routes(routes!(pause))
        .routes(routes!(resume))
}

/// A named choice of people in one directory.
#[derive(Debug, Serialize, ToSchema)]
pub struct Import {
    #[schema(value_type = String)]
    pub id: ImportId,
    #[schema(value_type = String)]
    pub customer_id: CustomerId,
    #[schema(value_type = String)]
    pub directory_id: DirectoryId,
    pub name: String,
    pub include: Vec<Chosen>,
    /// Units whose whole subtree is out; wins over `include`.
    pub exclude: Vec<Uuid>,
    pub interval_minutes: u32,
    /// `deactivate` or `keep`.
    pub removal_policy: String,
    pub grace_days: i64,
    /// `direct`: the members of a chosen group; `nested`: those of the groups inside it too.
    pub nesting: String,
    /// Rises with every change; send it back to change nothing that somebody else changed.
    pub version: i64,
    pub pause: Option<PauseState>,
    /// Present people.
    pub people: i64,
    /// Removals that wait for a human.
    pub held: i64,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// One chosen unit or group, by objectGUID: a rename or move is followed.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Chosen {
    pub guid: Uuid,
    /// `ou` or `group`.
    #[schema(value_type = String, example = "ou")]
    pub kind: SelectionKind,
}

impl From<Chosen> for Selection {
    fn from(chosen: Chosen) -> Self {
        Self { guid: chosen.guid, kind: chosen.kind }
    }
}

type Counts = Vec<(ImportId, MembershipState, i64)>;

fn count(counts: &Counts, import: ImportId, wanted: &[MembershipState]) -> i64 {
    counts.iter().filter(|(id, state, _)| *id == import && wanted.contains(state)).map(|(_, _, count)| count).sum()
}

impl Import {
    fn show(import: store::Import, counts: &Counts, now: DateTime<Utc>) -> Self {
        let Schedule::Interval { minutes } = import.schedule.0;
        let present = [MembershipState::Active, MembershipState::Held, MembershipState::Kept];
        let chosen = |selection: Selection| Chosen { guid: selection.guid, kind: selection.kind };
        Self {
            id: import.id,
            customer_id: import.customer_id,
            directory_id: import.directory_id,
            name: import.name,
            include: import.selections.0.into_iter().map(chosen).collect(),
            exclude: import.excludes.0,
            interval_minutes: minutes,
            removal_policy: import.removal_policy.as_str().to_owned(),
            grace_days: import.grace_days,
            nesting: import.nesting.as_str().to_owned(),
            version: import.version,
            pause: import.pause.set().filter(|pause| pause.holds(now)).map(PauseState::from),
            people: count(counts, import.id, &present),
            held: count(counts, import.id, &[MembershipState::Held]),
            created_at: import.created_at,
            updated_at: import.updated_at,
        }
    }
}

/// Lists the imports of a customer.
#[utoipa::path(get, path = "/customers/{id}/imports", tag = "imports", params(("id" = String, Path)),
    responses((status = OK, body = Page<Import>), (status = NOT_FOUND, body = Problem)))]
async fn list(
    State(state): State<AppState>,
    Key(who): Key,
    Id(id): Id<CustomerId>,
) -> Result<Json<Page<Import>>, Problem> {
    let (scope, _) = reach::customer(&state, &who, id).await?;
    let now = state.now();
    let mut tx = state.db.read(&scope).await?;
    let counts = memberships::count_by_state(&mut tx, &scope).await?;
    let rows = store::list(&mut tx, &scope).await?;
    Ok(Json(Page::whole(rows.into_iter().map(|row| Import::show(row, &counts, now)).collect())))
}

/// An import to be made.
#[derive(Debug, Deserialize, ToSchema)]
pub struct NewImport {
    pub name: String,
    #[schema(value_type = String)]
    pub directory_id: DirectoryId,
    pub include: Vec<Chosen>,
    #[serde(default)]
    pub exclude: Vec<Uuid>,
    /// 180 if not said; between 15 and 1,440.
    pub interval_minutes: Option<u32>,
    /// `deactivate` if not said.
    #[schema(value_type = Option<String>)]
    pub removal_policy: Option<RemovalPolicy>,
    /// 30 if not said.
    pub grace_days: Option<u16>,
    /// `direct` if not said.
    #[schema(value_type = Option<String>)]
    pub nesting: Option<Nesting>,
}

const GRACE_DAYS: u16 = 30;

impl NewImport {
    fn settings(self) -> ImportSettings {
        ImportSettings {
            name: self.name,
            selections: self.include.into_iter().map(Selection::from).collect(),
            excludes: self.exclude,
            schedule: self.interval_minutes.map_or(Schedule::DEFAULT, |minutes| Schedule::Interval { minutes }),
            removal_policy: self.removal_policy.unwrap_or(RemovalPolicy::Deactivate),
            grace_days: self.grace_days.unwrap_or(GRACE_DAYS),
            nesting: self.nesting.unwrap_or(Nesting::Direct),
        }
    }
}

/// Makes an import. The agent reads it with its next cycle, which starts at once.
#[utoipa::path(post, path = "/customers/{id}/imports", tag = "imports", params(("id" = String, Path), Once),
    request_body = NewImport,
    responses((status = CREATED, body = Import), (status = UNPROCESSABLE_ENTITY, body = Problem)))]
async fn create(
    State(state): State<AppState>,
    Key(who): Key,
    Id(id): Id<CustomerId>,
    Body(new): Body<NewImport>,
) -> Result<(StatusCode, Json<Import>), Problem> {
    let (scope, _) = reach::customer(&state, &who, id).await?;
    let directory = new.directory_id;
    let import = imports::create(&state, &who, id, directory, &new.settings()).await?;
    let mut tx = state.db.read(&scope).await?;
    Ok((StatusCode::CREATED, Json(load(&mut tx, scope, import, state.now()).await?)))
}

async fn load(tx: &mut Tx, scope: CustomerScope, id: ImportId, now: DateTime<Utc>) -> Result<Import, Problem> {
    let counts = memberships::count_by_state(tx, &scope).await?;
    let import = store::find(tx, &scope, id).await?.ok_or_else(Problem::not_found)?;
    Ok(Import::show(import, &counts, now))
}

/// Shows one import.
#[utoipa::path(get, path = "/imports/{id}", tag = "imports", params(("id" = String, Path)),
    responses((status = OK, body = Import), (status = NOT_FOUND, body = Problem)))]
async fn get(State(state): State<AppState>, Key(who): Key, Id(id): Id<ImportId>) -> Result<Json<Import>, Problem> {
    let (scope, _) = reach::import(&state, &who, id).await?;
    let mut tx = state.db.read(&scope).await?;
    Ok(Json(load(&mut tx, scope, id, state.now()).await?))
}

/// What is to change; what is not named stays.
#[derive(Debug, Deserialize, ToSchema)]
pub struct ImportChange {
    pub name: Option<String>,
    pub include: Option<Vec<Chosen>>,
    pub exclude: Option<Vec<Uuid>>,
    pub interval_minutes: Option<u32>,
    #[schema(value_type = Option<String>)]
    pub removal_policy: Option<RemovalPolicy>,
    pub grace_days: Option<u16>,
    #[schema(value_type = Option<String>)]
    pub nesting: Option<Nesting>,
    /// The version that was looked at; without it the present one.
    pub version: Option<i64>,
}

impl ImportChange {
    fn onto(self, before: ImportSettings) -> ImportSettings {
        ImportSettings {
            name: self.name.unwrap_or(before.name),
            selections: self.include.map_or(before.selections, |list| list.into_iter().map(Selection::from).collect()),
            excludes: self.exclude.unwrap_or(before.excludes),
            schedule: self.interval_minutes.map_or(before.schedule, |minutes| Schedule::Interval { minutes }),
            removal_policy: self.removal_policy.unwrap_or(before.removal_policy),
            grace_days: self.grace_days.unwrap_or(before.grace_days),
            nesting: self.nesting.unwrap_or(before.nesting),
        }
    }
}

/// Changes an import.
#[utoipa::path(patch, path = "/imports/{id}", tag = "imports", params(("id" = String, Path)), request_body = ImportChange,
    responses((status = OK, body = Import), (status = CONFLICT, body = Problem)))]
async fn change(
    State(state): State<AppState>,
    Key(who): Key,
    Id(id): Id<ImportId>,
    Body(change): Body<ImportChange>,
) -> Result<Json<Import>, Problem> {
    let (scope, import) = reach::import(&state, &who, id).await?;
    let version = change.version.unwrap_or(import.version);
    let settings = change.onto(import.settings()?);
    imports::update(&state, &who, import.customer_id, id, version, &settings).await?;
    let mut tx = state.db.read(&scope).await?;
    Ok(Json(load(&mut tx, scope, id, state.now()).await?))
}

/// Ends an import. Its people leave under the usual guard.
#[utoipa::path(delete, path = "/imports/{id}", tag = "imports", params(("id" = String, Path)),
    responses((status = NO_CONTENT), (status = NOT_FOUND, body = Problem)))]
async fn end(State(state): State<AppState>, Key(who): Key, Id(id): Id<ImportId>) -> Result<StatusCode, Problem> {
    let (_, import) = reach::import(&state, &who, id).await?;
    imports::delete(&state, &who, import.customer_id, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Asks the agents of the import's customer to read now.
#[utoipa::path(post, path = "/imports/{id}/sync", tag = "imports", params(("id" = String, Path), Once),
    responses((status = ACCEPTED), (status = CONFLICT, body = Problem)))]
async fn sync(State(state): State<AppState>, Key(who): Key, Id(id): Id<ImportId>) -> Result<StatusCode, Problem> {
    let (_, import) = reach::import(&state, &who, id).await?;
    agents::ask(&state, &who, import.customer_id, Ask::SyncNow).await?;
    Ok(StatusCode::ACCEPTED)
}

/// Pauses one import.
#[utoipa::path(post, path = "/imports/{id}/pause", tag = "imports", params(("id" = String, Path), Once),
    request_body = NewPause, responses((status = NO_CONTENT), (status = NOT_FOUND, body = Problem)))]
async fn pause(
    State(state): State<AppState>,
    Key(who): Key,
    Id(id): Id<ImportId>,
    Body(new): Body<NewPause>,
) -> Result<StatusCode, Problem> {
    let (_, import) = reach::import(&state, &who, id).await?;
    pauses::pause(&state, &who, Target::Import(import.customer_id, id), new.into()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Resumes one import.
#[utoipa::path(post, path = "/imports/{id}/resume", tag = "imports", params(("id" = String, Path), Once),
    responses((status = NO_CONTENT), (status = NOT_FOUND, body = Problem)))]
async fn resume(State(state): State<AppState>, Key(who): Key, Id(id): Id<ImportId>) -> Result<StatusCode, Problem> {
    let (_, import) = reach::import(&state, &who, id).await?;
    pauses::resume(&state, &who, Target::Import(import.customer_id, id)).await?;
    Ok(StatusCode::NO_CONTENT)
}
