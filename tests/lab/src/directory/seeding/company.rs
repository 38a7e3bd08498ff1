//! The company's own units, groups and devices: the places people are put into.

use super::builtin::Defaults;
use crate::directory::{
    attribute::Attr,
    dn::RelativeName,
    entry::{EntryId, Values},
    forest::{
        Forest, ForestError,
        admin::{GroupKind, NewPerson},
    },
};

pub const CITIES: [&str; 3] = ["Berlin", "Lisbon", "Kraków"];
pub const DEPARTMENTS: [&str; 3] = ["Sales", "Support", "Engineering"];

pub struct Company {
    pub staff: EntryId,
    pub cities: Vec<EntryId>,
    /// City by city, department by department.
    pub teams: Vec<EntryId>,
    pub contractors: EntryId,
    pub legal: EntryId,
    pub board: EntryId,
    pub service_accounts: EntryId,
    pub workstations: EntryId,
    pub groups: Groups,
}

pub struct Groups {
    pub all_staff: EntryId,
    pub vpn: EntryId,
    pub departments: Vec<EntryId>,
    pub leads: EntryId,
    pub nested: EntryId,
    pub primary_club: EntryId,
    pub odd_name: EntryId,
    pub printers: EntryId,
    pub in_users_container: EntryId,
    pub newsletter: EntryId,
}

pub fn build(forest: &mut Forest) -> Result<Company, ForestError> {
    let domain = forest.landmarks.domain;
    let staff = forest.add_ou(domain, "Staff")?;
    let (mut cities, mut teams) = (Vec::new(), Vec::new());
    for city in CITIES {
        let city = forest.add_ou(staff, city)?;
        cities.push(city);
        for department in DEPARTMENTS {
            teams.push(forest.add_ou(city, department)?);
        }
    }
    let legal = forest.add_ou(domain, "Legal, Risk & #1")?;
    Ok(Company {
        staff,
        cities,
        teams,
        contractors: forest.add_ou(domain, "Contractors")?,
        legal,
        board: forest.add_ou(legal, "\"Quoted\" Board")?,
        service_accounts: forest.add_ou(domain, "Service Accounts")?,
        workstations: forest.add_ou(domain, "Workstations")?,
        groups: add_groups(forest)?,
    })
}

fn add_groups(forest: &mut Forest) -> Result<Groups, ForestError> {
    let groups = forest.add_ou(forest.landmarks.domain, "Groups")?;
    let security = forest.add_ou(groups, "Security")?;
    let mailing = forest.add_ou(groups, "Mail")?;
    let global = GroupKind::GlobalSecurity;
    let made = Groups {
        all_staff: forest.add_group(security, "All Staff", global)?,
        vpn: forest.add_group(security, "VPN Users", global)?,
        departments: DEPARTMENTS
            .iter()
            .map(|name| forest.add_group(security, &format!("{name} Team"), global))
            .collect::<Result<_, _>>()?,
        leads: forest.add_group(security, "Leads", GroupKind::UniversalSecurity)?,
        nested: forest.add_group(security, "Nested", global)?,
        primary_club: forest.add_group(security, "Primary Club", global)?,
        odd_name: forest.add_group(security, "Projects (A+B), *#1*", global)?,
        printers: forest.add_group(security, "Printers", GroupKind::LocalSecurity)?,
        in_users_container: forest.add_group(forest.landmarks.users, "Users Container Club", global)?,
        newsletter: forest.add_group(mailing, "Newsletter", GroupKind::Distribution)?,
    };
    forest.add_group(security, "Empty Group", global)?;
    forest.join(made.leads, made.nested)?;
    forest.join(made.departments[0], made.nested)?;
    Ok(made)
}

/// The read-only account that the agent binds with: an ordinary member of Domain Users.
pub fn add_service_account(forest: &mut Forest, company: &Company, account: &str) -> Result<EntryId, ForestError> {
    let person = NewPerson {
        given_name: account.to_owned(),
        surname: String::new(),
        account_name: account.to_owned(),
        mail: None,
    };
    let id = forest.add_person(company.service_accounts, &person)?;
    forest.set(id, Attr::UserAccountControl, Values::one("66048"));
    forest.set(id, Attr::Description, Values::one("Reads the directory"));
    forest.clear(id, Attr::GivenName);
    Ok(id)
}

pub fn add_computer(
    forest: &mut Forest,
    parent: EntryId,
    name: &str,
    control: &str,
    primary_group: &str,
) -> Result<EntryId, ForestError> {
    let person =
        NewPerson { given_name: name.to_owned(), surname: String::new(), account_name: format!("{name}$"), mail: None };
    let id = forest.add_person(parent, &person)?;
    let host = format!("{}.{}", name.to_lowercase(), forest.domain_name);
    for attr in [Attr::GivenName, Attr::DisplayName, Attr::PrincipalName] {
        forest.clear(id, attr);
    }
    forest.set(id, Attr::ObjectClass, Values::many(["top", "person", "organizationalPerson", "user", "computer"]));
    forest.set(id, Attr::AccountType, Values::one("805306369"));
    forest.set(id, Attr::UserAccountControl, Values::one(control));
    forest.set(id, Attr::PrimaryGroupId, Values::one(primary_group));
    forest.set(id, Attr::DnsHostName, Values::one(host));
    forest.set_category(id, "Computer");
    Ok(id)
}

/// Workstations, a group managed service account, contacts, and a member of another domain.
pub fn add_devices(
    forest: &mut Forest,
    company: &Company,
    defaults: &Defaults,
    users: usize,
) -> Result<(), ForestError> {
    for number in 0..(users / 50).clamp(2, 500) {
        let computer = add_computer(forest, company.workstations, &format!("WS-{number:04}"), "4096", "515")?;
        if number == 0 {
            forest.join(computer, company.groups.nested)?;
        }
    }
    let managed = RelativeName::new("CN", "Managed Service Accounts");
    if let Some(container) = forest.find_child(forest.landmarks.domain, &managed) {
        let account = add_computer(forest, container, "gmsa-web", "4096", "515")?;
        let classes = ["top", "person", "organizationalPerson", "user", "computer", "msDS-GroupManagedServiceAccount"];
        forest.set(account, Attr::ObjectClass, Values::many(classes));
        forest.set_category(account, "ms-DS-Group-Managed-Service-Account");
    }
    for number in 0..(users / 100).clamp(1, 50) {
        let contact = add_contact(forest, company.contractors, number)?;
        forest.join(contact, if number == 0 { company.groups.nested } else { company.groups.newsletter })?;
    }
    let stranger = RelativeName::new("CN", "S-1-5-21-9-9-9-1105");
    let shelf = RelativeName::new("CN", "ForeignSecurityPrincipals");
    if let Some(shelf) = forest.find_child(forest.landmarks.domain, &shelf) {
        let stranger = forest.add_container(shelf, stranger, &["top", "foreignSecurityPrincipal"])?;
        forest.join(stranger, company.groups.nested)?;
    }
    forest.join(defaults.domain_admins, company.groups.printers)
}

fn add_contact(forest: &mut Forest, parent: EntryId, number: usize) -> Result<EntryId, ForestError> {
    let name = RelativeName::new("CN", &format!("Supplier {number} (contact)"));
    let id = forest.add_container(parent, name, &["top", "person", "organizationalPerson", "contact"])?;
    forest.set_category(id, "Person");
    forest.set(id, Attr::Mail, Values::one(format!("supplier{number}@elsewhere.example")));
    Ok(id)
}
