//! The form that pauses a customer or one import: with a reason, and an end if wanted.

use askama::Template;
use axum::{
    Form,
    extract::{Path, State},
    http::StatusCode,
    response::Response,
};
use chrono::TimeDelta;
use rollcall_domain::{
    ids::{CustomerId, ImportId},
    role::Act,
};
use rollcall_store::imports;
use serde::Deserialize;

use super::{
    answer::{PageError, field_errors, page, page_with, see},
    customer_head::{CustomerHead, Place, Tab, open},
    guard::{SignedIn, require},
    pages::Pages,
    view::{FieldError, Frame},
};
use crate::{
    services::{
        pauses::{self, Target, Wish},
        reach,
    },
    state::AppState,
};

pub fn routes() -> Pages {
    Pages::new()
        .get("/c/{slug}/pause", show_customer)
        .post("/c/{slug}/pause", pause_customer)
        .get("/c/{slug}/imports/{import}/pause", show_import)
        .post("/c/{slug}/imports/{import}/pause", pause_import)
}

#[derive(Debug, Template)]
#[template(path = "pause.html")]
pub struct PausePage {
    pub frame: Frame,
    pub customer: CustomerHead,
    pub what: String,
    pub meaning: &'static str,
    pub action: String,
    pub back: String,
    pub reason: String,
    pub errors: Vec<FieldError>,
}

#[derive(Debug, Deserialize)]
struct PauseForm {
    reason: String,
    /// Empty: until somebody resumes.
    #[serde(default)]
    hours: String,
}

/// What is to be paused, as the addresses say.
#[derive(Debug, Clone, Copy)]
pub enum Subject {
    Customer,
    Import(ImportId),
}

async fn show_customer(
    State(state): State<AppState>,
    signed: SignedIn,
    Path(slug): Path<String>,
) -> Result<Response, PageError> {
    Ok(page(&draw(&state, &signed, &slug, Subject::Customer, String::new(), vec![]).await?))
}

async fn show_import(
    State(state): State<AppState>,
    signed: SignedIn,
    Path((slug, import)): Path<(String, String)>,
) -> Result<Response, PageError> {
    let subject = Subject::Import(import.parse()?);
    Ok(page(&draw(&state, &signed, &slug, subject, String::new(), vec![]).await?))
}

async fn pause_customer(
    State(state): State<AppState>,
    signed: SignedIn,
    Path(slug): Path<String>,
    Form(form): Form<PauseForm>,
) -> Result<Response, PageError> {
    pause(&state, &signed, &slug, Subject::Customer, form).await
}

async fn pause_import(
    State(state): State<AppState>,
    signed: SignedIn,
    Path((slug, import)): Path<(String, String)>,
    Form(form): Form<PauseForm>,
) -> Result<Response, PageError> {
    let subject = Subject::Import(import.parse()?);
    pause(&state, &signed, &slug, subject, form).await
}

async fn pause(
    state: &AppState,
    signed: &SignedIn,
    slug: &str,
    subject: Subject,
    form: PauseForm,
) -> Result<Response, PageError> {
    require(signed, Act::Pause)?;
    let (_, customer) = reach::customer_by_slug(state, &signed.who, slug).await?;
    let hours = form.hours.parse().ok().and_then(TimeDelta::try_hours);
    let wish = Wish { reason: form.reason.clone(), until: hours.map(|hours| state.now() + hours) };
    match pauses::pause(state, &signed.who, target(customer.id, subject), wish).await {
        Ok(()) => Ok(see(&format!("{}?done=paused", back(slug, subject)))),
        Err(error) => {
            let errors = field_errors(error)?;
            let view = draw(state, signed, slug, subject, form.reason, errors).await?;
            Ok(page_with(StatusCode::UNPROCESSABLE_ENTITY, &view))
        }
    }
}

const fn target(customer: CustomerId, subject: Subject) -> Target {
    match subject {
        Subject::Customer => Target::Customer(customer),
        Subject::Import(import) => Target::Import(customer, import),
    }
}

/// What stands still while it lasts.
pub const fn meaning(subject: Subject) -> &'static str {
    match subject {
        Subject::Customer => {
            "While paused, the agent only reports that it is alive. Nobody is added, changed or removed."
        }
        Subject::Import(_) => {
            "While paused, this import is not read: nobody in it is added, changed or removed. The customer's other imports go on."
        }
    }
}

fn back(slug: &str, subject: Subject) -> String {
    match subject {
        Subject::Customer => format!("/c/{slug}"),
        Subject::Import(_) => format!("/c/{slug}/imports"),
    }
}

async fn draw(
    state: &AppState,
    signed: &SignedIn,
    slug: &str,
    subject: Subject,
    reason: String,
    errors: Vec<FieldError>,
) -> Result<PausePage, PageError> {
    require(signed, Act::Pause)?;
    let mut opened = open(state, signed, slug, Place::tab(Tab::Overview, "Pause")).await?;
    let (what, action) = match subject {
        Subject::Customer => (opened.customer.name.clone(), format!("/c/{slug}/pause")),
        Subject::Import(id) => {
            let import = imports::find(&mut opened.tx, &opened.scope, id).await?.ok_or(PageError::NotFound)?;
            (format!("the import “{}”", import.name), format!("/c/{slug}/imports/{id}/pause"))
        }
    };
    opened.frame.refresh_without_script = None;
    Ok(PausePage {
        what,
        meaning: meaning(subject),
        action,
        back: back(slug, subject),
        reason,
        errors,
        frame: opened.frame,
        customer: opened.customer,
    })
}
