//! What the cloud wants of one agent: the signed, numbered document an agent obeys, and when it may obey it.

use crate::directory::DomainPin;
use crate::jws::{self, JwsError, Kind, Unverified};
use crate::key::{PrivateKey, PublicKey};
use crate::limits;
use crate::update::report::WantedVersion;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The whole desired state. Selections are objectGUIDs only: the cloud can never send an LDAP filter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DesiredState {
    pub cloud: Uuid,
    pub agent: Uuid,
    /// Rises with every change that concerns this agent.
    pub version: u64,
    pub issued_at: DateTime<Utc>,
    pub role: Role,
    /// The domain this agent belongs to, once the cloud knows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain: Option<DomainPin>,
    /// While set, the agent only checks in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pause: Option<Pause>,
    pub imports: Vec<DesiredImport>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub commands: Vec<Command>,
    /// The version to run; none while the agent shall keep what it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub update: Option<WantedVersion>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Reads the directory.
    Active,
    /// Checks in, and takes over when told to.
    Standby,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// When it ends by itself; `None` when a human ends it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<DateTime<Utc>>,
}

impl Order {
    /// Whether a reading of the directory carries it out.
    pub const fn needs_cycle(&self) -> bool {
        match self {
            Self::SyncNow
            | Self::RefreshStructure
            | Self::FullSnapshot
            | Self::Confirm { .. }
            | Self::AcceptClearing { .. } => true,
            Self::RotateKey | Self::Bundle | Self::Unknown => false,
        }
    }
}

impl Pause {
    pub fn holds(&self, now: DateTime<Utc>) -> bool {
        self.until.is_none_or(|until| now < until)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DesiredImport {
    pub import: Uuid,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pause: Option<Pause>,
    pub include: Vec<Selection>,
    /// objectGUIDs of OUs whose whole subtree is out; wins over `include`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclude: Vec<Uuid>,
    /// Minutes between two scheduled cycles.
    pub interval_minutes: u32,
    /// An agent that does not know it reads direct members: fewer people than wanted, never more.
    #[serde(default, skip_serializing_if = "Nesting::is_default")]
    pub nesting: Nesting,
}

/// Whose members a selected group brings.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Nesting {
    /// Its own alone.
    #[default]
    Direct,
    /// Those of the groups inside it too, down to [`limits::NESTING_DEPTH`].
    Nested,
}

impl Nesting {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "the form that serde asks for")]
    fn is_default(&self) -> bool {
        *self == Self::Direct
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Selection {
    pub guid: Uuid,
    pub kind: SelectionKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SelectionKind {
    /// An OU, a container or the domain head, with everything below.
    Ou,
    /// A security group's direct members, those by primary group included.
    Group,
}

/// Something to do once. It stands in every desired state until the agent reports it done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Command {
    pub id: Uuid,
    pub order: Order,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Order {
    SyncNow,
    /// Read the OUs and groups afresh.
    RefreshStructure,
    /// Send every person with the next cycle.
    FullSnapshot,
    /// Sign with a new key from now on.
    RotateKey,
    /// Look these up and send them as present or departed.
    Confirm {
        guids: Vec<Uuid>,
    },
    /// A human has seen that these attributes vanished from many people at once, and says that it is meant so.
    AcceptClearing {
        /// As LDAP spells them.
        attributes: Vec<String>,
        /// From how many people of one import at most, each of them: as many as the human saw. If more lost it by the
        /// next reading, that is another question. `None`, as older clouds say it: from any number.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        at_most: Option<u64>,
        /// Of this import alone. `None`, as older clouds say it: of any.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        import: Option<Uuid>,
    },
    /// Make a support bundle and send it; the directory's people are not read for it.
    Bundle,
    /// An order of a newer cloud. It is left alone, so that the rest of the document stays in force.
    #[serde(other)]
    Unknown,
}

/// Why a desired state is not obeyed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Disobey {
    #[error("not signed by the cloud this agent belongs to: {0}")]
    Signature(#[from] JwsError),
    #[error("meant for another agent or cloud")]
    NotForMe,
    #[error("older than the one in force")]
    Older,
    #[error("other words under the number that is in force")]
    OtherWords,
    #[error("of another domain than the pinned one")]
    OtherDomain,
    #[error("over the limits of the protocol")]
    OverLimits,
}

/// Who reads the document, and what already holds for them.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'a> {
    pub agent: Uuid,
    pub cloud: Uuid,
    pub cloud_key: &'a PublicKey,
    pub version: u64,
    pub domain: Option<&'a DomainPin>,
}

impl DesiredState {
    pub fn sign(&self, key: &PrivateKey) -> Result<String, JwsError> {
        jws::sign(Kind::Desired, key, self)
    }

    /// The document, if this agent may obey it.
    pub fn accept(text: &str, reader: &Reader<'_>) -> Result<Self, Disobey> {
        let state: Self = Unverified::parse(text)?.verify(Kind::Desired, reader.cloud_key)?;
        if state.agent != reader.agent || state.cloud != reader.cloud {
            return Err(Disobey::NotForMe);
        }
        if state.version < reader.version {
            return Err(Disobey::Older);
        }
        if let (Some(pinned), Some(named)) = (reader.domain, &state.domain)
            && !pinned.is_same_domain(named)
        {
            return Err(Disobey::OtherDomain);
        }
        if !state.is_within_limits() {
            return Err(Disobey::OverLimits);
        }
        Ok(state)
    }

    /// Whether both ask for the same, whenever they were signed.
    pub fn asks_the_same(&self, other: &Self) -> bool {
        Self { issued_at: other.issued_at, ..self.clone() } == *other
    }

    fn is_within_limits(&self) -> bool {
        let import_fits = |import: &DesiredImport| {
            import.include.len() <= limits::SELECTIONS && import.exclude.len() <= limits::SELECTIONS
        };
        let order_fits = |command: &Command| match &command.order {
            Order::Confirm { guids } => guids.len() <= limits::CONFIRM,
            Order::AcceptClearing { attributes, .. } => attributes.len() <= limits::CLEARED_ATTRIBUTES,
            Order::SyncNow
            | Order::RefreshStructure
            | Order::FullSnapshot
            | Order::RotateKey
            | Order::Bundle
            | Order::Unknown => true,
        };
        self.imports.len() <= limits::IMPORTS
            && self.imports.iter().all(import_fits)
            && self.commands.iter().all(order_fits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cloud_key() -> PrivateKey {
        PrivateKey::from_seed(&[1; 32])
    }

    fn state(version: u64) -> DesiredState {
        DesiredState {
            cloud: Uuid::from_u128(1),
            agent: Uuid::from_u128(2),
            version,
            issued_at: DateTime::UNIX_EPOCH,
            role: Role::Active,
            domain: None,
            pause: None,
            imports: Vec::new(),
            commands: Vec::new(),
            update: None,
        }
    }

    fn accepted(state: &DesiredState, key: &PrivateKey) -> Result<u64, Disobey> {
        let pin = DomainPin { guid: Uuid::from_u128(7), sid: "S-1-5-21-1".into(), dns_name: "a.example".into() };
        let reader = Reader {
            agent: Uuid::from_u128(2),
            cloud: Uuid::from_u128(1),
            cloud_key: &cloud_key().public(),
            version: 5,
            domain: Some(&pin),
        };
        DesiredState::accept(&state.sign(key).unwrap(), &reader).map(|state| state.version)
    }

    #[test]
    fn the_agent_obeys_its_own_cloud_and_nothing_older() {
        assert_eq!(accepted(&state(6), &cloud_key()), Ok(6));
        assert_eq!(accepted(&state(5), &cloud_key()), Ok(5));
        assert_eq!(accepted(&state(4), &cloud_key()), Err(Disobey::Older));
    }

    #[test]
    fn an_inspecting_proxy_cannot_widen_a_selection() {
        let other = PrivateKey::from_seed(&[9; 32]);
        assert_eq!(accepted(&state(6), &other), Err(Disobey::Signature(JwsError::WrongKey)));
        let mut foreign = state(6);
        foreign.agent = Uuid::from_u128(3);
        assert_eq!(accepted(&foreign, &cloud_key()), Err(Disobey::NotForMe));
    }

    #[test]
    fn another_domain_is_never_read_on_the_clouds_word() {
        let mut other = state(6);
        other.domain =
            Some(DomainPin { guid: Uuid::from_u128(8), sid: "S-1-5-21-1".into(), dns_name: "a.example".into() });
        assert_eq!(accepted(&other, &cloud_key()), Err(Disobey::OtherDomain));
    }

    #[test]
    fn an_order_of_a_newer_cloud_does_not_take_the_rest_of_the_document_with_it() {
        let newer = serde_json::json!({"id": Uuid::from_u128(9), "order": {"kind": "moonwalk", "steps": 3}});

        let read: Command = serde_json::from_value(newer).unwrap();

        assert_eq!(read.order, Order::Unknown);
    }

    /// As many places as the cloud saves, in as many imports, beside as many orders as it sends at once.
    fn crowded(places: usize) -> DesiredState {
        let guid = Uuid::from_u128(u128::MAX);
        let pause = Some(Pause { until: Some(DateTime::<Utc>::MAX_UTC) });
        let import = |places: usize| DesiredImport {
            import: guid,
            pause: pause.clone(),
            include: vec![Selection { guid, kind: SelectionKind::Group }; places.min(limits::SELECTIONS)],
            exclude: vec![guid; places.saturating_sub(limits::SELECTIONS)],
            interval_minutes: 1440,
            nesting: Nesting::Nested,
        };
        let (each, rest) = (places / limits::IMPORTS, places % limits::IMPORTS);
        let large = Order::Confirm { guids: vec![guid; limits::CONFIRM] };
        let attributes = vec!["a".repeat(256); limits::CLEARED_ATTRIBUTES];
        let small = Order::AcceptClearing { attributes, at_most: Some(u64::MAX), import: Some(guid) };
        let orders = [vec![large; 3], vec![small; 20]].concat();
        DesiredState {
            pause: pause.clone(),
            imports: (0..limits::IMPORTS).map(|number| import(each + usize::from(number < rest))).collect(),
            commands: orders.into_iter().map(|order| Command { id: guid, order }).collect(),
            ..state(u64::MAX)
        }
    }

    #[test]
    fn the_most_that_can_be_saved_and_ordered_fits_into_what_an_agent_takes() {
        assert_eq!(accepted(&crowded(limits::PLACES), &cloud_key()), Ok(u64::MAX));

        let everything = limits::IMPORTS * limits::SELECTIONS * 2;
        assert_eq!(crowded(everything).sign(&cloud_key()).err(), Some(JwsError::TooLong), "why there is a bound");
    }

    #[test]
    fn a_pause_with_an_end_ends_even_when_the_cloud_is_silent() {
        let at = |seconds| DateTime::from_timestamp(seconds, 0).unwrap();
        let pause = Pause { until: Some(at(100)) };
        assert!(pause.holds(at(99)));
        assert!(!pause.holds(at(100)));
        assert!(Pause { until: None }.holds(at(i64::from(u32::MAX))));
    }
}
