//! Decides which attributes of a person are read, who counts as a person, and how an entry becomes a record.

use std::collections::BTreeSet;

use rollcall_protocol::person::{Person, Status};
use uuid::Uuid;

use super::entry::Entry;
use super::filter::Filter;
use super::reader::Refused;
use super::sid::Sid;
use super::values::{self, AccountControl, FileTime};

/// User objects alone: no computers, no trusts, no managed service accounts, no contacts (active-directory.md 2.2).
pub const FILTER: Filter = Filter::is("sAMAccountType", USER_ACCOUNT);
const USER_ACCOUNT: &str = "805306368";

/// Read for every person, whatever the local ceiling says: without them nobody can be recognised.
const MANDATORY: &[&str] =
    &["objectGUID", "objectSid", "sAMAccountName", "userAccountControl", "isCriticalSystemObject", "primaryGroupID"];

/// Everything else that we ever ask for.
const OPTIONAL: &[&str] = &[
    "userPrincipalName",
    "displayName",
    "givenName",
    "sn",
    "mail",
    "telephoneNumber",
    "mobile",
    "title",
    "department",
    "company",
    "physicalDeliveryOfficeName",
    "employeeID",
    "manager",
    "description",
    "accountExpires",
    "lockoutTime",
    "pwdLastSet",
    "adminCount",
];

/// The explicit list of attributes that leave this network, narrowed by the file on this machine and by nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttributeList {
    names: Vec<&'static str>,
    withheld: Vec<&'static str>,
}

/// An attribute in the local ceiling that cannot be left out, or that is never read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadCeiling {
    #[error("{0} cannot be withheld: people are recognised by it")]
    Mandatory(String),
    #[error("{0} is never read")]
    Unknown(String),
}

impl AttributeList {
    /// All attributes but the withheld ones.
    pub fn without(withheld: &[String]) -> Result<Self, BadCeiling> {
        let mut out = BTreeSet::new();
        for name in withheld {
            if MANDATORY.iter().any(|mandatory| mandatory.eq_ignore_ascii_case(name)) {
                return Err(BadCeiling::Mandatory(name.clone()));
            }
            let known = OPTIONAL.iter().find(|optional| optional.eq_ignore_ascii_case(name));
            out.insert(*known.ok_or_else(|| BadCeiling::Unknown(name.clone()))?);
        }
        let names = MANDATORY.iter().chain(OPTIONAL).filter(|name| !out.contains(*name)).copied().collect();
        Ok(Self { names, withheld: OPTIONAL.iter().filter(|name| out.contains(*name)).copied().collect() })
    }

    /// The ones that the file on this machine keeps back.
    pub fn withheld(&self) -> Vec<String> {
        self.withheld.iter().map(|name| (*name).to_owned()).collect()
    }

    pub fn names(&self) -> &[&'static str] {
        &self.names
    }

    /// Whether one of the attributes that are ever read is not kept back.
    pub fn holds(&self, name: &str) -> bool {
        !self.withheld.contains(&name)
    }
}

/// What an entry turned out to be.
#[derive(Debug, Clone, PartialEq)]
pub enum Read {
    Person(Box<Person>),
    /// An account that belongs to Windows: never imported, whatever is selected.
    System(Uuid),
}

/// An entry that should have been a person and cannot be read as one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotReadable {
    /// Without its GUID the person would look like one who left: nothing that was read counts.
    #[error("objectGUID")]
    Nameless,
    /// We know who it is: they stay as they are, and everybody else is read.
    #[error("{what}")]
    Withheld { guid: Uuid, what: &'static str },
}

impl From<NotReadable> for Refused {
    fn from(error: NotReadable) -> Self {
        match error {
            NotReadable::Nameless => Self::Unreadable("objectGUID"),
            NotReadable::Withheld { guid, what } => Self::Withheld { guid, what },
        }
    }
}

/// Turns an entry into the record without its memberships.
pub fn read(entry: &Entry, attributes: &AttributeList) -> Result<Read, NotReadable> {
    let guid = entry.bytes("objectGUID").and_then(values::guid).ok_or(NotReadable::Nameless)?;
    let withheld = |what| NotReadable::Withheld { guid, what };
    let sid = entry.bytes("objectSid").and_then(Sid::from_bytes).ok_or(withheld("objectSid"))?;
    let account_name = entry.text("sAMAccountName").ok_or(withheld("sAMAccountName"))?;
    if is_system(entry, &sid, account_name) {
        return Ok(Read::System(guid));
    }
    let control = entry.text("userAccountControl").and_then(AccountControl::parse);
    let control = control.ok_or(withheld("userAccountControl"))?;
    if entry.dn.len() > LONGEST {
        return Err(withheld("its name"));
    }
    let text = |name: &str| attributes.holds(name).then(|| entry.text(name).map(clip)).flatten();
    Ok(Read::Person(Box::new(Person {
        guid,
        sid: Some(sid.to_string()),
        dn: entry.dn.clone(),
        account_name: clip(account_name),
        user_principal_name: text("userPrincipalName"),
        display_name: text("displayName"),
        given_name: text("givenName"),
        surname: text("sn"),
        mail: text("mail"),
        phone: text("telephoneNumber"),
        mobile: text("mobile"),
        title: text("title"),
        department: text("department"),
        company: text("company"),
        office: text("physicalDeliveryOfficeName"),
        employee_id: text("employeeID"),
        manager: text("manager"),
        description: sorted(entry, "description", attributes),
        status: status(entry, control, attributes),
        extra: std::collections::BTreeMap::new(),
        imports: Vec::new(),
    })))
}

/// A record's strings stay far below the protocol's limit even when every character has to be escaped. A name that is
/// longer cannot be cut: it would be another name.
pub(super) const LONGEST: usize = 4 * 1024;

fn clip(text: &str) -> String {
    text.get(..text.floor_char_boundary(LONGEST)).unwrap_or(text).to_owned()
}

/// The server keeps no order among values, so we do: otherwise the same person would look changed.
fn sorted(entry: &Entry, name: &str, attributes: &AttributeList) -> Vec<String> {
    if !attributes.holds(name) {
        return Vec::new();
    }
    let mut values: Vec<String> = entry.texts(name).map(clip).take(16).collect();
    values.sort();
    values
}

fn status(entry: &Entry, control: AccountControl, attributes: &AttributeList) -> Status {
    let time = |name: &str| {
        attributes.holds(name).then(|| entry.text(name).and_then(FileTime::parse).and_then(FileTime::at)).flatten()
    };
    Status {
        enabled: !control.is_disabled(),
        expires_at: time("accountExpires"),
        locked_at: time("lockoutTime"),
        password_set_at: time("pwdLastSet"),
        password_never_expires: control.password_never_expires(),
        privileged_history: attributes.holds("adminCount") && entry.text("adminCount") == Some("1"),
    }
}

pub(super) fn is_system(entry: &Entry, sid: &Sid, account_name: &str) -> bool {
    sid.is_predefined()
        || entry.is_true("isCriticalSystemObject")
        || account_name.ends_with('$')
        || account_name.to_ascii_lowercase().starts_with("krbtgt_")
}

/// Whether an object that was found by its GUID is still a user account.
pub fn is_user(entry: &Entry) -> bool {
    entry.text("sAMAccountType") == Some(USER_ACCOUNT)
}

#[cfg(test)]
pub mod fixtures {
    use crate::directory::entry::{Entry, fixtures::entry};

    /// A user as a domain controller shows one; `number` becomes GUID and RID.
    pub fn user(number: u32, name: &str, dn: &str) -> Entry {
        let guid = uuid::Uuid::from_u128(u128::from(number)).to_bytes_le();
        let mut sid = vec![1, 5, 0, 0, 0, 0, 0, 5];
        for part in [21, 1, 2, 3, number] {
            sid.extend_from_slice(&part.to_le_bytes());
        }
        entry(
            dn,
            &[
                ("objectGUID", &[&guid]),
                ("objectSid", &[&sid]),
                ("sAMAccountName", &[name.as_bytes()]),
                ("sAMAccountType", &[b"805306368"]),
                ("userAccountControl", &[b"512"]),
                ("primaryGroupID", &[b"513"]),
                ("mail", &[format!("{name}@lab.example").as_bytes()]),
            ],
        )
    }
}

#[cfg(test)]
mod tests {
    use super::fixtures::user;
    use super::*;
    use crate::directory::entry::fixtures::entry;

    fn all() -> AttributeList {
        AttributeList::without(&[]).unwrap()
    }

    #[test]
    fn a_user_becomes_a_record_without_memberships() {
        let Read::Person(ana) = read(&user(1103, "ana", "CN=Ana,OU=Staff,DC=lab"), &all()).unwrap() else { panic!() };

        assert_eq!(ana.account_name, "ana");
        assert_eq!(ana.mail.as_deref(), Some("ana@lab.example"));
        assert!(ana.status.enabled && ana.imports.is_empty());
    }

    #[test]
    fn who_cannot_be_read_is_known_by_their_guid_and_who_has_none_is_nobody() {
        let ana = user(1103, "ana", "CN=Ana,DC=lab");
        let guid = ana.bytes("objectGUID").unwrap().to_vec();
        let sid = ana.bytes("objectSid").unwrap().to_vec();
        let shown: &[(&str, &[&[u8]])] =
            &[("objectGUID", &[&guid]), ("objectSid", &[&sid]), ("sAMAccountName", &[b"ana"])];

        let withheld = |what| Err(NotReadable::Withheld { guid: Uuid::from_u128(1103), what });
        assert_eq!(read(&entry("CN=Ana,DC=lab", shown), &all()), withheld("userAccountControl"));
        assert_eq!(read(&entry("CN=Ana,DC=lab", &shown[..1]), &all()), withheld("objectSid"));
        assert_eq!(read(&entry("CN=Ana,DC=lab", &shown[1..]), &all()), Err(NotReadable::Nameless));
        let endless = format!("CN={},DC=lab", "x".repeat(5_000));
        assert_eq!(read(&user(1103, "ana", &endless), &all()), withheld("its name"));
    }

    #[test]
    fn accounts_that_belong_to_windows_are_never_imported() {
        let guest = read(&user(501, "Gast", "CN=Gast,CN=Users,DC=lab"), &all()).unwrap();
        let machine = read(&user(1200, "SRV$", "CN=SRV,OU=Staff,DC=lab"), &all()).unwrap();

        assert!(matches!(guest, Read::System(_)));
        assert!(matches!(machine, Read::System(_)));
    }

    #[test]
    fn what_this_machine_withholds_never_leaves_it() {
        let narrowed = AttributeList::without(&["MAIL".into()]).unwrap();

        let Read::Person(ana) = read(&user(1103, "ana", "CN=Ana,DC=lab"), &narrowed).unwrap() else { panic!() };

        assert!(!narrowed.names().contains(&"mail"));
        assert_eq!(ana.mail, None);
    }

    #[test]
    fn the_ceiling_cannot_withhold_identity_and_names_only_what_is_read() {
        assert!(matches!(AttributeList::without(&["objectguid".into()]), Err(BadCeiling::Mandatory(_))));
        for unknown in ["unicodePwd", "*", "mail)(objectClass=*", "mail;range=0-*"] {
            assert!(matches!(AttributeList::without(&[unknown.into()]), Err(BadCeiling::Unknown(_))), "{unknown}");
        }
    }

    #[test]
    fn no_secret_attribute_is_ever_asked_for() {
        for name in all().names() {
            assert!(!["unicodepwd", "dbcspwd", "supplementalcredentials", "*"].contains(&name.to_lowercase().as_str()));
        }
    }
}
