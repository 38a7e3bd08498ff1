//! What a job is to do, read from its row: a kind, and ids.

use rollcall_domain::{
    ids::{AgentId, MailId},
    job::JobKind,
};
use serde::Deserialize;
use serde_json::Value;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    ApplyCycle {
        agent: AgentId,
    },
    SendMail {
        mail: MailId,
    },
    DropBundles,
    /// Another version wrote it.
    Unreadable,
}

#[derive(Deserialize)]
struct OfAgent {
    agent: AgentId,
}

#[derive(Deserialize)]
struct OfMail {
    mail: MailId,
}

impl Work {
    pub fn read(kind: JobKind, payload: &Value) -> Self {
        match kind {
            JobKind::ApplyCycle => {
                OfAgent::deserialize(payload).map_or(Self::Unreadable, |of| Self::ApplyCycle { agent: of.agent })
            }
            JobKind::SendMail => {
                OfMail::deserialize(payload).map_or(Self::Unreadable, |of| Self::SendMail { mail: of.mail })
            }
            JobKind::DropBundles => Self::DropBundles,
        }
    }
}
