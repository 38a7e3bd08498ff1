//! What the audit log says of a token beside its use: who presents one that opens nothing any more may have found it in a
//! script, and who fetches an installer with one may not be who was meant to.

use rollcall_domain::ids::CustomerId;
use rollcall_protocol::answer::TokenFault;
use rollcall_store::{
    Result, WriteTx,
    audit::{self, Actor, Entry, Source},
    enrol_tokens::{self, TokenHolder, Trace},
};
use serde_json::json;

use crate::state::AppState;

/// What was done with the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act<'a> {
    /// Somebody on this host, by its own word, wanted to enrol.
    Enrol {
        host: &'a str,
        refused: TokenFault,
    },
    Fetch,
    FetchRefused(TokenFault),
}

impl Act<'_> {
    const fn action(self) -> &'static str {
        match self {
            Self::Enrol { .. } | Self::FetchRefused(_) => "enrol_token.refuse",
            Self::Fetch => "installer.fetch",
        }
    }

    const fn trace(self) -> Trace {
        match self {
            Self::Enrol { .. } | Self::FetchRefused(_) => Trace::Refusal,
            Self::Fetch => Trace::Fetch,
        }
    }

    fn told(self) -> Option<serde_json::Value> {
        match self {
            Self::Enrol { host, refused } => Some(json!({ "host": host, "why": refused })),
            Self::FetchRefused(refused) => Some(json!({ "installer": true, "why": refused })),
            Self::Fetch => None,
        }
    }
}

/// One line, as long as there are few about this token.
pub async fn leave(
    tx: &mut WriteTx,
    state: &AppState,
    holder: TokenHolder,
    customer: CustomerId,
    act: Act<'_>,
) -> Result<()> {
    if !enrol_tokens::count_trace(tx, holder, act.trace()).await? {
        return Ok(());
    }
    let actor = Actor { name: format!("holder of {}", holder.token()), source: Source::Agent, ip: None };
    let entry = Entry {
        at: state.now(),
        actor: &actor,
        action: act.action(),
        customer: Some(customer),
        object: Some(holder.token().to_string()),
        before: None,
        after: act.told(),
    };
    audit::append(tx, entry);
    Ok(())
}
