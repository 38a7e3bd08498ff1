//! The people themselves: where each one sits, what is special about them, and which groups they are in.

use super::{
    builtin::Defaults,
    company::{CITIES, Company, DEPARTMENTS},
    names::{self, FullName},
};
use crate::directory::{
    attribute::Attr,
    dn::RelativeName,
    entry::{EntryId, Value, Values},
    forest::{Forest, ForestError, admin::NewPerson},
};
use rand::{RngExt, rngs::StdRng};
use std::collections::{HashMap, HashSet};

const TITLES: [&str; 6] = ["Engineer", "Account Manager", "Support Agent", "Team Lead", "Analyst", "Office Manager"];
const STREETS: [&str; 4] = ["Hauptstraße 7", "Rua Augusta 21", "ul. Floriańska 3", "1 Harbour Road"];
const HUNDRED_NANOSECONDS: u64 = 10_000_000;
/// 1601-01-01, the beginning of Windows' file times, lies this many seconds before 1970.
const SECONDS_BEFORE_1970: u64 = 11_644_473_600;
const DAY: u64 = 86_400;

pub fn build(
    forest: &mut Forest,
    company: &Company,
    defaults: &Defaults,
    users: usize,
    chance: &mut StdRng,
) -> Result<(), ForestError> {
    let mut maker =
        Maker { forest, company, defaults, shared: HashMap::new(), accounts: HashSet::new(), leads: HashMap::new() };
    // The service account is one of the ordinary user objects.
    for number in 1..users {
        maker.add(number, chance)?;
    }
    Ok(())
}

struct Maker<'a> {
    forest: &'a mut Forest,
    company: &'a Company,
    defaults: &'a Defaults,
    shared: HashMap<String, Value>,
    accounts: HashSet<String>,
    /// The first of each team leads it.
    leads: HashMap<usize, EntryId>,
}

/// Every n-th person has the trait, starting at some number: small domains get plain people first.
fn every(n: usize, start: usize, number: usize) -> bool {
    number >= 5 && number % n == start
}

impl Maker<'_> {
    fn add(&mut self, number: usize, chance: &mut StdRng) -> Result<(), ForestError> {
        let name = if every(20, 8, number) { names::odd(chance) } else { names::plain(chance) };
        let seat = self.seat(number);
        let account = self.free_account(&name, number);
        let mail = (!every(25, 14, number)).then(|| format!("{account}@{}", self.forest.domain_name));
        let person = self.free_name(seat.place, name, account, mail, number);
        let id = self.forest.add_person(seat.place, &person)?;
        self.describe(id, number, &seat, &person, chance);
        self.mark_special(id, number);
        self.enrol(id, number, &seat)?;
        Ok(())
    }

    fn seat(&self, number: usize) -> Seat {
        let team = number % self.company.teams.len();
        let place = match number % 100 {
            0..=79 => return Seat { place: self.company.teams[team], team: Some(team) },
            80..=87 => self.company.contractors,
            88..=91 => self.company.cities[team / DEPARTMENTS.len()],
            92 => self.company.staff,
            93..=95 => self.company.legal,
            96..=97 => self.company.board,
            98 => self.company.service_accounts,
            _ => self.forest.landmarks.users,
        };
        Seat { place, team: None }
    }

    /// Account names hold at most 20 characters (MS-ADA3 2.222) and are unique in the domain.
    fn free_account(&mut self, name: &FullName, number: usize) -> String {
        let plain: String = name.plain.chars().take(13).collect();
        let account = if self.accounts.contains(&plain) { format!("{plain}{number}") } else { plain };
        self.accounts.insert(account.clone());
        account
    }

    fn free_name(
        &self,
        place: EntryId,
        name: FullName,
        account: String,
        mail: Option<String>,
        number: usize,
    ) -> NewPerson {
        let full = RelativeName::new("CN", format!("{} {}", name.given, name.surname).trim());
        let taken = self.forest.find_child(place, &full).is_some();
        let surname = if taken { format!("{} ({number})", name.surname) } else { name.surname };
        NewPerson { given_name: name.given, surname, account_name: account, mail }
    }

    fn describe(&mut self, id: EntryId, number: usize, seat: &Seat, person: &NewPerson, chance: &mut StdRng) {
        let city = seat.team.map_or(number, |team| team / DEPARTMENTS.len()) % CITIES.len();
        let department = seat.team.map_or("Administration", |team| DEPARTMENTS[team % DEPARTMENTS.len()]);
        for (attr, value) in [
            (Attr::Department, department),
            (Attr::Company, "Lab Company Ltd"),
            (Attr::Title, TITLES[number % TITLES.len()]),
            (Attr::Locality, CITIES[city]),
            (Attr::Office, CITIES[city]),
            (Attr::CountryName, ["Germany", "Portugal", "Poland"][city]),
            (Attr::Country, ["DE", "PT", "PL"][city]),
            (Attr::StreetAddress, STREETS[number % STREETS.len()]),
            (Attr::BadPasswordCount, "0"),
            (Attr::InstanceType, "4"),
        ] {
            let value = self.share(value);
            self.forest.entry_mut(id).set(attr, Values::One(value));
        }
        let week = 7 * DAY * HUNDRED_NANOSECONDS;
        let now = (self.forest.seconds() + SECONDS_BEFORE_1970) * HUNDRED_NANOSECONDS;
        let entry = self.forest.entry_mut(id);
        entry.set(Attr::TelephoneNumber, Values::one(format!("+49 30 {:07}", chance.random_range(0..10_000_000))));
        entry.set(Attr::Mobile, Values::one(format!("+49 170 {:07}", chance.random_range(0..10_000_000))));
        entry.set(Attr::EmployeeId, Values::one(format!("E{number:06}")));
        entry.set(Attr::PasswordLastSet, Values::one((now - chance.random_range(0..6 * week)).to_string()));
        entry.set(Attr::LastLogonTimestamp, Values::one((now - chance.random_range(0..week)).to_string()));
        if let Some(mail) = &person.mail {
            entry.set(Attr::ProxyAddresses, Values::many([format!("SMTP:{mail}"), format!("smtp:info+{mail}")]));
        }
        entry.shrink();
    }

    /// One copy of each value that many people have.
    fn share(&mut self, value: &str) -> Value {
        self.shared.entry(value.to_owned()).or_insert_with(|| value.as_bytes().into()).clone()
    }

    fn mark_special(&mut self, id: EntryId, number: usize) {
        let now = (self.forest.seconds() + SECONDS_BEFORE_1970) * HUNDRED_NANOSECONDS;
        let month = 30 * DAY * HUNDRED_NANOSECONDS;
        let entry = self.forest.entry_mut(id);
        if every(33, 7, number) {
            entry.set(Attr::UserAccountControl, Values::one("514"));
        }
        if every(50, 11, number) {
            entry.set(Attr::AccountExpires, Values::one((now - month).to_string()));
        }
        if every(50, 12, number) {
            entry.set(Attr::AccountExpires, Values::one("0"));
        }
        if every(90, 13, number) {
            entry.set(Attr::LockoutTime, Values::one((now - month).to_string()));
        }
        if every(300, 23, number) {
            entry.set(Attr::Description, Values::one("Built-In Account of the till"));
        }
        if every(40, 19, number) {
            let classes = ["top", "person", "organizationalPerson", "user", "inetOrgPerson"];
            entry.set(Attr::ObjectClass, Values::many(classes));
        }
    }

    fn enrol(&mut self, id: EntryId, number: usize, seat: &Seat) -> Result<(), ForestError> {
        let (forest, groups) = (&mut *self.forest, &self.company.groups);
        if let Some(team) = seat.team {
            forest.join(id, groups.all_staff)?;
            forest.join(id, groups.departments[team % DEPARTMENTS.len()])?;
            if let Some(lead) = self.leads.get(&team) {
                forest.set_manager(id, Some(*lead));
            }
        }
        let memberships = [
            (number.is_multiple_of(3), groups.vpn),
            (every(60, 20, number), groups.nested),
            (every(70, 21, number), groups.odd_name),
            (every(80, 22, number), groups.in_users_container),
            (every(10, 4, number), groups.newsletter),
            (every(500, 17, number), self.defaults.domain_admins),
        ];
        for (_, group) in memberships.into_iter().filter(|(is_in, _)| *is_in) {
            forest.join(id, group)?;
        }
        if let Some(team) = seat.team
            && !self.leads.contains_key(&team)
        {
            forest.join(id, groups.leads)?;
            self.leads.insert(team, id);
        }
        if every(500, 17, number) {
            forest.set(id, Attr::AdminCount, Values::one("1"));
        }
        if every(100, 29, number) {
            forest.set_primary_group(id, groups.primary_club)?;
        }
        Ok(())
    }
}

struct Seat {
    place: EntryId,
    team: Option<usize>,
}
