//! Decides who the direct members of a group are, and when the directory's own answers about that contradict each other.

use std::collections::{HashMap, HashSet};

use rollcall_protocol::limits;
use uuid::Uuid;

use super::dn::Dn;
use super::domain::{self, Domain};
use super::entry::Entry;
use super::filter::Filter;
use super::people;
use super::reader::{DirectoryReader, Finds, Incomplete, Refused};
use super::room::Room;
use super::sid::Sid;
use super::values::{self, GroupType};

/// A group as it stands now.
#[derive(Debug, Clone)]
pub struct Group {
    pub guid: Uuid,
    pub dn: Dn,
    pub sid: Sid,
    pub kind: GroupType,
    pub is_critical: bool,
    pub usn: i64,
}

/// What a group that a search brought says of itself.
#[derive(Debug, Clone)]
pub enum GroupRead {
    Group(Group),
    /// It keeps back what it is: it cannot be chosen, and is not listed.
    Silent {
        guid: Uuid,
        what: &'static str,
    },
}

pub const ATTRIBUTES: &[&str] = &["objectGUID", "objectSid", "groupType", "isCriticalSystemObject", "uSNChanged"];

impl Group {
    /// Reads one of the groups that a search brought.
    pub fn read(entry: &Entry) -> Result<GroupRead, Refused> {
        let guid = entry.bytes("objectGUID").and_then(values::guid).ok_or(Refused::Unreadable("a group"))?;
        let silent = |what| Ok(GroupRead::Silent { guid, what });
        if entry.dn.len() > people::LONGEST {
            return silent("its name");
        }
        match Self::from_entry(entry) {
            Some(group) => Ok(GroupRead::Group(group)),
            None if entry.text("groupType").is_none() => silent("groupType"),
            None => silent("objectSid"),
        }
    }

    /// Reads a group entry; `None` if it is no group.
    pub fn from_entry(entry: &Entry) -> Option<Self> {
        Some(Self {
            guid: entry.bytes("objectGUID").and_then(values::guid)?,
            dn: Dn::parse(&entry.dn)?,
            sid: entry.bytes("objectSid").and_then(Sid::from_bytes)?,
            kind: entry.text("groupType").and_then(GroupType::parse)?,
            is_critical: entry.is_true("isCriticalSystemObject"),
            usn: entry.text("uSNChanged").and_then(|text| text.parse().ok()).unwrap_or_default(),
        })
    }

    /// Direct members that are users, those included whose primary group it is: `member` never lists them.
    pub fn people_filter(&self) -> Filter {
        let rid = self.sid.rid().unwrap_or_default().to_string();
        let member = Filter::Is("memberOf", self.dn.to_string().into());
        Filter::All(vec![people::FILTER, Filter::Any(vec![member, Filter::Is("primaryGroupID", rid.into())])])
    }
}

/// All groups of a domain, and which of them lie in which: what `memberOf` of each group says.
#[derive(Debug, Default)]
pub struct GroupMap {
    by_guid: HashMap<Uuid, Group>,
    inside: HashMap<String, Vec<Uuid>>,
    /// Every group that another one says it is in.
    names: Vec<Dn>,
}

impl GroupMap {
    /// Adds a group with the names of the groups it is in.
    pub fn add<'a>(
        &mut self,
        group: Group,
        member_of: impl Iterator<Item = &'a str>,
        room: &mut Room,
    ) -> Result<(), Refused> {
        for outer in member_of.filter_map(Dn::parse) {
            room.link()?;
            if let Some(inside) = self.inside.get_mut(outer.key()) {
                inside.push(group.guid);
                continue;
            }
            room.keep(outer.as_str())?;
            self.inside.insert(outer.key().to_owned(), vec![group.guid]);
            self.names.push(outer);
        }
        room.keep(group.dn.as_str())?;
        self.by_guid.insert(group.guid, group);
        Ok(())
    }

    pub fn get(&self, guid: Uuid) -> Option<&Group> {
        self.by_guid.get(&guid)
    }

    /// The groups directly inside a group.
    pub fn inside(&self, outer: &Group) -> impl Iterator<Item = &Group> {
        self.inside.get(outer.dn.key()).into_iter().flatten().filter_map(|guid| self.by_guid.get(guid))
    }
}

/// What can be seen of a domain's groups: enough to say of a name whether more may lie behind it.
#[derive(Debug, Clone, Default)]
pub struct Outlook {
    domain: Option<Domain>,
    seen: HashSet<String>,
    /// Groups that are seen and lie, near or far, in one that is not.
    shadowed: HashSet<String>,
}

impl Outlook {
    pub fn over(domain: &Domain, groups: &GroupMap) -> Self {
        let seen: HashSet<String> = groups.by_guid.values().map(|group| group.dn.key().to_owned()).collect();
        let unseen = groups.names.iter().filter(|dn| domain.holds(dn) && !seen.contains(dn.key()));
        let mut shadowed = HashSet::new();
        let mut open: Vec<String> = unseen.map(|dn| dn.key().to_owned()).collect();
        while let Some(outer) = open.pop() {
            let inside = groups.inside.get(&outer).into_iter().flatten().filter_map(|guid| groups.by_guid.get(guid));
            open.extend(inside.map(|group| group.dn.key().to_owned()).filter(|key| shadowed.insert(key.clone())));
        }
        Self { domain: Some(domain.clone()), seen, shadowed }
    }

    /// Whether a group of this name is of this domain and cannot be seen, or lies in one that cannot: what holds that
    /// one, nobody can say.
    pub fn may_hide_more(&self, group: &Dn) -> bool {
        let Some(domain) = &self.domain else { return false };
        let key = group.key();
        self.shadowed.contains(key) || (domain.holds(group) && !self.seen.contains(key))
    }
}

const MOST_READINGS: u32 = 3;
/// Values per step; every server gives at least this many.
const STEP: usize = 1000;

/// The GUIDs of all direct members, read in ranges. The group's uSNChanged must be the same before and after, since
/// chunks are not one reading.
pub async fn read_members(reader: &mut DirectoryReader, group: Uuid) -> Result<Option<Vec<Uuid>>, Incomplete> {
    for _ in 0..MOST_READINGS {
        let Some(before) = domain::locate(reader, group, ATTRIBUTES).await?.here().as_ref().and_then(Group::from_entry)
        else {
            return Ok(None);
        };
        let members = read_ranges(reader, group).await?;
        let after = domain::locate(reader, group, ATTRIBUTES).await?.here().as_ref().and_then(Group::from_entry);
        if after.is_some_and(|after| after.usn == before.usn) {
            return Ok(Some(members));
        }
    }
    Err(Incomplete::ChangedMeanwhile)
}

async fn read_ranges(reader: &mut DirectoryReader, group: Uuid) -> Result<Vec<Uuid>, Incomplete> {
    let unreadable = Incomplete::UnreadableEntry { page: 1, what: "member" };
    let base = values::guid_base(group);
    let mut members = Vec::new();
    let mut asked = "member".to_owned();
    loop {
        let Some(entry) = reader.read_base(&base, &[&asked], Finds::ExtendedNames).await? else {
            return Err(unreadable);
        };
        let Some(chunk) = entry.chunk("member") else { return Ok(members) };
        if chunk.start != members.len() {
            return Err(unreadable);
        }
        if members.len() + chunk.values.len() > limits::MEMBERS {
            return Err(Incomplete::TooMany { what: "members of one group", most: limits::MEMBERS as u64 });
        }
        for value in chunk.values {
            members.push(extended_guid(value).ok_or(unreadable.clone())?);
        }
        match chunk.last {
            None => return Ok(members),
            // A last position that does not fit its values would skip or repeat members.
            Some(last) if last + 1 != members.len() => return Err(unreadable),
            Some(last) => asked = format!("member;range={}-{}", last + 1, last + STEP),
        }
    }
}

/// How many members a group has of whom the server gave the first `first` only. Nobody but the last is asked for: the
/// positions are tried one by one, from where the end is expected, so that a group of a hundred thousand costs a few
/// short answers.
pub async fn count_members(
    reader: &mut DirectoryReader,
    group: Uuid,
    first: usize,
    expected: usize,
) -> Result<usize, Incomplete> {
    let mut bounds = Bounds { there: first, beyond: None, step: 1 };
    let mut position = expected.max(first + 1) - 1;
    for _ in 0..MOST_PROBES {
        if bounds.beyond == Some(bounds.there) {
            return Ok(bounds.there);
        }
        match probe(reader, group, position).await? {
            Position::Last => return Ok(position.saturating_add(1)),
            Position::Held => bounds.there = position.saturating_add(1),
            Position::Beyond => bounds.beyond = Some(position),
            // A server that knows no single positions gives the whole list.
            Position::Odd => return Ok(read_members(reader, group).await?.map_or(0, |members| members.len())),
        }
        position = bounds.next();
    }
    Err(Incomplete::ChangedMeanwhile)
}

/// Enough for any list that a directory can hold.
const MOST_PROBES: u32 = 60;

/// Between which positions the last value is: not before `there`, and before `beyond`.
#[derive(Debug)]
struct Bounds {
    there: usize,
    beyond: Option<usize>,
    /// How far to go on while the end is not passed.
    step: usize,
}

impl Bounds {
    /// Ever longer steps until the end is passed, then halves of what is left.
    fn next(&mut self) -> usize {
        match self.beyond {
            None => {
                let position = self.there.saturating_add(self.step - 1);
                self.step = self.step.saturating_mul(2);
                position
            }
            Some(beyond) => self.there + beyond.saturating_sub(self.there) / 2,
        }
    }
}

/// What a position of a list holds.
enum Position {
    Held,
    Last,
    /// The list is shorter.
    Beyond,
    /// The server answered with something else.
    Odd,
}

async fn probe(reader: &mut DirectoryReader, group: Uuid, position: usize) -> Result<Position, Incomplete> {
    let asked = format!("member;range={position}-{position}");
    let entry = match reader.read_base(&values::guid_base(group), &[&asked], Finds::Live).await {
        Ok(Some(entry)) => entry,
        Ok(None) => return Ok(Position::Beyond),
        // operationsError is how a range behind the last value is refused (MS-ADTS 3.1.1.3.1.3.3).
        Err(Incomplete::Result { code: 1, .. }) => return Ok(Position::Beyond),
        Err(error) => return Err(error),
    };
    Ok(match entry.chunk("member") {
        None => Position::Beyond,
        Some(chunk) if chunk.values.is_empty() => Position::Beyond,
        Some(chunk) if chunk.start != position || chunk.values.len() != 1 => Position::Odd,
        Some(chunk) if chunk.last.is_none() => Position::Last,
        Some(_) => Position::Held,
    })
}

/// `<GUID=…>;<SID=…>;CN=…` → the GUID, in either of its two spellings (dashes, or the 16 wire bytes in hex).
fn extended_guid(value: &[u8]) -> Option<Uuid> {
    let text = std::str::from_utf8(value).ok()?;
    let (_, after) = text.split_once("<GUID=")?;
    let (inside, _) = after.split_once('>')?;
    if inside.contains('-') {
        return Uuid::parse_str(inside).ok();
    }
    Uuid::parse_str(inside).ok().map(|raw| Uuid::from_bytes_le(raw.into_bytes()))
}

#[cfg(test)]
pub(crate) mod fixtures {
    use super::*;
    use crate::directory::entry::fixtures::entry;

    /// A global security group; `number` becomes GUID, RID and name.
    pub fn group(number: u32) -> Group {
        named(number, &format!("CN={number},OU=Groups,DC=lab"))
    }

    pub fn named(number: u32, dn: &str) -> Group {
        let mut sid = vec![1, 5, 0, 0, 0, 0, 0, 5];
        for part in [21, 1, 2, 3, number] {
            sid.extend_from_slice(&u32::to_le_bytes(part));
        }
        let guid = Uuid::from_u128(u128::from(number)).to_bytes_le();
        let attributes: &[(&str, &[&[u8]])] = &[
            ("objectGUID", &[&guid]),
            ("objectSid", &[&sid]),
            ("groupType", &[b"-2147483646"]),
            ("uSNChanged", &[b"9"]),
        ];
        Group::from_entry(&entry(dn, attributes)).unwrap()
    }
}

#[cfg(test)]
mod tests {
    use super::fixtures::named;
    use super::*;

    #[test]
    fn case_22_the_filter_asks_for_members_and_for_those_whose_primary_group_it_is() {
        let filter = named(1104, "CN=A*(b)\\\\c,DC=lab").people_filter();

        let member = Filter::is("memberOf", "CN=A*(b)\\\\c,DC=lab");
        let primary = Filter::is("primaryGroupID", "1104");
        assert_eq!(filter, Filter::All(vec![people::FILTER, Filter::Any(vec![member, primary])]));
    }

    /// Positions that are asked of a list of this length until its end is found.
    fn asked(length: usize, first: usize, expected: usize) -> usize {
        let mut bounds = Bounds { there: first, beyond: None, step: 1 };
        let mut position = expected.max(first + 1) - 1;
        for asked in 1..100 {
            match position + 1 {
                last if last == length => return asked,
                earlier if earlier < length => bounds.there = earlier,
                _ => bounds.beyond = Some(position),
            }
            assert_ne!(bounds.beyond, Some(bounds.there), "passed by");
            position = bounds.next();
        }
        panic!("never found")
    }

    #[test]
    fn the_length_of_a_long_list_is_found_by_a_few_single_positions() {
        assert_eq!(asked(80_000, 1_500, 80_000), 1);
        assert_eq!(asked(80_001, 1_500, 80_000), 2);
        for length in [1_501, 1_502, 3_000, 65_537, 99_999, 1_000_000] {
            for expected in [0, 1_500, 1_501, 80_000, 2_000_000] {
                assert!(asked(length, 1_500, expected) <= 45, "{length} {expected}");
            }
        }
    }

    #[test]
    fn behind_a_group_that_is_not_seen_and_in_all_that_lies_in_it_there_may_be_more() {
        let mut map = GroupMap::default();
        let mut add = |group, outer: &[&str]| map.add(group, outer.iter().copied(), &mut Room::default()).unwrap();
        add(named(2001, "CN=Open,DC=lab"), &[]);
        add(named(2002, "CN=Inner,DC=lab"), &["CN=Hidden,DC=lab"]);
        add(named(2003, "CN=Deep,DC=lab"), &["CN=Inner,DC=lab", "CN=Open,DC=lab"]);
        add(named(2004, "CN=Circle,DC=lab"), &["CN=Circle,DC=lab", "CN=Abroad,DC=child,DC=lab"]);

        let outlook = Outlook::over(&crate::directory::domain::fixtures::domain(), &map);

        let hides = |dn: &str| outlook.may_hide_more(&Dn::parse(dn).unwrap());
        assert!(hides("CN=Hidden,DC=lab") && hides("cn=inner,dc=LAB") && hides("CN=Deep,DC=lab"));
        assert!(!hides("CN=Open,DC=lab") && !hides("CN=Circle,DC=lab"));
        assert!(!hides("CN=Abroad,DC=child,DC=lab"), "groups of other domains are not followed");
        assert!(!Outlook::default().may_hide_more(&Dn::parse("CN=Hidden,DC=lab").unwrap()), "nobody follows groups");
    }

    #[test]
    fn both_spellings_of_an_extended_name_give_the_same_guid() {
        let dashes = extended_guid(b"<GUID=112241e4-4433-6655-7788-99aabbccddee>;<SID=0105>;CN=a,DC=lab");

        assert_eq!(dashes.unwrap().to_string(), "112241e4-4433-6655-7788-99aabbccddee");
        assert_eq!(extended_guid(b"<GUID=e441221133445566778899aabbccddee>;CN=a,DC=lab"), dashes);
        assert_eq!(extended_guid(b"<GUID=e4412211>;CN=a,DC=lab"), None);
    }
}
