//! `rollcall init`: the first MSP and its owner, a one-time sign-in link, and a key for scripts if asked for.

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
    MspScope, StoreError, WriteTx, api_keys,
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
    open::migrate(&db).await?;
    open::load_identity(config, &db, &clock, &entropy).await?;
    let now = clock.now();
    let failed = |error: StoreError| {
        if error.is_taken() {
            StartError::new(&catalogue::ALREADY_INITIALISED, arguments.msp.clone())
        } else {
            StartError::new(&catalogue::DATABASE_UNREACHABLE, error.to_string())
        }
    };
    let id = MspId::mint(now, entropy.bytes());
    let (scope, mut tx) = msps::found(&db, id, arguments.msp.trim(), now).await.map_err(failed)?;
    let made = make(&mut tx, &scope, arguments, &entropy, now).await.map_err(failed)?;
    tx.commit().await.map_err(failed)?;
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

async fn make(
    tx: &mut WriteTx,
    scope: &MspScope,
    arguments: &Arguments,
    entropy: &Entropy,
    now: DateTime<Utc>,
) -> Result<Made, StoreError> {
    let owner = operators::NewOperator {
        id: OperatorId::mint(now, entropy.bytes()),
        email: &arguments.owner,
        name: arguments.owner.split('@').next().unwrap_or(&arguments.owner),
        role: Role::Owner,
        reach: &Reach::All,
        created_at: now,
    };
    let owner_id = owner.id;
    operators::insert(tx, scope, owner).await?;
    let link = URL_SAFE_NO_PAD.encode(entropy.bytes::<32>());
    let new = signin_links::NewLink {
        hash: SecretHash::of(link.as_bytes()),
        operator: owner_id,
        created_at: now,
        expires_at: now + LINK_LIFE,
    };
    signin_links::insert(tx, scope, new).await?;
    let api_key = if arguments.api_key { Some(make_key(tx, scope, entropy, now).await?) } else { None };
    let actor = Actor::system();
    let entry = Entry {
        at: now,
        actor: &actor,
        action: "msp.found",
        customer: None,
        object: Some(tx.msp().to_string()),
        before: None,
        after: Some(json!({ "name": arguments.msp.trim() })),
    };
    audit::append(tx, entry).await?;
    Ok(Made { msp: tx.msp(), link, api_key })
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
