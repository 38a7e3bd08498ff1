//! Decides which fields of a person changed: the before and after of a history line.

use std::collections::BTreeMap;

use serde_json::{Value, value::RawValue};

type Fields<'a> = BTreeMap<String, &'a RawValue>;

/// Only the fields that differ, as two JSON objects.
#[derive(Debug)]
pub struct Difference {
    pub before: Box<RawValue>,
    pub after: Box<RawValue>,
}

/// `None`: the two say the same, however they are written.
pub fn compare(before: &RawValue, after: &RawValue) -> Result<Option<Difference>, serde_json::Error> {
    if before.get() == after.get() {
        return Ok(None);
    }
    let mut old: Fields<'_> = serde_json::from_str(before.get())?;
    let mut new: Fields<'_> = serde_json::from_str(after.get())?;
    old.retain(|name, value| match new.get(name) {
        Some(other) if is_same(value, other) => {
            new.remove(name);
            false
        }
        Some(_) | None => true,
    });
    if old.is_empty() && new.is_empty() {
        return Ok(None);
    }
    Ok(Some(Difference {
        before: serde_json::value::to_raw_value(&old)?,
        after: serde_json::value::to_raw_value(&new)?,
    }))
}

/// A database may write JSON its own way (spaces, order of members), so bytes decide only when they agree.
fn is_same(a: &RawValue, b: &RawValue) -> bool {
    if a.get() == b.get() {
        return true;
    }
    match (serde_json::from_str::<Value>(a.get()), serde_json::from_str::<Value>(b.get())) {
        (Ok(a), Ok(b)) => a == b,
        (Ok(_) | Err(_), Ok(_) | Err(_)) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(text: &str) -> Box<RawValue> {
        RawValue::from_string(text.to_owned()).unwrap()
    }

    #[test]
    fn only_what_changed_is_told() {
        let difference = compare(
            &raw(r#"{"guid":"1","mail":"a@x","title":"Clerk"}"#),
            &raw(r#"{"guid":"1","mail":"b@x","phone":"7"}"#),
        );
        let difference = difference.unwrap().unwrap();
        assert_eq!(difference.before.get(), r#"{"mail":"a@x","title":"Clerk"}"#);
        assert_eq!(difference.after.get(), r#"{"mail":"b@x","phone":"7"}"#);
    }

    #[test]
    fn spacing_and_order_are_no_change() {
        let difference =
            compare(&raw(r#"{"a": {"x": 1, "y": [2, 3]}, "b": "ü"}"#), &raw(r#"{"b":"\u00fc","a":{"y":[2,3],"x":1}}"#));
        assert!(difference.unwrap().is_none());
    }
}
