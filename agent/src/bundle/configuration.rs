//! Decides which keys of the configuration may be shown with their values. A key that is not on the list is shown without
//! one: a new key is private until somebody has thought about it.

use toml::{Table, Value};

use super::redact::Redactor;
use crate::config::Config;
use crate::diagnostic::Diagnostic;

/// Shown as they are: paths, names of machines, numbers.
const HARMLESS: &[&str] = &[
    "data_dir",
    "ldap.host",
    "ldap.domain",
    "ldap.name_server",
    "ldap.realm",
    "ldap.port",
    "ldap.address",
    "ldap.transport",
    "ldap.sign_in",
    "ldap.ca_file",
    "ldap.password_file",
    "ldap.keytab_file",
    "ldap.connect_seconds",
    "ldap.entry_seconds",
    "cloud.ca_file",
    "cloud.proxy_password_file",
    "cycle.second_reading_seconds",
    "privacy.withhold",
    "log.level",
    "log.folder",
    "update.trial_seconds",
];

/// The file as it is in force, key by key.
pub fn tell(config: &Config, redactor: &mut Redactor) -> String {
    let Some(path) = &config.path else { return "# There is no file; every key has its default.\n".to_owned() };
    let text = std::fs::read_to_string(path).unwrap_or_default();
    match text.parse::<Table>() {
        Ok(table) => tell_table("", &table, redactor),
        Err(_) => "# The file was changed since and cannot be read any more.\n".to_owned(),
    }
}

/// The place of the mistake, but not its text, which may be a secret in the wrong line.
pub fn tell_unreadable(fault: &Diagnostic) -> String {
    let place = fault.detail.split_once("line ").and_then(|(_, rest)| rest.split_once(':'));
    let place = place.map_or("", |(place, _)| place);
    format!("# {} {}: line {place}\n", fault.fault.code, fault.fault.title)
}

/// What the reader of the file said of it, behind the place.
pub fn text_of_mistake(fault: &Diagnostic) -> Option<String> {
    let (_, after) = fault.detail.split_once("column ")?;
    after.split_once(": ").map(|(_, text)| text.to_owned())
}

fn tell_table(prefix: &str, table: &Table, redactor: &mut Redactor) -> String {
    let mut text = String::new();
    for (key, value) in table {
        let key = format!("{prefix}{key}");
        match value {
            Value::Table(inner) => text.push_str(&tell_table(&format!("{key}."), inner, redactor)),
            Value::String(_)
            | Value::Integer(_)
            | Value::Float(_)
            | Value::Boolean(_)
            | Value::Datetime(_)
            | Value::Array(_) => text.extend([key.as_str(), " = ", &tell_value(&key, value, redactor), "\n"]),
        }
    }
    text
}

fn tell_value(key: &str, value: &Value, redactor: &mut Redactor) -> String {
    if HARMLESS.contains(&key) {
        return redactor.line(&value.to_string());
    }
    redactor.leave_out(&format!("the value of {key}"));
    match value.as_array() {
        Some(items) => format!("\"({} entries, removed)\"", items.len()),
        None => "\"(removed)\"".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Names of accounts, places and whatever may carry a password.
    const PRIVATE: &[&str] =
        &["ldap.bind_user", "ldap.principal", "cloud.proxy", "cloud.proxy_user", "privacy.never_read"];

    // proves: M-49
    #[test]
    fn every_documented_key_was_thought_about() {
        let text: String = crate::config::TEMPLATE
            .lines()
            .map(|line| line.strip_prefix("#: ").unwrap_or(line))
            .flat_map(|line| [line, "\n"])
            .collect();
        let table: Table = text.parse().unwrap();
        for (key, value) in &table {
            let keys = match value.as_table() {
                Some(section) => section.keys().map(|inner| format!("{key}.{inner}")).collect(),
                None => vec![key.clone()],
            };
            for key in keys {
                let (shown, hidden) = (HARMLESS.contains(&key.as_str()), PRIVATE.contains(&key.as_str()));
                assert!(shown != hidden, "{key} is on {} lists", usize::from(shown) + usize::from(hidden));
            }
        }
    }

    // proves: M-49
    #[test]
    fn only_keys_that_are_known_to_be_harmless_show_their_values() {
        let table: Table =
            "data_dir = '/var/lib/x'\n[ldap]\nbind_user = 'svc@lab'\nport = 636\n[cloud]\nproxy = 'http://u:p@x'\n\
             [privacy]\nnever_read = ['OU=Board,DC=lab']\n[later]\nsecret = 'x'\n"
                .parse()
                .unwrap();
        let mut redactor = Redactor::new(Vec::new());

        let text = tell_table("", &table, &mut redactor);

        assert!(text.contains("data_dir = \"/var/lib/x\"\n") && text.contains("ldap.port = 636\n"), "{text}");
        assert!(text.contains("privacy.never_read = \"(1 entries, removed)\""), "{text}");
        for secret in ["svc", "http", "Board", "'x'", "\"x\""] {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
        assert_eq!(redactor.removed().len(), 4);
    }

    #[test]
    fn of_an_unreadable_file_only_the_place_of_the_mistake_is_told() {
        let fault = Diagnostic::new(
            rollcall_protocol::catalogue::CONFIG_UNREADABLE,
            "agent.toml: line 3, column 7: unknown field `hunter2`",
            crate::exit::Exit::Usage,
        );

        assert_eq!(tell_unreadable(&fault), "# RC-1006 Configuration unreadable: line 3, column 7\n");
    }
}
