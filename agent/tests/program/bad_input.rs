//! Every key of the configuration, each with something wrong in it: refused with its code and its place, and nothing on
//! this machine or at the cloud is changed by it.

use std::collections::{BTreeMap, BTreeSet};

use rollcall_agent::config::TEMPLATE;
use rollcall_protocol::catalogue;

use crate::home::Home;

/// The documented keys with an example of each, from the template that `enroll` writes.
fn documented() -> BTreeMap<String, toml::Value> {
    let example = |line: &'static str| line.strip_prefix("#: ").or_else(|| line.strip_prefix("#| ")).unwrap_or(line);
    let text: String = TEMPLATE.lines().map(example).collect::<Vec<_>>().join("\n");
    let table: toml::Table = text.parse().unwrap();
    let mut keys = BTreeMap::new();
    for (key, value) in table {
        match value {
            toml::Value::Table(section) => {
                keys.extend(section.into_iter().map(|(inner, value)| (format!("{key}.{inner}"), value)));
            }
            value @ (toml::Value::String(_)
            | toml::Value::Integer(_)
            | toml::Value::Float(_)
            | toml::Value::Boolean(_)
            | toml::Value::Datetime(_)
            | toml::Value::Array(_)) => drop(keys.insert(key, value)),
        }
    }
    keys
}

type Spoil = fn(&Home);
type Forging = fn(&mut crate::cloud::Books);

/// Kinds of values that a key could hold by mistake. A whole number may stand for no text, and no text for a number.
fn wrong_kinds(right: &toml::Value) -> Vec<&'static str> {
    let all = [("string", "'soon'"), ("integer", "-7"), ("float", "1.5"), ("boolean", "true"), ("table", "{ a = 1 }")];
    let mut wrong: Vec<&str> =
        all.iter().filter(|(kind, _)| *kind != right.type_str()).map(|(_, text)| *text).collect();
    // A list of texts is what two kinds of keys take; a list of lists is what none takes.
    wrong.push("[[1]]");
    wrong.push("1979-05-27");
    wrong
}

/// The configuration with one line of one section replaced, or added.
fn with(home: &Home, key: &str, value: &str) -> String {
    let text = std::fs::read_to_string(home.path("agent.toml")).unwrap();
    let mut table: toml::Table = text.parse().unwrap();
    let value: toml::Table = format!("x = {value}").parse().unwrap();
    let value = value["x"].clone();
    match key.split_once('.') {
        None => drop(table.insert(key.to_owned(), value)),
        Some((section, inner)) => {
            let section = table.entry(section).or_insert_with(|| toml::Value::Table(toml::Table::new()));
            section.as_table_mut().unwrap().insert(inner.to_owned(), value);
        }
    }
    toml::to_string(&table).unwrap()
}

#[test]
fn every_documented_key_refuses_every_wrong_kind_of_value_with_its_place() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let home = runtime.block_on(Home::new(5));
    let mut tried = 0;
    for (key, example) in documented() {
        for wrong in wrong_kinds(&example) {
            let text = with(&home, &key, wrong);
            let Err(mistake) = rollcall_agent::config::Config::parse(&text) else {
                // One key may take either a text or a list of texts; nothing else is forgiven.
                assert!(wrong == "'soon'" && example.is_array(), "{key} = {wrong} is taken");
                continue;
            };
            let has_place = mistake.starts_with("line ") || mistake.contains(&key);
            assert!(has_place, "{key} = {wrong}: {mistake}");
            tried += 1;
        }
    }
    assert!(tried > 80, "only {tried} cases");
}

/// The keys that the program itself names when it meets one that it does not know.
fn known(section: Option<&str>) -> BTreeSet<String> {
    let text = section.map_or_else(|| "no_such_key = 1".to_owned(), |section| format!("[{section}]\nno_such_key = 1"));
    let mistake = rollcall_agent::config::Config::parse(&text).unwrap_err();
    let (_, names) = mistake.split_once("expected ").unwrap();
    let prefix = section.map(|section| format!("{section}.")).unwrap_or_default();
    names.split('`').skip(1).step_by(2).map(|name| format!("{prefix}{name}")).collect()
}

#[test]
fn every_key_that_the_program_knows_is_documented_with_an_example() {
    let documented: BTreeSet<String> = documented().into_keys().collect();
    let sections: BTreeSet<&str> = documented.iter().filter_map(|key| Some(key.split_once('.')?.0)).collect();

    let (own, found): (BTreeSet<String>, BTreeSet<String>) =
        known(None).into_iter().partition(|name| !sections.contains(name.as_str()));

    assert_eq!(found.iter().map(String::as_str).collect::<BTreeSet<_>>(), sections);
    let inner = sections.iter().flat_map(|section| known(Some(section)));
    assert_eq!(own.into_iter().chain(inner).collect::<BTreeSet<_>>(), documented);
}

#[test]
fn a_key_that_nobody_knows_is_refused_in_every_section() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let home = runtime.block_on(Home::new(5));
    let sections: BTreeSet<String> =
        documented().keys().filter_map(|key| key.split_once('.').map(|(section, _)| section.to_owned())).collect();
    let keys = sections.iter().map(|section| format!("{section}.no_such_key")).chain(["no_such_key".to_owned()]);
    for key in keys {
        let mistake = rollcall_agent::config::Config::parse(&with(&home, &key, "1")).unwrap_err();
        assert!(mistake.contains("unknown field `no_such_key`"), "{key}: {mistake}");
    }
    let mistake = rollcall_agent::config::Config::parse(&with(&home, "nonsense.key", "1")).unwrap_err();
    assert!(mistake.contains("unknown field `nonsense`"), "{mistake}");
}

/// Values of the right kind that still cannot be.
const ODD: &[(&str, &str)] = &[
    ("ldap.host", "'10.0.0.1'"),
    ("ldap.port", "0"),
    ("ldap.port", "70000"),
    ("ldap.address", "'dc1.lab.example'"),
    ("ldap.connect_seconds", "0"),
    ("ldap.entry_seconds", "0"),
    ("ldap.transport", "'ldap'"),
    ("privacy.withhold", "['objectGUID']"),
    ("privacy.withhold", "['unicodePwd']"),
    ("privacy.withhold", "['mail)(objectClass=*']"),
    ("privacy.never_read", "['Board']"),
    ("privacy.never_read", "['']"),
    ("log.level", "'everything'"),
];

#[tokio::test]
async fn odd_values_end_every_command_with_their_code_and_change_nothing() {
    let home = Home::enrolled(40).await;
    home.agent(&["sync"]).await;
    let before = (home.seen(), snapshot(&home));
    let good = std::fs::read_to_string(home.path("agent.toml")).unwrap();

    for (key, odd) in ODD {
        std::fs::write(home.path("agent.toml"), &good).unwrap();
        let text = with(&home, key, odd);
        std::fs::write(home.path("agent.toml"), text).unwrap();
        let (exit, said) = home.agent_json(&["sync"]).await;
        let code = said["problem"]["code"].as_str();
        assert_eq!((exit, code), (2, Some(catalogue::CONFIG_UNREADABLE.code)), "{key} = {odd}: {said}");
    }

    assert_eq!((home.seen(), snapshot(&home)), before);
}

#[tokio::test]
async fn a_file_that_is_not_there_or_no_text_is_told_and_changes_nothing() {
    let home = Home::enrolled(20).await;
    let before = snapshot(&home);
    let spoils: [(&str, Spoil); 3] = [
        ("missing", |home| std::fs::remove_file(home.path("agent.toml")).unwrap()),
        ("no text", |home| std::fs::write(home.path("agent.toml"), b"data_dir = '\xff\xfe'").unwrap()),
        ("a folder", |home| {
            std::fs::remove_file(home.path("agent.toml")).unwrap();
            std::fs::create_dir(home.path("agent.toml")).unwrap();
        }),
    ];
    for (what, spoil) in spoils {
        spoil(&home);
        let (exit, said) = home.agent_json(&["sync"]).await;
        let code = said["problem"]["code"].as_str();
        assert_eq!((exit, code), (2, Some(catalogue::CONFIG_UNREADABLE.code)), "{what}: {said}");
        if what == "missing" {
            home.configure("");
        }
    }
    assert_eq!(snapshot(&home), before);
}

/// Everything the agent keeps, byte for byte, but for the lock and SQLite's own beside-files.
fn snapshot(home: &Home) -> BTreeMap<String, Vec<u8>> {
    let files = std::fs::read_dir(home.path("data")).unwrap().map(Result::unwrap);
    let named = files.map(|file| (file.file_name().into_string().unwrap(), file.path()));
    let kept = named.filter(|(name, _)| !name.ends_with("-shm") && !name.ends_with("-wal") && name != "lock");
    kept.map(|(name, path)| (name, std::fs::read(path).unwrap())).collect()
}

#[tokio::test]
async fn a_token_of_another_cloud_and_a_token_for_an_enrolled_agent_change_nothing() {
    let home = Home::enrolled(20).await;
    let other = crate::cloud::Cloud::start().await;
    let before = snapshot(&home);

    let (exit, said) = home.agent_json(&["enroll", "--token", &other.token()]).await;
    assert_eq!((exit, said["problem"]["code"].as_str()), (1, Some("RC-1010")));
    let (exit, said) = home.agent_json(&["enroll", "--token", "no.token.atall"]).await;
    assert!(exit != 0 && said["problem"]["code"].is_string(), "{said}");

    assert_eq!(snapshot(&home), before);
    assert_eq!(other.books(|books| books.checkins.len()), 0);
}

#[tokio::test]
async fn instructions_that_are_older_or_of_another_cloud_are_refused_and_those_in_force_stay() {
    let home = Home::enrolled(40).await;
    home.agent(&["sync"]).await;
    let before = (home.seen(), std::fs::read(home.path("data/desired.jws")).unwrap());
    let forgeries: [(&str, Forging); 4] = [
        ("another key", |books| books.forge = Some(crate::cloud::Forgery::OtherKey)),
        ("an older number", |books| books.forge = Some(crate::cloud::Forgery::Older)),
        ("another agent", |books| books.forge = Some(crate::cloud::Forgery::OtherAgent)),
        ("another domain", |books| books.forge = Some(crate::cloud::Forgery::OtherDomain)),
    ];
    for (what, forge) in forgeries {
        home.cloud.books(forge);
        let (exit, said) = home.agent_json(&["sync"]).await;
        assert_eq!((exit, said["problem"]["code"].as_str()), (1, Some("RC-3105")), "{what}: {said}");
    }
    home.cloud.books(|books| books.forge = None);

    assert_eq!((home.seen(), std::fs::read(home.path("data/desired.jws")).unwrap()), before);
}
