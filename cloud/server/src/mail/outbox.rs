//! Puts letters into the outbox, in the transaction of whatever there is to tell.

use rollcall_domain::{
    ids::{JobId, MailId},
    role::Act,
};
use rollcall_store::{
    StoreError, WriteTx,
    jobs::{self, NewJob},
    mails::{self, NewMail},
    operators,
};

use super::letter::Letter;
use crate::state::AppState;

/// Everybody of the tenant who may manage updates and can sign in, once for each `about`. Without a mail relay nobody: what
/// would never leave is not kept.
pub async fn tell_managers(
    tx: &mut WriteTx,
    state: &AppState,
    kind: &'static str,
    about: &str,
    letter: &Letter,
) -> Result<(), StoreError> {
    if !state.postman.has_relay() {
        tracing::warn!(kind, "nobody is told by mail: ROLLCALL_SMTP_URL is not set");
        return Ok(());
    }
    for recipient in operators::list_mails_of_whole_reach(tx, |role| role.may(Act::ManageUpdates)).await? {
        let mail = NewMail {
            id: state.mint(MailId::mint),
            kind,
            about,
            recipient: &recipient,
            subject: &letter.subject,
            body_text: &letter.text,
            body_html: &letter.html,
            created_at: state.now(),
        };
        let id = mail.id;
        if mails::insert(tx, mail).await? {
            jobs::enqueue(tx, NewJob::send_mail(state.mint(JobId::mint), id, state.now())).await?;
        }
    }
    Ok(())
}
