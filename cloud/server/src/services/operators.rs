//! Operators: inviting one, giving a new sign-in link, and ending their access.

use rollcall_domain::{
    ids::OperatorId,
    role::{Act, Reach, Role},
};
use rollcall_protocol::catalogue;
use rollcall_store::{StoreError, operators, sessions, signin_links};
use serde_json::json;

use super::{
    caller::Caller,
    journal::Journal,
    refusal::{FieldProblem, Refusal},
    sign_in::{self, Link},
};
use crate::state::AppState;

/// Whom to invite.
#[derive(Debug, Clone)]
pub struct Invitation {
    pub name: String,
    pub email: String,
    pub role: Role,
}

impl Invitation {
    fn check(&self) -> Result<(), Refusal> {
        let mut problems = Vec::new();
        if self.name.trim().is_empty() || self.name.chars().count() > 120 {
            problems.push(FieldProblem::new("name", "A name has 1 to 120 characters."));
        }
        if !looks_like_an_address(self.email.trim()) {
            problems.push(FieldProblem::new("email", "This is no e-mail address."));
        }
        if problems.is_empty() { Ok(()) } else { Err(Refusal::Invalid(problems)) }
    }
}

/// Whether it is one is only known when a mail arrives; this keeps out slips of the hand.
pub fn looks_like_an_address(text: &str) -> bool {
    let is_clean = !text.chars().any(|c| c.is_whitespace() || c.is_control());
    let parts = text.rsplit_once('@');
    is_clean && text.len() <= 254 && parts.is_some_and(|(local, domain)| !local.is_empty() && domain.contains('.'))
}

pub async fn invite(state: &AppState, caller: &Caller, invitation: &Invitation) -> Result<(OperatorId, Link), Refusal> {
    caller.may(Act::ManageOperators)?;
    invitation.check()?;
    let now = state.now();
    let id = state.mint(OperatorId::mint);
    let mut tx = state.db.write(&caller.scope).await?;
    let row = operators::NewOperator {
        id,
        email: &invitation.email,
        name: &invitation.name,
        role: invitation.role,
        reach: &Reach::All,
        created_at: now,
    };
    operators::insert(&mut tx, &caller.scope, row).await.map_err(|error| match error {
        StoreError::Taken => Refusal::invalid("email", "Somebody with this address is here already."),
        other => Refusal::Store(other),
    })?;
    let link = sign_in::issue_link(state, &mut tx, &caller.scope, id).await?;
    let after = json!({"email": invitation.email, "role": invitation.role});
    Journal::of(caller, "operator.invite").object(id).after(after).write(&mut tx, now).await?;
    tx.commit().await?;
    Ok((id, link))
}

/// A new link; older ones stop working.
pub async fn renew_link(state: &AppState, caller: &Caller, id: OperatorId) -> Result<(String, Link), Refusal> {
    caller.may(Act::ManageOperators)?;
    let mut tx = state.db.write(&caller.scope).await?;
    let operator = operators::find(&mut tx, &caller.scope, id).await?;
    let operator = operator.filter(|operator| operator.disabled_at.is_none()).ok_or(Refusal::NotFound)?;
    let link = sign_in::issue_link(state, &mut tx, &caller.scope, id).await?;
    Journal::of(caller, "operator.link").object(id).write(&mut tx, state.now()).await?;
    tx.commit().await?;
    Ok((operator.name, link))
}

/// Nobody disables themselves, and the last owner stays.
pub async fn disable(state: &AppState, caller: &Caller, id: OperatorId) -> Result<(), Refusal> {
    caller.may(Act::ManageOperators)?;
    if caller.operator == Some(id) {
        return Err(Refusal::Conflict(&catalogue::FORBIDDEN));
    }
    let now = state.now();
    let mut tx = state.db.write(&caller.scope).await?;
    let operator = operators::find(&mut tx, &caller.scope, id).await?.ok_or(Refusal::NotFound)?;
    if operator.role == Role::Owner && operators::count_owners(&mut tx, &caller.scope).await? <= 1 {
        return Err(Refusal::Conflict(&catalogue::FORBIDDEN));
    }
    if !operators::disable(&mut tx, &caller.scope, id, now).await? {
        return Err(Refusal::NotFound);
    }
    sessions::end_all(&mut tx, id).await?;
    signin_links::withdraw_all(&mut tx, id).await?;
    Journal::of(caller, "operator.disable").object(id).write(&mut tx, now).await?;
    tx.commit().await?;
    Ok(())
}
