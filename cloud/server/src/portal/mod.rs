//! The portal: pages for people, drawn by the server.
//!
//! Every page has one representation; live parts ask for the same address and take their own region out of it. Every
//! control is a real link or form first, so everything works without script.

pub mod assets;
pub mod pages;
pub mod protect;
pub mod guard;
pub mod answer;
pub mod cursor;
pub mod notices;
pub mod view;
pub mod states;
pub mod evidence;
pub mod sign_in;
pub mod refusal;
pub mod dashboard;
pub mod customers;
pub mod customer_head;
pub mod customer;
pub mod install;
pub mod download;
pub mod imports;
pub mod tree;
pub mod import_choice;
pub mod import_groups;
pub mod import_form;
pub mod pause;
pub mod people;
pub mod people_csv;
pub mod person;
pub mod person_history;
pub mod runs;
pub mod run;
pub mod held;
pub mod agents;
pub mod agent;
pub mod ceiling;
pub mod bundles;
pub mod updates;
pub mod delaying;
pub mod pinning;
pub mod settings;
pub mod audit;
pub mod system;
pub mod codes;
pub mod events;

use axum::{Router, middleware};
use tower_http::compression::CompressionLayer;

use crate::state::AppState;
use pages::Pages;

/// Every page and form.
pub fn pages() -> Pages {
    Pages::new()
        .merge(sign_in::routes())
        .merge(dashboard::routes())
        .merge(customers::routes())
        .merge(customer::routes())
        .merge(install::routes())
        .merge(download::routes())
        .merge(imports::routes())
        .merge(import_form::routes())
        .merge(pause::routes())
        .merge(people::routes())
        .merge(people_csv::routes())
        .merge(person::routes())
        .merge(runs::routes())
        .merge(run::routes())
        .merge(held::routes())
        .merge(agents::routes())
        .merge(agent::routes())
        .merge(bundles::routes())
        .merge(updates::routes())
        .merge(delaying::routes())
        .merge(pinning::routes())
        .merge(settings::routes())
        .merge(audit::routes())
        .merge(system::routes())
        .merge(codes::routes())
        .get("/events", events::listen)
        .get("/assets/{*path}", assets::serve)
}

/// What is none of the pages is answered by the last line.
pub fn router(state: AppState) -> Router {
    pages()
        .into_router()
        .fallback(nowhere)
        .layer(middleware::from_fn_with_state(state.clone(), protect::refuse_cross_site))
        .layer(middleware::from_fn(protect::add_headers))
        .layer(CompressionLayer::new())
        .with_state(state)
}

async fn nowhere() -> answer::PageError {
    answer::PageError::NotFound
}

#[cfg(test)]
mod tests;
