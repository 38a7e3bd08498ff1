//! Decides which objects a value can only be found at, for the attributes that a domain controller keeps an index of, so
//! that a search need not look at everybody.

use super::{
    attribute::Attr,
    entry::{Entry, EntryId, Values},
};
use std::collections::{BTreeSet, HashMap};

/// Indexed in every domain (`searchFlags`, MS-ADTS 3.1.1.2.3), and asked for here.
const INDEXED: [Attr; 2] = [Attr::ObjectClass, Attr::AccountType];

/// Objects that were changed since the index was made are looked at in every search, until there are this many.
const MANY: usize = 1_000;

#[derive(Debug, Clone)]
pub struct Index {
    by_value: HashMap<(Attr, String), Vec<EntryId>>,
    changed: BTreeSet<EntryId>,
}

/// Whether an index is still of use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Worth {
    Keeping,
    MakingAnew,
}

impl Index {
    pub fn of(entries: &[Entry]) -> Self {
        let mut by_value: HashMap<(Attr, String), Vec<EntryId>> = HashMap::new();
        for (id, entry) in (0..).map(EntryId).zip(entries) {
            for attr in INDEXED {
                for value in entry.get(attr).into_iter().flat_map(Values::as_slice) {
                    by_value.entry((attr, String::from_utf8_lossy(value).to_lowercase())).or_default().push(id);
                }
            }
        }
        Self { by_value, changed: BTreeSet::new() }
    }

    pub fn note_change(&mut self, id: EntryId) -> Worth {
        self.changed.insert(id);
        if self.changed.len() < MANY { Worth::Keeping } else { Worth::MakingAnew }
    }

    /// All objects that may have the value, in lower case, and perhaps more. `None` if no index knows.
    pub fn find(&self, attr: Attr, value: &str) -> Option<Vec<EntryId>> {
        if !INDEXED.contains(&attr) {
            return None;
        }
        let known = self.by_value.get(&(attr, value.to_owned())).into_iter().flatten();
        Some(known.chain(&self.changed).copied().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::super::{
        filter::Test,
        forest::{Forest, admin::NewPerson},
        seeding::{Plan, grow},
        view::{Denied, Tombstones, View},
        wire::request::Filter,
    };
    use super::*;

    fn is(name: &str, value: &str) -> Filter {
        Filter::Equal(name.to_owned(), value.as_bytes().to_vec())
    }

    /// What searches of the agent look like.
    fn filters() -> [Filter; 3] {
        let computers = Filter::Or(vec![is("sAMAccountType", "805306369"), is("objectClass", "contact")]);
        [
            is("samaccounttype", "805306368"),
            Filter::And(vec![computers.clone(), Filter::Present("memberOf".to_owned())]),
            Filter::Or(vec![is("objectClass", "OrganizationalUnit"), is("objectClass", "group"), computers]),
        ]
    }

    #[track_caller]
    fn finds_as_much_as_looking_at_everybody(forest: &Forest) {
        let view = View { unreadable: Vec::new(), denied: Denied::default(), tombstones: Tombstones::Shown };
        for filter in filters() {
            let test = Test::compile(&filter, forest);
            let matching = |ids: &mut dyn Iterator<Item = EntryId>| -> BTreeSet<EntryId> {
                ids.filter(|id| test.matches(forest, *id, &view)).collect()
            };
            let candidates = test.candidates(forest.index()).unwrap();

            let all = matching(&mut forest.ids());

            assert!(!all.is_empty());
            assert_eq!(matching(&mut candidates.into_iter()), all, "{filter:?}");
        }
    }

    #[test]
    fn nobody_is_missed_however_much_has_changed_since() {
        let mut forest = grow(&Plan::new(50, 7)).unwrap();
        finds_as_much_as_looking_at_everybody(&forest);

        let users = forest.landmarks.users;
        for number in 0..MANY + 10 {
            let account = format!("new{number}");
            let person = NewPerson::new("Ana", &account, &account, "");
            let id = forest.add_person(users, &person).unwrap();
            if number % 100 == 0 {
                finds_as_much_as_looking_at_everybody(&forest);
                forest.delete(id).unwrap();
                finds_as_much_as_looking_at_everybody(&forest);
            }
        }
        finds_as_much_as_looking_at_everybody(&forest);
    }

    #[test]
    fn what_no_index_knows_is_looked_for_at_everybody() {
        let forest = grow(&Plan::new(5, 7)).unwrap();
        let candidates = |filter| Test::compile(&filter, &forest).candidates(forest.index());

        assert_eq!(candidates(is("mail", "ana@lab.example")), None);
        assert_eq!(candidates(Filter::Or(vec![is("objectClass", "group"), is("cn", "Crew")])), None);
        assert_eq!(candidates(Filter::Not(Box::new(is("objectClass", "group")))), None);
    }
}
