//! What vanished from many people at once, in the API: list it, and say that it was cleared on purpose.

use std::collections::BTreeMap;

use axum::{Json, extract::State};
use rollcall_domain::ids::{AgentId, ImportId};
use rollcall_protocol::checkin::Clearing;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    asking::{Body, Id, Key, Page},
    idempotency::Once,
    problem::Problem,
};
use crate::{
    services::{clearings, reach},
    state::AppState,
};

pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(accept))
}

/// One attribute that many people lost at once. The values from before stay until it is back, or accepted.
#[derive(Debug, Serialize, ToSchema)]
pub struct Vanished {
    /// As LDAP spells it.
    #[schema(example = "mail")]
    pub attribute: String,
    /// People who lost it, of how many people of one import.
    pub people: u64,
    pub of: u64,
    /// That import; missing where an older agent tells only of the one that lost most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub import: Option<String>,
}

impl From<Clearing> for Vanished {
    fn from(told: Clearing) -> Self {
        let import = told.import.map(|import| ImportId::from(import).to_string());
        Self { attribute: told.attribute, people: told.people, of: told.of, import }
    }
}

/// Lists what vanished from many people at once and waits for a human.
#[utoipa::path(get, path = "/agents/{id}/clearings", tag = "agents", params(("id" = String, Path)),
    responses((status = OK, body = Page<Vanished>), (status = NOT_FOUND, body = Problem)))]
async fn list(
    State(state): State<AppState>,
    Key(who): Key,
    Id(id): Id<AgentId>,
) -> Result<Json<Page<Vanished>>, Problem> {
    let (scope, agent) = reach::agent(&state, &who, id).await?;
    let mut tx = state.db.read(&scope).await?;
    let listed = clearings::list(&mut tx, &agent).await?;
    Ok(Json(Page::whole(listed.into_iter().map(Vanished::from).collect())))
}

/// What was cleared on purpose.
#[derive(Debug, Deserialize, ToSchema)]
pub struct Meant {
    /// As they are listed.
    #[schema(example = json!(["mail"]))]
    pub attributes: Vec<String>,
    /// The largest number of people of each, as listed: refused if more have lost it since. Without it what is listed now
    /// is accepted; never more than that.
    #[serde(default)]
    #[schema(example = json!({ "mail": 30 }))]
    pub people: BTreeMap<String, u64>,
    /// Of this import alone; without it of each that is listed.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub import: Option<ImportId>,
}

impl Meant {
    fn of_each(self) -> Vec<clearings::Meant> {
        let (seen, import) = (self.people, self.import.map(ImportId::uuid));
        self.attributes
            .into_iter()
            .map(|attribute| clearings::Meant { seen: seen.get(&attribute).copied(), attribute, import })
            .collect()
    }
}

/// What was accepted.
#[derive(Debug, Serialize, ToSchema)]
pub struct Accepted {
    pub attributes: Vec<String>,
}

/// Says that these values were cleared on purpose: the directory is read again and the empty values are taken over. Holds
/// for one reading, and only for what is listed.
#[utoipa::path(post, path = "/agents/{id}/accept-clearing", tag = "agents", params(("id" = String, Path), Once),
    request_body = Meant, responses((status = OK, body = Accepted), (status = FORBIDDEN, body = Problem),
    (status = NOT_FOUND, body = Problem), (status = CONFLICT, body = Problem),
    (status = UNPROCESSABLE_ENTITY, body = Problem)))]
async fn accept(
    State(state): State<AppState>,
    Key(who): Key,
    Id(id): Id<AgentId>,
    Body(meant): Body<Meant>,
) -> Result<Json<Accepted>, Problem> {
    let attributes = clearings::accept(&state, &who, id, &meant.of_each()).await?;
    Ok(Json(Accepted { attributes }))
}
