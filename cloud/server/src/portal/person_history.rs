//! One line of a person's history: what changed, field by field, why, and by whom.

use rollcall_domain::{ids::RunId, run::Change};
use rollcall_store::history::Line;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::{
    evidence,
    person::{FieldChange, HistoryLine},
    states,
    view::Moment,
};
use crate::services::switched::Switched;

pub fn show(line: &Line, slug: &str, import_name: &impl Fn(Uuid) -> Option<String>) -> HistoryLine {
    let (pill, icon) = states::change(line.change);
    let (before, after) = (line.before.as_ref().map(|v| &v.0), line.after.as_ref().map(|v| &v.0));
    let import = line.import_id.and_then(import_name);
    let what = match (line.change, &import) {
        (Change::LeftImport, Some(import)) => format!("Left {import}"),
        (Change::Joined, Some(import)) => format!("Joined {import}"),
        (
            Change::Joined
            | Change::Updated
            | Change::Returned
            | Change::LeftImport
            | Change::Departed
            | Change::Held
            | Change::Kept
            | Change::HoldCleared
            | Change::RemovalApproved
            | Change::RemovalRejected,
            _,
        ) => pill.label,
    };
    HistoryLine {
        at: Moment::exact(line.at),
        what: match Switched::of(before, after) {
            Some(Switched::Off) => "Disabled in the directory".to_owned(),
            Some(Switched::On) => "Enabled in the directory".to_owned(),
            None => what,
        },
        tone: pill.tone,
        icon,
        by: line.actor.as_ref().map(|actor| format!("by {actor}")).unwrap_or_default(),
        run: line.run_id.map(|run| format!("/c/{slug}/runs/{}", RunId::from(run))),
        why: line.evidence.as_ref().map(|value| evidence::sentence(&value.0)).unwrap_or_default(),
        fields: differences(before, after),
    }
}

/// Every field that differs, in the order people read them. A first record has nothing to differ from.
pub fn differences(before: Option<&Value>, after: Option<&Value>) -> Vec<FieldChange> {
    let (Some(Value::Object(before)), Some(Value::Object(after))) = (before, after) else { return Vec::new() };
    let (before, after) = (flat(before), flat(after));
    let mut keys: Vec<&String> = before.keys().chain(after.keys()).collect();
    keys.sort_by_key(|key| (rank(key), (*key).clone()));
    keys.dedup();
    keys.into_iter()
        .filter(|key| before.get(*key) != after.get(*key))
        .map(|key| FieldChange { label: label(key), before: told(before.get(key)), after: told(after.get(key)) })
        .collect()
}

/// Nested records become `status.enabled`; which imports hold a person is told by lines of its own.
fn flat(record: &Map<String, Value>) -> Map<String, Value> {
    let mut flat = Map::new();
    for (key, value) in record.iter().filter(|(key, _)| *key != "imports") {
        if let Value::Object(inner) = value {
            flat.extend(inner.iter().map(|(name, value)| (format!("{key}.{name}"), value.clone())));
        } else {
            flat.insert(key.clone(), value.clone());
        }
    }
    flat
}

/// Fields by their names in the record, in reading order, with what people call them.
const LABELS: [(&str, &str); 24] = [
    ("display_name", "Name"),
    ("given_name", "First name"),
    ("surname", "Surname"),
    ("account_name", "Account"),
    ("user_principal_name", "Sign-in name"),
    ("mail", "E-mail"),
    ("phone", "Phone"),
    ("mobile", "Mobile"),
    ("title", "Title"),
    ("department", "Department"),
    ("company", "Company"),
    ("office", "Office"),
    ("employee_id", "Employee number"),
    ("manager", "Manager"),
    ("description", "Description"),
    ("status.enabled", "Account enabled"),
    ("status.expires_at", "Account expires"),
    ("status.locked_at", "Locked"),
    ("status.password_set_at", "Password set"),
    ("status.password_never_expires", "Password never expires"),
    ("status.privileged_history", "Was privileged"),
    ("dn", "Place"),
    ("sid", "SID"),
    ("guid", "objectGUID"),
];

fn rank(key: &str) -> usize {
    LABELS.iter().position(|(name, _)| *name == key).unwrap_or(LABELS.len())
}

fn label(key: &str) -> String {
    let known = LABELS.iter().find(|(name, _)| *name == key).map(|(_, label)| (*label).to_owned());
    known.unwrap_or_else(|| key.strip_prefix("extra.").unwrap_or(key).replace('_', " "))
}

fn told(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::Bool(true)) => "yes".to_owned(),
        Some(Value::Bool(false)) => "no".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) => number.to_string(),
        Some(Value::Array(items)) => items.iter().map(|item| told(Some(item))).collect::<Vec<_>>().join(", "),
        Some(Value::Object(_)) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_what_differs_is_told_and_in_reading_order() {
        let before =
            json!({"dn": "CN=A", "surname": "Fischer", "status": {"enabled": true}, "imports": [1], "title": "x"});
        let after = json!({"dn": "CN=B", "surname": "Lang", "status": {"enabled": false}, "imports": [2], "title": "x", "mail": "a@b.c"});

        let told: Vec<_> =
            differences(Some(&before), Some(&after)).into_iter().map(|f| (f.label, f.before, f.after)).collect();

        let expected = [
            ("Surname", "Fischer", "Lang"),
            ("E-mail", "", "a@b.c"),
            ("Account enabled", "yes", "no"),
            ("Place", "CN=A", "CN=B"),
        ];
        assert_eq!(told, expected.map(|(a, b, c)| (a.to_owned(), b.to_owned(), c.to_owned())));
    }

    #[test]
    fn a_first_record_differs_from_nothing() {
        assert!(differences(None, Some(&json!({"mail": "a@b.c"}))).is_empty());
    }
}
