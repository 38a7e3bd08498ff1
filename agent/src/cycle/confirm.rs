//! Looks once more at everybody who seems to be gone, on the same domain controller, and gathers the verdicts.

use std::collections::{HashMap, HashSet};

use rollcall_protocol::evidence::Evidence;
use uuid::Uuid;

use super::CycleError;
use super::evidence::{self, Circumstances, DcContinuity, Live, Looked, Standing, Verdict};
use super::scope::Scope;
use super::survey::Ended;
use crate::directory::dn::Dn;
use crate::directory::domain::Domain;
use crate::directory::entry::Entry;
use crate::directory::group;
use crate::directory::people::{self, AttributeList, Read};
use crate::directory::reader::{DirectoryReader, Finds, Incomplete};
use crate::directory::values;
use crate::spool::Spool;
use crate::spool::reading::{Draft, HoldIndex};

/// What the second look brought.
#[derive(Debug, Default)]
pub struct Judged {
    /// Per person, what becomes of each membership.
    pub verdicts: HashMap<Uuid, Vec<(Uuid, Verdict)>>,
    /// People of whom the directory says that there is no such object.
    pub missing: HashSet<Uuid>,
}

/// Who looks, and with what.
#[derive(Debug)]
pub struct SecondLook<'a> {
    pub scope: &'a Scope,
    pub domain: &'a Domain,
    pub attributes: &'a AttributeList,
    pub continuity: DcContinuity,
}

impl SecondLook<'_> {
    /// Judges everybody in `ended`. People who turn out to be in scope are added to the reading.
    pub async fn judge_all(
        &self,
        reader: &mut DirectoryReader,
        spool: &Spool,
        ended: &[Ended],
    ) -> Result<Judged, CycleError> {
        let mut judged = Judged::default();
        for person in ended {
            let verdicts = self.judge_one(reader, spool, person, &mut judged.missing).await?;
            judged.verdicts.insert(person.guid, verdicts);
        }
        check_left_groups(reader, &judged).await?;
        Ok(judged)
    }

    async fn judge_one(
        &self,
        reader: &mut DirectoryReader,
        spool: &Spool,
        person: &Ended,
        missing: &mut HashSet<Uuid>,
    ) -> Result<Vec<(Uuid, Verdict)>, CycleError> {
        let deselected = |import: Uuid| (import, Verdict::Depart(Evidence::Deselected));
        if person.memberships.iter().all(|before| evidence::is_import_gone(self.scope, before)) {
            return Ok(person.memberships.iter().map(|before| deselected(before.import)).collect());
        }
        let (looked, entry) = self.look(reader, person.guid).await?;
        if matches!(looked, Looked::Nothing) {
            missing.insert(person.guid);
        }
        let missed = spool.find_missed(person.guid)?;
        let circumstances = Circumstances { dc: &self.domain.dc, continuity: self.continuity, missed: missed.as_ref() };
        let mut verdicts = Vec::new();
        for before in &person.memberships {
            let verdict = evidence::judge(self.scope, before, &looked, &circumstances);
            if let (Verdict::StillHeld(via), Some(entry)) = (&verdict, &entry) {
                self.add(spool, before.import, via, entry)?;
            }
            verdicts.push((before.import, verdict));
        }
        Ok(verdicts)
    }

    async fn look(&self, reader: &mut DirectoryReader, guid: Uuid) -> Result<(Looked, Option<Entry>), CycleError> {
        let base = values::guid_base(guid);
        let mut wanted = self.attributes.names().to_vec();
        wanted.extend(["sAMAccountType", "memberOf"]);
        if let Some(entry) = reader.read_base(&base, &wanted, Finds::Live).await? {
            return Ok((Looked::Live(self.live(&entry)?), Some(entry)));
        }
        let deleted = reader.read_base(&base, &["isDeleted"], Finds::Deleted).await?;
        let is_tombstone = deleted.is_some_and(|entry| entry.is_true("isDeleted"));
        Ok((if is_tombstone { Looked::Tombstone } else { Looked::Nothing }, None))
    }

    /// An object that is there but cannot be read is no evidence of anything.
    fn live(&self, entry: &Entry) -> Result<Live, Incomplete> {
        let unreadable = |what| Incomplete::UnreadableEntry { page: 1, what };
        let standing = if people::is_user(entry) {
            match people::read(entry, self.attributes).map_err(|error| unreadable(error.0))? {
                Read::Person(_) => Standing::Person,
                Read::System(_) => Standing::System,
            }
        } else if entry.text("sAMAccountType").is_some() {
            Standing::NotAUser
        } else {
            return Err(unreadable("sAMAccountType"));
        };
        Ok(Live {
            dn: Dn::parse(&entry.dn).ok_or(unreadable("its name"))?,
            standing,
            member_of: entry.texts("memberOf").filter_map(Dn::parse).collect(),
            primary_group: entry.text("primaryGroupID").and_then(|text| text.parse().ok()),
        })
    }

    fn add(&self, spool: &Spool, import: Uuid, via: &[Uuid], entry: &Entry) -> Result<(), CycleError> {
        let Ok(Read::Person(person)) = people::read(entry, self.attributes) else { return Ok(()) };
        let is_held = |index: &usize| {
            self.scope.holds.get(*index).is_some_and(|hold| hold.import == import && via.contains(&hold.selection.guid))
        };
        let holds = (0..self.scope.holds.len()).filter(is_held);
        let holds: Vec<HoldIndex> = holds.filter_map(|index| HoldIndex::try_from(index).ok()).collect();
        let draft = Draft::write(&person).map_err(crate::spool::SpoolError::from)?;
        Ok(spool.reading().add(person.guid, &draft, &holds)?)
    }
}

/// Somebody who "left" a group that still lists them shows that `memberOf` cannot be read: nobody has left anything.
async fn check_left_groups(reader: &mut DirectoryReader, judged: &Judged) -> Result<(), Incomplete> {
    let mut left: HashMap<Uuid, Vec<Uuid>> = HashMap::new();
    for (guid, verdicts) in &judged.verdicts {
        for (_, verdict) in verdicts {
            if let Verdict::Depart(Evidence::LeftGroup { group }) = verdict {
                left.entry(*group).or_default().push(*guid);
            }
        }
    }
    for (group, people) in left {
        let members: HashSet<Uuid> =
            group::read_members(reader, group).await?.unwrap_or_default().into_iter().collect();
        if people.iter().any(|person| members.contains(person)) {
            return Err(Incomplete::Contradiction);
        }
    }
    Ok(())
}
