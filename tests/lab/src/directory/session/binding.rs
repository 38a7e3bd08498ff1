//! Who a client is. Passwords travel only under TLS; a name without a password is nobody, and yet no error (RFC 4513 5.1.2).

use super::{Act, Channel, Session};
use crate::directory::{
    Shared,
    attribute::Attr,
    entry::{EntryId, Life},
    fault::Fault,
    forest::{Forest, admin::DISABLED},
    root_dse::find_principal,
    wire::{
        answer::{self, Code, Outcome, answer_tag},
        request::{Bind, Proof},
    },
};

impl Session {
    pub(super) fn bind(&mut self, shared: &Shared, id: i64, bind: &Bind) -> Vec<Act> {
        if shared.rules().faults.has(&Fault::StallBinds) {
            return vec![Act::Hang];
        }
        self.who = None;
        let outcome = match self.recognise(shared, bind) {
            Ok(who) => {
                self.who = who;
                Outcome::success()
            }
            Err(outcome) => {
                shared.ledger.note(|tally| tally.refused_binds += 1);
                outcome
            }
        };
        vec![Act::Send(answer::outcome(id, answer_tag::BIND, &outcome))]
    }

    fn recognise(&self, shared: &Shared, bind: &Bind) -> Result<Option<EntryId>, Outcome> {
        let Proof::Password(password) = &bind.proof else {
            return Err(Outcome::new(
                Code::AUTH_METHOD,
                "00002027: LdapErr: DSID-0C0905ED, comment: Invalid Authentication method, data 0",
            ));
        };
        if password.is_empty() {
            return Ok(None);
        }
        if self.channel == Channel::Clear {
            return Err(Outcome::new(
                Code::STRONGER_AUTH,
                "00002028: LdapErr: DSID-0C090259, comment: The server requires binds to turn on integrity checking if SSL\\TLS are not already active on the connection, data 0, v4563",
            ));
        }
        if let Some(data) = shared.rules().faults.bind_refusal() {
            return Err(invalid_credentials(data));
        }
        check(shared, &shared.forest(), &bind.name, password).map(Some).map_err(invalid_credentials)
    }
}

/// The account with this name and password, or the sub-code of the refusal.
fn check(shared: &Shared, forest: &Forest, name: &str, password: &[u8]) -> Result<EntryId, &'static str> {
    let id = find_principal(forest, name).ok_or("525")?;
    let entry = forest.entry(id);
    let is_right = shared.rules().passwords.get(&entry.guid).is_some_and(|own| own.as_bytes() == password);
    if entry.life == Life::Deleted {
        return Err("525");
    }
    if !is_right {
        return Err("52e");
    }
    if entry.number(Attr::UserAccountControl).unwrap_or(0) & DISABLED != 0 {
        return Err("533");
    }
    Ok(id)
}

fn invalid_credentials(data: &str) -> Outcome {
    let message = format!("80090308: LdapErr: DSID-0C090439, comment: AcceptSecurityContext error, data {data}, v4563");
    Outcome::new(Code::INVALID_CREDENTIALS, message)
}
