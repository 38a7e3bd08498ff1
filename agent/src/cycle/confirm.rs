//! Looks once more at everybody who seems to be gone, on the same domain controller, and gathers the verdicts.

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::TimeDelta;
use rollcall_protocol::desired::SelectionKind;
use rollcall_protocol::evidence::Evidence;
use rollcall_protocol::person::InImport;
use tokio::time::Instant;
use uuid::Uuid;

use super::CycleError;
use super::evidence::{self, Circumstances, DcContinuity, Doubt, Live, Looked, Standing, Verdict};
use super::pace::Pace;
use super::scope::{ImportScope, Scope};
use super::survey::Ended;
use super::withheld::{self, Withheld};
use crate::clock::Clock;
use crate::directory::dn::Dn;
use crate::directory::domain::Domain;
use crate::directory::entry::Entry;
use crate::directory::filter::Filter;
use crate::directory::group;
use crate::directory::people::{self, AttributeList, NotReadable, Read};
use crate::directory::reader::{DirectoryReader, Finds, Incomplete, PAGE_SIZE, Refused, Search, Sink};
use crate::directory::values;
use crate::spool::Spool;
use crate::spool::reading::{Draft, HoldIndex};
use crate::spool::snapshot::Missed;

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
    pub clock: &'a Clock,
    pub second_reading_after: TimeDelta,
    pub pace: Option<&'a Pace>,
}

impl SecondLook<'_> {
    /// Judges everybody in `ended`. People who turn out to be in scope are added to the reading.
    pub async fn judge_all(
        &self,
        reader: &mut DirectoryReader,
        spool: &Spool,
        ended: &[Ended],
        withheld: &mut Withheld,
    ) -> Result<Judged, CycleError> {
        let mut judged = Judged::default();
        let is_gone = |before: &InImport| evidence::is_import_gone(self.scope, before);
        let (released, others): (Vec<&Ended>, Vec<&Ended>) =
            ended.iter().partition(|person| person.memberships.iter().all(is_gone));
        for person in released {
            let deselected = |before: &InImport| (before.import, Verdict::Depart(Evidence::Deselected));
            judged.verdicts.insert(person.guid, person.memberships.iter().map(deselected).collect());
        }
        for people in others.chunks(AT_ONCE) {
            let mut live = self.find_live(reader, people).await?;
            for person in people {
                let (looked, entry) = match live.remove(&person.guid) {
                    Some(entry) => self.read_live(entry, person, withheld)?,
                    None => self.look_for(reader, person, withheld).await?,
                };
                if matches!(looked, Looked::Nothing | Looked::Elsewhere) {
                    judged.missing.insert(person.guid);
                }
                judged.verdicts.insert(person.guid, self.judge_one(spool, person, &looked, entry.as_ref())?);
            }
        }
        for guid in contradicted(reader, self.scope, &judged).await? {
            withheld.note(guid, "memberOf");
            judged.keep(guid);
        }
        Ok(judged)
    }

    fn judge_one(
        &self,
        spool: &Spool,
        person: &Ended,
        looked: &Looked,
        entry: Option<&Entry>,
    ) -> Result<Vec<(Uuid, Verdict)>, CycleError> {
        let missed = spool.find_missed(person.guid)?;
        let circumstances = Circumstances {
            dc: &self.domain.dc,
            continuity: self.continuity,
            missed: missed.as_ref(),
            now: self.clock.cloud_now(),
            second_reading_after: self.second_reading_after,
            waited: missed.as_ref().and_then(|missed| self.waited(missed)),
        };
        let mut verdicts = Vec::new();
        for before in &person.memberships {
            let verdict = evidence::judge(self.scope, before, looked, &circumstances);
            if let (Verdict::StillHeld(via), Some(entry)) = (&verdict, entry) {
                self.add(spool, before.import, via, entry)?;
            }
            verdicts.push((before.import, verdict));
        }
        Ok(verdicts)
    }

    fn waited(&self, missed: &Missed) -> Option<TimeDelta> {
        self.pace.map(|pace| pace.since(missed.first_missed_at, Instant::now()))
    }

    /// Those of a few who are there, wherever they are now. Whoever is not among them is looked for one by one.
    async fn find_live(
        &self,
        reader: &mut DirectoryReader,
        people: &[&Ended],
    ) -> Result<HashMap<Uuid, Entry>, Incomplete> {
        let wanted = self.wanted();
        let is_one = |person: &&Ended| Filter::IsBytes("objectGUID", person.guid.to_bytes_le().to_vec());
        let filter = Filter::Any(people.iter().map(is_one).collect());
        let base = self.domain.head.as_str();
        let search = Search { base, filter: &filter, attributes: &wanted, page_size: PAGE_SIZE };
        let asked = people.iter().map(|person| person.guid).collect();
        Ok(reader.search_into(&search, Asked { asked, found: HashMap::new() }).await?.sink.found)
    }

    async fn look_for(
        &self,
        reader: &mut DirectoryReader,
        person: &Ended,
        withheld: &mut Withheld,
    ) -> Result<(Looked, Option<Entry>), Incomplete> {
        let base = values::guid_base(person.guid);
        match reader.read_base(&base, &self.wanted(), Finds::Live).await {
            Ok(Some(entry)) => return self.read_live(entry, person, withheld),
            Ok(None) => {}
            Err(Incomplete::Referral) => return Ok((Looked::Elsewhere, None)),
            Err(error) => return Err(error),
        }
        let deleted = reader.read_base(&base, &["isDeleted"], Finds::Deleted).await?;
        let is_tombstone = deleted.is_some_and(|entry| entry.is_true("isDeleted"));
        Ok((if is_tombstone { Looked::Tombstone } else { Looked::Nothing }, None))
    }

    fn wanted(&self) -> Vec<&'static str> {
        let mut wanted = self.attributes.names().to_vec();
        wanted.extend(["sAMAccountType", "memberOf"]);
        wanted
    }

    fn read_live(
        &self,
        entry: Entry,
        person: &Ended,
        withheld: &mut Withheld,
    ) -> Result<(Looked, Option<Entry>), Incomplete> {
        match self.live(&entry, &person.memberships) {
            Ok(live) => Ok((Looked::Live(live), Some(entry))),
            Err(NotReadable::Withheld { what, .. }) => {
                withheld.note(person.guid, what);
                Ok((Looked::Withheld, None))
            }
            Err(NotReadable::Nameless) => Err(Incomplete::UnreadableEntry { page: 1, what: "objectGUID" }),
        }
    }

    /// An object that is there but cannot be read is no evidence of anything.
    fn live(&self, entry: &Entry, memberships: &[InImport]) -> Result<Live, NotReadable> {
        let guid = entry.bytes("objectGUID").and_then(values::guid).ok_or(NotReadable::Nameless)?;
        let unreadable = |what| NotReadable::Withheld { guid, what };
        let standing = if people::is_user(entry) {
            match people::read(entry, self.attributes)? {
                Read::Person(_) => Standing::Person,
                Read::System(_) => Standing::System,
            }
        } else if entry.text("sAMAccountType").is_some() {
            Standing::NotAUser
        } else {
            return Err(unreadable("sAMAccountType"));
        };
        let primary_group = entry.text("primaryGroupID").and_then(|text| text.parse().ok());
        match (standing, primary_group) {
            // Every account has one; without it nobody can say whether a group still holds the person.
            (Standing::Person, None) if memberships.iter().any(|before| self.selects_groups(before)) => {
                return Err(unreadable("primaryGroupID"));
            }
            (Standing::Person | Standing::System | Standing::NotAUser, _) => {}
        }
        Ok(Live {
            dn: Dn::parse(&entry.dn).ok_or(unreadable("its name"))?,
            standing,
            member_of: entry.texts("memberOf").filter_map(Dn::parse).collect(),
            primary_group,
        })
    }

    fn selects_groups(&self, before: &InImport) -> bool {
        let import = self.scope.imports.get(&before.import);
        import.is_some_and(|import| import.include.iter().any(|held| held.kind == SelectionKind::Group))
    }

    fn add(&self, spool: &Spool, import: Uuid, via: &[Uuid], entry: &Entry) -> Result<(), CycleError> {
        let Ok(Read::Person(mut person)) = people::read(entry, self.attributes) else { return Ok(()) };
        self.scope.conceal(&mut person);
        let is_held = |index: &usize| {
            self.scope.holds.get(*index).is_some_and(|hold| hold.import == import && via.contains(&hold.selection.guid))
        };
        let holds = (0..self.scope.holds.len()).filter(is_held);
        let holds: Vec<HoldIndex> = holds.filter_map(|index| HoldIndex::try_from(index).ok()).collect();
        let draft = Draft::write(&person).map_err(crate::spool::SpoolError::from)?;
        Ok(spool.reading()?.add(person.guid, &draft, &holds, None)?)
    }
}

/// People looked for by one search. A line may be slow: one after the other, many thousands would not end in time.
const AT_ONCE: usize = 100;

/// Takes those who were asked for, each once: a directory that shows others answers something else.
struct Asked {
    asked: HashSet<Uuid>,
    found: HashMap<Uuid, Entry>,
}

impl Sink for Asked {
    fn take(&mut self, entry: Entry) -> Result<(), Refused> {
        let guid = entry.bytes("objectGUID").and_then(values::guid);
        let guid = guid.filter(|guid| self.asked.remove(guid)).ok_or(Refused::Unreadable("objectGUID"))?;
        self.found.insert(guid, entry);
        Ok(())
    }
}

impl Judged {
    /// Takes back that somebody departs alive.
    fn keep(&mut self, guid: Uuid) {
        for (_, verdict) in self.verdicts.get_mut(&guid).into_iter().flatten() {
            if is_out_alive(verdict) {
                *verdict = Verdict::Stay(Doubt::Withheld);
            }
        }
    }
}

/// Somebody who departs although a selected group still lists them shows that `memberOf` cannot be read: of them, or,
/// where they are more than a few, of anybody, and then nobody has left anything. The members of each group are read once.
async fn contradicted(
    reader: &mut DirectoryReader,
    scope: &Scope,
    judged: &Judged,
) -> Result<HashSet<Uuid>, Incomplete> {
    let mut listed = HashSet::new();
    for (group, people) in still_selected_groups(scope, judged) {
        let members = group::read_members(reader, group).await?.ok_or(Incomplete::ChangedMeanwhile)?;
        listed.extend(members.into_iter().filter(|member| people.contains(member)));
    }
    if listed.len() as u64 > withheld::AT_LEAST { Err(Incomplete::Contradiction) } else { Ok(listed) }
}

/// The groups that must not list those who depart alive, with these people.
fn still_selected_groups(scope: &Scope, judged: &Judged) -> BTreeMap<Uuid, HashSet<Uuid>> {
    let mut leaving: BTreeMap<Uuid, HashSet<Uuid>> = BTreeMap::new();
    for (guid, verdicts) in &judged.verdicts {
        for import in verdicts.iter().filter(|(_, verdict)| is_out_alive(verdict)).map(|(import, _)| import) {
            for group in scope.imports.get(import).iter().flat_map(|import| located_groups(scope, import)) {
                leaving.entry(group).or_default().insert(*guid);
            }
        }
    }
    leaving
}

fn located_groups(scope: &Scope, import: &ImportScope) -> Vec<Uuid> {
    let groups = import.include.iter().flat_map(|held| scope.groups(held.guid, import.nesting));
    groups.map(|group| group.guid).collect()
}

/// An exclude wins over every group, and the deleted are in none.
fn is_out_alive(verdict: &Verdict) -> bool {
    match verdict {
        Verdict::Depart(Evidence::LeftScope { .. } | Evidence::LeftGroup { .. } | Evidence::Deselected) => true,
        Verdict::Depart(Evidence::Deleted | Evidence::Excluded { .. } | Evidence::Absent { .. })
        | Verdict::Wait
        | Verdict::Stay(_)
        | Verdict::StillHeld(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cycle::scope::Located;
    use crate::cycle::scope::fixtures::*;
    use crate::directory::entry::fixtures::entry;
    use rollcall_protocol::desired::Selection;

    fn with_group() -> Scope {
        let sid = [1, 5, 0, 0, 0, 0, 0, 5, 21, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 0x50, 4, 0, 0];
        let guid = id(41).to_bytes_le();
        let attributes: &[(&str, &[&[u8]])] =
            &[("objectGUID", &[&guid]), ("objectSid", &[&sid]), ("groupType", &[b"-2147483646"])];
        let group = group::Group::from_entry(&entry("CN=Crew,DC=lab", attributes)).unwrap();
        let selected = [ou(21), Selection { guid: id(41), kind: SelectionKind::Group }];
        let mut scope = scope(vec![import(11, &selected, &[]), import(12, &[ou(21)], &[])]);
        scope.set_located(id(41), Located::Group(group));
        scope
    }

    #[test]
    fn whoever_departs_alive_is_looked_for_in_every_group_of_that_import() {
        let left = Verdict::Depart(Evidence::LeftScope { dn: "CN=Ana,DC=lab".into() });
        let deleted = Verdict::Depart(Evidence::Deleted);
        let mut judged = Judged::default();
        judged.verdicts.insert(id(1), vec![(id(11), left.clone())]);
        judged.verdicts.insert(id(2), vec![(id(11), Verdict::Depart(Evidence::Deselected))]);
        judged.verdicts.insert(id(3), vec![(id(11), deleted), (id(12), left.clone()), (id(13), left)]);
        judged.verdicts.insert(id(4), vec![(id(11), Verdict::Wait)]);

        let groups = still_selected_groups(&with_group(), &judged);

        assert_eq!(groups, BTreeMap::from([(id(41), HashSet::from([id(1), id(2)]))]));
    }
}
