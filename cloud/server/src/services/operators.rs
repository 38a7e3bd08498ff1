//! Operators: inviting one, giving a new sign-in link, and ending their access.

use rollcall_domain::{
    ids::OperatorId,
    role::{Act, Reach, Role},
};
use rollcall_store::{StoreError, operators, sessions, signin_links};
use serde_json::json;

use super::{
    sign_in::{self, Link},
    who::{Note, ServiceError, Who},
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
    fn check(&self) -> Result<(), ServiceError> {
        if self.name.trim().is_empty() || self.name.chars().count() > 120 {
            return Err(ServiceError::invalid("name", "A name has 1 to 120 characters."));
        }
        if !looks_like_an_address(self.email.trim()) {
            return Err(ServiceError::invalid("email", "This is no e-mail address."));
        }
        Ok(())
    }
}

/// Whether it is one is only known when a mail arrives; this keeps out slips of the hand.
pub fn looks_like_an_address(text: &str) -> bool {
    let is_clean = !text.chars().any(|c| c.is_whitespace() || c.is_control());
    let parts = text.rsplit_once('@');
    is_clean && text.len() <= 254 && parts.is_some_and(|(local, domain)| !local.is_empty() && domain.contains('.'))
}

pub async fn invite(state: &AppState, who: &Who, invitation: &Invitation) -> Result<(OperatorId, Link), ServiceError> {
    who.may(Act::ManageOperators)?;
    invitation.check()?;
    let now = state.now();
    let id = state.mint(OperatorId::mint);
    let mut tx = state.db.write(&who.scope).await?;
    let row = operators::NewOperator {
        id,
        email: &invitation.email,
        name: &invitation.name,
        role: invitation.role,
        reach: &Reach::All,
        created_at: now,
    };
    operators::insert(&mut tx, &who.scope, row).await.map_err(|error| match error {
        StoreError::Taken => ServiceError::invalid("email", "Somebody with this address is here already."),
        other @ (StoreError::WrongCount { .. }
        | StoreError::Unreadable(_)
        | StoreError::RoleBypassesWall
        | StoreError::Unavailable(_)
        | StoreError::Busy(_)
        | StoreError::Unwritable(_)
        | StoreError::Migration(_)
        | StoreError::Database(_)) => ServiceError::Store(other),
    })?;
    let link = sign_in::issue_link(state, &mut tx, &who.scope, id).await?;
    let after = json!({"email": invitation.email, "role": invitation.role});
    who.note(&mut tx, now, "operator.invite", None, Note::of(id).after(after));
    tx.commit().await?;
    Ok((id, link))
}

/// A new link; older ones stop working.
pub async fn renew_link(state: &AppState, who: &Who, id: OperatorId) -> Result<(String, Link), ServiceError> {
    who.may(Act::ManageOperators)?;
    let mut tx = state.db.write(&who.scope).await?;
    let operator = operators::find(&mut tx, &who.scope, id).await?;
    let operator = operator.filter(|operator| operator.disabled_at.is_none()).ok_or(ServiceError::NotFound)?;
    let link = sign_in::issue_link(state, &mut tx, &who.scope, id).await?;
    who.note(&mut tx, state.now(), "operator.link", None, Note::of(id));
    tx.commit().await?;
    Ok((operator.name, link))
}

/// Nobody disables themselves, and the last owner stays.
pub async fn disable(state: &AppState, who: &Who, own: OperatorId, id: OperatorId) -> Result<(), ServiceError> {
    who.may(Act::ManageOperators)?;
    if own == id {
        return Err(ServiceError::invalid("operator", "You cannot disable yourself."));
    }
    let now = state.now();
    let mut tx = state.db.write(&who.scope).await?;
    // Two owners who disable each other at once: the second one counts when the first is done.
    operators::hold_owners(&mut tx, &who.scope).await?;
    let operator = operators::find(&mut tx, &who.scope, id).await?.ok_or(ServiceError::NotFound)?;
    if operator.role == Role::Owner && operators::count_owners(&mut tx, &who.scope).await? <= 1 {
        return Err(ServiceError::invalid("operator", "The last owner cannot be disabled."));
    }
    if !operators::disable(&mut tx, &who.scope, id, now).await? {
        return Err(ServiceError::NotFound);
    }
    sessions::end_all(&mut tx, id).await?;
    signin_links::withdraw_all(&mut tx, id).await?;
    who.note(&mut tx, now, "operator.disable", None, Note::of(id));
    tx.commit().await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{TestCloud, stories};

    stories! { operators_are_the_same_on_postgres: [
        two_owners_who_disable_each_other_leave_one,
    ] }

    async fn two_owners_who_disable_each_other_leave_one(cloud: TestCloud) {
        let (state, who) = (&cloud.state, &cloud.who);
        for round in 0..5 {
            let invite = async |name: &str| {
                let email = format!("{name}{round}@msp.example");
                invite(state, who, &Invitation { name: name.to_owned(), email, role: Role::Owner }).await.unwrap().0
            };
            let (ana, ben) = (invite("Ana").await, invite("Ben").await);

            let (by_ana, by_ben) = tokio::join!(disable(state, who, ana, ben), disable(state, who, ben, ana));

            assert_ne!(by_ana.is_ok(), by_ben.is_ok(), "{by_ana:?} {by_ben:?}");
            let mut tx = cloud.db().read(&who.scope).await.unwrap();
            assert_eq!(operators::count_owners(&mut tx, &who.scope).await.unwrap(), 1);
            drop(tx);
            cloud.run_sql("update operators set role = 'auditor'").await;
        }
    }
}
