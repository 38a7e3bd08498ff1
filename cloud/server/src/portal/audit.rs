//! The audit log: who did what, when and from where.

use std::collections::HashMap;

use askama::Template;
use axum::{
    extract::{Query, State},
    response::Response,
};
use rollcall_domain::{ids::CustomerId, role::Act};
use rollcall_store::{
    audit::{self, Line},
    customers,
};
use serde::Deserialize;
use uuid::Uuid;

use super::{
    answer::{PageError, page},
    guard::{SignedIn, require},
    pages::Pages,
    view::{Frame, Moment, Pager, Section, pager::Query as Address},
};
use crate::state::AppState;

pub fn routes() -> Pages {
    Pages::new().get("/audit", show)
}

#[derive(Debug, Clone)]
pub struct AuditRow {
    pub at: Moment,
    pub actor: String,
    pub action: String,
    pub customer: String,
    pub object: String,
    pub detail: String,
    pub source: String,
    pub ip: String,
}

#[derive(Debug, Template)]
#[template(path = "audit.html")]
pub struct AuditPage {
    pub frame: Frame,
    pub rows: Vec<AuditRow>,
    pub pager: Pager,
}

#[derive(Debug, Deserialize)]
struct Asked {
    #[serde(default)]
    after: String,
}

const PAGE: i64 = 100;

async fn show(
    State(state): State<AppState>,
    signed: SignedIn,
    Query(asked): Query<Asked>,
) -> Result<Response, PageError> {
    require(&signed, Act::ViewAudit)?;
    let scope = &signed.who.scope;
    let mut tx = state.db.read(scope).await?;
    let lines = audit::list(&mut tx, scope, asked.after.parse().ok(), PAGE).await?;
    let named: HashMap<Uuid, String> =
        customers::list_names(&mut tx, scope, 10_000).await?.into_iter().map(|(id, name)| (id.uuid(), name)).collect();
    Ok(page(&AuditPage {
        frame: signed.frame(&mut tx, "Audit", Section::Audit).await?,
        pager: Pager::of(&Address::new("/audit"), &asked.after, &lines, PAGE, |line| line.seq.to_string()),
        // Who reaches only some customers reads only of those.
        rows: lines
            .into_iter()
            .filter(|line| line.customer_id.is_none_or(|id| scope.reach().covers(CustomerId::from(id))))
            .map(|line| row_of(line, &named))
            .collect(),
    }))
}

fn row_of(line: Line, named: &HashMap<Uuid, String>) -> AuditRow {
    let mut detail = Vec::new();
    detail.extend(line.before.map(|text| format!("before: {text}")));
    detail.extend(line.after.map(|text| format!("after: {text}")));
    AuditRow {
        at: Moment::exact(line.at),
        actor: line.actor,
        action: line.action,
        customer: line.customer_id.and_then(|id| named.get(&id).cloned()).unwrap_or_default(),
        object: line.object_id.unwrap_or_default(),
        detail: detail.join("\n"),
        source: line.source,
        ip: line.ip.unwrap_or_default(),
    }
}
