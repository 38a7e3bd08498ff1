//! What an inspecting proxy would put in the place of the instructions.

use rollcall_protocol::desired::DesiredState;
use rollcall_protocol::directory::DomainPin;
use rollcall_protocol::key::PrivateKey;
use uuid::Uuid;

/// Instructions that must not be obeyed.
#[derive(Debug, Clone, Copy)]
pub enum Forgery {
    OtherKey,
    Older,
    OtherAgent,
    OtherDomain,
}

impl Forgery {
    /// With an empty list of imports, so that obeying would be seen.
    pub(super) fn make(self, desired: &DesiredState, key: &PrivateKey) -> String {
        let mut forged = DesiredState { imports: Vec::new(), version: desired.version + 1, ..desired.clone() };
        match self {
            Self::OtherKey => return forged.sign(&PrivateKey::from_seed(&[66; 32])).unwrap(),
            Self::Older => forged.version = 1,
            Self::OtherAgent => forged.agent = Uuid::from_u128(0xbad),
            Self::OtherDomain => {
                let pin =
                    DomainPin { guid: Uuid::from_u128(0xbad), sid: "S-1-5-21-6-6-6".into(), dns_name: "bad".into() };
                forged.domain = Some(pin);
            }
        }
        forged.sign(key).unwrap()
    }
}
