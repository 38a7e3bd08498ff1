//! Looks once more at everybody who seems to be gone, on the same domain controller, and gathers the verdicts.

use std::collections::{HashMap, HashSet};

use chrono::TimeDelta;
use rollcall_protocol::desired::SelectionKind;
use rollcall_protocol::evidence::Evidence;
use rollcall_protocol::person::InImport;
use tokio::time::Instant;
use uuid::Uuid;

use super::CycleError;
use super::evidence::{self, Circumstances, DcContinuity, Live, Looked, Standing, Verdict};
use super::locate;
use super::members;
use super::pace::Pace;
use super::scope::Scope;
use super::survey::Ended;
use super::withheld::Withheld;
use crate::clock::Clock;
use crate::directory::dn::Dn;
use crate::directory::domain::{self, Domain, Sought};
use crate::directory::entry::Entry;
use crate::directory::filter::Filter;
use crate::directory::people::{self, AttributeList, NotReadable, Read};
use crate::directory::reader::{DirectoryReader, Finds, Incomplete, PAGE_SIZE, Refused, Search, Sink};
use crate::directory::room::Room;
use crate::directory::values;
use crate::spool::Spool;
use crate::spool::reading::{Draft, HoldIndex};
use crate::spool::snapshot::Missed;

/// What the second look brought.
#[derive(Debug, Default)]
pub struct Judged {
    /// Per person, what becomes of each membership.
    pub verdicts: HashMap<Uuid, Vec<(Uuid, Verdict)>>,
    /// People of whom the directory says that there is no such object, and those whom this reading alone has not found
    /// where the cloud says they are.
    pub missing: HashSet<Uuid>,
    /// People who show no group that they are in: there is none, or it is hidden.
    pub in_no_group: HashSet<Uuid>,
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
                    Some(entry) => self.read_live(entry, person, withheld),
                    None => self.look_for(reader, person, withheld).await?,
                };
                if matches!(looked, Looked::Nothing | Looked::Elsewhere) {
                    judged.missing.insert(person.guid);
                }
                if matches!(&looked, Looked::Live(live) if live.member_of.is_empty()) {
                    judged.in_no_group.insert(person.guid);
                }
                let verdicts = self.judge_one(spool, person, &looked, entry.as_ref())?;
                // One reading has not found them where the cloud says; the next on this controller may judge.
                if verdicts.iter().any(|(import, verdict)| *verdict == Verdict::Wait && person.hearsay.contains(import))
                {
                    judged.missing.insert(person.guid);
                }
                judged.verdicts.insert(person.guid, verdicts);
            }
        }
        members::hear_groups(reader, self.scope, ended, &mut judged, withheld).await?;
        if !ended.is_empty() {
            // Who was judged or added just now was so by the names of these places.
            locate::check_unmoved(reader, self.domain, self.scope).await?;
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
        let circumstances = |is_hearsay| Circumstances {
            dc: &self.domain.dc,
            continuity: self.continuity,
            missed: missed.as_ref(),
            is_hearsay,
            now: self.clock.cloud_now(),
            second_reading_after: self.second_reading_after,
            waited: missed.as_ref().and_then(|missed| self.waited(missed)),
        };
        let mut verdicts = Vec::new();
        for before in &person.memberships {
            let circumstances = circumstances(person.hearsay.contains(&before.import));
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
        Ok(reader
            .search_into(&search, Asked { open: asked, found: HashMap::new(), room: Room::default() })
            .await?
            .sink
            .found)
    }

    async fn look_for(
        &self,
        reader: &mut DirectoryReader,
        person: &Ended,
        withheld: &mut Withheld,
    ) -> Result<(Looked, Option<Entry>), Incomplete> {
        match domain::locate(reader, person.guid, &self.wanted()).await? {
            Sought::Here(entry) => return Ok(self.read_live(entry, person, withheld)),
            Sought::Nowhere => {}
            Sought::Elsewhere => return Ok((Looked::Elsewhere, None)),
        }
        let base = values::guid_base(person.guid);
        let deleted = reader.read_base(&base, &["isDeleted"], Finds::Deleted).await?;
        let is_tombstone = deleted.is_some_and(|entry| entry.is_true("isDeleted"));
        Ok((if is_tombstone { Looked::Tombstone } else { Looked::Nothing }, None))
    }

    fn wanted(&self) -> Vec<&'static str> {
        let mut wanted = self.attributes.names().to_vec();
        wanted.extend(["sAMAccountType", "memberOf"]);
        wanted
    }

    fn read_live(&self, entry: Entry, person: &Ended, withheld: &mut Withheld) -> (Looked, Option<Entry>) {
        let what = match self.live(&entry, &person.memberships) {
            Ok(live) => return (Looked::Live(live), Some(entry)),
            Err(NotReadable::Withheld { what, .. }) => what,
            // We asked for this very object, so it is known which one keeps its own GUID back.
            Err(NotReadable::Nameless) => "objectGUID",
        };
        withheld.note(person.guid, what);
        (Looked::Withheld, None)
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
    /// Not come yet.
    open: HashSet<Uuid>,
    found: HashMap<Uuid, Entry>,
    room: Room,
}

impl Sink for Asked {
    fn take(&mut self, entry: Entry) -> Result<(), Refused> {
        let guid = entry.bytes("objectGUID").and_then(values::guid);
        let guid = guid.filter(|guid| self.open.remove(guid)).ok_or(Refused::Unreadable("objectGUID"))?;
        self.room.keep_entry(&entry)?;
        self.found.insert(guid, entry);
        Ok(())
    }
}
