//! Decides what an operator can choose from: OUs and groups with counts, and why something cannot be chosen.

use std::collections::{BTreeMap, HashMap};

use rollcall_protocol::structure::{Blocked, Group as ListedGroup, OrgUnit};
use uuid::Uuid;

use super::dn::Dn;
use super::domain::Domain;
use super::entry::Entry;
use super::filter::Filter;
use super::group::{self, Group};
use super::people;
use super::reader::{DirectoryReader, Finds, Incomplete, PAGE_SIZE, Refused, Search, Sink};
use super::sid::Sid;
use super::values;

/// Everything the portal's pickers show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Structure {
    pub ous: Vec<OrgUnit>,
    pub groups: Vec<ListedGroup>,
    /// People in the whole domain.
    pub people: u64,
}

const OU_FILTER: Filter = Filter::is("objectClass", "organizationalUnit");
const GROUP_FILTER: Filter = Filter::is("objectClass", "group");
const COUNTED: &[&str] = &["objectSid", "sAMAccountName", "isCriticalSystemObject", "primaryGroupID", "memberOf"];

/// Reads the structure of the whole domain.
pub async fn read(reader: &mut DirectoryReader, domain: &Domain) -> Result<Structure, Incomplete> {
    let base = domain.head.as_str();
    let people = Search { base, filter: &people::FILTER, attributes: COUNTED, page_size: PAGE_SIZE };
    let counts = reader.search_into(&people, Counts::default()).await?.sink;
    let units = read_units(reader, domain, &counts).await?;
    let groups = read_groups(reader, domain, &counts, &units).await?;
    let people = counts.people;
    Ok(Structure { ous: units.listed(&counts), groups, people })
}

/// How many people lie where. Keys are names in small letters: a count needs no more than that.
#[derive(Debug, Default)]
struct Counts {
    people: u64,
    by_parent: HashMap<String, u32>,
    by_group: HashMap<String, u32>,
    by_primary_group: HashMap<u32, u32>,
}

impl Sink for Counts {
    fn take(&mut self, entry: Entry) -> Result<(), Refused> {
        let sid = entry.bytes("objectSid").and_then(Sid::from_bytes).ok_or(Refused::Unreadable("objectSid"))?;
        if people::is_system(&entry, &sid, entry.text("sAMAccountName").unwrap_or_default()) {
            return Ok(());
        }
        let dn = Dn::parse(&entry.dn).ok_or(Refused::Unreadable("its name"))?;
        self.people += 1;
        *self.by_parent.entry(dn.parent().unwrap_or_default().to_lowercase()).or_default() += 1;
        for group in entry.texts("memberOf") {
            *self.by_group.entry(group.to_lowercase()).or_default() += 1;
        }
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
        self.by_group.get(&dn.as_str().to_lowercase()).copied().unwrap_or_default()
    }

    fn primary_members_of(&self, sid: &Sid) -> u32 {
        sid.rid().and_then(|rid| self.by_primary_group.get(&rid).copied()).unwrap_or_default()
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
            blocked: None,
        };
        let mut listed: Vec<_> = self.0.values().map(unit).collect();
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

async fn read_groups(
    reader: &mut DirectoryReader,
    domain: &Domain,
    counts: &Counts,
    units: &Units,
) -> Result<Vec<ListedGroup>, Incomplete> {
    let mut attributes = group::ATTRIBUTES.to_vec();
    attributes.push("member");
    let search =
        Search { base: domain.head.as_str(), filter: &GROUP_FILTER, attributes: &attributes, page_size: PAGE_SIZE };
    let found = reader.search_into(&search, Groups::default()).await?.sink;
    let mut listed = Vec::new();
    for (group, members) in found.0 {
        let members = match members {
            Members::All(count) => count,
            Members::More => group::read_members(reader, group.guid).await?.map_or(0, |members| members.len()),
        };
        let direct = counts.members_of(&group.dn);
        let others = u32::try_from(members).unwrap_or(u32::MAX).saturating_sub(direct);
        listed.push(ListedGroup {
            guid: group.guid,
            dn: group.dn.to_string(),
            name: group.dn.leaf(),
            parent: units.above(&group.dn),
            people: direct + counts.primary_members_of(&group.sid),
            others,
            blocked: blocked(&group, domain),
        });
    }
    listed.sort_by_key(|group| group.guid);
    Ok(listed)
}

enum Members {
    All(usize),
    /// The server gave the first range only.
    More,
}

#[derive(Default)]
struct Groups(Vec<(Group, Members)>);

impl Sink for Groups {
    fn take(&mut self, entry: Entry) -> Result<(), Refused> {
        let group = Group::from_entry(&entry).ok_or(Refused::Unreadable("a group"))?;
        let members = match entry.chunk("member") {
            None => Members::All(0),
            Some(chunk) if chunk.last.is_none() => Members::All(chunk.values.len()),
            Some(_) => Members::More,
        };
        self.0.push((group, members));
        Ok(())
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
    use crate::directory::domain::Rights;
    use crate::directory::values::GroupType;
    use rollcall_protocol::directory::{DcIdentity, DomainPin};

    fn domain() -> Domain {
        let guid = Uuid::from_u128(1);
        Domain {
            pin: DomainPin { guid, sid: "S-1-5-21-1-2-3".into(), dns_name: "lab".into() },
            dc: DcIdentity { dns_name: "dc1.lab".into(), ntds_guid: guid, invocation_id: guid, usn: 1 },
            head: Dn::parse("DC=lab").unwrap(),
            users_container: Dn::parse("CN=Benutzer,DC=lab"),
            rights: Rights::Reader,
        }
    }

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
