//! Settings: API keys, operators, and the reader's own sign-ins.

use askama::Template;
use axum::{
    Form,
    extract::{Path, Query, State},
    http::StatusCode,
    response::Response,
};
use chrono::{DateTime, TimeDelta, Utc};
use rollcall_domain::{
    ids::{ApiKeyId, CustomerId, OperatorId},
    role::{Act, Role},
};
use rollcall_store::{
    api_keys::{self, ApiKey},
    customers,
    keyring::SecretHash,
    operators::{self, Operator},
    sessions::{self, Session},
};
use serde::Deserialize;

use super::{
    answer::{PageError, field_errors, page_with, see},
    guard::{Done, SignedIn, require},
    pages::Pages,
    view::{FieldError, Frame, Moment, Pill, Section, Tone, hex::hex},
};
use crate::{
    services::{
        ServiceError,
        api_keys::{self as key_acts, KeyWish},
        operators::{self as operator_acts, Invitation},
        sign_in::Link,
    },
    state::AppState,
};

pub fn routes() -> Pages {
    Pages::new()
        .get("/settings", show)
        .post("/settings/keys", make_key)
        .post("/settings/keys/{key}/revoke", revoke_key)
        .post("/settings/operators", invite)
        .post("/settings/operators/{operator}/link", renew_link)
        .post("/settings/operators/{operator}/disable", disable)
        .post("/settings/sessions/{session}/end", end_session)
}

#[derive(Debug, Clone)]
pub struct KeyRow {
    pub id: String,
    pub name: String,
    pub prefix: String,
    pub role: String,
    pub reach: String,
    pub created: Moment,
    pub by: String,
    pub last_used: Option<Moment>,
    pub state: Pill,
    pub can_revoke: bool,
}

#[derive(Debug, Clone)]
pub struct OperatorRow {
    pub id: String,
    pub name: String,
    pub email: String,
    pub role: String,
    pub reach: String,
    pub state: Pill,
    pub can_link: bool,
    pub can_disable: bool,
}

#[derive(Debug, Clone)]
pub struct SessionRow {
    pub id: String,
    pub device: String,
    pub ip: String,
    pub created: Moment,
    pub seen: Moment,
    pub is_this: bool,
}

#[derive(Debug, Clone)]
pub struct Named {
    pub id: String,
    pub name: String,
}

/// A one-time sign-in link, shown once.
#[derive(Debug, Clone)]
pub struct NewLink {
    pub to: String,
    pub address: String,
    pub expires: Moment,
}

#[derive(Debug, Template)]
#[template(path = "settings.html")]
pub struct SettingsPage {
    pub frame: Frame,
    pub errors: Vec<FieldError>,
    pub new_key: Option<String>,
    pub new_link: Option<NewLink>,
    pub may_manage_keys: bool,
    pub keys: Vec<KeyRow>,
    pub customers: Vec<Named>,
    pub may_manage_operators: bool,
    pub operators: Vec<OperatorRow>,
    pub sessions: Vec<SessionRow>,
}

/// What is shown once, after a form.
#[derive(Debug, Default)]
struct Extra {
    errors: Vec<FieldError>,
    new_key: Option<String>,
    new_link: Option<(String, Link)>,
}

async fn show(
    State(state): State<AppState>,
    signed: SignedIn,
    Query(done): Query<Done>,
) -> Result<Response, PageError> {
    let mut view = draw(&state, &signed, Extra::default()).await?;
    view.frame.notice = done.notice();
    Ok(page_with(StatusCode::OK, &view))
}

async fn draw(state: &AppState, signed: &SignedIn, extra: Extra) -> Result<SettingsPage, PageError> {
    let now = state.now();
    let scope = &signed.who.scope;
    let mut tx = state.db.read(scope).await?;
    let may_manage_keys = signed.may(Act::ManageApiKeys);
    let may_manage_operators = signed.may(Act::ManageOperators);
    let keys = if may_manage_keys { api_keys::list(&mut tx, scope).await? } else { vec![] };
    let named = if may_manage_keys { customers::list_names(&mut tx, scope, 1_000).await? } else { vec![] };
    let operators = if may_manage_operators { operators::list(&mut tx, scope).await? } else { vec![] };
    let sessions = sessions::list(&mut tx, signed.known.operator.id, now).await?;
    let new_link =
        extra.new_link.map(|(to, link)| NewLink { to, address: link.address, expires: Moment::exact(link.expires_at) });
    Ok(SettingsPage {
        frame: signed.frame(&mut tx, "Settings", Section::Settings).await?,
        errors: extra.errors,
        new_key: extra.new_key,
        new_link,
        may_manage_keys,
        keys: keys.iter().map(|key| key_row(key, &named, now)).collect(),
        customers: named.iter().map(|(id, name)| Named { id: id.to_string(), name: name.clone() }).collect(),
        may_manage_operators,
        operators: operators.iter().map(|operator| operator_row(operator, signed)).collect(),
        sessions: sessions.iter().map(|session| session_row(session, signed, now)).collect(),
    })
}

fn key_row(key: &ApiKey, named: &[(CustomerId, String)], now: DateTime<Utc>) -> KeyRow {
    let state = if key.revoked_at.is_some() {
        Pill::new(Tone::Calm, "Revoked").with_icon("x")
    } else if key.works(now) {
        Pill::new(Tone::Good, "Active")
    } else {
        Pill::new(Tone::Calm, "Expired").with_icon("clock")
    };
    let reach = key.customer_id.map_or_else(
        || "all".to_owned(),
        |id| {
            named
                .iter()
                .find(|(named, _)| named.uuid() == id)
                .map_or_else(|| "one".to_owned(), |(_, name)| name.clone())
        },
    );
    KeyRow {
        id: key.id.to_string(),
        name: key.name.clone(),
        prefix: key.prefix.clone(),
        role: key.role.to_string(),
        reach,
        created: Moment::new(key.created_at, now),
        by: key.created_by.clone(),
        last_used: key.last_used_at.map(|at| Moment::new(at, now)),
        can_revoke: key.works(now),
        state,
    }
}

fn operator_row(operator: &Operator, signed: &SignedIn) -> OperatorRow {
    let is_self = operator.id == signed.known.operator.id;
    let is_disabled = operator.disabled_at.is_some();
    let state = match (is_disabled, &operator.password_hash) {
        (true, _) => Pill::new(Tone::Calm, "Disabled").with_icon("circle-pause"),
        (false, None) => Pill::new(Tone::Info, "Invited"),
        (false, Some(_)) => Pill::new(Tone::Good, "Active"),
    };
    OperatorRow {
        id: operator.id.to_string(),
        name: operator.name.clone(),
        email: operator.email.clone(),
        role: operator.role.to_string(),
        reach: if operator.all_customers { "all".to_owned() } else { "chosen".to_owned() },
        state,
        can_link: !is_self && !is_disabled,
        can_disable: !is_self && !is_disabled,
    }
}

fn session_row(session: &Session, signed: &SignedIn, now: DateTime<Utc>) -> SessionRow {
    SessionRow {
        id: hex(&session.id_hash),
        device: device(session.user_agent.as_deref().unwrap_or_default()),
        ip: session.ip.clone().unwrap_or_default(),
        created: Moment::new(session.created_at, now),
        seen: Moment::new(session.seen_at, now),
        is_this: session.id_hash == signed.session.id_hash,
    }
}

/// `Firefox on Windows`, as far as the browser says. The order matters: Edge and Chrome call themselves Safari too.
fn device(user_agent: &str) -> String {
    let first = |names: &[(&str, &'static str)]| {
        names.iter().find(|(mark, _)| user_agent.contains(mark)).map(|(_, name)| *name)
    };
    let browser = first(&[("Edg/", "Edge"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"), ("Safari/", "Safari")]);
    let system = first(&[
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Android", "Android"),
        ("Windows", "Windows"),
        ("Mac OS", "macOS"),
        ("Linux", "Linux"),
    ]);
    match (browser, system) {
        (Some(browser), Some(system)) => format!("{browser} on {system}"),
        (Some(browser), None) => browser.to_owned(),
        (None, _) => "Another browser".to_owned(),
    }
}

#[derive(Debug, Deserialize)]
struct NewKey {
    name: String,
    role: String,
    #[serde(default)]
    customer: String,
    #[serde(default)]
    days: String,
}

async fn make_key(
    State(state): State<AppState>,
    signed: SignedIn,
    Form(form): Form<NewKey>,
) -> Result<Response, PageError> {
    require(&signed, Act::ManageApiKeys)?;
    let role: Role = form.role.parse().map_err(|_| PageError::Odd("There is no such role.".to_owned()))?;
    let customer = Some(form.customer.as_str()).filter(|text| !text.is_empty()).map(str::parse).transpose();
    let customer: Option<CustomerId> = customer.map_err(|_| PageError::NotFound)?;
    let made = match read_lifetime(&form.days) {
        Ok(lifetime) => {
            key_acts::create(&state, &signed.who, KeyWish { name: form.name, role, customer, lifetime }).await
        }
        Err(unreadable) => Err(unreadable),
    };
    let extra = match made {
        Ok(made) => Extra { new_key: Some(made.key), ..Extra::default() },
        Err(error) => Extra { errors: on_page(field_errors(error)?, "key-name"), ..Extra::default() },
    };
    respond(&state, &signed, extra).await
}

/// Days; an empty text is for ever. What cannot be read must not become a key for ever.
fn read_lifetime(days: &str) -> Result<Option<TimeDelta>, ServiceError> {
    if days.is_empty() {
        return Ok(None);
    }
    let lifetime = days.parse().ok().filter(|days| *days > 0).and_then(TimeDelta::try_days);
    lifetime.map(Some).ok_or_else(|| ServiceError::invalid("days", "give whole days"))
}

/// The page has two forms; each error leads to the one it belongs to.
fn on_page(errors: Vec<FieldError>, field: &'static str) -> Vec<FieldError> {
    errors.into_iter().map(|error| FieldError::new(field, error.message)).collect()
}

async fn respond(state: &AppState, signed: &SignedIn, extra: Extra) -> Result<Response, PageError> {
    let status = if extra.errors.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    Ok(page_with(status, &draw(state, signed, extra).await?))
}

async fn revoke_key(
    State(state): State<AppState>,
    signed: SignedIn,
    Path(key): Path<String>,
) -> Result<Response, PageError> {
    require(&signed, Act::ManageApiKeys)?;
    let key: ApiKeyId = key.parse()?;
    key_acts::revoke(&state, &signed.who, key).await?;
    Ok(see("/settings?done=key-revoked"))
}

#[derive(Debug, Deserialize)]
struct NewOperator {
    name: String,
    email: String,
    role: String,
}

async fn invite(
    State(state): State<AppState>,
    signed: SignedIn,
    Form(form): Form<NewOperator>,
) -> Result<Response, PageError> {
    require(&signed, Act::ManageOperators)?;
    let role: Role = form.role.parse().map_err(|_| PageError::Odd("There is no such role.".to_owned()))?;
    let invitation = Invitation { name: form.name.clone(), email: form.email, role };
    let extra = match operator_acts::invite(&state, &signed.who, &invitation).await {
        Ok((_, link)) => Extra { new_link: Some((form.name, link)), ..Extra::default() },
        Err(error) => Extra { errors: on_page(field_errors(error)?, "op-email"), ..Extra::default() },
    };
    respond(&state, &signed, extra).await
}

async fn renew_link(
    State(state): State<AppState>,
    signed: SignedIn,
    Path(id): Path<String>,
) -> Result<Response, PageError> {
    require(&signed, Act::ManageOperators)?;
    let id: OperatorId = id.parse()?;
    let new_link = Some(operator_acts::renew_link(&state, &signed.who, id).await?);
    respond(&state, &signed, Extra { new_link, ..Extra::default() }).await
}

async fn disable(
    State(state): State<AppState>,
    signed: SignedIn,
    Path(id): Path<String>,
) -> Result<Response, PageError> {
    require(&signed, Act::ManageOperators)?;
    let id: OperatorId = id.parse()?;
    operator_acts::disable(&state, &signed.who, signed.known.operator.id, id).await?;
    Ok(see("/settings?done=operator-disabled"))
}

async fn end_session(
    State(state): State<AppState>,
    signed: SignedIn,
    Path(id): Path<String>,
) -> Result<Response, PageError> {
    let hash = hash_of(&id).ok_or(PageError::NotFound)?;
    let mut tx = state.db.write(&signed.who.scope).await?;
    if !sessions::end(&mut tx, signed.known.operator.id, hash).await? {
        return Err(PageError::NotFound);
    }
    tx.commit().await?;
    Ok(see("/settings?done=session-ended"))
}

fn hash_of(hex: &str) -> Option<SecretHash> {
    let mut digest = [0_u8; 32];
    if hex.len() != 64 || !hex.is_ascii() {
        return None;
    }
    for (byte, at) in digest.iter_mut().zip((0..64).step_by(2)) {
        *byte = u8::from_str_radix(&hex[at..at + 2], 16).ok()?;
    }
    Some(SecretHash::from_digest(digest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_lives_for_ever_only_if_that_was_said() {
        assert!(matches!(read_lifetime(""), Ok(None)));
        assert!(["1d", "0", "-3", " "].iter().all(|odd| read_lifetime(odd).is_err()));
    }

    #[test]
    fn a_browser_is_named_as_people_call_it() {
        let edge = "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/150.0 Safari/537.36 Edg/150.0";
        assert_eq!(device(edge), "Edge on Windows");
        assert_eq!(
            device("Mozilla/5.0 (iPhone; CPU iPhone OS 19 like Mac OS X) Version/19 Safari/604"),
            "Safari on iPhone"
        );
        assert_eq!(device("curl/8"), "Another browser");
    }

    #[test]
    fn only_a_whole_hash_names_a_session() {
        assert!(hash_of(&"ab".repeat(32)).is_some());
        assert!(hash_of("ab").is_none());
        assert!(hash_of(&"zz".repeat(32)).is_none());
    }
}
