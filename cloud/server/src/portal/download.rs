//! The agent's installer for those who may install agents.

use axum::{
    extract::State,
    response::{IntoResponse as _, Response},
};
use rollcall_domain::role::Act;

use super::{
    answer::PageError,
    guard::{SignedIn, require},
    pages::Pages,
};
use crate::state::AppState;

pub fn routes() -> Pages {
    Pages::new().get("/download/rollcall-agent-x64.msi", installer)
}

async fn installer(State(state): State<AppState>, signed: SignedIn) -> Result<Response, PageError> {
    require(&signed, Act::InstallAgent)?;
    Ok(state.installer.find(state.now()).await.ok_or(PageError::NotFound)?.into_response())
}
