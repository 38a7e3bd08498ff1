//! Decides which domain controllers are tried, in which order, and whether the next one may be.

use rollcall_protocol::catalogue;
use rollcall_protocol::directory::DomainPin;

use super::access::Access;
use super::broken::Experience;
use super::connect::{self, ConnectError, Target};
use super::domain::{self, Domain, NotOurs};
use super::method::{self, Next};
use super::names::{Listed, NameServer};
use super::reader::DirectoryReader;
use crate::clock::Chance;
use crate::platform::domain_controller::{self, Located, Search};

/// Which domain controllers there are, as far as this machine was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Controllers {
    /// Named one by one: tried in this order.
    pub hosts: Vec<String>,
    /// The domain whose controllers DNS lists: tried after the named ones, by priority and weight.
    pub domain: Option<String>,
    pub names: NameServer,
}

impl Controllers {
    /// The one controller that the target names.
    pub fn one(host: &str) -> Self {
        Self { hosts: vec![host.to_owned()], domain: None, names: NameServer::OfTheMachine }
    }
}

/// Domain controllers tried in one cycle: each may cost a few timeouts, and a cycle has an end.
const MOST: usize = 16;

/// Why no controller can be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReachError {
    #[error("{0}")]
    Connect(#[from] ConnectError),
    #[error("{0}")]
    NotOurs(#[from] NotOurs),
}

/// A controller that can be read.
#[derive(Debug)]
pub struct InReach {
    pub reader: DirectoryReader,
    pub domain: Domain,
    /// As it was named to us.
    pub host: String,
}

/// Connects to the first controller that can be read, the one of the last cycle before all others: a change of
/// controller makes every departure wait. Those that broke off lately come last.
pub async fn reach(
    access: &Access,
    experience: &Experience<'_>,
    pinned: Option<&DomainPin>,
    chance: &Chance,
) -> Result<InReach, ReachError> {
    let mut first = None;
    for target in targets(access, experience, chance).await? {
        match attempt(&target, access, pinned).await {
            Ok((reader, domain)) => return Ok(InReach { reader, domain, host: target.host }),
            Err(error) if onward(&error) == Onward::Stop => return Err(error),
            Err(error) => {
                tracing::warn!(host = target.host, %error, "this domain controller cannot be read");
                first.get_or_insert(error);
            }
        }
    }
    let none = ConnectError::NameUnknown { host: access.target.host.clone() };
    Err(first.unwrap_or(ReachError::Connect(none)))
}

async fn attempt(
    target: &Target,
    access: &Access,
    pinned: Option<&DomainPin>,
) -> Result<(DirectoryReader, Domain), ReachError> {
    let mut reader = DirectoryReader::open(target, &access.methods).await?;
    let domain = domain::identify(&mut reader, pinned).await?;
    Ok((reader, domain))
}

/// The same way in, aimed at the first controller that answers on one of its ports: what `check` looks at. Without an
/// answer it is the first one, so that its trouble is told.
pub async fn settle(access: &Access, chance: &Chance) -> Result<Access, ConnectError> {
    let targets = targets(access, &Experience::default(), chance).await?;
    let mut settled = targets.first().cloned().unwrap_or_else(|| access.target.clone());
    'targets: for target in targets {
        for method in &access.methods {
            if connect::open_tcp(&target, method.port()).await.is_ok() {
                settled = target;
                break 'targets;
            }
        }
    }
    Ok(Access { controllers: Controllers::one(&settled.host), target: settled, ..access.clone() })
}

/// The controllers to try, in order, each with the way to reach it.
pub async fn targets(
    access: &Access,
    experience: &Experience<'_>,
    chance: &Chance,
) -> Result<Vec<Target>, ConnectError> {
    let controllers = &access.controllers;
    let mut hosts = controllers.hosts.clone();
    if let Some(domain) = &controllers.domain {
        hosts.extend(find(controllers, domain, experience, access, chance).await?);
    }
    let mut targets = Vec::new();
    for host in arrange(hosts, experience) {
        let is_pinned = access.target.address.is_some() && host.eq_ignore_ascii_case(&access.target.host);
        let address = if is_pinned {
            access.target.address
        } else {
            controllers.names.address(&host, access.target.timeouts.connect).await
        };
        targets.push(Target { host, address, ..access.target.clone() });
    }
    Ok(targets)
}

/// What the system's own locator says of a domain, which may leave it to DNS to know the controllers.
pub async fn locate(domain: &str, access: &Access, search: Search) -> Located {
    let domain = domain.to_owned();
    let asked = tokio::task::spawn_blocking(move || domain_controller::find(&domain, search));
    match tokio::time::timeout(access.target.timeouts.connect, asked).await {
        Ok(Ok(located)) => located,
        Ok(Err(_)) | Err(_) => Located::Silent,
    }
}

/// What the system's own locator and DNS say. Without an answer the controller of the last cycle is still there to try.
async fn find(
    controllers: &Controllers,
    domain: &str,
    experience: &Experience<'_>,
    access: &Access,
    chance: &Chance,
) -> Result<Vec<String>, ConnectError> {
    let mut located = locate(domain, access, Search::Remembered).await;
    if located.host().is_some_and(|host| is_doubtful(host, experience)) {
        located = locate(domain, access, Search::Anew).await;
    }
    let mut hosts: Vec<String> = located.host().map(str::to_owned).into_iter().collect();
    match controllers.names.controllers(domain, access.target.timeouts.connect).await {
        Ok(listed) => hosts.extend(by_priority(listed, chance)),
        Err(error) => {
            tracing::warn!(%error, "DNS does not tell the domain controllers");
            hosts.extend(experience.last.map(str::to_owned));
        }
    }
    let (ours, foreign): (Vec<String>, Vec<String>) =
        hosts.into_iter().partition(|host| is_vouched_for(host, controllers));
    for host in &foreign {
        let code = catalogue::FOREIGN_CONTROLLER.code;
        tracing::warn!(host, domain, code, "a domain controller of another domain is named for this one: not tried");
    }
    match (ours.is_empty() && controllers.hosts.is_empty(), foreign.into_iter().next()) {
        (false, _) => Ok(ours),
        (true, Some(host)) => Err(ConnectError::ForeignController { host, domain: domain.to_owned() }),
        (true, None) => Err(ConnectError::NameUnknown { host: format!("_ldap._tcp.dc._msdcs.{domain}") }),
    }
}

/// Whether the locator may remember a controller that is no more: one that broke off lately, or that the last reading
/// passed by.
fn is_doubtful(host: &str, experience: &Experience<'_>) -> bool {
    let is_it = |other: &str| other.eq_ignore_ascii_case(host);
    experience.broke.iter().any(|broke| is_it(&broke.host)) || experience.last.is_some_and(|last| !is_it(last))
}

/// DNS is not signed: whoever can answer could name a machine of their own, with a certificate that anybody gets for it,
/// and be given our password. So a name counts only in the domain that the file says (RFC 6125 6.2.1), or in the file.
fn is_vouched_for(host: &str, controllers: &Controllers) -> bool {
    let is_in = |domain: &String| {
        let ending = format!(".{}", domain.trim_end_matches('.')).to_lowercase();
        host.to_lowercase().ends_with(&ending)
    };
    controllers.domain.as_ref().is_some_and(is_in)
        || controllers.hosts.iter().any(|named| named.eq_ignore_ascii_case(host))
}

/// The lowest priority first; among equals by chance, in proportion to their weight (RFC 2782).
fn by_priority(mut listed: Vec<Listed>, chance: &Chance) -> Vec<String> {
    listed.sort_by(|left, right| {
        (left.priority, left.weight, &left.host).cmp(&(right.priority, right.weight, &right.host))
    });
    let mut hosts = Vec::with_capacity(listed.len());
    while let Some(lowest) = listed.first().map(|first| first.priority) {
        let equals = listed.iter().take_while(|other| other.priority == lowest);
        let weights: Vec<u32> = equals.map(|other| u32::from(other.weight)).collect();
        hosts.push(listed.remove(draw(&weights, chance.fraction())).host);
    }
    hosts
}

/// The position that a fraction of the sum of weights falls on. Weight 0 is drawn only where nothing else is left.
fn draw(weights: &[u32], fraction: f64) -> usize {
    let total: u32 = weights.iter().sum();
    let mark = fraction * f64::from(total);
    let mut sum = 0;
    let reached = weights.iter().position(|weight| {
        sum += weight;
        f64::from(sum) > mark
    });
    reached.unwrap_or(0)
}

/// By experience, and otherwise in the order they came in; nobody twice; not too many.
fn arrange(mut hosts: Vec<String>, experience: &Experience<'_>) -> Vec<String> {
    hosts.sort_by_cached_key(|host| experience.rank(host));
    let mut known = std::collections::HashSet::new();
    hosts.retain(|host| known.insert(host.to_lowercase()));
    hosts.truncate(MOST);
    hosts
}

/// Whether another controller may be tried after a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Onward {
    Next,
    /// The answer would be the same everywhere, or asking again could lock the account.
    Stop,
}

fn onward(error: &ReachError) -> Onward {
    match error {
        // Another controller has another name; who was refused is refused by all, and they count refusals together.
        ReachError::Connect(ConnectError::NameUnknown { .. }) => Onward::Next,
        ReachError::Connect(error) => match method::after(error) {
            Next::GoOn | Next::WithoutKerberos => Onward::Next,
            Next::Stop => Onward::Stop,
        },
        ReachError::NotOurs(NotOurs::NoDomainController(_) | NotOurs::NotSynchronised | NotOurs::Incomplete(_)) => {
            Onward::Next
        }
        ReachError::NotOurs(NotOurs::Anonymous | NotOurs::OtherDomain { .. }) => Onward::Stop,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::bind::BindRefused;
    use crate::directory::broken::{Broke, Broken};
    use chrono::DateTime;

    fn listed(host: &str, priority: u16, weight: u16) -> Listed {
        Listed { host: host.into(), priority, weight }
    }

    #[test]
    fn the_locator_is_asked_anew_about_a_controller_that_broke_off_or_was_passed_by() {
        let broke = Broke { host: "dc1.lab".into(), at: DateTime::UNIX_EPOCH };
        let after = |last, broke| is_doubtful("DC1.lab", &Experience { last, broke });

        assert!(!after(None, Vec::new()) && !after(Some("dc1.lab"), Vec::new()));
        assert!(after(Some("dc2.lab"), Vec::new()));
        assert!(after(Some("dc1.lab"), vec![&broke]));
    }

    #[test]
    fn the_lowest_priority_comes_first_whatever_its_weight() {
        let listed = vec![listed("far", 20, 900), listed("near", 0, 0), listed("middle", 10, 1)];

        assert_eq!(by_priority(listed, &Chance::seeded(1)), ["near", "middle", "far"]);
    }

    #[test]
    fn among_equals_the_heavier_is_drawn_more_often() {
        let chance = Chance::seeded(7);
        let first = |_| by_priority(vec![listed("heavy", 0, 90), listed("light", 0, 10)], &chance).swap_remove(0);
        let heavy = (0..1_000).map(first).filter(|host| host == "heavy").count();

        assert!((850..950).contains(&heavy), "{heavy}");
    }

    #[test]
    fn the_controller_of_the_last_cycle_is_tried_first_and_nobody_twice() {
        let hosts = || ["dc1.lab", "DC2.lab", "dc3.lab", "dc2.LAB"].map(str::to_owned).to_vec();

        let last = |last| Experience { last: Some(last), ..Experience::default() };
        assert_eq!(arrange(hosts(), &last("dc3.LAB")), ["dc3.lab", "dc1.lab", "DC2.lab"]);
        assert_eq!(arrange(hosts(), &last("gone.lab")), ["dc1.lab", "DC2.lab", "dc3.lab"]);
    }

    #[test]
    fn a_controller_that_broke_off_comes_last_even_if_it_is_the_one_of_the_last_cycle() {
        let hosts = || ["dc1.lab", "dc2.lab", "dc3.lab", "dc4.lab"].map(str::to_owned).to_vec();
        let broken = Broken::default().and("DC1.lab", DateTime::UNIX_EPOCH).and("dc3.lab", DateTime::UNIX_EPOCH);
        let with = |last| Experience { last: Some(last), broke: broken.lately(DateTime::UNIX_EPOCH) };

        assert_eq!(arrange(hosts(), &with("dc1.lab")), ["dc2.lab", "dc4.lab", "dc1.lab", "dc3.lab"]);
        assert_eq!(arrange(hosts(), &with("dc4.lab")), ["dc4.lab", "dc2.lab", "dc1.lab", "dc3.lab"]);
        assert_eq!(arrange(vec!["dc1.lab".into()], &with("dc1.lab")), ["dc1.lab"], "the only one there is");
    }

    #[test]
    fn only_names_below_the_domain_or_in_the_file_are_believed() {
        let controllers = Controllers {
            hosts: vec!["dc9.branch.example".into()],
            domain: Some("Lab.example.".into()),
            names: NameServer::OfTheMachine,
        };

        for host in ["dc1.lab.example", "DC1.berlin.LAB.example", "DC9.branch.example"] {
            assert!(is_vouched_for(host, &controllers), "{host}");
        }
        for host in ["dc.attacker.example", "dc.evillab.example", "lab.example.attacker.example", ".", ""] {
            assert!(!is_vouched_for(host, &controllers), "{host}");
        }
    }

    #[test]
    fn a_refused_password_is_never_tried_on_the_next_controller() {
        let refused = |refused| onward(&ReachError::Connect(ConnectError::Bind(refused)));
        let unreachable = ConnectError::Unreachable { host: "dc1".into(), port: 636, why: "refused".into() };

        assert_eq!(refused(BindRefused::NameOrPassword), Onward::Stop);
        assert_eq!(refused(BindRefused::Locked), Onward::Stop);
        assert_eq!(onward(&ReachError::Connect(unreachable)), Onward::Next);
        assert_eq!(onward(&ReachError::NotOurs(NotOurs::NotSynchronised)), Onward::Next);
        assert_eq!(onward(&ReachError::NotOurs(NotOurs::OtherDomain { found: "evil".into() })), Onward::Stop);
    }
}
