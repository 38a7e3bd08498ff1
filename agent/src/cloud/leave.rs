//! Tells the cloud that this agent ends its own identity.

use rollcall_protocol::bundle::Farewell;
use rollcall_protocol::path;

use super::link::{Link, LinkError, REQUEST_TIMEOUT};
use crate::identity::Identity;

/// After a positive answer the key is refused for ever.
pub async fn leave(link: &Link, identity: &Identity) -> Result<(), LinkError> {
    let body = serde_json::to_vec(&Farewell { leaves: identity.agent });
    let body = body.map_err(|error| LinkError::Setup(error.to_string()))?;
    let _: serde_json::Value = link.ask(path::LEAVE, &body, REQUEST_TIMEOUT).await?;
    Ok(())
}
