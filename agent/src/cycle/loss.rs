//! Decides whether an attribute vanished from so many people at once that it is a lost permission and no change.
//!
//! The directory says the same of an attribute that was cleared and of one that this account may no longer read.

use std::collections::BTreeMap;

use rollcall_protocol::person::{InImport, Person};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::directory::people::AttributeList;

/// One attribute and where a record keeps it.
struct Field {
    attribute: &'static str,
    is_set: fn(&Person) -> bool,
    restore: fn(&mut Person, &Person),
}

macro_rules! fields {
    ($($attribute:literal $field:ident $is_set:expr;)*) => {
        &[$(Field {
            attribute: $attribute,
            is_set: |person| ($is_set)(&person.$field),
            restore: |now, before| now.$field.clone_from(&before.$field),
        }),*]
    };
}

/// Times are not among them: in `accountExpires`, `lockoutTime` and `pwdLastSet` a 0 is a value like any other, and many
/// people may get it at once.
const FIELDS: &[Field] = fields! {
    "userPrincipalName" user_principal_name Option::is_some;
    "displayName" display_name Option::is_some;
    "givenName" given_name Option::is_some;
    "sn" surname Option::is_some;
    "mail" mail Option::is_some;
    "telephoneNumber" phone Option::is_some;
    "mobile" mobile Option::is_some;
    "title" title Option::is_some;
    "department" department Option::is_some;
    "company" company Option::is_some;
    "physicalDeliveryOfficeName" office Option::is_some;
    "employeeID" employee_id Option::is_some;
    "manager" manager Option::is_some;
    "description" description |values: &Vec<String>| !values.is_empty();
};

/// A loss is one from which more than this many people suffer …
const AT_LEAST: u64 = 3;
/// … and more than this share of an import.
const PERCENT: u64 = 20;

/// A human has seen that an attribute vanished, and says that it is meant so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accepted {
    /// As LDAP spells it.
    pub attribute: String,
    /// From how many people of one import: what the human saw. `None`: from any number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_most: Option<u64>,
}

impl Accepted {
    fn is_of(&self, attribute: &str, people: u64) -> bool {
        self.attribute.eq_ignore_ascii_case(attribute) && self.at_most.is_none_or(|most| people <= most)
    }
}

/// Compares everybody who was known with what was read of them now, import by import.
#[derive(Debug, Default)]
pub struct Tally(BTreeMap<Uuid, Lost>);

#[derive(Debug, Default)]
struct Lost {
    people: u64,
    by_field: [u64; FIELDS.len()],
}

impl Tally {
    /// Somebody was found again; `records` are before and now, if they differ.
    pub fn add(&mut self, imports: &[InImport], records: Option<(&Person, &Person)>) {
        for membership in imports {
            let lost = self.0.entry(membership.import).or_default();
            lost.people += 1;
            let Some((before, now)) = records else { continue };
            for (count, field) in lost.by_field.iter_mut().zip(FIELDS) {
                *count += u64::from((field.is_set)(before) && !(field.is_set)(now));
            }
        }
    }

    /// What vanished from too many. Not what this machine withholds, nor what a human has accepted.
    pub fn judge(&self, attributes: &AttributeList, accepted: &[Accepted]) -> Losses {
        let is_accepted = |name: &str, people| accepted.iter().any(|accepted| accepted.is_of(name, people));
        let mut losses = Vec::new();
        for (import, lost) in &self.0 {
            for (index, (count, field)) in lost.by_field.iter().zip(FIELDS).enumerate() {
                let is_loss = *count > AT_LEAST && *count * 100 > lost.people * PERCENT;
                if is_loss && attributes.holds(field.attribute) && !is_accepted(field.attribute, *count) {
                    losses.push(Loss { import: *import, field: index, people: *count, of: lost.people });
                }
            }
        }
        Losses(losses)
    }
}

/// One attribute that many people of one import lost at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Loss {
    import: Uuid,
    field: usize,
    pub people: u64,
    pub of: u64,
}

impl Loss {
    /// As LDAP spells it.
    pub fn attribute(&self) -> &'static str {
        FIELDS.get(self.field).map_or("", |field| field.attribute)
    }
}

/// Attributes that count as unreadable in this cycle: the values that the cloud has stay.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Losses(Vec<Loss>);

impl Losses {
    pub fn concern(&self, imports: &[InImport]) -> bool {
        self.0.iter().any(|loss| is_in(loss, imports))
    }

    /// Gives a person back what could not be read.
    pub fn restore(&self, now: &mut Person, before: &Person, imports: &[InImport]) {
        for field in self.0.iter().filter(|loss| is_in(loss, imports)).filter_map(|loss| FIELDS.get(loss.field)) {
            if !(field.is_set)(now) {
                (field.restore)(now, before);
            }
        }
    }

    /// Each attribute once, with the import that lost most.
    pub fn by_attribute(&self) -> Vec<Loss> {
        let mut worst: BTreeMap<usize, Loss> = BTreeMap::new();
        for loss in &self.0 {
            let known = worst.entry(loss.field).or_insert(*loss);
            if loss.people > known.people {
                *known = *loss;
            }
        }
        worst.into_values().collect()
    }
}

fn is_in(loss: &Loss, imports: &[InImport]) -> bool {
    imports.iter().any(|membership| membership.import == loss.import)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn imports() -> Vec<InImport> {
        vec![InImport { import: Uuid::from_u128(11), via: Vec::new() }]
    }

    fn with_mail() -> Person {
        Person { mail: Some("ana@lab.example".into()), ..Person::default() }
    }

    fn tally(lost: u64, of: u64) -> Tally {
        let mut tally = Tally::default();
        for number in 0..of {
            let pair = (with_mail(), Person::default());
            tally.add(&imports(), (number < lost).then_some((&pair.0, &pair.1)));
        }
        tally
    }

    fn losses(lost: u64, of: u64) -> usize {
        tally(lost, of).judge(&AttributeList::without(&[]).unwrap(), &[]).by_attribute().len()
    }

    #[test]
    fn a_fifth_may_lose_an_attribute_and_more_is_a_lost_permission() {
        assert_eq!((losses(1, 100), losses(20, 100), losses(21, 100)), (0, 0, 1));
    }

    #[test]
    fn three_people_are_never_a_crowd() {
        assert_eq!((losses(3, 3), losses(4, 4)), (0, 1));
    }

    #[test]
    fn what_is_withheld_here_or_accepted_by_a_human_is_no_loss() {
        let all = AttributeList::without(&[]).unwrap();
        let narrowed = AttributeList::without(&["mail".into()]).unwrap();

        assert_eq!(tally(50, 100).judge(&narrowed, &[]), Losses::default());
        assert_eq!(tally(50, 100).judge(&all, &[accepted("MAIL", None)]), Losses::default());
        assert_eq!(tally(50, 100).judge(&all, &[accepted("title", None)]).by_attribute()[0].attribute(), "mail");
    }

    fn accepted(attribute: &str, at_most: Option<u64>) -> Accepted {
        Accepted { attribute: attribute.to_owned(), at_most }
    }

    #[test]
    fn a_consent_holds_for_as_many_people_as_were_seen_and_for_no_more() {
        let all = AttributeList::without(&[]).unwrap();

        assert_eq!(tally(50, 100).judge(&all, &[accepted("mail", Some(50))]), Losses::default());
        assert_ne!(tally(51, 100).judge(&all, &[accepted("mail", Some(50))]), Losses::default());
    }

    #[test]
    fn a_small_import_is_judged_by_itself() {
        let mut tally = tally(0, 1_000);
        let small = [InImport { import: Uuid::from_u128(12), via: Vec::new() }];
        for _ in 0..10 {
            tally.add(&small, Some((&with_mail(), &Person::default())));
        }

        let losses = tally.judge(&AttributeList::without(&[]).unwrap(), &[]);

        assert!(losses.concern(&small) && !losses.concern(&imports()));
    }

    #[test]
    fn only_what_vanished_is_given_back() {
        let losses = tally(50, 100).judge(&AttributeList::without(&[]).unwrap(), &[]);
        let before = Person { title: Some("Nurse".into()), ..with_mail() };
        let mut gone = Person::default();
        let mut new = Person { mail: Some("new@lab.example".into()), ..Person::default() };

        losses.restore(&mut gone, &before, &imports());
        losses.restore(&mut new, &before, &imports());

        assert_eq!((gone.mail, gone.title), (before.mail, None));
        assert_eq!(new.mail.as_deref(), Some("new@lab.example"));
    }
}
