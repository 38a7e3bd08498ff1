//! `rollcall init`: an MSP and its owner, a one-time sign-in link, and a key for scripts if asked for. Said again for the
//! same MSP and owner it gives a fresh link, for whoever lost the first.

use std::convert::Infallible;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use clap::Args;
use rollcall_domain::{
    ids::{ApiKeyId, MspId, OperatorId},
    role::{Reach, Role},
};
use rollcall_protocol::catalogue;
use rollcall_store::{
    Db, MspScope, StoreError, WriteTx, api_keys,
    audit::{self, Actor, Entry},
    keyring::SecretHash,
    msps, operators, signin_links,
};
use serde_json::json;

use super::{open, say};
use crate::{
    clock::{Clock, Entropy},
    config::Config,
    start::StartError,
};

const LINK_LIFE: TimeDelta = TimeDelta::hours(24);

#[derive(Debug, Args)]
pub struct Arguments {
    /// Name of the MSP.
    #[arg(long)]
    msp: String,
    /// Mail address of its owner.
    #[arg(long)]
    owner: String,
    /// Also make an API key with the owner's rights.
    #[arg(long)]
    api_key: bool,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

struct Made {
    msp: MspId,
    link: String,
    api_key: Option<String>,
}

pub async fn run(config: &Config, arguments: &Arguments, clock: Clock, entropy: Entropy) -> Result<(), StartError> {
    check(arguments)?;
    let db = open::open_database(config).await?;
    open::migrate(config, &db).await?;
    open::load_identity(config, &db, &clock, &entropy).await?;
    let now = clock.now();
    let failed = |error: StoreError| {
        if error.is_taken() {
            StartError::new(&catalogue::ALREADY_INITIALISED, arguments.msp.clone())
        } else {
            StartError::new(&catalogue::DATABASE_UNREACHABLE, error.to_string())
        }
    };
    let opened = open_msp(&db, arguments, &entropy, now).await.map_err(failed)?;
    let made = make(opened, arguments, &entropy, now).await.map_err(failed)?;
    db.close().await;
    print(config, arguments, &made);
    Ok(())
}

fn check(arguments: &Arguments) -> Result<(), StartError> {
    let invalid = |detail: &str| Err(StartError::new(&catalogue::INVALID, detail));
    if arguments.msp.trim().is_empty() {
        return invalid("--msp is empty");
    }
    match arguments.owner.trim().split_once('@') {
        Some((name, domain)) if !name.is_empty() && !domain.is_empty() && !arguments.owner.contains(' ') => Ok(()),
        Some(_) | None => invalid("--owner is no mail address"),
    }
}

/// The MSP and its owner, new or found again, and the transaction in which the link is made.
struct Opened {
    scope: MspScope,
    tx: WriteTx,
    owner: OperatorId,
    action: &'static str,
}

async fn open_msp(db: &Db, arguments: &Arguments, entropy: &Entropy, now: DateTime<Utc>) -> Result<Opened, StoreError> {
    let id = MspId::mint(now, entropy.bytes());
    let (scope, mut tx) = match msps::found(db, id, arguments.msp.trim(), now).await {
        Ok(founded) => founded,
        Err(error) if error.is_taken() => return find_msp(db, arguments, now).await?.ok_or(error),
        Err(error) => return Err(error),
    };
    let owner = operators::NewOperator {
        id: OperatorId::mint(now, entropy.bytes()),
        email: &arguments.owner,
        name: arguments.owner.split('@').next().unwrap_or(&arguments.owner),
        role: Role::Owner,
        reach: &Reach::All,
        created_at: now,
    };
    let owner_id = owner.id;
    operators::insert(&mut tx, &scope, owner).await?;
    Ok(Opened { scope, tx, owner: owner_id, action: "msp.found" })
}

/// Whoever runs this holds the database and its master key, which is proof enough to speak for an owner; a colleague of
/// a lower role gets no link this way.
async fn find_msp(db: &Db, arguments: &Arguments, now: DateTime<Utc>) -> Result<Option<Opened>, StoreError> {
    for claimed in operators::list_claimed(db, operators::signin_name(&arguments.owner), now).await? {
        let Ok(known) = claimed.prove(|_| Ok::<_, Infallible>(()));
        let mut tx = db.write(&known.scope).await?;
        let is_meant = msps::get(&mut tx).await?.name.trim().eq_ignore_ascii_case(arguments.msp.trim());
        if is_meant && known.operator.role == Role::Owner {
            let (scope, owner) = (known.scope, known.operator.id);
            return Ok(Some(Opened { scope, tx, owner, action: "operator.link" }));
        }
    }
    Ok(None)
}

async fn make(
    opened: Opened,
    arguments: &Arguments,
    entropy: &Entropy,
    now: DateTime<Utc>,
) -> Result<Made, StoreError> {
    let Opened { scope, mut tx, owner, action } = opened;
    let link = URL_SAFE_NO_PAD.encode(entropy.bytes::<32>());
    let new = signin_links::NewLink {
        hash: SecretHash::of(link.as_bytes()),
        operator: owner,
        created_at: now,
        expires_at: now + LINK_LIFE,
    };
    signin_links::insert(&mut tx, &scope, new).await?;
    let api_key = if arguments.api_key { Some(make_key(&mut tx, &scope, entropy, now).await?) } else { None };
    let actor = Actor::system();
    let entry = Entry {
        at: now,
        actor: &actor,
        action,
        customer: None,
        object: Some(owner.to_string()),
        before: None,
        after: Some(json!({ "name": arguments.msp.trim() })),
    };
    audit::append(&mut tx, entry);
    let msp = tx.msp();
    tx.commit().await?;
    Ok(Made { msp, link, api_key })
}

async fn make_key(
    tx: &mut WriteTx,
    scope: &MspScope,
    entropy: &Entropy,
    now: DateTime<Utc>,
) -> Result<String, StoreError> {
    let key = format!("rck_{}", URL_SAFE_NO_PAD.encode(entropy.bytes::<32>()));
    let new = api_keys::NewKey {
        id: ApiKeyId::mint(now, entropy.bytes()),
        hash: SecretHash::of(key.as_bytes()),
        name: "made by init",
        prefix: &key[..10],
        role: Role::Owner,
        customer: None,
        created_by: "rollcall init",
        created_at: now,
        expires_at: None,
    };
    api_keys::insert(tx, scope, new).await?;
    Ok(key)
}

fn print(config: &Config, arguments: &Arguments, made: &Made) {
    let scheme = if config.tls.is_some() { "https" } else { "http" };
    let url = config.public_url.clone().unwrap_or_else(|| format!("{scheme}://{}", config.listen));
    let link = format!("{url}/login/{}", made.link);
    if arguments.json {
        let said = json!({
            "msp": made.msp, "owner": arguments.owner, "url": url, "signin_link": link, "api_key": made.api_key,
        });
        return say(&said.to_string());
    }
    say(&format!("{} is set up. Its owner signs in once with this link, within a day:\n\n  {link}\n", arguments.msp));
    if let Some(key) = &made.api_key {
        say(&format!("API key, shown this once:\n\n  {key}\n"));
    }
}
