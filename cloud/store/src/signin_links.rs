//! One-time sign-in links: made for an operator, opened once, used up in the transaction that sets the password.

use chrono::{DateTime, Utc};
use rollcall_domain::ids::OperatorId;

use crate::{
    Db, MspScope, Result, WriteTx,
    keyring::{self, KeyKind, SecretHash},
    operators::{self, Known},
};

#[derive(Debug)]
pub struct NewLink {
    pub hash: SecretHash,
    pub operator: OperatorId,
    pub created_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
}

/// Takes the place of every link this operator had.
pub async fn insert(tx: &mut WriteTx, _whole: &MspScope, link: NewLink) -> Result<()> {
    withdraw_all(tx, link.operator).await?;
    execute!(
        tx,
        "insert into signin_links (msp_id, token_hash, operator_id, created_at, expires_at)
         values ($1, $2, $3, $4, $5)",
        link.hash.as_bytes(),
        link.operator.uuid(),
        link.created_at,
        link.expires_at,
    )?
    .exactly(1)?;
    keyring::add(tx, KeyKind::SigninLink, link.hash, link.operator.uuid(), Some(link.expires_at)).await
}

/// No link of this operator works any more.
pub async fn withdraw_all(tx: &mut WriteTx, operator: OperatorId) -> Result<()> {
    execute!(tx, "delete from keyring where msp_id = $1 and subject = $2 and kind = 'signin_link'", operator.uuid(),)?
        .count();
    execute!(
        tx,
        "delete from signin_links where msp_id = $1 and operator_id = $2 and used_at is null",
        operator.uuid(),
    )?
    .count();
    Ok(())
}

/// Whom a link would sign in. Looking does not use it up, so that a mail scanner that follows links does no harm.
pub async fn find(db: &Db, hash: SecretHash, now: DateTime<Utc>) -> Result<Option<Known>> {
    let Some(owner) = keyring::find_owner(db, KeyKind::SigninLink, hash, now).await? else { return Ok(None) };
    let claimed = operators::find_claimed(db, owner.msp, owner.subject.into()).await?;
    Ok(claimed.map(|claimed| {
        let Ok(known) = claimed.prove(|_| Ok::<_, std::convert::Infallible>(()));
        known
    }))
}

/// False if somebody else was faster. The conditional update decides the race.
pub async fn use_up(tx: &mut WriteTx, hash: SecretHash, now: DateTime<Utc>) -> Result<bool> {
    let changed = execute!(
        tx,
        "update signin_links
         set used_at = $3
         where msp_id = $1 and token_hash = $2 and used_at is null and expires_at > $3",
        hash.as_bytes(),
        now,
    )?;
    if changed.any() {
        keyring::remove(tx, KeyKind::SigninLink, hash).await?.count();
    }
    Ok(changed.any())
}
