//! Decides whether an attribute vanished from so many people at once that it is a lost permission and no change.
//!
//! The directory says the same of an attribute that was cleared and of one that this account may no longer read. The
//! agent and the cloud both ask: an agent whose spool was lost knows nothing of before, and the cloud does.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::person::{InImport, Person};

/// One attribute and where a record keeps it.
struct Field {
    attribute: &'static str,
    /// The member of the record, as it travels.
    member: &'static str,
    is_set: fn(&Person) -> bool,
    restore: fn(&mut Person, &Person),
}

macro_rules! fields {
    ($($attribute:literal $field:ident $is_set:expr;)*) => {
        &[$(Field {
            attribute: $attribute,
            member: stringify!($field),
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
pub const AT_LEAST: u64 = 3;
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
    /// Of which import. `None`: of any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub import: Option<Uuid>,
}

impl Accepted {
    /// Whether it covers this loss: the same attribute of the same import, and no more people than were seen.
    pub fn covers(&self, loss: &Loss) -> bool {
        self.attribute.eq_ignore_ascii_case(loss.attribute())
            && self.import.is_none_or(|import| import == loss.import)
            && self.at_most.is_none_or(|most| loss.people <= most)
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

    /// What vanished from too many, unless `is_meant`: withheld on purpose, or accepted by a human.
    pub fn judge(&self, is_meant: impl Fn(&Loss) -> bool) -> Losses {
        let mut losses = Vec::new();
        for (import, lost) in &self.0 {
            for (index, count) in lost.by_field.iter().enumerate() {
                let loss = Loss { import: *import, field: index, people: *count, of: lost.people };
                if loss.is_of_a_crowd() && !is_meant(&loss) {
                    losses.push(loss);
                }
            }
        }
        Losses(losses)
    }
}

/// Whether a list of attributes names this one. LDAP does not tell capitals apart.
pub fn is_among(attributes: &[String], attribute: &str) -> bool {
    attributes.iter().any(|named| named.eq_ignore_ascii_case(attribute))
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
    /// A loss that was judged before; `None` if this version does not watch the attribute.
    pub fn known(import: Uuid, attribute: &str, people: u64, of: u64) -> Option<Self> {
        let field = FIELDS.iter().position(|field| field.attribute == attribute)?;
        Some(Self { import, field, people, of })
    }

    const fn is_of_a_crowd(&self) -> bool {
        self.people > AT_LEAST && self.people * 100 > self.of * PERCENT
    }

    pub const fn import(&self) -> Uuid {
        self.import
    }

    /// As LDAP spells it.
    pub fn attribute(&self) -> &'static str {
        FIELDS.get(self.field).map_or("", |field| field.attribute)
    }
}

/// Attributes that count as unreadable in this cycle: the values that the cloud has stay.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Losses(Vec<Loss>);

impl FromIterator<Loss> for Losses {
    fn from_iter<I: IntoIterator<Item = Loss>>(losses: I) -> Self {
        Self(losses.into_iter().collect())
    }
}

impl Losses {
    pub fn iter(&self) -> impl Iterator<Item = &Loss> {
        self.0.iter()
    }

    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the same attributes of the same imports are concerned, whatever the numbers.
    pub fn are_of_the_same(&self, other: &Self) -> bool {
        let of = |losses: &Self| losses.iter().map(|loss| (loss.import, loss.field)).collect::<BTreeSet<_>>();
        of(self) == of(other)
    }

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

    /// Whether the directory shows again what it did not show: the person has a value as before.
    pub fn came_back(&self, now: &Person, before: &Person, imports: &[InImport]) -> bool {
        let mut concerned = self.0.iter().filter(|loss| is_in(loss, imports)).filter_map(|loss| FIELDS.get(loss.field));
        concerned.any(|field| (field.is_set)(now) && (field.is_set)(before))
    }

    /// The members of a record that may have been given back.
    pub fn members(&self, imports: &[InImport]) -> Vec<&'static str> {
        let concerned = self.0.iter().filter(|loss| is_in(loss, imports)).filter_map(|loss| FIELDS.get(loss.field));
        concerned.map(|field| field.member).collect()
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
        tally(lost, of).judge(|_| false).by_attribute().len()
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
    fn what_is_withheld_on_purpose_or_accepted_by_a_human_is_no_loss() {
        let accepted = ["MAIL".to_owned()];

        assert_eq!(tally(50, 100).judge(|loss| loss.attribute() == "mail"), Losses::default());
        assert_eq!(tally(50, 100).judge(|loss| is_among(&accepted, loss.attribute())), Losses::default());
        assert_eq!(tally(50, 100).judge(|loss| loss.attribute() == "title").by_attribute()[0].attribute(), "mail");
    }

    #[test]
    fn every_member_is_one_of_a_record() {
        let full = Person {
            user_principal_name: Some("a".into()),
            display_name: Some("a".into()),
            given_name: Some("a".into()),
            surname: Some("a".into()),
            phone: Some("a".into()),
            mobile: Some("a".into()),
            title: Some("a".into()),
            department: Some("a".into()),
            company: Some("a".into()),
            office: Some("a".into()),
            employee_id: Some("a".into()),
            manager: Some("a".into()),
            description: vec!["a".into()],
            ..with_mail()
        };

        let record = serde_json::to_value(&full).unwrap();

        for field in FIELDS {
            assert!(record.get(field.member).is_some(), "{}", field.member);
        }
    }

    #[test]
    fn a_loss_that_was_noted_is_known_again() {
        let judged = tally(50, 100).judge(|_| false);
        let noted = judged.iter().map(|loss| (loss.import(), loss.attribute().to_owned()));

        let known: Losses = noted.filter_map(|(import, attribute)| Loss::known(import, &attribute, 1, 2)).collect();

        assert!(known.are_of_the_same(&judged) && !known.are_of_the_same(&Losses::default()));
        assert_eq!(Loss::known(Uuid::nil(), "shoeSize", 1, 2), None);
    }

    #[test]
    fn a_consent_holds_for_as_many_people_as_were_seen_and_for_no_more() {
        let of_import = |import| Accepted { attribute: "MAIL".to_owned(), at_most: Some(50), import };
        let (seen, other) = (of_import(Some(Uuid::from_u128(11))), of_import(Some(Uuid::from_u128(12))));

        for seen in [&seen, &of_import(None)] {
            assert_eq!(tally(50, 100).judge(|loss| seen.covers(loss)), Losses::default());
            assert_ne!(tally(51, 100).judge(|loss| seen.covers(loss)), Losses::default());
        }
        assert_ne!(
            tally(50, 100).judge(|loss| other.covers(loss)),
            Losses::default(),
            "another import is another question"
        );
    }

    #[test]
    fn a_small_import_is_judged_by_itself() {
        let mut tally = tally(0, 1_000);
        let small = [InImport { import: Uuid::from_u128(12), via: Vec::new() }];
        for _ in 0..10 {
            tally.add(&small, Some((&with_mail(), &Person::default())));
        }

        let losses = tally.judge(|_| false);

        assert!(losses.concern(&small) && !losses.concern(&imports()));
    }

    #[test]
    fn only_what_vanished_is_given_back() {
        let losses = tally(50, 100).judge(|_| false);
        let before = Person { title: Some("Nurse".into()), ..with_mail() };
        let mut gone = Person::default();
        let mut new = Person { mail: Some("new@lab.example".into()), ..Person::default() };

        losses.restore(&mut gone, &before, &imports());
        losses.restore(&mut new, &before, &imports());

        assert_eq!((gone.mail, gone.title), (before.mail, None));
        assert_eq!(new.mail.as_deref(), Some("new@lab.example"));
    }
}
