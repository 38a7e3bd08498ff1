//! Directories in the API, and the structure people choose from.

use axum::{Json, extract::State};
use chrono::{DateTime, Utc};
use rollcall_domain::ids::{AgentId, CustomerId, DirectoryId};
use rollcall_store::{directories as store, structure};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use super::{
    asking::{Id, Key, Page},
    problem::Problem,
};
use crate::{services::reach, state::AppState};

pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(structure_of))
}

/// One Active Directory domain of a customer.
#[derive(Debug, Serialize, ToSchema)]
pub struct Directory {
    #[schema(value_type = String)]
    pub id: DirectoryId,
    pub dns_name: String,
    /// objectGUID of the domain's head.
    pub domain_guid: Uuid,
    pub domain_sid: String,
    /// The agent that reads it.
    #[schema(value_type = String)]
    pub agent_id: AgentId,
    /// People in some import, as the agent counted them.
    pub people: i64,
    /// People the agent can see at all.
    pub people_seen: i64,
    pub dc_host: Option<String>,
    pub structure_at: Option<DateTime<Utc>>,
    pub read_at: Option<DateTime<Utc>>,
}

impl From<store::Directory> for Directory {
    fn from(row: store::Directory) -> Self {
        Self {
            id: row.id,
            dns_name: row.dns_name,
            domain_guid: row.domain_guid,
            domain_sid: row.domain_sid,
            agent_id: row.agent_id,
            people: row.people,
            people_seen: row.people_seen,
            dc_host: row.dc_host,
            structure_at: row.structure_at,
            read_at: row.read_at,
        }
    }
}

/// Lists the directories of a customer.
#[utoipa::path(get, path = "/customers/{id}/directories", tag = "imports", params(("id" = String, Path)),
    responses((status = OK, body = Page<Directory>), (status = NOT_FOUND, body = Problem)))]
async fn list(
    State(state): State<AppState>,
    Key(who): Key,
    Id(id): Id<CustomerId>,
) -> Result<Json<Page<Directory>>, Problem> {
    let (scope, _) = reach::customer(&state, &who, id).await?;
    let mut tx = state.db.read(&scope).await?;
    let rows = store::list(&mut tx, &scope).await?;
    Ok(Json(Page::whole(rows.into_iter().map(Directory::from).collect())))
}

/// Units and groups that can be chosen, and why some cannot.
#[derive(Debug, Serialize, ToSchema)]
pub struct Structure {
    pub structure_at: Option<DateTime<Utc>>,
    pub ous: Vec<Node>,
    pub groups: Vec<Node>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct Node {
    pub guid: Uuid,
    pub parent: Option<Uuid>,
    pub name: String,
    pub dn: String,
    /// A unit: people directly in it. A group: its direct members who are people.
    pub people: i64,
    /// Members that are not imported with the group: groups, computers, contacts.
    pub others: i64,
    /// Of the others, groups.
    pub nested: i64,
    /// Of the others, computers and service accounts.
    pub computers: i64,
    /// Of the others, members from other domains.
    pub foreigners: i64,
    /// Why it cannot be chosen.
    pub blocked: Option<String>,
}

impl From<structure::Node> for Node {
    fn from(row: structure::Node) -> Self {
        let structure::Node {
            guid,
            parent_guid,
            name,
            dn,
            people,
            others,
            nested,
            computers,
            foreigners,
            blocked,
            kind: _,
        } = row;
        Self { guid, parent: parent_guid, name, dn, people, others, nested, computers, foreigners, blocked }
    }
}

/// Groups of a directory that one answer carries.
const GROUPS: i64 = 10_000;

/// Shows the units and groups of a directory.
#[utoipa::path(get, path = "/directories/{id}/structure", tag = "imports", params(("id" = String, Path)),
    responses((status = OK, body = Structure), (status = NOT_FOUND, body = Problem)))]
async fn structure_of(
    State(state): State<AppState>,
    Key(who): Key,
    Id(id): Id<DirectoryId>,
) -> Result<Json<Structure>, Problem> {
    let (scope, directory) = reach::directory(&state, &who, id).await?;
    let mut tx = state.db.read(&scope).await?;
    let ous = structure::list_ous(&mut tx, id).await?.into_iter().map(Node::from).collect();
    let groups = structure::search_groups(&mut tx, id, "", GROUPS).await?.into_iter().map(Node::from).collect();
    Ok(Json(Structure { structure_at: directory.structure_at, ous, groups }))
}
