//! Signing in and out: a password or a one-time link becomes a session, within limits that all instances share.

use std::net::{IpAddr, Ipv6Addr};

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use chrono::{DateTime, TimeDelta, Utc};
use rollcall_domain::ids::OperatorId;
use rollcall_store::{
    StoreError, WriteTx,
    api_keys::Holder,
    audit::{self, Actor, Entry, Source},
    keyring::SecretHash,
    login_attempts::{self, Gate},
    operators::{self, Known},
    sessions::{self, NewSession},
    signin_links::{self, NewLink},
};

use super::{
    passwords::{self, Check, DeskFull, Password},
    who::Who,
};
use crate::state::AppState;

/// Attempts per name and hour from one address: a stranger elsewhere does not lock the owner out.
const TRIES_PER_NAME_AND_ADDRESS: i64 = 20;
/// Attempts per name and hour, whoever makes them.
const TRIES_PER_NAME: i64 = 200;
/// Attempts per address and hour, whatever the name.
const TRIES_PER_ADDRESS: i64 = 200;
/// A link waits this long for its owner.
pub const LINK_LIFETIME: TimeDelta = TimeDelta::hours(24);

/// Why somebody was not signed in.
#[derive(Debug, thiserror::Error)]
pub enum SignInError {
    /// Name and password do not belong together. Which of the two is wrong is not said.
    #[error("refused")]
    Refused,
    #[error("too many attempts until {until}")]
    TooMany { until: DateTime<Utc> },
    #[error(transparent)]
    Busy(#[from] DeskFull),
    #[error("the password is too short or too long")]
    WeakPassword,
    #[error("the link was used or is over")]
    LinkSpent,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Where a request comes from, as far as it is known.
#[derive(Debug, Clone, Default)]
pub struct Visitor {
    pub ip: Option<IpAddr>,
    pub user_agent: Option<String>,
}

impl Visitor {
    fn ip_text(&self) -> Option<String> {
        self.ip.map(|ip| ip.to_string())
    }

    /// Whom the provider calls one customer: of IPv6 the first half, because the other half is everybody's own choice.
    fn network(&self) -> Option<IpAddr> {
        self.ip.map(|ip| match ip.to_canonical() {
            IpAddr::V4(ip) => IpAddr::V4(ip),
            IpAddr::V6(ip) => IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() >> 64 << 64)),
        })
    }

    /// Behind a proxy on our own network everybody has its address, so only public ones are counted.
    fn counted_address(&self) -> Option<SecretHash> {
        let is_public = match self.ip?.to_canonical() {
            IpAddr::V4(ip) => !(ip.is_private() || ip.is_loopback() || ip.is_link_local()),
            IpAddr::V6(ip) => !(ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local()),
        };
        is_public.then(|| SecretHash::of(format!("address\n{:?}", self.network()).as_bytes()))
    }

    /// A name as it is tried from here.
    fn name_from_here(&self, name: SecretHash) -> SecretHash {
        let place = format!("from\n{:?}\n", self.network());
        SecretHash::of(&[place.as_bytes(), name.as_bytes()].concat())
    }
}

/// An operator as the services know one who asks.
pub fn operator_who(known: &Known, visitor: &Visitor) -> Who {
    let actor = Actor { name: known.operator.name.clone(), source: Source::Portal, ip: visitor.ip_text() };
    Who { scope: known.scope.clone(), role: known.operator.role, actor }
}

/// The holder of a key as the services know one who asks.
pub fn key_who(holder: Holder, visitor: &Visitor) -> Who {
    let actor = Actor { name: format!("key {}", holder.key.name), source: Source::Api, ip: visitor.ip_text() };
    Who { scope: holder.scope, role: holder.key.role, actor }
}

/// A secret that was made just now: given to its owner once, kept only as a hash.
#[derive(Debug)]
pub struct Fresh {
    pub secret: String,
    pub hash: SecretHash,
}

impl Fresh {
    /// 256 random bits.
    pub fn make(state: &AppState, prefix: &str) -> Self {
        let secret = format!("{prefix}{}", BASE64_URL_SAFE_NO_PAD.encode(state.entropy.bytes::<32>()));
        let hash = SecretHash::of(secret.as_bytes());
        Self { secret, hash }
    }
}

/// A session that was begun just now.
#[derive(Debug)]
pub struct Begun {
    pub secret: String,
    pub known: Known,
}

pub async fn with_password(
    state: &AppState,
    email: &str,
    password: Password,
    visitor: &Visitor,
) -> Result<Begun, SignInError> {
    let now = state.now();
    let name = operators::signin_name(email);
    pass_gates(state, name, visitor, now).await?;
    let mut claimed = operators::list_claimed(&state.db, name, now).await?;
    if claimed.is_empty() {
        passwords::check(password, None).await?;
        return Err(SignInError::Refused);
    }
    while let Some(operator) = claimed.pop() {
        let stored = operator.password_hash().map(str::to_owned);
        let outcome = passwords::check(password.clone(), stored).await?;
        let proven = operator.prove(|_| match outcome {
            Check::Right => Ok(()),
            Check::Wrong => Err(SignInError::Refused),
        });
        if let Ok(known) = proven {
            login_attempts::forget(&state.db, visitor.name_from_here(name), now).await?;
            login_attempts::forget(&state.db, name, now).await?;
            let mut tx = state.db.write(&known.scope).await?;
            let secret = begin(state, &mut tx, &known, visitor, "session.begin").await?;
            tx.commit().await?;
            return Ok(Begun { secret, known });
        }
    }
    Err(SignInError::Refused)
}

/// The narrowest gate first: whoever it stops takes no place from others.
async fn pass_gates(
    state: &AppState,
    name: SecretHash,
    visitor: &Visitor,
    now: DateTime<Utc>,
) -> Result<(), SignInError> {
    pass_gate(state, visitor.name_from_here(name), TRIES_PER_NAME_AND_ADDRESS, now).await?;
    if let Some(address) = visitor.counted_address() {
        pass_gate(state, address, TRIES_PER_ADDRESS, now).await?;
    }
    pass_gate(state, name, TRIES_PER_NAME, now).await
}

async fn pass_gate(state: &AppState, subject: SecretHash, limit: i64, now: DateTime<Utc>) -> Result<(), SignInError> {
    match login_attempts::take_place(&state.db, subject, limit, now).await? {
        Gate::Open => Ok(()),
        Gate::ClosedUntil(until) => Err(SignInError::TooMany { until }),
    }
}

/// A new id at every sign-in: one that was planted before is worth nothing.
async fn begin(
    state: &AppState,
    tx: &mut WriteTx,
    known: &Known,
    visitor: &Visitor,
    action: &'static str,
) -> Result<String, StoreError> {
    let now = state.now();
    let fresh = Fresh::make(state, "");
    let ip = visitor.ip_text();
    let user_agent = visitor.user_agent.as_deref().map(|text| text.chars().take(300).collect::<String>());
    let session = NewSession {
        hash: fresh.hash,
        operator: known.operator.id,
        ip: ip.as_deref(),
        user_agent: user_agent.as_deref(),
        now,
    };
    sessions::insert(tx, session).await?;
    write_down(tx, known, visitor, action, now);
    Ok(fresh.secret)
}

fn write_down(tx: &mut WriteTx, known: &Known, visitor: &Visitor, action: &'static str, at: DateTime<Utc>) {
    let actor = Actor { name: known.operator.name.clone(), source: Source::Portal, ip: visitor.ip_text() };
    let object = Some(known.operator.id.to_string());
    audit::append(tx, Entry { at, actor: &actor, action, customer: None, object, before: None, after: None });
}

/// Whom a link would sign in; looking does not use it up.
pub async fn find_by_link(state: &AppState, link: &str) -> Result<Option<Known>, StoreError> {
    signin_links::find(&state.db, SecretHash::of(link.as_bytes()), state.now()).await
}

/// Uses the link up, sets the password, ends every older session, and begins one: all or nothing.
pub async fn with_link(
    state: &AppState,
    link: &str,
    password: Password,
    visitor: &Visitor,
) -> Result<Begun, SignInError> {
    if !password.is_acceptable() {
        return Err(SignInError::WeakPassword);
    }
    let known = find_by_link(state, link).await?.ok_or(SignInError::LinkSpent)?;
    let hash = passwords::hash(password, state.entropy.bytes()).await?.ok_or(SignInError::WeakPassword)?;
    let now = state.now();
    let mut tx = state.db.write(&known.scope).await?;
    if !signin_links::use_up(&mut tx, SecretHash::of(link.as_bytes()), now).await? {
        return Err(SignInError::LinkSpent);
    }
    operators::set_password(&mut tx, known.operator.id, &hash, now).await?;
    sessions::end_all(&mut tx, known.operator.id).await?;
    let secret = begin(state, &mut tx, &known, visitor, "operator.set_password").await?;
    tx.commit().await?;
    Ok(Begun { secret, known })
}

/// A one-time link for an operator. The caller has checked that it may be made, and writes the audit line.
pub async fn issue_link(
    state: &AppState,
    tx: &mut WriteTx,
    whole: &rollcall_store::MspScope,
    operator: OperatorId,
) -> Result<Link, StoreError> {
    let now = state.now();
    let fresh = Fresh::make(state, "");
    let expires_at = now + LINK_LIFETIME;
    signin_links::insert(tx, whole, NewLink { hash: fresh.hash, operator, created_at: now, expires_at }).await?;
    Ok(Link { address: format!("{}/login/{}", state.public_url, fresh.secret), expires_at })
}

/// A one-time link, to be handed over once.
#[derive(Debug)]
pub struct Link {
    pub address: String,
    pub expires_at: DateTime<Utc>,
}

/// Who is behind a session's secret, if it still holds.
pub async fn find(state: &AppState, secret: &str) -> Result<Option<(Known, sessions::Session)>, StoreError> {
    sessions::find(&state.db, SecretHash::of(secret.as_bytes()), state.now()).await
}

pub async fn sign_out(state: &AppState, secret: &str, visitor: &Visitor) -> Result<(), StoreError> {
    let hash = SecretHash::of(secret.as_bytes());
    let Some((known, _)) = sessions::find(&state.db, hash, state.now()).await? else { return Ok(()) };
    let mut tx = state.db.write(&known.scope).await?;
    sessions::end(&mut tx, known.operator.id, hash).await?;
    write_down(&mut tx, &known, visitor, "session.end", state.now());
    tx.commit().await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestCloud;

    fn at(ip: &str) -> Visitor {
        Visitor { ip: Some(ip.parse().unwrap()), user_agent: None }
    }

    async fn tries(cloud: &TestCloud, ip: &str, count: usize) -> usize {
        let (name, visitor) = (operators::signin_name("olga@northwind.example"), at(ip));
        let mut passed = 0;
        for _ in 0..count {
            passed += usize::from(pass_gates(&cloud.state, name, &visitor, cloud.now()).await.is_ok());
        }
        passed
    }

    #[tokio::test]
    async fn a_stranger_elsewhere_locks_nobody_out() {
        let cloud = TestCloud::on_sqlite().await;

        assert_eq!(tries(&cloud, "203.0.113.7", 300).await, 20);

        assert_eq!(tries(&cloud, "198.51.100.1", 1).await, 1, "the owner, at her desk");
    }

    #[tokio::test]
    async fn strangers_everywhere_guess_no_more_than_a_few_hundred_times() {
        let cloud = TestCloud::on_sqlite().await;
        let mut passed = 0;
        for host in 0..30 {
            passed += tries(&cloud, &format!("203.0.113.{host}"), 10).await;
        }
        assert_eq!(passed, 200);
    }

    #[tokio::test]
    async fn one_network_of_ipv6_is_one_address() {
        let cloud = TestCloud::on_sqlite().await;
        assert_eq!(tries(&cloud, "2001:db8:0:1::1", 15).await, 15);
        assert_eq!(tries(&cloud, "2001:db8:0:1:ffff::2", 15).await, 5);
        assert_eq!(tries(&cloud, "::ffff:203.0.113.1", 1).await, 1);
    }
}
