//! Lets only signed-in operators in, and knows who they are. The secret travels in one cookie and nowhere else.

use axum::{
    extract::{ConnectInfo, FromRequestParts, OptionalFromRequestParts},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header, request::Parts},
    response::{IntoResponse, Redirect, Response},
};
use rollcall_domain::role::Act;
use rollcall_store::{Tx, across, msps, operators::Known, sessions::Session};

use super::{
    answer::PageError,
    view::{Frame, Notice, Section},
};
use crate::{
    http::Peer,
    services::{
        ServiceError, Who,
        sign_in::{self, Visitor},
    },
    state::AppState,
};

/// An operator with a session.
#[derive(Debug)]
pub struct SignedIn {
    pub who: Who,
    pub known: Known,
    pub session: Session,
}

impl SignedIn {
    pub fn may(&self, act: Act) -> bool {
        self.who.role.may(act)
    }

    /// The frame around a page, with the menu's count of waiting removals.
    pub async fn frame(&self, tx: &mut Tx, title: &str, section: Section) -> Result<Frame, PageError> {
        let msp = msps::get(tx).await?;
        let waiting: i64 = across::list_held(tx, &self.who.scope).await?.iter().map(|held| held.people).sum();
        Ok(Frame {
            title: title.to_owned(),
            section,
            msp: msp.name,
            operator: self.known.operator.name.clone(),
            role: self.known.operator.role.to_string(),
            waiting: u64::try_from(waiting).unwrap_or_default(),
            notice: None,
            live: None,
            refresh_without_script: None,
        })
    }
}

/// Why nobody is let in.
#[derive(Debug)]
pub enum Stay {
    /// Nobody is signed in; pages lead to the sign-in and back.
    SignIn {
        back_to: Option<String>,
    },
    Failed(PageError),
}

impl IntoResponse for Stay {
    fn into_response(self) -> Response {
        match self {
            Self::SignIn { back_to: Some(path) } => {
                Redirect::to(&super::view::pager::Query::new("/login").with("next", &path).address()).into_response()
            }
            Self::SignIn { back_to: None } => StatusCode::UNAUTHORIZED.into_response(),
            Self::Failed(error) => error.into_response(),
        }
    }
}

impl FromRequestParts<AppState> for SignedIn {
    type Rejection = Stay;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Stay> {
        let found = <Self as OptionalFromRequestParts<AppState>>::from_request_parts(parts, state).await?;
        found.ok_or_else(|| {
            let is_page = parts.method == Method::GET && !parts.headers.contains_key("hx-request");
            Stay::SignIn {
                back_to: is_page.then(|| parts.uri.path_and_query().map_or("/", |path| path.as_str()).to_owned()),
            }
        })
    }
}

impl OptionalFromRequestParts<AppState> for SignedIn {
    type Rejection = Stay;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Option<Self>, Stay> {
        let Some(secret) = read_cookie(&parts.headers, cookie_name(state)) else { return Ok(None) };
        let found = sign_in::find(state, &secret).await.map_err(|error| Stay::Failed(error.into()))?;
        let Some((known, session)) = found else { return Ok(None) };
        Ok(Some(Self { who: sign_in::operator_who(&known, &visitor(parts)), known, session }))
    }
}

/// Where a request comes from.
#[derive(Debug)]
pub struct From(pub Visitor);

impl<S: Sync> FromRequestParts<S> for From {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(Self(visitor(parts)))
    }
}

fn visitor(parts: &Parts) -> Visitor {
    let ip = parts.extensions.get::<ConnectInfo<Peer>>().map(|ConnectInfo(peer)| peer.0.ip());
    let user_agent = parts.headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok()).map(str::to_owned);
    Visitor { ip, user_agent }
}

/// The prefix makes browsers hold the cookie to this host, this path and TLS. Plain HTTP exists on loopback only.
fn cookie_name(state: &AppState) -> &'static str {
    if state.public_url.starts_with("https://") { "__Host-rollcall" } else { "rollcall" }
}

/// The secret of this request, to end its session.
pub fn secret_of(headers: &HeaderMap, state: &AppState) -> Option<String> {
    read_cookie(headers, cookie_name(state))
}

fn read_cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value.to_owned())
}

/// Gives the browser its secret; without one, takes it away.
pub fn set_cookie(response: &mut Response, state: &AppState, secret: Option<&str>) {
    let name = cookie_name(state);
    let secure = if name.starts_with("__Host-") { "; Secure" } else { "" };
    let cookie = match secret {
        Some(secret) => format!("{name}={secret}; Path=/; HttpOnly; SameSite=Lax; Max-Age=604800{secure}"),
        None => format!("{name}=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0{secure}"),
    };
    if let Ok(value) = HeaderValue::from_str(&cookie) {
        response.headers_mut().append(header::SET_COOKIE, value);
    }
}

/// `?done=…` of the page after a form.
#[derive(Debug, Default, serde::Deserialize)]
pub struct Done {
    pub done: Option<String>,
}

impl Done {
    pub fn notice(&self) -> Option<Notice> {
        self.done.as_deref().and_then(super::notices::find)
    }
}

/// Refuses what the role does not include, before anything is looked up.
pub fn require(signed: &SignedIn, act: Act) -> Result<(), PageError> {
    signed.who.may(act).map_err(|error: ServiceError| error.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_secret_is_found_among_other_cookies() {
        let mut headers = HeaderMap::new();
        headers.append(header::COOKIE, HeaderValue::from_static("theme=dark; rollcall=abc-_; rollcallx=no"));

        assert_eq!(read_cookie(&headers, "rollcall").as_deref(), Some("abc-_"));
        assert_eq!(read_cookie(&headers, "__Host-rollcall"), None);
    }
}
