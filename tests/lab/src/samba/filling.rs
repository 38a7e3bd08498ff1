//! The people, units and groups that a fresh domain is filled with.

use super::{Samba, SambaError};
use crate::directory::seeding::names;
use rand::{SeedableRng, rngs::StdRng};
use serde::Serialize;

/// A person to be made. `path` names units from the outside in: `["Staff", "Berlin"]`.
#[derive(Debug, Clone, Serialize)]
pub struct SambaPerson {
    pub path: Vec<String>,
    pub given_name: String,
    pub surname: String,
    pub account_name: String,
    pub mail: Option<String>,
    pub groups: Vec<String>,
}

#[derive(Debug, Clone, Serialize)]
struct Unit {
    path: Vec<String>,
}

#[derive(Debug, Clone, Serialize)]
struct Group {
    path: Vec<String>,
    name: String,
}

/// Everything to be made, units from the outside in.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Filling {
    ous: Vec<Unit>,
    groups: Vec<Group>,
    people: Vec<SambaPerson>,
}

impl Filling {
    pub fn unit(mut self, path: &[&str]) -> Self {
        self.ous.push(Unit { path: owned(path) });
        self
    }

    pub fn group(mut self, path: &[&str], name: &str) -> Self {
        self.groups.push(Group { path: owned(path), name: name.to_owned() });
        self
    }

    pub fn person(mut self, person: SambaPerson) -> Self {
        self.people.push(person);
        self
    }

    /// A small company: `OU=Staff` with the units Sales, Support and Engineering, four groups in `OU=Groups`, and this many people.
    pub fn company(people: usize, seed: u64) -> Self {
        const UNITS: [&str; 3] = ["Sales", "Support", "Engineering"];
        let mut filling = Self::default().unit(&["Staff"]).unit(&["Groups"]);
        for unit in UNITS {
            filling = filling.unit(&["Staff", unit]).group(&["Groups"], &format!("{unit} Team"));
        }
        filling = filling.group(&["Groups"], "VPN Users");
        let mut chance = StdRng::seed_from_u64(seed);
        for number in 0..people {
            let name = if number % 20 == 8 { names::odd(&mut chance) } else { names::plain(&mut chance) };
            let unit = UNITS[number % UNITS.len()];
            let account_name = format!("{}{number}", name.plain.chars().take(12).collect::<String>());
            let mut groups = vec![format!("{unit} Team")];
            if number % 4 == 0 {
                groups.push("VPN Users".to_owned());
            }
            filling.people.push(SambaPerson {
                path: owned(&["Staff", unit]),
                given_name: name.given,
                // Two people of one unit may not have the same common name.
                surname: format!("{} {number}", name.surname),
                mail: (number % 25 != 14).then(|| format!("{account_name}@lab.example")),
                account_name,
                groups,
            });
        }
        filling
    }
}

fn owned(path: &[&str]) -> Vec<String> {
    path.iter().map(|part| (*part).to_owned()).collect()
}

impl Samba {
    /// Makes everything in the filling; returns the number of people.
    pub fn fill(&self, filling: &Filling) -> Result<usize, SambaError> {
        let mut command = serde_json::to_value(filling).unwrap_or_default();
        command["do"] = "fill".into();
        let made = self.desk().ask(&command)?;
        Ok(made.as_u64().and_then(|made| usize::try_from(made).ok()).unwrap_or_default())
    }
}
