//! Mail on its way: each is a row before it leaves, and nobody is told of one thing twice.

use chrono::{DateTime, Utc};
use rollcall_domain::ids::MailId;
use uuid::Uuid;

use crate::{Result, Tx, WriteTx};

#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Mail {
    #[sqlx(try_from = "Uuid")]
    pub id: MailId,
    pub recipient: String,
    pub subject: String,
    pub body_text: String,
    pub body_html: String,
    /// When it was about to leave, unless the relay said no since.
    pub tried_at: Option<DateTime<Utc>>,
    pub sent_at: Option<DateTime<Utc>>,
}

#[derive(Debug)]
pub struct NewMail<'a> {
    pub id: MailId,
    pub kind: &'a str,
    /// What it is about: the same recipient hears of it once.
    pub about: &'a str,
    pub recipient: &'a str,
    pub subject: &'a str,
    pub body_text: &'a str,
    pub body_html: &'a str,
    pub created_at: DateTime<Utc>,
}

/// False if this recipient was told of it before.
pub async fn insert(tx: &mut WriteTx, mail: NewMail<'_>) -> Result<bool> {
    let inserted = execute!(
        tx,
        "insert into mails (msp_id, id, kind, about, recipient, subject, body_text, body_html, created_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
         on conflict (msp_id, kind, about, recipient) do nothing",
        mail.id.uuid(),
        mail.kind,
        mail.about,
        mail.recipient,
        mail.subject,
        mail.body_text,
        mail.body_html,
        mail.created_at,
    )?;
    Ok(inserted.any())
}

pub async fn find(tx: &mut Tx, id: MailId) -> Result<Option<Mail>> {
    fetch_optional!(
        tx,
        Mail,
        "select id, recipient, subject, body_text, body_html, tried_at, sent_at
         from mails
         where msp_id = $1 and id = $2",
        id.uuid(),
    )
}

/// Before it leaves. Fails if it may have left already.
pub async fn set_tried(tx: &mut WriteTx, id: MailId, at: DateTime<Utc>) -> Result<()> {
    execute!(
        tx,
        "update mails set tried_at = $3 where msp_id = $1 and id = $2 and tried_at is null and sent_at is null",
        id.uuid(),
        at,
    )?
    .exactly(1)
}

/// It is known that it did not leave, or a human is to decide about it.
pub async fn clear_tried(tx: &mut WriteTx, id: MailId) -> Result<()> {
    execute!(tx, "update mails set tried_at = null where msp_id = $1 and id = $2", id.uuid())?.exactly(1)
}

/// The relay has it.
pub async fn set_sent(tx: &mut WriteTx, id: MailId, at: DateTime<Utc>) -> Result<()> {
    execute!(tx, "update mails set sent_at = $3 where msp_id = $1 and id = $2", id.uuid(), at)?.exactly(1)
}
