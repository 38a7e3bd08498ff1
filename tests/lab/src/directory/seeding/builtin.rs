//! What every domain has from its first minute: default containers, groups and accounts with their fixed identifiers, and the controller's own objects.

use crate::directory::{
    attribute::Attr,
    dn::RelativeName,
    entry::{EntryId, Life, Values},
    forest::{Forest, ForestError, Shelf, admin::GroupKind},
    sid::Sid,
};

/// Default objects that other parts of the domain refer to.
pub struct Defaults {
    pub domain_admins: EntryId,
}

/// Groups of the domain with their relative identifiers (windowsserverdocs, understand-security-identifiers).
const DOMAIN_GROUPS: &[(&str, u32, GroupKind)] = &[
    ("Domain Admins", 512, GroupKind::GlobalSecurity),
    ("Domain Users", 513, GroupKind::GlobalSecurity),
    ("Domain Guests", 514, GroupKind::GlobalSecurity),
    ("Domain Computers", 515, GroupKind::GlobalSecurity),
    ("Domain Controllers", 516, GroupKind::GlobalSecurity),
    ("Cert Publishers", 517, GroupKind::LocalSecurity),
    ("Schema Admins", 518, GroupKind::UniversalSecurity),
    ("Enterprise Admins", 519, GroupKind::UniversalSecurity),
    ("Group Policy Creator Owners", 520, GroupKind::GlobalSecurity),
    ("Read-only Domain Controllers", 521, GroupKind::GlobalSecurity),
    ("Cloneable Domain Controllers", 522, GroupKind::GlobalSecurity),
    ("Protected Users", 525, GroupKind::GlobalSecurity),
    ("Key Admins", 526, GroupKind::GlobalSecurity),
    ("Enterprise Key Admins", 527, GroupKind::UniversalSecurity),
    ("RAS and IAS Servers", 553, GroupKind::LocalSecurity),
    ("Allowed RODC Password Replication Group", 571, GroupKind::LocalSecurity),
    ("Denied RODC Password Replication Group", 572, GroupKind::LocalSecurity),
];

/// Default groups whose identifiers come from the ordinary pool, so that only their place gives them away.
const POOLED_GROUPS: &[(&str, GroupKind)] =
    &[("DnsAdmins", GroupKind::LocalSecurity), ("DnsUpdateProxy", GroupKind::GlobalSecurity)];

const BUILTIN_GROUPS: &[(&str, u32)] = &[
    ("Administrators", 544),
    ("Users", 545),
    ("Guests", 546),
    ("Account Operators", 548),
    ("Server Operators", 549),
    ("Print Operators", 550),
    ("Backup Operators", 551),
    ("Replicator", 552),
    ("Pre-Windows 2000 Compatible Access", 554),
    ("Remote Desktop Users", 555),
    ("Network Configuration Operators", 556),
    ("Performance Monitor Users", 558),
    ("Event Log Readers", 573),
    ("Remote Management Users", 580),
];

pub fn build(forest: &mut Forest) -> Result<Defaults, ForestError> {
    add_containers(forest)?;
    add_domain_policy(forest);
    for (name, rid) in BUILTIN_GROUPS {
        let group = forest.add_group(forest.landmarks.builtin, name, GroupKind::BuiltinSecurity)?;
        mark_default(forest, group, &Sid::builtin(*rid));
    }
    for (name, rid, kind) in DOMAIN_GROUPS {
        let group = forest.add_group(forest.landmarks.users, name, *kind)?;
        mark_default(forest, group, &forest.sid.with_rid(*rid));
    }
    for (name, kind) in POOLED_GROUPS {
        forest.add_group(forest.landmarks.users, name, *kind)?;
    }
    let defaults = Defaults { domain_admins: group(forest, 512)? };
    add_accounts(forest, &defaults)?;
    add_controller(forest)?;
    Ok(defaults)
}

fn group(forest: &Forest, rid: u32) -> Result<EntryId, ForestError> {
    let sid = forest.sid.with_rid(rid);
    forest.find_sid(&sid).ok_or_else(|| ForestError::NoSuchObject(sid.to_string()))
}

fn add_containers(forest: &mut Forest) -> Result<(), ForestError> {
    let domain = forest.landmarks.domain;
    let container = &["top", "container"];
    forest.landmarks.users = forest.add_container(domain, RelativeName::new("CN", "Users"), container)?;
    forest.landmarks.builtin =
        forest.add_container(domain, RelativeName::new("CN", "Builtin"), &["top", "builtinDomain"])?;
    forest.landmarks.computers = forest.add_container(domain, RelativeName::new("CN", "Computers"), container)?;
    forest.add_container(domain, RelativeName::new("CN", "Managed Service Accounts"), container)?;
    forest.add_container(domain, RelativeName::new("CN", "ForeignSecurityPrincipals"), container)?;
    let deleted = forest.add_container(domain, RelativeName::new("CN", "Deleted Objects"), container)?;
    forest.entry_mut(deleted).life = Life::Deleted;
    forest.landmarks.deleted_objects = deleted;
    for id in [forest.landmarks.users, forest.landmarks.builtin, forest.landmarks.computers, deleted] {
        forest.set(id, Attr::IsCritical, Values::one("TRUE"));
    }
    Ok(())
}

/// 42 days and 30 minutes, in the negative ticks that the domain head keeps them in.
fn add_domain_policy(forest: &mut Forest) {
    let head = forest.landmarks.domain;
    forest.set(head, Attr::MaxPasswordAge, Values::one("-36288000000000"));
    forest.set(head, Attr::LockoutDuration, Values::one("-18000000000"));
    forest.set(head, Attr::IsCritical, Values::one("TRUE"));
    forest.set(head, Attr::InstanceType, Values::one("5"));
    forest.set_category(head, "Domain-DNS");
}

fn mark_default(forest: &mut Forest, id: EntryId, sid: &Sid) {
    forest.set(id, Attr::ObjectSid, Values::one(sid.to_bytes()));
    forest.set(id, Attr::IsCritical, Values::one("TRUE"));
}

fn add_accounts(forest: &mut Forest, defaults: &Defaults) -> Result<(), ForestError> {
    let accounts = [
        ("Administrator", 500, "512", "Built-in account for administering the computer/domain"),
        ("Guest", 501, "66082", "Built-in account for guest access to the computer/domain"),
        ("krbtgt", 502, "514", "Key Distribution Center Service Account"),
    ];
    for (name, rid, control, description) in accounts {
        let person = crate::directory::forest::admin::NewPerson {
            given_name: name.to_owned(),
            surname: String::new(),
            account_name: name.to_owned(),
            mail: None,
        };
        let id = forest.add_person(forest.landmarks.users, &person)?;
        mark_default(forest, id, &forest.sid.with_rid(rid));
        forest.set(id, Attr::UserAccountControl, Values::one(control));
        forest.set(id, Attr::Description, Values::one(description));
        for attr in [Attr::GivenName, Attr::DisplayName, Attr::PrincipalName] {
            forest.clear(id, attr);
        }
        if rid == 500 {
            forest.set(id, Attr::AdminCount, Values::one("1"));
            forest.join(id, defaults.domain_admins)?;
        }
    }
    Ok(())
}

/// The controller's computer account, and the objects of the configuration context that name it as a server.
fn add_controller(forest: &mut Forest) -> Result<(), ForestError> {
    let name = forest.controller.name.to_uppercase();
    let units = forest.add_ou(forest.landmarks.domain, "Domain Controllers")?;
    forest.set(units, Attr::IsCritical, Values::one("TRUE"));
    let computer = super::company::add_computer(forest, units, &name, "532480", "516")?;
    forest.set(computer, Attr::IsCritical, Values::one("TRUE"));

    let domain = forest.landmarks.domain;
    let configuration = forest.insert(Some(domain), RelativeName::new("CN", "Configuration"), Shelf::OtherContext);
    forest.set(configuration, Attr::ObjectClass, Values::many(["top", "configuration"]));
    forest.landmarks.configuration = configuration;
    let mut parent = configuration;
    for (step, class) in [
        ("Sites", "sitesContainer"),
        ("Default-First-Site-Name", "site"),
        ("Servers", "serversContainer"),
        (name.as_str(), "server"),
        ("NTDS Settings", "nTDSDSA"),
    ] {
        parent = forest.add_container(parent, RelativeName::new("CN", step), &["top", class])?;
    }
    let invocation_id = forest.controller.invocation_id;
    forest.set(parent, Attr::InvocationId, Values::one(invocation_id.to_bytes_le()));
    forest.landmarks.directory_service = parent;
    Ok(())
}
