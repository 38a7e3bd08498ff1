//! Accounts in the API: every person of a customer, what imports hold them, and their history.

use axum::{Json, extract::State};
use chrono::{DateTime, Utc};
use rollcall_domain::{
    account::AccountState,
    ids::{AccountId, CustomerId, ImportId},
};
use rollcall_protocol::person::Person;
use rollcall_store::{
    accounts as store, history,
    memberships::{self, Membership},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use super::{
    asking::{Asked, Id, Key, Page, PageQuery},
    problem::Problem,
};
use crate::{
    services::{reach, switched::Switched},
    state::AppState,
};

pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(get)).routes(routes!(history_of))
}

/// One person as Rollcall knows them.
#[derive(Debug, Serialize, ToSchema)]
pub struct Account {
    #[schema(value_type = String)]
    pub id: AccountId,
    /// Stays through renames and moves.
    pub object_guid: Uuid,
    /// `active`, `held` (a removal waits for a human) or `departed`.
    pub state: String,
    pub display_name: String,
    /// sAMAccountName.
    pub account_name: String,
    pub user_principal_name: Option<String>,
    pub mail: Option<String>,
    pub enabled: bool,
    pub dn: String,
    pub given_name: Option<String>,
    pub surname: Option<String>,
    pub title: Option<String>,
    pub department: Option<String>,
    pub phone: Option<String>,
    pub imports: Vec<InImport>,
    pub changed_at: DateTime<Utc>,
    pub departed_at: Option<DateTime<Utc>>,
}

/// How the person stands in one import.
#[derive(Debug, Serialize, ToSchema)]
pub struct InImport {
    #[schema(value_type = String)]
    pub import_id: ImportId,
    /// `active`, `held`, `kept` or `departed`.
    pub state: String,
    /// objectGUIDs of the chosen units and groups that hold the person.
    pub via: Vec<Uuid>,
    pub since: DateTime<Utc>,
    /// Why the person left, or would leave.
    pub evidence: Option<Value>,
}

impl From<Membership> for InImport {
    fn from(row: Membership) -> Self {
        Self {
            import_id: row.import_id,
            state: row.state.as_str().to_owned(),
            via: row.via.0,
            since: row.since,
            evidence: row.evidence.map(|evidence| evidence.0),
        }
    }
}

impl Account {
    fn show(row: store::Listed, memberships: Vec<Membership>) -> Self {
        // A record of a newer agent still shows what its columns say.
        let person: Person = serde_json::from_str(row.person.0.get()).unwrap_or_default();
        let mut imports: Vec<InImport> = memberships.into_iter().map(InImport::from).collect();
        imports.sort_by_key(|membership| membership.import_id);
        Self {
            id: row.id,
            object_guid: row.object_guid,
            state: row.state.as_str().to_owned(),
            display_name: row.display_name,
            account_name: row.sam,
            user_principal_name: row.upn,
            mail: row.mail,
            enabled: row.enabled,
            dn: person.dn,
            given_name: person.given_name,
            surname: person.surname,
            title: person.title,
            department: person.department,
            phone: person.phone,
            imports,
            changed_at: row.changed_at,
            departed_at: row.departed_at,
        }
    }
}

/// Which people are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Filter {
    /// Part of name, account, sign-in name or mail.
    #[serde(default)]
    pub q: String,
    /// `active`, `held`, `departed`; without it everybody but the departed.
    pub state: Option<String>,
    pub after: Option<String>,
    pub limit: Option<i64>,
}

/// Lists the people of a customer in order of their names.
#[utoipa::path(get, path = "/customers/{id}/accounts", tag = "accounts", params(("id" = String, Path), Filter),
    responses((status = OK, body = Page<Account>), (status = NOT_FOUND, body = Problem)))]
async fn list(
    State(state): State<AppState>,
    Key(who): Key,
    Id(id): Id<CustomerId>,
    Asked(filter): Asked<Filter>,
) -> Result<Json<Page<Account>>, Problem> {
    let (scope, _) = reach::customer(&state, &who, id).await?;
    let query = PageQuery { after: filter.after, limit: filter.limit };
    let wanted = filter.state.filter(|text| !text.is_empty()).map(|text| text.parse::<AccountState>()).transpose();
    let wanted = wanted.map_err(|_| Problem::invalid("/state", "One of active, held, departed."))?;
    let page = store::Page { search: filter.q, state: wanted, after: query.after()?, limit: query.limit() };
    let mut tx = state.db.read(&scope).await?;
    let rows = store::list(&mut tx, &scope, &page).await?;
    let ids: Vec<AccountId> = rows.iter().map(|row| row.id).collect();
    let mut by_account = memberships::list_by_account(&mut tx, &ids).await?;
    let cursor = |row: &store::Listed| (row.sort_name.clone(), row.id);
    let show = |row: store::Listed| {
        let memberships = by_account.remove(&row.id).unwrap_or_default();
        Account::show(row, memberships)
    };
    Ok(Json(Page::of(rows, page.limit, cursor, show)))
}

/// Shows one person.
#[utoipa::path(get, path = "/accounts/{id}", tag = "accounts", params(("id" = String, Path)),
    responses((status = OK, body = Account), (status = NOT_FOUND, body = Problem)))]
async fn get(State(state): State<AppState>, Key(who): Key, Id(id): Id<AccountId>) -> Result<Json<Account>, Problem> {
    let (scope, account) = reach::account(&state, &who, id).await?;
    let mut tx = state.db.read(&scope).await?;
    let memberships = memberships::list_of_accounts(&mut tx, &[id]).await?;
    let row = store::Listed {
        id,
        object_guid: account.object_guid,
        state: account.state,
        sort_name: String::new(),
        display_name: account.display_name,
        sam: account.sam,
        upn: account.upn,
        mail: account.mail,
        enabled: account.enabled,
        person: account.person,
        changed_at: account.changed_at,
        departed_at: account.departed_at,
    };
    Ok(Json(Account::show(row, memberships)))
}

/// One change of one person.
#[derive(Debug, Serialize, ToSchema)]
pub struct HistoryLine {
    pub id: String,
    pub at: DateTime<Utc>,
    /// `joined`, `updated`, `returned`, `left_import`, `departed`, `held` …
    pub change: String,
    /// `disabled` or `enabled`, where the account was switched off or on in the directory.
    pub reason: Option<&'static str>,
    pub run_id: Option<String>,
    pub import_id: Option<String>,
    pub before: Option<Value>,
    pub after: Option<Value>,
    pub evidence: Option<Value>,
    /// The person who decided, where one did.
    pub actor: Option<String>,
}

impl From<history::Line> for HistoryLine {
    fn from(line: history::Line) -> Self {
        let (before, after) = (line.before.as_ref().map(|v| &v.0), line.after.as_ref().map(|v| &v.0));
        Self {
            reason: Switched::of(before, after).map(Switched::as_str),
            id: line.id.to_string(),
            at: line.at,
            change: line.change.as_str().to_owned(),
            run_id: line.run_id.map(|id| rollcall_domain::ids::RunId::from(id).to_string()),
            import_id: line.import_id.map(|id| ImportId::from(id).to_string()),
            before: line.before.map(|value| value.0),
            after: line.after.map(|value| value.0),
            evidence: line.evidence.map(|value| value.0),
            actor: line.actor,
        }
    }
}

/// Shows what happened to one person, newest first; the last 500 changes.
#[utoipa::path(get, path = "/accounts/{id}/history", tag = "accounts", params(("id" = String, Path)),
    responses((status = OK, body = Page<HistoryLine>), (status = NOT_FOUND, body = Problem)))]
async fn history_of(
    State(state): State<AppState>,
    Key(who): Key,
    Id(id): Id<AccountId>,
) -> Result<Json<Page<HistoryLine>>, Problem> {
    let (scope, _) = reach::account(&state, &who, id).await?;
    let mut tx = state.db.read(&scope).await?;
    let lines = history::list(&mut tx, &scope, id, 500).await?;
    Ok(Json(Page::whole(lines.into_iter().map(HistoryLine::from).collect())))
}
