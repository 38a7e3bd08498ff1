//! Decides what a selection brings: how many people, who is left out by what, and which attributes they really have.

use std::collections::{BTreeMap, HashSet};

use rollcall_protocol::catalogue;
use rollcall_protocol::structure::OrgUnit;
use uuid::Uuid;

use super::finding::Finding;
use crate::diagnostic::Diagnostic;
use crate::directory::dn::Dn;
use crate::directory::entry::Entry;
use crate::directory::people::{self, AttributeList, Read};
use crate::directory::reader::{Refused, Sink};
use crate::directory::values::AccountControl;
use crate::exit::Exit;

/// What was counted over all selections; nobody is kept but by a GUID.
#[derive(Debug, Default, Clone)]
pub struct Coverage {
    seen: HashSet<Uuid>,
    pub people: u64,
    pub enabled: u64,
    pub enabled_with_mail: u64,
    pub with_member_of: u64,
    by_attribute: BTreeMap<&'static str, u64>,
}

impl Coverage {
    fn add(&mut self, guid: Uuid, entry: &Entry, attributes: &AttributeList) {
        if !self.seen.insert(guid) {
            return;
        }
        self.people += 1;
        self.with_member_of += u64::from(entry.text("memberOf").is_some());
        let control = entry.text("userAccountControl").and_then(AccountControl::parse);
        if control.is_some_and(|control| !control.is_disabled()) {
            self.enabled += 1;
            self.enabled_with_mail += u64::from(entry.text("mail").is_some());
        }
        for name in attributes.names() {
            *self.by_attribute.entry(name).or_default() += u64::from(entry.bytes(name).is_some());
        }
    }

    /// Attributes that nobody has: never filled in, or not readable.
    pub fn empty_attributes(&self) -> Vec<&'static str> {
        let empty = self.by_attribute.iter().filter(|(_, count)| **count == 0);
        empty.map(|(name, _)| *name).collect()
    }
}

/// Takes the people of one selection.
#[derive(Debug)]
pub struct Taking<'a, F> {
    pub coverage: Coverage,
    pub attributes: &'a AttributeList,
    /// Why somebody at this place is left out, if they are.
    pub leaves_out: F,
    /// A group inside a group may hold somebody twice.
    here: HashSet<Uuid>,
    pub left_out: u64,
    pub system: u64,
}

impl<'a, F: Fn(&Dn) -> bool> Taking<'a, F> {
    pub fn new(coverage: Coverage, attributes: &'a AttributeList, leaves_out: F) -> Self {
        Self { coverage, attributes, leaves_out, here: HashSet::new(), left_out: 0, system: 0 }
    }

    /// People of this selection.
    pub fn found(&self) -> usize {
        self.here.len()
    }
}

impl<F: Fn(&Dn) -> bool> Sink for Taking<'_, F> {
    fn take(&mut self, entry: Entry) -> Result<(), Refused> {
        let guid = match people::read(&entry, self.attributes)? {
            Read::Person(person) => person.guid,
            Read::System(_) => {
                self.system += 1;
                return Ok(());
            }
        };
        let dn = Dn::parse(&entry.dn).ok_or(Refused::Unreadable("its name"))?;
        if (self.leaves_out)(&dn) {
            self.left_out += 1;
            return Ok(());
        }
        self.here.insert(guid);
        self.coverage.add(guid, &entry, self.attributes);
        Ok(())
    }
}

/// Below this many people a share says nothing.
const ENOUGH: u64 = 5;

/// Fewer than half with an address: welcome mails and matching by e-mail will miss most.
pub fn judge_mail(coverage: &Coverage) -> Finding {
    let words = format!("{} of {} enabled people have an e-mail address", coverage.enabled_with_mail, coverage.enabled);
    if coverage.enabled >= ENOUGH && coverage.enabled_with_mail * 2 < coverage.enabled {
        return Finding::Warn(Diagnostic::new(catalogue::FEW_MAILS, words, Exit::Attention));
    }
    Finding::Ok(words)
}

pub fn judge_attributes(coverage: &Coverage, withheld: &[String]) -> Finding {
    let empty = coverage.empty_attributes();
    let mut words = if empty.is_empty() {
        "every attribute is readable on somebody".to_owned()
    } else {
        format!("nobody has, or shows, {}", empty.join(", "))
    };
    if !withheld.is_empty() {
        words.push_str("; withheld by the configuration: ");
        words.push_str(&withheld.join(", "));
    }
    Finding::Ok(words)
}

/// Groups list members, and yet nobody shows a membership: the right to read `memberOf` is missing.
pub fn judge_member_of(coverage: &Coverage, members_listed_by_groups: u64) -> Finding {
    if coverage.people >= ENOUGH && coverage.with_member_of == 0 && members_listed_by_groups > 0 {
        let detail = format!("groups list {members_listed_by_groups} members, but nobody shows a membership");
        return Finding::Warn(Diagnostic::new(catalogue::GROUP_UNREADABLE, detail, Exit::Attention));
    }
    Finding::Ok(format!("{} of {} people show their groups", coverage.with_member_of, coverage.people))
}

/// The places where most people are, for somebody who chose too narrowly. Names of OUs only.
pub fn most_populated(units: &[OrgUnit]) -> Vec<(String, u64)> {
    let mut places: Vec<(String, u64)> =
        units.iter().filter(|unit| unit.people > 0).map(|unit| (unit.dn.clone(), u64::from(unit.people))).collect();
    places.sort_by(|one, other| other.1.cmp(&one.1).then_with(|| one.0.cmp(&other.0)));
    places.truncate(3);
    places
}

/// What is said of a selection that brings nobody.
pub fn explain_empty(place: &str, left_out: u64, people_in_domain: u64, units: &[OrgUnit]) -> Diagnostic {
    let most: Vec<String> = most_populated(units).iter().map(|(dn, count)| format!("{dn} ({count})")).collect();
    let why = match (left_out, people_in_domain) {
        (0, 0) => "this account sees nobody in the whole domain".to_owned(),
        (0, _) => format!("nobody lies there; most of the {people_in_domain} people lie in {}", most.join("; ")),
        (left_out, _) => format!("all {left_out} people there are left out by an excluded OU or the local ceiling"),
    };
    Diagnostic::new(catalogue::SCOPE_EMPTY, format!("{place}: {why}"), Exit::Attention)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(dn: &str, people: u32) -> OrgUnit {
        OrgUnit { guid: Uuid::from_u128(1), parent: None, dn: dn.into(), name: dn.into(), people, blocked: None }
    }

    // proves: Truetask-28
    #[test]
    fn a_selection_that_is_too_narrow_is_told_where_people_are() {
        let units = [unit("OU=Sales,DC=lab", 3), unit("OU=Empty,DC=lab", 0), unit("OU=Staff,DC=lab", 400)];

        let told = explain_empty("OU=Empty,DC=lab", 0, 403, &units);

        assert_eq!(told.fault.code, "RC-4001");
        assert!(
            told.detail.contains("403 people lie in OU=Staff,DC=lab (400); OU=Sales,DC=lab (3)"),
            "{}",
            told.detail
        );
    }

    // proves: Truetask-28
    #[test]
    fn a_selection_whose_people_are_all_excluded_says_so() {
        assert!(explain_empty("OU=Staff,DC=lab", 12, 100, &[]).detail.contains("all 12 people there are left out"));
    }

    // proves: Truetask-28
    #[test]
    fn fewer_than_half_with_an_address_is_a_warning() {
        let with = |enabled_with_mail| Coverage { enabled: 10, enabled_with_mail, ..Coverage::default() };

        assert!(matches!(judge_mail(&with(5)), Finding::Ok(_)));
        assert!(matches!(judge_mail(&with(4)), Finding::Warn(told) if told.fault.code == "RC-2305"));
        let three = Coverage { enabled: 3, ..Coverage::default() };
        assert!(matches!(judge_mail(&three), Finding::Ok(_)));
    }

    #[test]
    fn memberships_that_only_the_groups_show_are_a_missing_right() {
        let nobody = Coverage { people: 40, ..Coverage::default() };

        assert!(matches!(judge_member_of(&nobody, 12), Finding::Warn(told) if told.fault.code == "RC-2307"));
        assert!(matches!(judge_member_of(&nobody, 0), Finding::Ok(_)));
        assert!(matches!(judge_member_of(&Coverage { with_member_of: 1, ..nobody }, 12), Finding::Ok(_)));
    }
}
