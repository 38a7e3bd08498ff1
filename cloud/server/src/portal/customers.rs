//! The list of customers with their states, and the form that adds one.

use askama::Template;
use axum::{
    Form,
    extract::{Query, State},
    http::StatusCode,
    response::Response,
};
use chrono::{DateTime, Utc};
use rollcall_domain::{
    health::{self, Health, State as Standing},
    pause::Pause,
    role::Act,
};
use rollcall_store::{
    customers::{self, Overview},
    msps,
};
use serde::Deserialize;

use super::{
    answer::{PageError, field_errors, page, page_with, see},
    cursor,
    guard::{SignedIn, require},
    pages::Pages,
    runs::Chip,
    states,
    view::{FieldError, Frame, Moment, Pager, Pill, Section, pager::Query as Address},
};
use crate::{services::customers as acts, state::AppState};

pub fn routes() -> Pages {
    Pages::new().get("/customers", show).get("/customers/add", show_add).post("/customers/add", add)
}

#[derive(Debug, Clone)]
pub struct CustomerRow {
    pub slug: String,
    pub name: String,
    pub state: Pill,
    pub reason: String,
    pub agent: String,
    pub last_sync: Option<Moment>,
    pub people: i64,
    pub imports: i64,
}

#[derive(Debug, Template)]
#[template(path = "customers.html")]
pub struct CustomersPage {
    pub frame: Frame,
    pub here: String,
    pub total: i64,
    pub q: String,
    pub filter: String,
    pub chips: Vec<Chip>,
    pub rows: Vec<CustomerRow>,
    pub pager: Pager,
}

#[derive(Debug, Template)]
#[template(path = "customer_add.html")]
pub struct AddCustomerPage {
    pub frame: Frame,
    pub name: String,
    pub errors: Vec<FieldError>,
}

#[derive(Debug, Deserialize)]
struct Asked {
    #[serde(default)]
    q: String,
    #[serde(default)]
    state: String,
    #[serde(default)]
    after: String,
}

const PAGE: i64 = 50;
/// With a filter by state, the states of so many customers are looked at for one page.
const LOOKED_AT: i64 = 5_000;

/// The filters people use: one state, or everything that needs somebody.
fn matches_filter(filter: &str, standing: Standing) -> bool {
    match filter {
        "needs-you" => !matches!(standing, Standing::Healthy | Standing::Paused | Standing::NeverSynced),
        "" => true,
        one => standing.as_str() == one,
    }
}

impl Asked {
    fn address(&self) -> Address {
        Address::new("/customers").with("q", self.q.trim()).with("state", &self.state)
    }

    fn chips(&self) -> Vec<Chip> {
        let chip = |label: &str, state: &str| Chip {
            label: label.to_owned(),
            href: self.address().with("state", state).address(),
            here: self.state == state,
        };
        vec![
            chip("All", ""),
            chip("Needs you", "needs-you"),
            chip("Healthy", "healthy"),
            chip("Paused", "paused"),
            chip("Never synced", "never_synced"),
        ]
    }
}

async fn show(
    State(state): State<AppState>,
    signed: SignedIn,
    Query(asked): Query<Asked>,
) -> Result<Response, PageError> {
    require(&signed, Act::ViewCustomers)?;
    let now = state.now();
    let scope = &signed.who.scope;
    let mut tx = state.db.read(scope).await?;
    let msp_pause = msps::get(&mut tx).await?.pause.set();
    let limit = if asked.state.is_empty() { PAGE } else { LOOKED_AT };
    let wanted = customers::Page { search: asked.q.clone(), after: cursor::read(&asked.after), limit };
    let found = customers::list(&mut tx, scope, &wanted).await?;
    let mut frame = signed.frame(&mut tx, "Customers", Section::Customers).await?;
    frame.live = Some("/events".into());
    let place = |row: &Overview| cursor::write(&(&row.customer.name, row.customer.id));
    Ok(page(&CustomersPage {
        frame,
        here: asked.address().with("after", &asked.after).address(),
        total: customers::count(&mut tx, scope).await?,
        chips: asked.chips(),
        pager: Pager::of(&asked.address(), &asked.after, &found, limit, place),
        rows: found.into_iter().filter_map(|row| row_of(row, &asked.state, msp_pause.as_ref(), now)).collect(),
        q: asked.q,
        filter: asked.state,
    }))
}

fn row_of(overview: Overview, filter: &str, msp_pause: Option<&Pause>, now: DateTime<Utc>) -> Option<CustomerRow> {
    let last_sync = overview.worst_good_run_at();
    let health = health::decide(&overview.facts(msp_pause, now), now);
    let reason = match &health {
        Health::Healthy { .. } => String::new(),
        Health::Not { reason_code, .. } => format!("{reason_code} {}", states::title_of(reason_code)),
    };
    let agent = match overview.agents {
        0 => "none".to_owned(),
        1 => "1 agent".to_owned(),
        many => format!("{many} agents"),
    };
    matches_filter(filter, health.state()).then(|| CustomerRow {
        slug: overview.customer.slug,
        name: overview.customer.name,
        state: states::customer(health.state()),
        reason,
        agent,
        last_sync: last_sync.map(|at| Moment::new(at, now)),
        people: overview.people,
        imports: overview.imports,
    })
}

async fn show_add(State(state): State<AppState>, signed: SignedIn) -> Result<Response, PageError> {
    require(&signed, Act::CreateCustomer)?;
    let mut tx = state.db.read(&signed.who.scope).await?;
    let frame = signed.frame(&mut tx, "Add customer", Section::Customers).await?;
    Ok(page(&AddCustomerPage { frame, name: String::new(), errors: vec![] }))
}

#[derive(Debug, Deserialize)]
struct NewCustomer {
    name: String,
}

async fn add(
    State(state): State<AppState>,
    signed: SignedIn,
    Form(form): Form<NewCustomer>,
) -> Result<Response, PageError> {
    match acts::create(&state, &signed.who, &form.name).await {
        Ok(created) => Ok(see(&format!("/c/{}/agent?done=customer-added", created.slug))),
        Err(error) => {
            let errors = field_errors(error)?;
            let mut tx = state.db.read(&signed.who.scope).await?;
            let frame = signed.frame(&mut tx, "Add customer", Section::Customers).await?;
            Ok(page_with(StatusCode::UNPROCESSABLE_ENTITY, &AddCustomerPage { frame, name: form.name, errors }))
        }
    }
}
