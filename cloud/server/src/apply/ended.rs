//! Decides who leaves because an operator deleted their import, where the agent has forgotten that they were in it.

use std::collections::HashSet;

use rollcall_domain::ids::ImportId;
use rollcall_protocol::{
    batch::CycleKind,
    evidence::{Departure, Evidence, Stance},
};
use rollcall_store::{StoreError, WriteTx, memberships};
use uuid::Uuid;

use super::people::{Frame, Tally};

/// The departures that a whole reading owes and does not have: of everybody whom the cloud still has in a deleted import
/// in which the reading shows nobody any more. An agent that still shows somebody in it has not heard of its end, and
/// will tell the departures itself.
///
/// The evidence is the operator's decision, the one that the agent would have named. They wait for a human, as the guard
/// lets them when the agent tells them: no import may be empty without one.
pub async fn departures(
    tx: &mut WriteTx,
    frame: &Frame<'_>,
    tally: &Tally,
    told: &[Departure],
) -> Result<Vec<Departure>, StoreError> {
    let mut owed = Vec::new();
    match frame.extent {
        CycleKind::Delta => return Ok(owed),
        CycleKind::Full => {}
    }
    let told: HashSet<(Uuid, ImportId)> =
        told.iter().map(|departure| (departure.guid, departure.import.into())).collect();
    for import in frame.imports.difference(&frame.live).filter(|import| !tally.peopled.contains(import)) {
        let left = memberships::list_active_guids(tx, *import).await?;
        owed.extend(left.into_iter().filter(|guid| !told.contains(&(*guid, *import))).map(|guid| Departure {
            guid,
            import: import.uuid(),
            evidence: Evidence::Deselected,
            stance: Stance::Held,
        }));
    }
    Ok(owed)
}
