//! Counts people where they lie and what they are in: numbers alone, in one pass over whatever search shows everybody.

use std::collections::HashMap;

use super::ceiling::Barred;
use super::dn::{self, Dn};
use super::domain::Domain;
use super::entry::Entry;
use super::people;
use super::reader::{DirectoryReader, Incomplete, PAGE_SIZE, Refused, Search, Sink};
use super::room::Room;
use super::sid::Sid;

/// What has to be known of a person to count them.
const COUNTED: &[&str] = &["objectSid", "sAMAccountName", "isCriticalSystemObject", "primaryGroupID", MEMBER_OF];
pub const MEMBER_OF: &str = "memberOf";

/// The count of a whole domain, as it grows.
#[derive(Debug, Default)]
pub struct Census {
    barred: Barred,
    /// People in the whole domain, but for those left out.
    pub people: u64,
    /// People in places that are never read.
    pub left_out: u64,
    /// Somebody is in so many groups that the directory showed only some of them.
    pub is_cut: bool,
    places: Names,
    groups: Names,
    by_primary_group: HashMap<u32, u32>,
    /// Windows' own accounts, which are nobody's people.
    own_groups: Names,
    /// For all of these names.
    room: Room,
}

/// Where one person was counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seat {
    /// Number of the place above them. A new place has the number of those before it.
    pub place: usize,
    /// Numbers of the groups they are in, in the order of the entry's `memberOf`; primary group apart.
    pub groups: Vec<usize>,
    pub primary_group: Option<u32>,
}

impl Census {
    pub fn new(barred: &Barred) -> Self {
        Self { barred: barred.clone(), ..Self::default() }
    }

    /// Counts everybody in the domain, and reads nothing else of them.
    pub async fn take(reader: &mut DirectoryReader, domain: &Domain, barred: &Barred) -> Result<Self, Incomplete> {
        let base = domain.head.as_str();
        let everybody = Search { base, filter: &people::FILTER, attributes: COUNTED, page_size: PAGE_SIZE };
        Ok(reader.search_into(&everybody, Self::new(barred)).await?.sink)
    }

    /// Counts one user object. `None` for Windows' own accounts and for people in places that are never read.
    pub fn count(&mut self, entry: &Entry) -> Result<Option<Seat>, Refused> {
        // Whoever keeps that back is counted as one of the people: a count harms nobody.
        let sid = entry.bytes("objectSid").and_then(Sid::from_bytes);
        let name = entry.text("sAMAccountName").unwrap_or_default();
        if sid.is_some_and(|sid| people::is_system(entry, &sid, name)) {
            self.own_groups.count_all(entry, &mut self.room)?;
            return Ok(None);
        }
        if !self.barred.is_empty() {
            let dn = Dn::parse(&entry.dn).ok_or(Refused::Unreadable("its name"))?;
            if self.barred.holds(&dn) {
                self.left_out += 1;
                // Counted like Windows' own accounts, so that they are not taken for somebody of another domain.
                self.own_groups.count_all(entry, &mut self.room)?;
                return Ok(None);
            }
        }
        let parent = dn::parent_of(&entry.dn).ok_or(Refused::Unreadable("its name"))?;
        self.people += 1;
        let groups = self.groups.count_all(entry, &mut self.room)?;
        self.is_cut |= groups.is_empty() && entry.chunk(MEMBER_OF).is_some_and(|chunk| chunk.last.is_some());
        let primary_group = entry.text("primaryGroupID").and_then(|text| text.parse().ok());
        if let Some(rid) = primary_group {
            *self.by_primary_group.entry(rid).or_default() += 1;
        }
        Ok(Some(Seat { place: self.places.count(parent, &mut self.room)?, groups, primary_group }))
    }

    /// The figures, by name.
    pub fn counts(&self) -> Counts {
        Counts {
            by_parent: self.places.folded(),
            by_group: self.groups.folded(),
            own_by_group: self.own_groups.folded(),
            by_primary_group: self.by_primary_group.clone(),
        }
    }

    pub fn barred(&self) -> &Barred {
        &self.barred
    }
}

impl Sink for Census {
    fn take(&mut self, entry: Entry) -> Result<(), Refused> {
        self.count(&entry).map(|_| ())
    }
}

/// Names exactly as the server writes them, each once, by number: it writes the same name the same way every time.
#[derive(Debug, Default)]
struct Names {
    numbers: HashMap<Box<str>, usize>,
    counts: Vec<u32>,
}

impl Names {
    fn count(&mut self, name: &str, room: &mut Room) -> Result<usize, Refused> {
        let number = if let Some(number) = self.numbers.get(name) {
            *number
        } else {
            room.keep(name)?;
            self.numbers.insert(name.into(), self.counts.len());
            self.counts.push(0);
            self.counts.len() - 1
        };
        if let Some(count) = self.counts.get_mut(number) {
            *count += 1;
        }
        Ok(number)
    }

    fn count_all(&mut self, entry: &Entry, room: &mut Room) -> Result<Vec<usize>, Refused> {
        entry.texts(MEMBER_OF).map(|group| self.count(group, room)).collect()
    }

    /// By names in small letters: a count needs no more than that.
    fn folded(&self) -> HashMap<String, u32> {
        let mut folded = HashMap::with_capacity(self.counts.len());
        for (name, number) in &self.numbers {
            *folded.entry(name.to_lowercase()).or_default() += self.counts.get(*number).copied().unwrap_or_default();
        }
        folded
    }
}

/// How many people lie where and are in what.
#[derive(Debug, Clone, Default)]
pub struct Counts {
    by_parent: HashMap<String, u32>,
    by_group: HashMap<String, u32>,
    own_by_group: HashMap<String, u32>,
    by_primary_group: HashMap<u32, u32>,
}

impl Counts {
    /// The places that hold people, in a fixed order.
    pub fn places(&self) -> Vec<&str> {
        let mut places: Vec<&str> = self.by_parent.keys().map(String::as_str).collect();
        places.sort_unstable();
        places
    }

    pub fn directly_in(&self, dn: &Dn) -> u32 {
        count_of(&self.by_parent, dn)
    }

    pub fn members_of(&self, dn: &Dn) -> u32 {
        count_of(&self.by_group, dn)
    }

    /// Windows' own accounts, and people who are left out.
    pub fn own_members_of(&self, dn: &Dn) -> u32 {
        count_of(&self.own_by_group, dn)
    }

    pub fn primary_members_of(&self, sid: &Sid) -> u32 {
        sid.rid().and_then(|rid| self.by_primary_group.get(&rid).copied()).unwrap_or_default()
    }
}

/// A count by name in small letters.
pub(super) fn count_of(counts: &HashMap<String, u32>, dn: &Dn) -> u32 {
    counts.get(&dn.as_str().to_lowercase()).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::entry::fixtures::entry;
    use crate::directory::people::fixtures::user;

    fn member(number: u32, dn: &str, groups: &[&[u8]]) -> Entry {
        let mut sid = vec![1, 5, 0, 0, 0, 0, 0, 5];
        for part in [21, 1, 2, 3, number] {
            sid.extend_from_slice(&u32::to_le_bytes(part));
        }
        let attributes: &[(&str, &[&[u8]])] = &[
            ("objectSid", &[&sid]),
            ("sAMAccountName", &[b"ana"]),
            ("primaryGroupID", &[b"513"]),
            (MEMBER_OF, groups),
        ];
        entry(dn, attributes)
    }

    #[test]
    fn people_are_counted_where_they_lie_and_in_every_group_however_its_name_is_written() {
        let mut census = Census::default();

        let ana = census.count(&member(1103, "CN=Ana,OU=Staff,DC=lab", &[b"CN=All,DC=lab", b"CN=Vpn,DC=lab"])).unwrap();
        let ben = census.count(&member(1104, "CN=Ben,OU=STAFF,DC=lab", &[b"CN=VPN,DC=lab"])).unwrap();

        assert_eq!(ana, Some(Seat { place: 0, groups: vec![0, 1], primary_group: Some(513) }));
        assert_eq!(ben, Some(Seat { place: 1, groups: vec![2], primary_group: Some(513) }));
        let counts = census.counts();
        let of = |dn: &str| counts.members_of(&Dn::parse(dn).unwrap());
        assert_eq!((of("CN=vpn,DC=lab"), of("CN=all,DC=lab"), of("CN=None,DC=lab")), (2, 1, 0));
        assert_eq!(counts.directly_in(&Dn::parse("OU=staff,DC=lab").unwrap()), 2);
        assert_eq!(census.people, 2);
    }

    #[test]
    fn people_who_are_left_out_and_windows_own_accounts_have_no_seat() {
        let mut census = Census::new(&Barred::of(&[("OU=Board,DC=lab", Some("OU=Board,DC=lab"))]));

        assert_eq!(census.count(&user(1103, "ana", "CN=Ana,OU=Board,DC=lab")), Ok(None));
        assert_eq!(census.count(&user(501, "Gast", "CN=Gast,CN=Users,DC=lab")), Ok(None));
        assert_eq!((census.people, census.left_out), (0, 1));
    }

    #[test]
    fn a_list_of_groups_that_was_cut_is_noticed() {
        let mut census = Census::default();
        let whole = member(1103, "CN=Ana,DC=lab", &[]);
        let sid = whole.bytes("objectSid").unwrap().to_vec();
        let attributes: &[(&str, &[&[u8]])] = &[
            ("objectSid", &[&sid]),
            ("sAMAccountName", &[b"ana"]),
            (MEMBER_OF, &[]),
            ("memberOf;range=0-0", &[b"CN=All,DC=lab"]),
        ];

        census.count(&whole).unwrap();
        assert!(!census.is_cut);
        census.count(&entry("CN=Ana,DC=lab", attributes)).unwrap();
        assert!(census.is_cut);
    }
}
