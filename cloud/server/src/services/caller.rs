//! Who asks: an operator with a session or a script with a key, what they reach, and what their role allows.

use rollcall_domain::{
    ids::OperatorId,
    role::{Act, Role},
};
use rollcall_store::{
    MspScope,
    api_keys::Holder,
    audit::{Actor, Source},
    operators::Known,
};

use super::{refusal::Refusal, sign_in::Visitor};

/// An authenticated caller. Nothing is done without one.
#[derive(Debug, Clone)]
pub struct Caller {
    pub scope: MspScope,
    pub role: Role,
    pub actor: Actor,
    /// Set for people, not for keys.
    pub operator: Option<OperatorId>,
}

impl Caller {
    pub fn operator(known: &Known, visitor: &Visitor) -> Self {
        let ip = visitor.ip.map(|ip| ip.to_string());
        Self {
            scope: known.scope.clone(),
            role: known.operator.role,
            actor: Actor { name: known.operator.name.clone(), source: Source::Portal, ip },
            operator: Some(known.operator.id),
        }
    }

    pub fn key(holder: Holder, visitor: &Visitor) -> Self {
        let ip = visitor.ip.map(|ip| ip.to_string());
        Self {
            scope: holder.scope,
            role: holder.key.role,
            actor: Actor { name: format!("key {}", holder.key.name), source: Source::Api, ip },
            operator: None,
        }
    }

    /// Whether this role may do it at all; what it may do it to is the scope's answer.
    pub fn may(&self, act: Act) -> Result<(), Refusal> {
        if self.role.may(act) { Ok(()) } else { Err(Refusal::Forbidden { needed: Role::needed_for(act) }) }
    }
}
