//! Registers pages and forms, and remembers which there are, so that a test can hold every one to the same rules.

use axum::{
    Router,
    handler::Handler,
    http::Method,
    routing::{get, post},
};

use crate::state::AppState;

/// A router that knows its routes.
#[derive(Debug, Default)]
pub struct Pages {
    router: Router<AppState>,
    table: Vec<(Method, &'static str)>,
}

impl Pages {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn get<H: Handler<T, AppState>, T: 'static>(mut self, path: &'static str, handler: H) -> Self {
        self.table.push((Method::GET, path));
        Self { router: self.router.route(path, get(handler)), ..self }
    }

    pub fn post<H: Handler<T, AppState>, T: 'static>(mut self, path: &'static str, handler: H) -> Self {
        self.table.push((Method::POST, path));
        Self { router: self.router.route(path, post(handler)), ..self }
    }

    pub fn merge(mut self, other: Self) -> Self {
        self.table.extend(other.table);
        Self { router: self.router.merge(other.router), ..self }
    }

    pub fn into_router(self) -> Router<AppState> {
        self.router
    }

    pub fn table(&self) -> &[(Method, &'static str)] {
        &self.table
    }
}
