//! Decides what an operator can choose from: OUs and groups with counts, and why something cannot be chosen.

use std::collections::{BTreeMap, HashMap};

use rollcall_protocol::limits;
use rollcall_protocol::structure::{Blocked, Group as ListedGroup, OrgUnit};
use uuid::Uuid;

use super::ceiling::Barred;
use super::census::{Census, Counts, MEMBER_OF, count_of};
use super::dn::Dn;
use super::domain::Domain;
use super::entry::Entry;
use super::filter::Filter;
use super::group::{self, Group, GroupMap, GroupRead};
use super::people;
use super::reader::{DirectoryReader, Finds, Incomplete, PAGE_SIZE, Refused, Search, Sink};
use super::room::Room;
use super::values;

/// Everything the portal's pickers show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Structure {
    pub ous: Vec<OrgUnit>,
    pub groups: Vec<ListedGroup>,
    /// People in the whole domain, but for those left out.
    pub people: u64,
    /// People in places that are never read.
    pub left_out: u64,
    /// Groups that do not say what they are, so that they are not listed, with what each keeps back.
    pub unlisted: BTreeMap<Uuid, &'static str>,
}

/// Reads the structure of the whole domain, and which groups lie in which.
pub async fn read(
    reader: &mut DirectoryReader,
    domain: &Domain,
    barred: &Barred,
) -> Result<(Structure, GroupMap), Incomplete> {
    let mut skeleton = Skeleton::read(reader, domain).await?;
    let census = Census::take(reader, domain, barred).await?;
    let structure = skeleton.list(reader, domain, &census).await?;
    Ok((structure, skeleton.map))
}

/// A domain without its people: units, groups, and what else is in groups. One search brings them.
#[derive(Debug, Default)]
pub struct Skeleton {
    units: Units,
    pub map: GroupMap,
    members: BTreeMap<Uuid, Members>,
    unlisted: BTreeMap<Uuid, Unlisted>,
    /// Groups by the group they are in.
    groups: HashMap<String, u32>,
    computers: HashMap<String, u32>,
    contacts: HashMap<String, u32>,
    /// For all of these names.
    room: Room,
}

/// A group that does not say what it is.
#[derive(Debug)]
struct Unlisted {
    /// `None` where the name is none.
    dn: Option<Dn>,
    what: &'static str,
}

/// How many values `member` has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Members {
    All(usize),
    /// The server gave the first range only.
    MoreThan(usize),
}

impl Skeleton {
    pub async fn read(reader: &mut DirectoryReader, domain: &Domain) -> Result<Self, Incomplete> {
        let mut attributes = group::ATTRIBUTES.to_vec();
        attributes.extend(["objectClass", "member", MEMBER_OF]);
        let (base, filter) = (domain.head.as_str(), filter());
        let search = Search { base, filter: &filter, attributes: &attributes, page_size: PAGE_SIZE };
        Ok(reader.search_into(&search, Self::default()).await?.sink)
    }

    /// What the pickers show, once everybody has been counted. Of the other containers only those that hold people are
    /// listed: a domain has hundreds of empty ones.
    pub async fn list(
        &mut self,
        reader: &mut DirectoryReader,
        domain: &Domain,
        census: &Census,
    ) -> Result<Structure, Incomplete> {
        let counts = census.counts();
        for name in counts.places().into_iter().chain([domain.head.as_str()]) {
            if Dn::parse(name).is_some_and(|dn| !self.units.0.contains_key(dn.key()))
                && let Some(entry) = reader.read_base(name, &["objectGUID"], Finds::Live).await?
            {
                self.units.add(&entry);
            }
        }
        let mut groups = Vec::new();
        for (guid, members) in &self.members {
            let Some(group) = self.map.get(*guid).filter(|group| !census.barred().holds(&group.dn)) else { continue };
            let known = Known::of(self, group, &counts);
            let members = match members {
                Members::All(members) => *members,
                Members::MoreThan(first) => group::count_members(reader, *guid, *first, known.sum()).await?,
            };
            groups.push(known.listed(group, members, self.units.above(&group.dn), blocked(group, domain)));
        }
        let ous = self.units.listed(census.barred(), &counts);
        let is_told = |dn: &Dn| !census.barred().holds(dn);
        let unlisted = self.unlisted.iter().filter(|(_, group)| group.dn.as_ref().is_some_and(is_told));
        let unlisted = unlisted.map(|(guid, group)| (*guid, group.what)).collect();
        Ok(Structure { ous, groups, people: census.people, left_out: census.left_out, unlisted })
    }
}

/// Units, groups, and computers, managed service accounts and contacts that are in some group.
fn filter() -> Filter {
    let kinds = vec![Filter::is("sAMAccountType", "805306369"), Filter::is("objectClass", "contact")];
    Filter::Any(vec![
        Filter::is("objectClass", "organizationalUnit"),
        Filter::is("objectClass", "group"),
        Filter::All(vec![Filter::Any(kinds), Filter::Has(MEMBER_OF)]),
    ])
}

impl Sink for Skeleton {
    fn take(&mut self, entry: Entry) -> Result<(), Refused> {
        let is_a = |class: &str| entry.texts("objectClass").any(|name| name.eq_ignore_ascii_case(class));
        if is_a("organizationalUnit") {
            self.room.keep(&entry.dn)?;
            self.units.add(&entry);
        } else if is_a("group") {
            self.add_group(&entry)?;
        } else {
            let counts = if is_a("contact") { &mut self.contacts } else { &mut self.computers };
            count_groups(counts, &entry, &mut self.room)?;
        }
        Ok(())
    }

    fn most(&self) -> u64 {
        limits::DIRECTORY_OBJECTS
    }
}

impl Skeleton {
    fn add_group(&mut self, entry: &Entry) -> Result<(), Refused> {
        let group = match Group::read(entry)? {
            GroupRead::Group(group) => group,
            GroupRead::Silent { guid, what } => {
                self.room.keep(&entry.dn)?;
                self.unlisted.insert(guid, Unlisted { dn: Dn::parse(&entry.dn), what });
                return Ok(());
            }
        };
        let members = match entry.chunk("member") {
            None => Members::All(0),
            Some(chunk) if chunk.last.is_some() => Members::MoreThan(chunk.values.len()),
            Some(chunk) => Members::All(chunk.values.len()),
        };
        self.members.insert(group.guid, members);
        count_groups(&mut self.groups, entry, &mut self.room)?;
        self.map.add(group, entry.texts(MEMBER_OF), &mut self.room)
    }
}

fn count_groups(counts: &mut HashMap<String, u32>, entry: &Entry, room: &mut Room) -> Result<(), Refused> {
    for group in entry.texts(MEMBER_OF).map(str::to_lowercase) {
        if !counts.contains_key(&group) {
            room.keep(&group)?;
        }
        *counts.entry(group).or_default() += 1;
    }
    Ok(())
}

/// What this domain shows as the members of one group.
struct Known {
    people: u32,
    primary: u32,
    groups: u32,
    computers: u32,
    own_and_contacts: u32,
}

impl Known {
    fn of(skeleton: &Skeleton, group: &Group, counts: &Counts) -> Self {
        Self {
            people: counts.members_of(&group.dn),
            primary: counts.primary_members_of(&group.sid),
            groups: count_of(&skeleton.groups, &group.dn),
            computers: count_of(&skeleton.computers, &group.dn),
            own_and_contacts: counts.own_members_of(&group.dn) + count_of(&skeleton.contacts, &group.dn),
        }
    }

    /// Those whom `member` lists; whose primary group it is, it does not.
    fn sum(&self) -> usize {
        let parts = [self.people, self.groups, self.computers, self.own_and_contacts];
        parts.iter().map(|part| usize::try_from(*part).unwrap_or(usize::MAX)).sum()
    }

    fn listed(&self, group: &Group, members: usize, parent: Option<Uuid>, blocked: Option<Blocked>) -> ListedGroup {
        let left = u32::try_from(members).unwrap_or(u32::MAX).saturating_sub(self.people);
        ListedGroup {
            guid: group.guid,
            dn: group.dn.to_string(),
            name: group.dn.leaf(),
            parent,
            people: self.people + self.primary,
            others: left,
            nested: self.groups,
            computers: self.computers,
            // What this domain does not show as its own belongs to another one.
            foreign: left.saturating_sub(self.groups + self.computers + self.own_and_contacts),
            blocked,
        }
    }
}

/// The listed containers by key; a `BTreeMap` so that the same directory gives the same bytes.
#[derive(Debug, Default)]
struct Units(BTreeMap<String, (Uuid, Dn)>);

impl Units {
    fn add(&mut self, entry: &Entry) {
        let guid = entry.bytes("objectGUID").and_then(values::guid).filter(|_| entry.dn.len() <= people::LONGEST);
        if let (Some(guid), Some(dn)) = (guid, Dn::parse(&entry.dn)) {
            self.0.insert(dn.key().to_owned(), (guid, dn));
        }
    }

    /// The nearest listed container above.
    fn above(&self, dn: &Dn) -> Option<Uuid> {
        dn.keys_above().find_map(|key| self.0.get(key)).map(|(guid, _)| *guid)
    }

    fn listed(&self, barred: &Barred, counts: &Counts) -> Vec<OrgUnit> {
        let unit = |(guid, dn): &(Uuid, Dn)| OrgUnit {
            guid: *guid,
            parent: self.above(dn),
            dn: dn.to_string(),
            name: dn.leaf(),
            people: counts.directly_in(dn),
            blocked: barred.is_one(dn).then_some(Blocked::LocalCeiling),
        };
        // A place that is never read is named, so that the portal can say why nobody comes from it; what lies in it is not.
        let is_told = |(_, dn): &&(Uuid, Dn)| barred.is_one(dn) || !barred.holds(dn);
        let mut listed: Vec<_> = self.0.values().filter(is_told).map(unit).collect();
        listed.sort_by_key(|unit| unit.guid);
        listed
    }
}

/// Why a group cannot be chosen: by SID, number, flag and place, never by name, since names are translated and renamed.
pub fn blocked(group: &Group, domain: &Domain) -> Option<Blocked> {
    if group.sid.is_builtin() || group.kind.is_builtin() {
        return Some(Blocked::Builtin);
    }
    if group.sid.is_predefined() {
        return Some(Blocked::DefaultGroup);
    }
    if group.is_critical {
        return Some(Blocked::System);
    }
    if domain.users_container.as_ref().is_some_and(|users| group.dn.is_at_or_under(users)) {
        return Some(Blocked::UsersContainer);
    }
    if !group.kind.is_security() {
        return Some(Blocked::Distribution);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::domain::fixtures::domain;
    #[cfg(target_os = "linux")]
    use crate::directory::entry::fixtures::entry;
    use crate::directory::sid::Sid;
    use crate::directory::values::GroupType;

    fn group(dn: &str, rid: u32, kind: &str) -> Group {
        let mut sid = vec![1, 5, 0, 0, 0, 0, 0, 5];
        for part in [21, 1, 2, 3, rid] {
            sid.extend_from_slice(&u32::to_le_bytes(part));
        }
        Group {
            guid: Uuid::from_u128(9),
            dn: Dn::parse(dn).unwrap(),
            sid: Sid::from_bytes(&sid).unwrap(),
            kind: GroupType::parse(kind).unwrap(),
            is_critical: false,
            usn: 1,
        }
    }

    #[test]
    fn a_custom_security_group_can_be_chosen() {
        assert_eq!(blocked(&group("CN=All Staff,OU=Groups,DC=lab", 1104, "-2147483646"), &domain()), None);
    }

    #[test]
    fn default_groups_are_blocked_in_any_language_and_place() {
        let renamed = group("CN=Die Chefs,OU=Groups,DC=lab", 512, "-2147483646");
        let in_users = group("CN=DnsAdmins,CN=Benutzer,DC=lab", 1101, "-2147483644");
        let list = group("CN=News,OU=Groups,DC=lab", 1105, "2");

        assert_eq!(blocked(&renamed, &domain()), Some(Blocked::DefaultGroup));
        assert_eq!(blocked(&in_users, &domain()), Some(Blocked::UsersContainer));
        assert_eq!(blocked(&list, &domain()), Some(Blocked::Distribution));
    }

    /// The most memory this process has had, in KiB.
    #[cfg(target_os = "linux")]
    fn peak_kib() -> u64 {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        peak.trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// Names of as many levels as a name may have: what takes the most memory beside its text, and the longest to climb.
    // proves: L-14
    #[cfg(target_os = "linux")]
    #[test]
    fn places_that_are_named_without_end_have_an_end_in_memory_and_in_time() {
        let deep = ",a=".repeat(100);
        let place = |number: u128| {
            let guid = Uuid::from_u128(number).to_bytes_le();
            let dn = format!("OU={number}{deep},DC=lab");
            entry(&dn, &[("objectClass", &[b"organizationalUnit"]), ("objectGUID", &[&guid])])
        };
        let (mut skeleton, before) = (Skeleton { room: Room::small(), ..Skeleton::default() }, peak_kib());

        let refused = (0..).find_map(|number| skeleton.take(place(number)).err());

        assert_eq!(refused, Some(Refused::TooManyNames));
        let listed = skeleton.units.listed(&Barred::default(), &Census::default().counts());
        assert!(listed.len() > 10_000, "{}", listed.len());
        let grown = (peak_kib() - before) / 1024;
        assert!(grown < 64, "{grown} MiB");
    }
}
