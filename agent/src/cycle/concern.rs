//! Decides what a complete reading has to tell a human: nothing was lost, and somebody must look.

use std::collections::BTreeMap;
use std::fmt;

use rollcall_protocol::checkin::Clearing;
use rollcall_protocol::loss::Losses;
use uuid::Uuid;

use super::confirm::Judged;
use super::evidence::{Doubt, Verdict};
use super::scope::{Scope, Unavailable};
use super::sight::Sight;
use super::withheld::Withheld;

/// One thing to look at.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Concern {
    SelectionGone {
        objects: usize,
    },
    SelectionElsewhere {
        objects: usize,
    },
    NotSelectable {
        objects: usize,
    },
    NestedTooFar {
        groups: usize,
    },
    AttributeLost {
        attribute: &'static str,
        people: u64,
        of: u64,
        import: Uuid,
    },
    /// People who are there and cannot be read; they stay as they were. A GUID names nobody.
    Withheld {
        what: &'static str,
        people: usize,
        first: Uuid,
    },
    /// People who would leave, but for a group that cannot be seen.
    GroupUnseen {
        memberships: usize,
    },
    /// People who would leave a group, while neither they nor the group show who is in it.
    GroupSilent {
        memberships: usize,
    },
    /// People who would leave, and whom another account had read.
    OtherAccount {
        memberships: usize,
    },
    /// Groups that nobody can choose, since they do not say what they are.
    GroupsUnlisted {
        what: &'static str,
        groups: usize,
        first: Uuid,
    },
}

impl Concern {
    /// As a check-in tells it, so that a human can accept it.
    pub fn clearing(&self) -> Option<Clearing> {
        match self {
            Self::AttributeLost { attribute, people, of, import } => {
                Some(Clearing { attribute: (*attribute).to_owned(), people: *people, of: *of, import: Some(*import) })
            }
            Self::SelectionGone { .. }
            | Self::SelectionElsewhere { .. }
            | Self::NotSelectable { .. }
            | Self::NestedTooFar { .. }
            | Self::Withheld { .. }
            | Self::GroupUnseen { .. }
            | Self::GroupSilent { .. }
            | Self::OtherAccount { .. }
            | Self::GroupsUnlisted { .. } => None,
        }
    }
}

impl fmt::Display for Concern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SelectionGone { objects } => write!(f, "{objects} selected objects cannot be found or read"),
            Self::SelectionElsewhere { objects } => write!(f, "{objects} selected objects belong to another domain"),
            Self::NotSelectable { objects } => write!(f, "{objects} selected objects cannot be selected"),
            Self::NestedTooFar { groups } => write!(f, "{groups} selected groups hold too many or too deep groups"),
            Self::AttributeLost { attribute, people, of, import: _ } => {
                write!(f, "{attribute} vanished from {people} of {of} people of an import")
            }
            Self::Withheld { what, people, first } => {
                write!(f, "{people} people cannot be read and stay as they were: {what} of the object {first}")
            }
            Self::GroupUnseen { memberships } => {
                write!(f, "{memberships} memberships stay: these people are in a group that cannot be seen")
            }
            Self::GroupSilent { memberships } => write!(
                f,
                "{memberships} memberships stay: neither these people nor the group that held them show who is in it"
            ),
            Self::OtherAccount { memberships } => write!(
                f,
                "{memberships} memberships wait for a human: these people were read by another account and are not seen by this one"
            ),
            Self::GroupsUnlisted { what, groups, first } => {
                write!(f, "{groups} groups cannot be chosen: {what} of the object {first} cannot be read")
            }
        }
    }
}

/// What vanished, as a batch tells it: of each attribute the import that lost most, so that its claims stay short. A
/// check-in tells of all.
pub fn clearings(losses: &Losses) -> Vec<Clearing> {
    let told = losses.by_attribute().into_iter();
    told.map(|loss| Clearing {
        attribute: loss.attribute().to_owned(),
        people: loss.people,
        of: loss.of,
        import: Some(loss.import()),
    })
    .collect()
}

/// Everything to look at, in a fixed order.
pub fn list(
    scope: &Scope,
    judged: &Judged,
    withheld: &Withheld,
    unlisted: &BTreeMap<Uuid, &'static str>,
    losses: &Losses,
    sight: Sight,
) -> Vec<Concern> {
    let of_selection = |(why, count): (Unavailable, usize)| match why {
        Unavailable::Gone => Concern::SelectionGone { objects: count },
        Unavailable::OtherDomain => Concern::SelectionElsewhere { objects: count },
        Unavailable::NotSelectable => Concern::NotSelectable { objects: count },
        Unavailable::NestedTooFar => Concern::NestedTooFar { groups: count },
    };
    let lost = losses.iter().map(|loss| Concern::AttributeLost {
        attribute: loss.attribute(),
        people: loss.people,
        of: loss.of,
        import: loss.import(),
    });
    let kept_back = withheld.first().map(|(first, what)| Concern::Withheld { what, people: withheld.people(), first });
    let stay = |doubt| {
        let verdicts = judged.verdicts.values().flatten();
        Some(verdicts.filter(|(_, verdict)| *verdict == Verdict::Stay(doubt)).count()).filter(|count| *count > 0)
    };
    let unseen = stay(Doubt::UnseenGroup).map(|memberships| Concern::GroupUnseen { memberships });
    let silent = stay(Doubt::SilentGroup).map(|memberships| Concern::GroupSilent { memberships });
    let unlisted = unlisted.first_key_value().map(|(first, what)| Concern::GroupsUnlisted {
        what,
        groups: unlisted.len(),
        first: *first,
    });
    let doubted = Some(sight.doubted(judged)).filter(|count| *count > 0);
    let other = doubted.map(|memberships| Concern::OtherAccount { memberships });
    let of_people = lost.chain(kept_back).chain(unseen).chain(silent).chain(other);
    scope.reasons().into_iter().map(of_selection).chain(of_people).chain(unlisted).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cycle::scope::Located;
    use crate::cycle::scope::fixtures::*;

    #[test]
    fn every_reason_is_told_once_with_its_count() {
        let mut scope = scope(vec![import(11, &[ou(21), ou(22), ou(23)], &[31])]);
        for (number, why) in [(21, Unavailable::Gone), (31, Unavailable::Gone), (22, Unavailable::OtherDomain)] {
            scope.set_located(id(number), Located::Unavailable(why));
        }

        let mut withheld = Withheld::default();
        withheld.note(id(5), "userAccountControl");
        let mut judged = Judged::default();
        let stays = |doubt| (id(11), Verdict::Stay(doubt));
        judged.verdicts.insert(id(5), vec![stays(Doubt::Withheld)]);
        judged.verdicts.insert(id(6), vec![stays(Doubt::UnseenGroup), stays(Doubt::Selection)]);

        let told =
            list(&scope, &judged, &withheld, &BTreeMap::from([(id(9), "groupType")]), &Losses::default(), Sight::Same);

        let expected = vec![
            Concern::SelectionGone { objects: 2 },
            Concern::SelectionElsewhere { objects: 1 },
            Concern::Withheld { what: "userAccountControl", people: 1, first: id(5) },
            Concern::GroupUnseen { memberships: 1 },
            Concern::GroupsUnlisted { what: "groupType", groups: 1, first: id(9) },
        ];
        assert_eq!(told, expected);
    }
}
