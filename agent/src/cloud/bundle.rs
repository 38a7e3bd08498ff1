//! Sends a support bundle, signed as the answer to the order that asked for it.

use rollcall_protocol::answer::{Answer, Refusal};
use rollcall_protocol::bundle::{BundleLink, BundleReceipt};
use rollcall_protocol::hash::BodyDigest;
use rollcall_protocol::path;
use uuid::Uuid;

use super::link::{Link, LinkError, REQUEST_TIMEOUT};

/// Once more when our clock was off or our key changed meanwhile; everything else is the caller's affair.
pub async fn send(link: &Link, command: Uuid, zip: &[u8]) -> Result<BundleReceipt, LinkError> {
    for _ in 0..3 {
        let signer = link.keys.signer();
        let jws = signer.sign_bundle(BodyDigest::of(zip), link.stamp(), BundleLink { command })?;
        match link.post(path::BUNDLES, &jws, zip.to_vec(), REQUEST_TIMEOUT).await? {
            Answer::Accepted(receipt) => return Ok(receipt),
            Answer::Refused(Refusal::Skew { server_time }) => link.clock.learn(server_time),
            // The key changed while the bundle was under way; it is signed anew.
            Answer::Refused(Refusal::Unauthorized) if signer.key.id() != link.keys.signer().key.id() => {}
            Answer::Refused(refusal) => return Err(LinkError::Refused(refusal)),
            Answer::Unintelligible { status } => return Err(LinkError::Odd { status }),
        }
    }
    Err(LinkError::Refused(Refusal::Skew { server_time: link.clock.cloud_now() }))
}
