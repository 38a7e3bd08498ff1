//! Decides whether both engines can store a record: PostgreSQL's jsonb takes less than JSON allows, and an index less
//! than a column.

use rollcall_protocol::person::Person;
use serde_json::Value;

use super::record::Shown;

/// Longest name, in bytes. A row of an index may have about 2,700 with its other columns; Active Directory's own bounds
/// lie far below.
const NAME: usize = 1024;
/// Longest number, in bytes as written. Nothing of a person needs more than a 64-bit one.
const NUMBER: usize = 40;
/// Digits of an exponent. A `numeric` of PostgreSQL ends at some 16,000 places behind the point.
const EXPONENT: usize = 3;

/// The text, before anybody reads it as a person.
pub fn check_text(json: &str) -> Result<(), String> {
    // PostgreSQL stores no NUL in a text, so neither engine takes one.
    if json.contains("\\u0000") {
        return Err("holds a NUL character".to_owned());
    }
    // What a reader of persons skips is stored as well: half a surrogate pair, or a number out of every range.
    serde_json::from_str::<Value>(json)
        .map_err(|error| format!("holds what cannot be stored (line {}, column {})", error.line(), error.column()))?;
    if has_long_number(json) { Err("holds a number out of range".to_owned()) } else { Ok(()) }
}

/// The names that lists are sorted and people are found by.
pub fn check_names(person: &Person, shown: &Shown) -> Result<(), String> {
    let names = [
        ("sort name", Some(&shown.sort_name)),
        ("display name", person.display_name.as_ref()),
        ("given name", person.given_name.as_ref()),
        ("surname", person.surname.as_ref()),
        ("account name", Some(&person.account_name)),
        ("user principal name", person.user_principal_name.as_ref()),
        ("mail", person.mail.as_ref()),
    ];
    match names.into_iter().find(|(_, name)| name.is_some_and(|name| name.len() > NAME)) {
        Some((what, _)) => Err(format!("its {what} is longer than {NAME} bytes")),
        None => Ok(()),
    }
}

/// In JSON that was parsed already: outside of strings, a digit or a minus begins a number.
fn has_long_number(json: &str) -> bool {
    let mut rest = json;
    while let Some(at) = rest.find(|sign: char| sign == '"' || sign == '-' || sign.is_ascii_digit()) {
        rest = &rest[at..];
        if let Some(text) = rest.strip_prefix('"') {
            rest = after_string(text);
            continue;
        }
        let is_part = |sign: char| sign.is_ascii_digit() || matches!(sign, '+' | '-' | '.' | 'e' | 'E');
        let (number, after) = rest.split_at(rest.find(|sign| !is_part(sign)).unwrap_or(rest.len()));
        let exponent = number.split_once(['e', 'E']).map_or("", |(_, exponent)| exponent);
        if number.len() > NUMBER || exponent.trim_start_matches(['+', '-']).len() > EXPONENT {
            return true;
        }
        rest = after;
    }
    false
}

/// What follows the closing quote.
fn after_string(mut text: &str) -> &str {
    while let Some(at) = text.find(['"', '\\']) {
        if text[at..].starts_with('"') {
            return &text[at + 1..];
        }
        // An escape hides one ASCII sign; of \u the digits that follow hide nothing.
        text = text.get(at + 2..).unwrap_or_default();
    }
    ""
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_looked_for_outside_of_strings() {
        let digits = "9".repeat(100);
        for fine in [r#"{"a":"\\","b":-1.5e3}"#, "[18446744073709551615,0]", &format!(r#"{{"\"{digits}":"{digits}"}}"#)]
        {
            assert_eq!(check_text(fine), Ok(()), "{fine}");
        }
        for bad in ["[1e1000]", "[1,-1E-9999]", &format!("[{digits}]"), &format!("{{\"a\\\\\":0.{digits}}}")] {
            assert!(check_text(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn half_a_surrogate_pair_is_not_stored_and_a_whole_one_is() {
        assert!(check_text(r#"{"x":"\ud800"}"#).is_err());
        assert!(check_text(r#"{"\udc00":1}"#).is_err());
        assert_eq!(check_text(r#"{"x":"\ud83d\ude00"}"#), Ok(()));
    }
}
