//! The form of one import: units and groups to choose from the live structure, with a count that follows every tick.

use askama::Template;
use axum::{
    Form,
    extract::{Path, Query, State},
    http::StatusCode,
    response::Response,
};
use rollcall_domain::{
    ids::{DirectoryId, ImportId},
    import::Nesting,
    role::Act,
};
use rollcall_store::{
    directories::{self, Directory},
    imports,
    structure::{self, Node},
};
use serde::Deserialize;

use super::{
    answer::{PageError, field_errors, page_with, see},
    customer_head::{CustomerHead, Opened, Place, Tab, open},
    guard::{SignedIn, require},
    import_choice::{Choice, Intent},
    import_groups::{self, GroupChoice},
    pages::Pages,
    states,
    tree::{TreeNode, Unit, grow, people_in_scope},
    view::{FieldError, Frame, Moment, grouped},
};
use crate::{
    services::{
        ServiceError,
        agents::{self, Ask},
        imports as acts, reach,
    },
    state::AppState,
};

pub fn routes() -> Pages {
    Pages::new()
        .get("/c/{slug}/imports/add", show_new)
        .post("/c/{slug}/imports/add", send_new)
        .get("/c/{slug}/imports/{import}", show)
        .post("/c/{slug}/imports/{import}", send)
        .post("/c/{slug}/structure/refresh", refresh)
}

#[derive(Debug, Clone)]
pub struct Interval {
    pub value: u32,
    pub label: String,
}

/// One domain of a customer that has several.
#[derive(Debug, Clone)]
pub struct DomainLink {
    pub name: String,
    pub href: String,
    pub is_here: bool,
}

/// Which directory a new import is for; the first one unless said otherwise.
#[derive(Debug, Default, Deserialize)]
struct Wanted {
    directory: Option<String>,
}

/// What the present ticks would bring.
#[derive(Debug, Clone)]
pub struct ScopeCount {
    pub people: String,
    pub sentence: String,
}

#[derive(Debug, Template)]
#[template(path = "import_form.html")]
pub struct ImportFormPage {
    pub frame: Frame,
    pub customer: CustomerHead,
    pub action: String,
    /// To choose from where a new import begins; empty where there is no choice.
    pub domains: Vec<DomainLink>,
    pub errors: Vec<FieldError>,
    pub structure_at: Option<Moment>,
    pub tree: Vec<TreeNode>,
    pub group_q: String,
    pub groups: Vec<GroupChoice>,
    pub groups_left_out: usize,
    /// Of those listed, the ones that only explain themselves.
    pub hidden_groups: usize,
    pub name: String,
    pub minutes: u32,
    pub intervals: Vec<Interval>,
    pub removal: &'static str,
    pub grace_days: String,
    pub nested: bool,
    pub may_delete: bool,
    pub count: ScopeCount,
    pub save_label: &'static str,
    pub version: i64,
}

async fn open_form(
    state: &AppState,
    signed: &SignedIn,
    slug: &str,
    heading: &str,
    wanted: &Wanted,
) -> Result<(Opened, Directory), PageError> {
    require(signed, Act::EditImport)?;
    let place = Place::tab(Tab::Imports, heading).below("Imports", format!("/c/{slug}/imports"));
    let mut opened = open(state, signed, slug, place).await?;
    // What is being ticked must not be refreshed away.
    opened.frame.refresh_without_script = None;
    let directories = directories::list(&mut opened.tx, &opened.scope).await?.into_iter();
    let is_wanted = |id: DirectoryId| wanted.directory.as_ref().is_none_or(|wanted| *wanted == id.to_string());
    let directory = directories.into_iter().find(|directory| is_wanted(directory.id));
    let directory = directory.ok_or_else(|| PageError::Odd("The agent has not reached a directory yet.".to_owned()))?;
    Ok((opened, directory))
}

async fn show_new(
    State(state): State<AppState>,
    signed: SignedIn,
    Path(slug): Path<String>,
    Query(wanted): Query<Wanted>,
) -> Result<Response, PageError> {
    let (opened, directory) = open_form(&state, &signed, &slug, "Add import", &wanted).await?;
    draw(opened, &directory, None, Choice::blank(), vec![], StatusCode::OK).await
}

async fn show(
    State(state): State<AppState>,
    signed: SignedIn,
    Path((slug, import)): Path<(String, String)>,
) -> Result<Response, PageError> {
    let (import, heading) = find(&state, &signed, &slug, &import).await?;
    let (mut opened, _) = open_form(&state, &signed, &slug, &heading, &Wanted::default()).await?;
    let directory = directory_of(&mut opened, import.directory_id).await?;
    let choice = Choice::of(&import);
    draw(opened, &directory, Some(import.id), choice, vec![], StatusCode::OK).await
}

async fn find(
    state: &AppState,
    signed: &SignedIn,
    slug: &str,
    id: &str,
) -> Result<(imports::Import, String), PageError> {
    let id: ImportId = id.parse()?;
    let (scope, _) = reach::customer_by_slug(state, &signed.who, slug).await?;
    let mut tx = state.db.read(&scope).await?;
    let import = imports::find(&mut tx, &scope, id).await?.ok_or(PageError::NotFound)?;
    let heading = format!("Edit “{}”", import.name);
    Ok((import, heading))
}

async fn directory_of(opened: &mut Opened, id: DirectoryId) -> Result<Directory, PageError> {
    directories::find(&mut opened.tx, &opened.scope, id).await?.ok_or(PageError::NotFound)
}

async fn send_new(
    State(state): State<AppState>,
    signed: SignedIn,
    Path(slug): Path<String>,
    Query(wanted): Query<Wanted>,
    Form(pairs): Form<Vec<(String, String)>>,
) -> Result<Response, PageError> {
    let (opened, directory) = open_form(&state, &signed, &slug, "Add import", &wanted).await?;
    let choice = Choice::read(&pairs);
    match choice.intent {
        Intent::Look | Intent::Delete => draw(opened, &directory, None, choice, vec![], StatusCode::OK).await,
        Intent::Save => {
            let customer = opened.scope.customer();
            let saved = match choice.settings() {
                Ok(settings) => acts::create(&state, &signed.who, customer, directory.id, &settings).await.map(|_| ()),
                Err(error) => Err(error),
            };
            finish(opened, &directory, None, choice, saved).await
        }
    }
}

async fn send(
    State(state): State<AppState>,
    signed: SignedIn,
    Path((slug, import)): Path<(String, String)>,
    Form(pairs): Form<Vec<(String, String)>>,
) -> Result<Response, PageError> {
    let (import, heading) = find(&state, &signed, &slug, &import).await?;
    let (mut opened, _) = open_form(&state, &signed, &slug, &heading, &Wanted::default()).await?;
    let directory = directory_of(&mut opened, import.directory_id).await?;
    let choice = Choice::read(&pairs);
    let customer = opened.scope.customer();
    match choice.intent {
        Intent::Look => draw(opened, &directory, Some(import.id), choice, vec![], StatusCode::OK).await,
        Intent::Delete => {
            acts::delete(&state, &signed.who, customer, import.id).await?;
            Ok(see(&format!("/c/{slug}/imports?done=import-ended")))
        }
        Intent::Save => {
            let saved = match choice.settings() {
                Ok(settings) => acts::update(&state, &signed.who, customer, import.id, choice.version, &settings).await,
                Err(error) => Err(error),
            };
            finish(opened, &directory, Some(import.id), choice, saved).await
        }
    }
}

/// To the list, or the same form with what is wrong.
async fn finish(
    opened: Opened,
    directory: &Directory,
    import: Option<ImportId>,
    choice: Choice,
    saved: Result<(), ServiceError>,
) -> Result<Response, PageError> {
    match saved {
        Ok(()) => Ok(see(&format!("/c/{}/imports?done=import-saved", opened.customer.slug))),
        Err(error) => {
            let errors = field_errors(error)?
                .into_iter()
                .map(|error| FieldError::new(place_of(error.field), error.message))
                .collect();
            draw(opened, directory, import, choice, errors, StatusCode::UNPROCESSABLE_ENTITY).await
        }
    }
}

/// Where on the page a field of the services stands.
fn place_of(field: &str) -> &'static str {
    match field {
        "name" => "name",
        "grace_days" => "grace_days",
        "interval_minutes" => "minutes",
        _ => "include",
    }
}

async fn draw(
    opened: Opened,
    directory: &Directory,
    import: Option<ImportId>,
    choice: Choice,
    errors: Vec<FieldError>,
    status: StatusCode,
) -> Result<Response, PageError> {
    let Opened { mut tx, frame, customer, now, scope, .. } = opened;
    let domains = match import {
        Some(_) => Vec::new(),
        None => domains(&directories::list(&mut tx, &scope).await?, directory.id, &customer.slug),
    };
    let tree = grow(&units(structure::list_ous(&mut tx, directory.id).await?, &choice));
    let (groups, groups_left_out, in_groups) = import_groups::list(&mut tx, directory.id, &choice).await?;
    let action = match import {
        Some(id) => format!("/c/{}/imports/{id}", customer.slug),
        None => add_at(&customer.slug, directory.id),
    };
    let view = ImportFormPage {
        action,
        domains,
        errors,
        structure_at: directory.structure_at.map(|at| Moment::new(at, now)),
        count: count(people_in_scope(&tree), in_groups, &choice),
        tree,
        group_q: choice.group_q.clone(),
        hidden_groups: groups.iter().filter(|group| group.why_not.is_some()).count(),
        groups,
        groups_left_out,
        name: choice.name.clone(),
        minutes: choice.minutes,
        intervals: intervals(choice.minutes),
        removal: choice.removal.as_str(),
        grace_days: choice.grace_days.clone(),
        nested: choice.nesting == Nesting::Nested,
        may_delete: import.is_some(),
        save_label: if import.is_some() { "Save import" } else { "Start importing" },
        version: choice.version,
        frame,
        customer,
    };
    Ok(page_with(status, &view))
}

fn add_at(slug: &str, directory: DirectoryId) -> String {
    format!("/c/{slug}/imports/add?directory={directory}")
}

/// Nothing to choose where there is only one.
fn domains(all: &[Directory], here: DirectoryId, slug: &str) -> Vec<DomainLink> {
    let link = |directory: &Directory| DomainLink {
        name: directory.dns_name.clone(),
        href: add_at(slug, directory.id),
        is_here: directory.id == here,
    };
    if all.len() < 2 { Vec::new() } else { all.iter().map(link).collect() }
}

fn units(nodes: Vec<Node>, choice: &Choice) -> Vec<Unit> {
    let unit = |node: Node| Unit {
        guid: node.guid,
        parent: node.parent_guid,
        people: node.people,
        why_not: node.blocked.as_deref().map(import_groups::reason),
        chosen: choice.ous.contains(&node.guid),
        excluded: choice.outs.contains(&node.guid),
        name: node.name,
    };
    nodes.into_iter().map(unit).collect()
}

fn count(in_units: i64, in_groups: i64, choice: &Choice) -> ScopeCount {
    let groups = match choice.groups.len() {
        0 => String::new(),
        1 => format!("up to {} from 1 group", states::people(in_groups)),
        many => format!("up to {} from {many} groups", states::people(in_groups)),
    };
    let sentence = match (choice.ous.is_empty(), choice.groups.is_empty()) {
        (true, true) => "people: nothing is chosen yet".to_owned(),
        (false, true) => "people in the chosen units".to_owned(),
        (true, false) => groups,
        (false, false) => format!("people in the chosen units, and {groups}"),
    };
    ScopeCount {
        people: if choice.ous.is_empty() && !choice.groups.is_empty() { String::new() } else { grouped(in_units) },
        sentence,
    }
}

fn intervals(present: u32) -> Vec<Interval> {
    let mut minutes = vec![15, 30, 60, 180, 360, 720, 1440];
    if !minutes.contains(&present) {
        minutes.push(present);
        minutes.sort_unstable();
    }
    minutes.into_iter().map(|value| Interval { value, label: states::interval(value) }).collect()
}

async fn refresh(
    State(state): State<AppState>,
    signed: SignedIn,
    Path(slug): Path<String>,
) -> Result<Response, PageError> {
    require(&signed, Act::EditImport)?;
    let (_, customer) = reach::customer_by_slug(&state, &signed.who, &slug).await?;
    agents::ask(&state, &signed.who, customer.id, Ask::RefreshStructure).await?;
    Ok(see(&format!("/c/{slug}/imports?done=structure")))
}
