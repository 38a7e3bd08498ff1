//! Says in a sentence why somebody left, or would leave.

use rollcall_protocol::evidence::{Evidence, LOCAL_CEILING};
use serde_json::Value;

/// Evidence of a newer agent is named by its kind.
pub fn sentence(value: &Value) -> String {
    match serde_json::from_value::<Evidence>(value.clone()) {
        Ok(Evidence::Deleted) => "Deleted in the directory.".to_owned(),
        Ok(Evidence::LeftScope { dn }) => format!("Moved out of the chosen units, to {}.", parent(&dn)),
        Ok(Evidence::LeftGroup { .. }) => "No longer in the chosen group.".to_owned(),
        Ok(Evidence::Excluded { by }) if by == LOCAL_CEILING => {
            "In a place that the customer's own file says never to read.".to_owned()
        }
        Ok(Evidence::Excluded { by }) => format!("Excluded by {by}."),
        Ok(Evidence::Deselected) => "The unit or group is no longer chosen.".to_owned(),
        Ok(Evidence::Absent { .. }) => {
            "Not found in two complete readings: deleted, or hidden from the agent.".to_owned()
        }
        Err(_) => value.get("kind").and_then(Value::as_str).unwrap_or_default().replace('_', " "),
    }
}

/// Where the object lies: its DN without its own name. A comma inside a name is escaped (RFC 4514 2.4).
fn parent(dn: &str) -> &str {
    let mut is_escaped = false;
    for (at, c) in dn.char_indices() {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            ',' => return &dn[at + 1..],
            _ => {}
        }
    }
    dn
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_move_says_where_to() {
        let moved = json!({"kind": "left_scope", "dn": "CN=Fischer\\, Ada,OU=Leavers,DC=contoso,DC=local"});
        assert_eq!(sentence(&moved), "Moved out of the chosen units, to OU=Leavers,DC=contoso,DC=local.");
    }

    #[test]
    fn evidence_of_a_newer_agent_is_still_named() {
        assert_eq!(sentence(&json!({"kind": "moved_to_mars"})), "moved to mars");
        assert_eq!(sentence(&json!(7)), "");
    }
}
