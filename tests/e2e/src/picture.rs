//! Who is here: one picture from the cloud, one from the directory, and how they differ.

use serde_json::Value;
use std::collections::BTreeMap;
use uuid::Uuid;

/// One person, in the fields that the directory owns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    pub dn: String,
    pub account_name: String,
    pub principal_name: Option<String>,
    /// What the cloud shows as the name: the display name, or the account's where there is none.
    pub display_name: String,
    pub given_name: Option<String>,
    pub surname: Option<String>,
    pub mail: Option<String>,
    pub is_enabled: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Picture {
    pub active: BTreeMap<Uuid, Seen>,
    /// Why they left, by person.
    pub departed: BTreeMap<Uuid, String>,
    /// Removals that wait for a human.
    pub held: BTreeMap<Uuid, String>,
    /// Ids of accounts by person; a person made twice shows in `doubles`.
    pub ids: BTreeMap<Uuid, String>,
    pub doubles: Vec<Uuid>,
}

impl Picture {
    pub fn of(accounts: &[Value]) -> Self {
        let mut picture = Self::default();
        for account in accounts {
            picture.add(account);
        }
        picture
    }

    fn add(&mut self, account: &Value) {
        let text = |name: &str| account[name].as_str().map(str::to_owned);
        let Some(guid) = account["object_guid"].as_str().and_then(|guid| guid.parse::<Uuid>().ok()) else { return };
        if self.ids.insert(guid, text("id").unwrap_or_default()).is_some() {
            self.doubles.push(guid);
        }
        let evidence = || evidence_of(account);
        match account["state"].as_str() {
            Some("departed") => {
                self.departed.insert(guid, evidence());
                return;
            }
            Some("held") => {
                self.held.insert(guid, evidence());
            }
            _ => {}
        }
        self.active.insert(
            guid,
            Seen {
                dn: text("dn").unwrap_or_default(),
                account_name: text("account_name").unwrap_or_default(),
                principal_name: text("user_principal_name"),
                display_name: text("display_name").unwrap_or_default(),
                given_name: text("given_name"),
                surname: text("surname"),
                mail: text("mail"),
                is_enabled: account["enabled"].as_bool().unwrap_or_default(),
            },
        );
    }

    /// What differs from the people who should be here, in words; empty when nothing does.
    pub fn differences(&self, expected: &BTreeMap<Uuid, Seen>) -> Vec<String> {
        let missing = expected.iter().filter(|(guid, _)| !self.active.contains_key(guid));
        let extra = self.active.iter().filter(|(guid, _)| !expected.contains_key(guid));
        let other = expected.iter().filter_map(|(guid, seen)| {
            let here = self.active.get(guid)?;
            (here != seen).then(|| format!("{guid} should be {seen:?}, is {here:?}"))
        });
        let doubles = self.doubles.iter().map(|guid| format!("{guid} stands there twice"));
        missing
            .map(|(guid, seen)| format!("{guid} is missing: {seen:?}"))
            .chain(extra.map(|(guid, seen)| format!("{guid} is too many: {seen:?}")))
            .chain(other)
            .chain(doubles)
            .collect()
    }
}

fn evidence_of(account: &Value) -> String {
    let memberships = account["imports"].as_array().cloned().unwrap_or_default();
    let kinds = memberships.iter().filter_map(|membership| membership["evidence"]["kind"].as_str());
    kinds.collect::<Vec<_>>().join("+")
}
