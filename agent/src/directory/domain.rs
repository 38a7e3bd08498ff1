//! Decides which domain and which domain controller answered, and whether it may be read at all.

use rollcall_protocol::directory::{DcIdentity, DomainPin};
use uuid::Uuid;

use super::dn::Dn;
use super::entry::Entry;
use super::reader::{DirectoryReader, Finds, Incomplete};
use super::sid::Sid;
use super::values;

/// What the connection leads to.
#[derive(Debug, Clone)]
pub struct Domain {
    pub pin: DomainPin,
    pub dc: DcIdentity,
    /// The head of the domain.
    pub head: Dn,
    /// Resolved by its well-known GUID, since it can be redirected and its name is not fixed.
    pub users_container: Option<Dn>,
    pub rights: Rights,
}

impl Domain {
    /// Whether a name lies in this domain. The names of the configuration and of a child domain end alike, and belong to
    /// the forest and to that domain.
    pub fn holds(&self, dn: &Dn) -> bool {
        let configuration = Dn::parse(&format!("CN=Configuration,{}", self.head));
        dn.is_at_or_under(&self.head)
            && !configuration.is_some_and(|outside| dn.is_at_or_under(&outside))
            && !dn.is_in_another_domain_below(&self.head)
    }
}

/// What the account that we signed in with may do, as far as its groups say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rights {
    Reader,
    Administrator,
}

/// Why this server is not read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotOurs {
    #[error("the server is no Active Directory domain controller: {0}")]
    NoDomainController(&'static str),
    #[error("the domain controller is still synchronising itself")]
    NotSynchronised,
    #[error("the connection is anonymous although a sign-in was sent")]
    Anonymous,
    #[error("the domain {found} answers, not the one this agent belongs to")]
    OtherDomain { found: String },
    #[error("{0}")]
    Incomplete(#[from] Incomplete),
}

const ROOT_ATTRIBUTES: &[&str] = &[
    "defaultNamingContext",
    "dnsHostName",
    "dsServiceName",
    "highestCommittedUSN",
    "isSynchronized",
    "supportedCapabilities",
    "supportedControl",
    "tokenGroups",
];
const ACTIVE_DIRECTORY: &str = "1.2.840.113556.1.4.800";
const PAGED_RESULTS: &str = "1.2.840.113556.1.4.319";
/// GUID_USERS_CONTAINER_W (MS-ADTS 6.1.1.4).
const USERS_CONTAINER: &str = "A9D1CA15768811D1ADED00C04FD8D5CD";

/// Verifies the server and the domain behind a fresh connection. Nothing may be searched before this.
pub async fn identify(reader: &mut DirectoryReader, pinned: Option<&DomainPin>) -> Result<Domain, NotOurs> {
    let root = reader.read_base("", ROOT_ATTRIBUTES, Finds::Live).await?;
    let root = RootDse::from_entry(&root.ok_or(NotOurs::NoDomainController("it shows no rootDSE"))?)?;
    let pin = read_pin(reader, &root).await?;
    if let Some(pinned) = pinned
        && !pinned.is_same_domain(&pin)
    {
        return Err(NotOurs::OtherDomain { found: pin.dns_name });
    }
    let dc = read_dc(reader, &root).await?;
    let users = format!("<WKGUID={USERS_CONTAINER},{}>", root.head);
    let users = reader.read_base(&users, &["objectGUID"], Finds::Live).await?;
    let users_container = users.and_then(|entry| Dn::parse(&entry.dn));
    Ok(Domain { pin, dc, head: root.head, users_container, rights: root.rights })
}

struct RootDse {
    head: Dn,
    host: String,
    service: String,
    usn: i64,
    rights: Rights,
}

impl RootDse {
    fn from_entry(entry: &Entry) -> Result<Self, NotOurs> {
        let missing = NotOurs::NoDomainController;
        if !entry.texts("supportedCapabilities").any(|oid| oid == ACTIVE_DIRECTORY) {
            return Err(missing("it does not have the capability of Active Directory"));
        }
        if !entry.texts("supportedControl").any(|oid| oid == PAGED_RESULTS) {
            return Err(missing("it cannot page its results"));
        }
        if entry.text("isSynchronized").is_some_and(|value| value.eq_ignore_ascii_case("false")) {
            return Err(NotOurs::NotSynchronised);
        }
        let head = entry.text("defaultNamingContext").and_then(Dn::parse);
        let usn = entry.text("highestCommittedUSN").and_then(|text| text.parse().ok());
        Ok(Self {
            head: head.ok_or(missing("it names no domain"))?,
            host: entry.text("dnsHostName").unwrap_or_default().to_owned(),
            service: entry.text("dsServiceName").ok_or(missing("it does not name itself"))?.to_owned(),
            usn: usn.ok_or(missing("it has no highest USN"))?,
            rights: rights_of(entry)?,
        })
    }
}

/// An empty or unknown identity reads almost nothing and would make everybody look gone.
fn rights_of(entry: &Entry) -> Result<Rights, NotOurs> {
    let groups: Vec<Sid> = entry.all_bytes("tokenGroups").filter_map(Sid::from_bytes).collect();
    if !groups.iter().any(Sid::is_authenticated_users) {
        return Err(NotOurs::Anonymous);
    }
    Ok(if groups.iter().any(Sid::is_administrative) { Rights::Administrator } else { Rights::Reader })
}

async fn read_pin(reader: &mut DirectoryReader, root: &RootDse) -> Result<DomainPin, NotOurs> {
    let head = reader.read_base(root.head.as_str(), &["objectGUID", "objectSid"], Finds::Live).await?;
    let head = head.ok_or(NotOurs::NoDomainController("the domain's head cannot be read"))?;
    let guid = head.bytes("objectGUID").and_then(values::guid);
    let sid = head.bytes("objectSid").and_then(Sid::from_bytes);
    Ok(DomainPin {
        guid: guid.ok_or(NotOurs::NoDomainController("the domain's head has no GUID"))?,
        sid: sid.ok_or(NotOurs::NoDomainController("the domain's head has no SID"))?.to_string(),
        dns_name: dns_name(&root.head),
    })
}

async fn read_dc(reader: &mut DirectoryReader, root: &RootDse) -> Result<DcIdentity, NotOurs> {
    let settings = reader.read_base(&root.service, &["objectGUID", "invocationId"], Finds::Live).await?;
    let settings = settings.ok_or(NotOurs::NoDomainController("its settings object cannot be read"))?;
    let guid = |name: &str| settings.bytes(name).and_then(values::guid);
    let missing = NotOurs::NoDomainController("its settings object is incomplete");
    let (Some(ntds_guid), Some(invocation_id)) = (guid("objectGUID"), guid("invocationId")) else {
        return Err(missing);
    };
    let dns_name = if root.host.is_empty() { reader.host().to_owned() } else { root.host.clone() };
    Ok(DcIdentity { dns_name, ntds_guid, invocation_id, usn: root.usn })
}

/// `DC=lab,DC=example` → `lab.example`.
fn dns_name(head: &Dn) -> String {
    let mut labels = Vec::new();
    let mut rest = Some(head.as_str().to_owned());
    while let Some(dn) = rest.as_deref().and_then(Dn::parse) {
        labels.push(dn.leaf().to_lowercase());
        rest = dn.parent().map(ToOwned::to_owned);
    }
    labels.join(".")
}

/// Who has an object.
#[derive(Debug)]
pub enum Sought {
    Here(Entry),
    /// It is gone, or cannot be read any more: the directory says the same of both.
    Nowhere,
    /// The forest knows the object, and another domain has it.
    Elsewhere,
}

impl Sought {
    pub fn here(self) -> Option<Entry> {
        match self {
            Self::Here(entry) => Some(entry),
            Self::Nowhere | Self::Elsewhere => None,
        }
    }
}

/// Where an object is now. A domain controller answers with a referral for what it knows another domain to have.
pub async fn locate(reader: &mut DirectoryReader, guid: Uuid, attributes: &[&str]) -> Result<Sought, Incomplete> {
    match reader.read_base(&values::guid_base(guid), attributes, Finds::Live).await {
        Ok(Some(entry)) => Ok(Sought::Here(entry)),
        Ok(None) => Ok(Sought::Nowhere),
        Err(Incomplete::Referral) => Ok(Sought::Elsewhere),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
pub(crate) mod fixtures {
    use super::*;

    /// The domain `lab`, whose users container has a German name.
    pub fn domain() -> Domain {
        let guid = Uuid::from_u128(1);
        Domain {
            pin: DomainPin { guid, sid: "S-1-5-21-1-2-3".into(), dns_name: "lab".into() },
            dc: DcIdentity { dns_name: "dc1.lab".into(), ntds_guid: guid, invocation_id: guid, usn: 1 },
            head: Dn::parse("DC=lab").unwrap(),
            users_container: Dn::parse("CN=Benutzer,DC=lab"),
            rights: Rights::Reader,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::entry::fixtures::entry;

    const AUTHENTICATED: &[u8] = &[1, 1, 0, 0, 0, 0, 0, 5, 11, 0, 0, 0];
    const ADMINISTRATORS: &[u8] = &[1, 2, 0, 0, 0, 0, 0, 5, 32, 0, 0, 0, 0x20, 2, 0, 0];

    fn root(groups: &[&[u8]], capability: &[u8]) -> Entry {
        entry(
            "",
            &[
                ("defaultNamingContext", &[b"DC=lab,DC=example"]),
                ("dsServiceName", &[b"CN=NTDS Settings,CN=DC1"]),
                ("highestCommittedUSN", &[b"4711"]),
                ("isSynchronized", &[b"TRUE"]),
                ("supportedCapabilities", &[capability]),
                ("supportedControl", &[PAGED_RESULTS.as_bytes()]),
                ("tokenGroups", groups),
            ],
        )
    }

    #[test]
    fn an_anonymous_connection_is_not_read() {
        let seen = RootDse::from_entry(&root(&[], ACTIVE_DIRECTORY.as_bytes()));

        assert_eq!(seen.err(), Some(NotOurs::Anonymous));
    }

    #[test]
    fn an_account_with_administrator_rights_is_noticed() {
        let plain = RootDse::from_entry(&root(&[AUTHENTICATED], ACTIVE_DIRECTORY.as_bytes())).unwrap();
        let strong = RootDse::from_entry(&root(&[AUTHENTICATED, ADMINISTRATORS], ACTIVE_DIRECTORY.as_bytes())).unwrap();

        assert_eq!((plain.rights, plain.usn), (Rights::Reader, 4711));
        assert_eq!(strong.rights, Rights::Administrator);
    }

    #[test]
    fn a_directory_that_is_not_active_directory_is_refused() {
        let seen = RootDse::from_entry(&root(&[AUTHENTICATED], b"1.2.3"));

        assert!(matches!(seen.err(), Some(NotOurs::NoDomainController(_))));
    }

    #[test]
    fn neither_the_configuration_of_the_forest_nor_a_child_domain_is_part_of_the_domain() {
        let holds = |dn: &str| fixtures::domain().holds(&Dn::parse(dn).unwrap());

        assert!(holds("OU=Staff,DC=lab") && holds("DC=LAB"));
        assert!(!holds("CN=Sites,CN=Configuration,DC=lab") && !holds("OU=Staff,DC=other"));
        assert!(!holds("OU=Staff,DC=berlin,DC=lab") && !holds("DC=berlin,DC=lab"), "a child domain is another one");
        assert!(holds("DC=zone,CN=MicrosoftDNS,CN=System,DC=lab"));
    }

    #[test]
    fn the_name_of_a_domain_is_read_from_its_head() {
        assert_eq!(dns_name(&Dn::parse("DC=LAB,DC=example").unwrap()), "lab.example");
    }
}
