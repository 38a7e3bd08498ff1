//! Decides what an operator can choose from: OUs and groups with counts, and why something cannot be chosen.

use std::collections::{BTreeMap, HashMap};

use rollcall_protocol::structure::{Blocked, Group as ListedGroup, OrgUnit};
use uuid::Uuid;

use super::ceiling::Barred;
use super::dn::{self, Dn};
use super::domain::Domain;
use super::entry::Entry;
use super::filter::Filter;
use super::group::{self, Group, GroupMap};
use super::people;
use super::reader::{DirectoryReader, Finds, Incomplete, PAGE_SIZE, Refused, Search, Sink};
use super::sid::Sid;
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
}

const OU_FILTER: Filter = Filter::is("objectClass", "organizationalUnit");
const GROUP_FILTER: Filter = Filter::is("objectClass", "group");
const COUNTED: &[&str] = &["objectSid", "sAMAccountName", "isCriticalSystemObject", "primaryGroupID", "memberOf"];

/// Reads the structure of the whole domain, and which groups lie in which.
pub async fn read(
    reader: &mut DirectoryReader,
    domain: &Domain,
    barred: &Barred,
) -> Result<(Structure, GroupMap), Incomplete> {
    let base = domain.head.as_str();
    let people = Search { base, filter: &people::FILTER, attributes: COUNTED, page_size: PAGE_SIZE };
    let counts = reader.search_into(&people, Counts { barred: barred.clone(), ..Counts::default() }).await?.sink;
    let filter = others_filter();
    let others = Search { base, filter: &filter, attributes: &["objectClass", "memberOf"], page_size: PAGE_SIZE };
    let others = reader.search_into(&others, Others::default()).await?.sink;
    let units = read_units(reader, domain, &counts).await?;
    let found = read_groups(reader, domain).await?;
    let (people, left_out) = (counts.people, counts.left_out);
    let groups = found.listed(domain, &units, &counts, &others);
    Ok((Structure { ous: units.listed(&counts), groups, people, left_out }, found.map))
}

/// Computers, managed service accounts and contacts that are in some group.
fn others_filter() -> Filter {
    let kinds = vec![Filter::is("sAMAccountType", "805306369"), Filter::is("objectClass", "contact")];
    Filter::All(vec![Filter::Any(kinds), Filter::Has("memberOf")])
}

/// How many people lie where. Keys are names in small letters: a count needs no more than that.
#[derive(Debug, Default)]
struct Counts {
    barred: Barred,
    left_out: u64,
    people: u64,
    by_parent: HashMap<String, u32>,
    by_group: HashMap<String, u32>,
    by_primary_group: HashMap<u32, u32>,
    /// Windows' own accounts, which are nobody's people.
    own_by_group: HashMap<String, u32>,
}

impl Sink for Counts {
    fn take(&mut self, entry: Entry) -> Result<(), Refused> {
        // Whoever keeps that back is counted as one of the people: a count harms nobody.
        let sid = entry.bytes("objectSid").and_then(Sid::from_bytes);
        let name = entry.text("sAMAccountName").unwrap_or_default();
        if sid.is_some_and(|sid| people::is_system(&entry, &sid, name)) {
            count_groups(&mut self.own_by_group, &entry);
            return Ok(());
        }
        if !self.barred.is_empty() {
            let dn = Dn::parse(&entry.dn).ok_or(Refused::Unreadable("its name"))?;
            if self.barred.holds(&dn) {
                self.left_out += 1;
                // Counted like Windows' own accounts, so that they are not taken for somebody of another domain.
                count_groups(&mut self.own_by_group, &entry);
                return Ok(());
            }
        }
        let parent = dn::parent_of(&entry.dn).ok_or(Refused::Unreadable("its name"))?;
        self.people += 1;
        *self.by_parent.entry(parent.to_lowercase()).or_default() += 1;
        count_groups(&mut self.by_group, &entry);
        if let Some(rid) = entry.text("primaryGroupID").and_then(|text| text.parse().ok()) {
            *self.by_primary_group.entry(rid).or_default() += 1;
        }
        Ok(())
    }
}

impl Counts {
    fn directly_in(&self, dn: &Dn) -> u32 {
        self.by_parent.get(&dn.as_str().to_lowercase()).copied().unwrap_or_default()
    }

    fn members_of(&self, dn: &Dn) -> u32 {
        count_of(&self.by_group, dn)
    }

    fn primary_members_of(&self, sid: &Sid) -> u32 {
        sid.rid().and_then(|rid| self.by_primary_group.get(&rid).copied()).unwrap_or_default()
    }
}

fn count_groups(counts: &mut HashMap<String, u32>, entry: &Entry) {
    for group in entry.texts("memberOf") {
        *counts.entry(group.to_lowercase()).or_default() += 1;
    }
}

fn count_of(counts: &HashMap<String, u32>, dn: &Dn) -> u32 {
    counts.get(&dn.as_str().to_lowercase()).copied().unwrap_or_default()
}

/// Members that are neither people nor groups, by the group they are in.
#[derive(Debug, Default)]
struct Others {
    computers: HashMap<String, u32>,
    contacts: HashMap<String, u32>,
}

impl Sink for Others {
    fn take(&mut self, entry: Entry) -> Result<(), Refused> {
        let is_contact = entry.texts("objectClass").any(|class| class.eq_ignore_ascii_case("contact"));
        count_groups(if is_contact { &mut self.contacts } else { &mut self.computers }, &entry);
        Ok(())
    }
}

/// The listed containers by key; a `BTreeMap` so that the same directory gives the same bytes.
struct Units(BTreeMap<String, (Uuid, Dn)>);

impl Units {
    fn add(&mut self, entry: &Entry) {
        let guid = entry.bytes("objectGUID").and_then(values::guid);
        if let (Some(guid), Some(dn)) = (guid, Dn::parse(&entry.dn)) {
            self.0.insert(dn.key(), (guid, dn));
        }
    }

    /// The nearest listed container above.
    fn above(&self, dn: &Dn) -> Option<Uuid> {
        let mut at = dn.parent().and_then(Dn::parse);
        while let Some(candidate) = at {
            if let Some((guid, _)) = self.0.get(&candidate.key()) {
                return Some(*guid);
            }
            at = candidate.parent().and_then(Dn::parse);
        }
        None
    }

    fn listed(&self, counts: &Counts) -> Vec<OrgUnit> {
        let unit = |(guid, dn): &(Uuid, Dn)| OrgUnit {
            guid: *guid,
            parent: self.above(dn),
            dn: dn.to_string(),
            name: dn.leaf(),
            people: counts.directly_in(dn),
            blocked: counts.barred.is_one(dn).then_some(Blocked::LocalCeiling),
        };
        // A place that is never read is named, so that the portal can say why nobody comes from it; what lies in it is not.
        let is_told = |(_, dn): &&(Uuid, Dn)| counts.barred.is_one(dn) || !counts.barred.holds(dn);
        let mut listed: Vec<_> = self.0.values().filter(is_told).map(unit).collect();
        listed.sort_by_key(|unit| unit.guid);
        listed
    }
}

/// All OUs, the head of the domain, and other containers only where people are: a domain has hundreds of empty ones.
async fn read_units(reader: &mut DirectoryReader, domain: &Domain, counts: &Counts) -> Result<Units, Incomplete> {
    let mut units = Units(BTreeMap::new());
    let search =
        Search { base: domain.head.as_str(), filter: &OU_FILTER, attributes: &["objectGUID"], page_size: PAGE_SIZE };
    for entry in reader.search_into(&search, Vec::new()).await?.sink {
        units.add(&entry);
    }
    let mut others: Vec<&str> = counts.by_parent.keys().map(String::as_str).collect();
    others.push(domain.head.as_str());
    others.sort_unstable();
    for name in others {
        if Dn::parse(name).is_some_and(|dn| !units.0.contains_key(&dn.key()))
            && let Some(entry) = reader.read_base(name, &["objectGUID"], Finds::Live).await?
        {
            units.add(&entry);
        }
    }
    Ok(units)
}

async fn read_groups(reader: &mut DirectoryReader, domain: &Domain) -> Result<Groups, Incomplete> {
    let mut attributes = group::ATTRIBUTES.to_vec();
    attributes.extend(["member", "memberOf"]);
    let search =
        Search { base: domain.head.as_str(), filter: &GROUP_FILTER, attributes: &attributes, page_size: PAGE_SIZE };
    let mut found = reader.search_into(&search, Groups::default()).await?.sink;
    for guid in std::mem::take(&mut found.unfinished) {
        let members = group::read_members(reader, guid).await?.map_or(0, |members| members.len());
        found.members.insert(guid, members);
    }
    Ok(found)
}

#[derive(Default)]
struct Groups {
    map: GroupMap,
    /// How many values `member` has.
    members: BTreeMap<Uuid, usize>,
    /// Those of whom the server gave the first range only.
    unfinished: Vec<Uuid>,
    /// Groups by the group they are in.
    by_group: HashMap<String, u32>,
}

impl Sink for Groups {
    fn take(&mut self, entry: Entry) -> Result<(), Refused> {
        let group = Group::read(&entry)?;
        let members = match entry.chunk("member") {
            None => 0,
            Some(chunk) => {
                if chunk.last.is_some() {
                    self.unfinished.push(group.guid);
                }
                chunk.values.len()
            }
        };
        self.members.insert(group.guid, members);
        count_groups(&mut self.by_group, &entry);
        self.map.add(group, entry.texts("memberOf"));
        Ok(())
    }
}

impl Groups {
    fn listed(&self, domain: &Domain, units: &Units, counts: &Counts, others: &Others) -> Vec<ListedGroup> {
        let list = |(guid, members): (&Uuid, &usize)| {
            let group = self.map.get(*guid).filter(|group| !counts.barred.holds(&group.dn))?;
            let direct = counts.members_of(&group.dn);
            let left = u32::try_from(*members).unwrap_or(u32::MAX).saturating_sub(direct);
            let nested = count_of(&self.by_group, &group.dn);
            let computers = count_of(&others.computers, &group.dn);
            let own = count_of(&counts.own_by_group, &group.dn) + count_of(&others.contacts, &group.dn);
            Some(ListedGroup {
                guid: *guid,
                dn: group.dn.to_string(),
                name: group.dn.leaf(),
                parent: units.above(&group.dn),
                people: direct + counts.primary_members_of(&group.sid),
                others: left,
                nested,
                computers,
                // What this domain does not show as its own belongs to another one.
                foreign: left.saturating_sub(nested + computers + own),
                blocked: blocked(group, domain),
            })
        };
        self.members.iter().filter_map(list).collect()
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
}
