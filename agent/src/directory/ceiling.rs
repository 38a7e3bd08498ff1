//! Decides which places of the directory the customer's own file keeps back, whatever the cloud wants.
//!
//! A place that cannot be found keeps everybody back: nobody can then say who is in it.

use rollcall_protocol::ceiling::{Ceiling, NeverRead as Told};
use uuid::Uuid;

use super::dn::Dn;
use super::domain::{self, Domain};
use super::people::AttributeList;
use super::reader::{DirectoryReader, Finds, Incomplete};
use super::values;

/// The places of the file, as they are written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NeverRead(Vec<Place>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    Guid { text: String, guid: Uuid },
    Name(Dn),
}

/// A line of the file that names no place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("“{0}” is neither a distinguished name nor an objectGUID")]
pub struct NoPlace(pub String);

impl NeverRead {
    pub fn parse(lines: &[String]) -> Result<Self, NoPlace> {
        lines
            .iter()
            .map(|line| Place::parse(line).ok_or_else(|| NoPlace(line.clone())))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    pub fn texts(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(Place::text)
    }
}

impl Place {
    fn parse(line: &str) -> Option<Self> {
        let line = line.trim();
        if let Ok(guid) = Uuid::parse_str(line) {
            return (!guid.is_nil()).then(|| Self::Guid { text: line.to_owned(), guid });
        }
        Dn::parse(line).map(Self::Name)
    }

    fn text(&self) -> &str {
        match self {
            Self::Guid { text, .. } => text,
            Self::Name(dn) => dn.as_str(),
        }
    }
}

/// The places as they were found in one reading.
#[derive(Debug, Clone, Default)]
pub struct Barred(Vec<Found>);

#[derive(Debug, Clone)]
struct Found {
    text: String,
    at: Option<(Uuid, Dn)>,
}

impl Barred {
    /// Looks every place up.
    pub async fn locate(reader: &mut DirectoryReader, domain: &Domain, places: &NeverRead) -> Result<Self, Incomplete> {
        let mut found = Vec::new();
        for place in &places.0 {
            let at = locate(reader, domain, place).await?;
            found.push(Found { text: place.text().to_owned(), at });
        }
        Ok(Self(found))
    }

    #[cfg(test)]
    pub fn of(places: &[(&str, Option<&str>)]) -> Self {
        let at = |dn: &&str| Dn::parse(dn).map(|dn| (Uuid::from_u128(0xba), dn));
        let found =
            |(text, dn): &(&str, Option<&str>)| Found { text: (*text).to_owned(), at: dn.as_ref().and_then(at) };
        Self(places.iter().map(found).collect())
    }

    /// Whether every place still has the name by which people were kept back.
    pub async fn check_unmoved(&self, reader: &mut DirectoryReader) -> Result<(), Incomplete> {
        for (guid, dn) in self.0.iter().filter_map(|found| found.at.as_ref()) {
            let now = domain::locate(reader, *guid, &["objectGUID"]).await?.here();
            if now.and_then(|entry| Dn::parse(&entry.dn)).as_ref() != Some(dn) {
                return Err(Incomplete::ChangedMeanwhile);
            }
        }
        Ok(())
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a place could not be found, so that nobody may join or leave.
    pub fn is_uncertain(&self) -> bool {
        self.0.iter().any(|found| found.at.is_none())
    }

    /// Whether something lies in one of the places, or is one.
    pub fn holds(&self, dn: &Dn) -> bool {
        self.names().any(|barred| dn.is_at_or_under(barred))
    }

    /// Whether something is one of the places itself.
    pub fn is_one(&self, dn: &Dn) -> bool {
        self.names().any(|barred| barred == dn)
    }

    fn names(&self) -> impl Iterator<Item = &Dn> {
        self.0.iter().filter_map(|found| found.at.as_ref().map(|(_, dn)| dn))
    }

    /// What the cloud and the operator are told of it.
    pub fn tell(&self, attributes: &AttributeList, people_left_out: u64) -> Ceiling {
        let told = |found: &Found| Told { place: found.text.clone(), guid: found.at.as_ref().map(|(guid, _)| *guid) };
        Ceiling {
            withheld: attributes.withheld(),
            never_read: self.0.iter().map(told).collect(),
            people_left_out: Some(people_left_out),
        }
    }
}

async fn locate(
    reader: &mut DirectoryReader,
    domain: &Domain,
    place: &Place,
) -> Result<Option<(Uuid, Dn)>, Incomplete> {
    let attributes = &["objectGUID"];
    let entry = match place {
        Place::Guid { guid, .. } => domain::locate(reader, *guid, attributes).await?.here(),
        // A name outside the domain would only bring a referral.
        Place::Name(dn) if !dn.is_at_or_under(&domain.head) => None,
        Place::Name(dn) => reader.read_base(dn.as_str(), attributes, Finds::Live).await?,
    };
    Ok(entry.and_then(|entry| {
        let guid = entry.bytes("objectGUID").and_then(values::guid)?;
        let dn = Dn::parse(&entry.dn).filter(|dn| dn.is_at_or_under(&domain.head))?;
        Some((guid, dn))
    }))
}

/// What is told before a reading has been made with this file: the effect of the last one, if it was made with the same.
pub fn tell_before_reading(attributes: &AttributeList, places: &NeverRead, last: Option<Ceiling>) -> Ceiling {
    let written = || Ceiling {
        withheld: attributes.withheld(),
        never_read: places.texts().map(|text| Told { place: text.to_owned(), guid: None }).collect(),
        people_left_out: None,
    };
    let is_same = |last: &Ceiling| {
        last.withheld == attributes.withheld()
            && last.never_read.iter().map(|told| told.place.as_str()).eq(places.texts())
    };
    last.filter(is_same).unwrap_or_else(written)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(lines: &[&str]) -> Vec<String> {
        lines.iter().map(|line| (*line).to_owned()).collect()
    }

    #[test]
    fn a_place_is_a_name_or_a_guid_and_nothing_else() {
        let good = ["OU=Board,DC=lab,DC=example", "{6B29FC40-CA47-1067-B31D-00DD010662DA}"];

        assert!(NeverRead::parse(&lines(&good)).is_ok());
        for bad in ["Board", "", "00000000-0000-0000-0000-000000000000", "(objectClass=*)x"] {
            // The last one has an equals sign and so the form of a name; it is looked up as one and never found.
            assert_eq!(NeverRead::parse(&lines(&[bad])).is_err(), !bad.contains('='), "{bad}");
        }
    }

    #[test]
    fn everything_below_a_place_is_in_it_and_its_neighbour_is_not() {
        let barred = Barred::of(&[("board", Some("OU=Board,DC=lab"))]);
        let dn = |text| Dn::parse(text).unwrap();

        assert!(barred.holds(&dn("CN=Ana,OU=Deep,ou=BOARD,dc=LAB")));
        assert!(barred.is_one(&dn("ou=board,DC=lab")));
        assert!(!barred.holds(&dn("CN=Ana,OU=Dashboard,DC=lab")));
        assert!(!barred.is_uncertain());
    }

    #[test]
    fn one_place_that_is_not_found_makes_everything_uncertain() {
        assert!(Barred::of(&[("a", Some("OU=Board,DC=lab")), ("b", None)]).is_uncertain());
    }

    #[test]
    fn the_effect_of_another_file_is_not_told_as_that_of_this_one() {
        let attributes = AttributeList::without(&lines(&["mobile"])).unwrap();
        let places = NeverRead::parse(&lines(&["OU=Board,DC=lab"])).unwrap();
        let last = Barred::of(&[("OU=Board,DC=lab", Some("OU=Board,DC=lab"))]).tell(&attributes, 7);

        assert_eq!(tell_before_reading(&attributes, &places, Some(last.clone())).people_left_out, Some(7));
        let wider = AttributeList::without(&[]).unwrap();
        let told = tell_before_reading(&wider, &places, Some(last));
        assert_eq!((told.people_left_out, told.withheld), (None, Vec::new()));
    }
}
