//! Reads what a request of the API brings: who asks (by key), a JSON body, an id in the path, a page of a list.

use std::str::FromStr;

use axum::{
    Json,
    extract::{ConnectInfo, FromRequest, FromRequestParts, Path, Query, Request, rejection::JsonRejection},
    http::{StatusCode, header, request::Parts},
};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use rollcall_domain::ids::ApiKeyId;
use rollcall_protocol::catalogue;
use rollcall_store::{api_keys, keyring::SecretHash};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use utoipa::{IntoParams, ToSchema};

use super::problem::Problem;
use crate::{
    http::Peer,
    services::{
        Who,
        sign_in::{self, Visitor},
    },
    state::AppState,
};

/// Who asks, by a working key. A session cookie is no key: a browser can never act here in somebody's name.
#[derive(Debug)]
pub struct Key(pub Who);

impl FromRequestParts<AppState> for Key {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        find_holder(parts, state).await.map(|(_, who)| Self(who))
    }
}

/// Whoever holds the key of this request, and which key that is: names of keys may repeat.
pub async fn find_holder(parts: &Parts, state: &AppState) -> Result<(ApiKeyId, Who), Problem> {
    let text = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let key =
        text.strip_prefix("Bearer ").filter(|key| key.starts_with("rck_")).ok_or_else(Problem::unauthenticated)?;
    let holder = api_keys::find_holder(&state.db, SecretHash::of(key.as_bytes()), state.now()).await?;
    let ip = parts.extensions.get::<ConnectInfo<Peer>>().map(|ConnectInfo(peer)| peer.0.ip());
    let visitor = Visitor { ip, user_agent: None };
    let holder = holder.ok_or_else(Problem::unauthenticated)?;
    Ok((holder.key.id, sign_in::key_who(holder, &visitor)))
}

/// A JSON body; what it lacks is said with its place.
#[derive(Debug)]
pub struct Body<T>(pub T);

impl<T: DeserializeOwned> FromRequest<AppState> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &AppState) -> Result<Self, Problem> {
        Json::from_request(request, state).await.map(|Json(body)| Self(body)).map_err(|rejection| refuse(&rejection))
    }
}

/// The parser's own words name members and positions of the caller's own body, and nothing of ours.
fn refuse(rejection: &JsonRejection) -> Problem {
    let is_of_the_wrong_shape = matches!(rejection, JsonRejection::JsonDataError(_));
    let status = if is_of_the_wrong_shape { StatusCode::UNPROCESSABLE_ENTITY } else { rejection.status() };
    Problem { detail: rejection.body_text(), ..Problem::new(status, &catalogue::INVALID) }
}

/// An id in the path. What is not an id of the right kind does not exist.
#[derive(Debug)]
pub struct Id<T>(pub T);

impl<T: FromStr + Send> FromRequestParts<AppState> for Id<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        let Path(text) = Path::<String>::from_request_parts(parts, state).await.map_err(|_| Problem::not_found())?;
        text.parse().map(Self).map_err(|_| Problem::not_found())
    }
}

/// Which part of a list is wanted.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct PageQuery {
    /// `next` of the page before.
    pub after: Option<String>,
    /// How many at most; 50 if not said, 500 at most.
    #[param(minimum = 1, maximum = 500)]
    pub limit: Option<i64>,
}

const PAGE: i64 = 50;
const LONGEST_PAGE: i64 = 500;

impl PageQuery {
    pub fn limit(&self) -> i64 {
        self.limit.unwrap_or(PAGE).clamp(1, LONGEST_PAGE)
    }

    /// Where the page before ended, as [`Page::of`] wrote it.
    pub fn after<C: DeserializeOwned>(&self) -> Result<Option<C>, Problem> {
        let Some(text) = &self.after else { return Ok(None) };
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).ok();
        let cursor = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        cursor.map(Some).ok_or_else(|| Problem::invalid("/after", "Use the `next` of a page as it is."))
    }
}

/// Query parameters, with a problem instead of a bare text when they do not fit.
#[derive(Debug)]
pub struct Asked<T>(pub T);

impl<T: DeserializeOwned> FromRequestParts<AppState> for Asked<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        let asked = Query::<T>::from_request_parts(parts, state).await;
        asked.map(|Query(asked)| Self(asked)).map_err(|rejection| Problem {
            detail: rejection.body_text(),
            ..Problem::new(StatusCode::UNPROCESSABLE_ENTITY, &catalogue::INVALID)
        })
    }
}

/// A page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct Page<T> {
    pub data: Vec<T>,
    /// For `after` of the next request; null at the end.
    pub next: Option<String>,
}

impl<T> Page<T> {
    /// A full page may have a successor; `cursor` says where its last row stands.
    pub fn of<R, C: Serialize>(rows: Vec<R>, limit: i64, cursor: impl Fn(&R) -> C, show: impl FnMut(R) -> T) -> Self {
        let is_full = i64::try_from(rows.len()).is_ok_and(|count| count >= limit);
        let last = rows.last().filter(|_| is_full).and_then(|row| serde_json::to_vec(&cursor(row)).ok());
        let next = last.map(|bytes| BASE64_URL_SAFE_NO_PAD.encode(bytes));
        Self { data: rows.into_iter().map(show).collect(), next }
    }

    /// A short list in one page.
    pub fn whole(data: Vec<T>) -> Self {
        Self { data, next: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_leads_to_the_next_until_the_end() {
        let page: Page<i64> = Page::of(vec![1, 2, 3], 3, |row| *row, |row| row * 10);
        assert_eq!(page.data, [10, 20, 30]);

        let query = PageQuery { after: page.next, limit: None };
        assert_eq!(query.after::<i64>().ok().flatten(), Some(3));

        let last: Page<i64> = Page::of(vec![4], 3, |row| *row, |row| row);
        assert_eq!(last.next, None);
    }

    #[test]
    fn a_cursor_of_somebody_elses_making_is_refused() {
        for text in ["x", "!!!", "bnVsbA", ""] {
            let query = PageQuery { after: Some(text.into()), limit: None };
            let problem = query.after::<(String, i64)>().unwrap_err();
            assert_eq!((problem.status, problem.code), (422, "RC-7001"), "{text:?}");
        }
    }

    #[test]
    fn a_page_has_bounds() {
        let limit = |limit| PageQuery { after: None, limit }.limit();
        assert_eq!([limit(None), limit(Some(0)), limit(Some(-5)), limit(Some(9_999_999))], [50, 1, 1, 500]);
    }
}
