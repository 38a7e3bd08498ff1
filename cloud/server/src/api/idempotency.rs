//! `Idempotency-Key`: one key stands for one request, and a repeated request gets the first answer again.

use axum::{
    body::{Body, Bytes},
    extract::{Request, State},
    http::{HeaderName, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use rollcall_protocol::catalogue;
use rollcall_store::{
    idempotency::{self as store, Known},
    keyring::SecretHash,
};
use utoipa::IntoParams;

use super::{LARGEST_BODY, asking, problem::Problem};
use crate::{services::Who, state::AppState};

const HEADER: HeaderName = HeaderName::from_static("idempotency-key");
const LONGEST_KEY: usize = 200;
/// Larger answers are not kept; no answer to a POST comes near it.
const LARGEST_ANSWER: usize = 64 * 1024;

/// The header, for the specification.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "read by the middleware; this is its description")]
pub struct Once {
    /// Any text of up to 200 characters. Sent again within 24 hours, the same request is not carried out twice.
    #[param(rename = "Idempotency-Key", required = false)]
    idempotency_key: Option<String>,
}

/// Around every POST that carries a key.
pub async fn once(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let key = request.headers().get(HEADER).cloned();
    match key {
        Some(key) if request.method() == Method::POST => {
            run_once(&state, &key, request, next).await.unwrap_or_else(Problem::into_response)
        }
        Some(_) | None => next.run(request).await,
    }
}

async fn run_once(state: &AppState, key: &HeaderValue, request: Request, next: Next) -> Result<Response, Problem> {
    if key.is_empty() || key.len() > LONGEST_KEY {
        return Err(Problem::invalid("/Idempotency-Key", "Use 1 to 200 characters."));
    }
    let (parts, body) = request.into_parts();
    let (holder, who) = asking::find_holder(&parts, state).await?;
    let too_large = |_| Problem::new(StatusCode::PAYLOAD_TOO_LARGE, &catalogue::INVALID);
    let body = axum::body::to_bytes(body, LARGEST_BODY).await.map_err(too_large)?;
    let path = parts.uri.path().to_owned();
    let key = SecretHash::of(&[holder.uuid().as_bytes(), key.as_bytes()].concat());
    let asked = SecretHash::of(&[path.as_bytes(), b"\n", &body].concat());
    match store::begin(&state.db, &who.scope, key, asked, state.now()).await? {
        Known::New => {
            let response = next.run(Request::from_parts(parts, Body::from(body))).await;
            keep(state, &who, key, &path, response).await
        }
        Known::Running => Err(Problem::new(StatusCode::CONFLICT, &catalogue::KEY_REUSED)),
        Known::Other => Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, &catalogue::KEY_REUSED)),
        Known::Answered { status, body: Some(body) } => Ok(again(status, body)),
        // The first answer held a secret, which is kept nowhere.
        Known::Answered { body: None, .. } => Err(Problem::new(StatusCode::CONFLICT, &catalogue::KEY_REUSED)),
    }
}

async fn keep(
    state: &AppState,
    who: &Who,
    key: SecretHash,
    path: &str,
    response: Response,
) -> Result<Response, Problem> {
    if response.status().is_server_error() {
        store::forget(&state.db, &who.scope, key).await?;
        return Ok(response);
    }
    let (parts, body) = response.into_parts();
    let unreadable = |_| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, &catalogue::UNEXPECTED);
    let body: Bytes = axum::body::to_bytes(body, LARGEST_ANSWER).await.map_err(unreadable)?;
    let holds_a_secret = path.ends_with("/enrol-tokens");
    let kept = (!holds_a_secret).then_some(&body[..]);
    store::finish(&state.db, &who.scope, key, parts.status.as_u16(), kept).await?;
    Ok(Response::from_parts(parts, Body::from(body)))
}

fn again(status: u16, body: Vec<u8>) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    let kind = if status.is_success() { "application/json" } else { "application/problem+json" };
    let is_empty = body.is_empty();
    let mut response = (status, body).into_response();
    if is_empty {
        response.headers_mut().remove(header::CONTENT_TYPE);
    } else {
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    }
    response
}

#[cfg(test)]
mod tests {
    use rollcall_domain::role::Role;

    use super::*;
    use crate::{
        services::api_keys::{self, KeyWish},
        testing::TestCloud,
    };

    async fn add(cloud: &TestCloud, key: &str, customer: &str) -> (StatusCode, Bytes) {
        let request = Request::post("/api/v1/customers")
            .header(header::AUTHORIZATION, format!("Bearer {key}"))
            .header(header::CONTENT_TYPE, "application/json")
            .header(HEADER, "1")
            .body(Body::from(format!(r#"{{"name":"{customer}"}}"#)))
            .unwrap();
        let response = cloud.ask(request).await;
        (response.status(), axum::body::to_bytes(response.into_body(), LARGEST_ANSWER).await.unwrap())
    }

    #[tokio::test]
    async fn two_api_keys_of_one_name_do_not_share_their_idempotency_keys() {
        let cloud = TestCloud::on_sqlite().await;
        let wish = KeyWish { name: "script".into(), role: Role::Admin, customer: None, lifetime: None };
        let first = api_keys::create(&cloud.state, &cloud.who, wish.clone()).await.unwrap().key;
        let second = api_keys::create(&cloud.state, &cloud.who, wish).await.unwrap().key;

        let answer = add(&cloud, &first, "Fabrikam").await;
        assert_eq!(answer.0, StatusCode::CREATED);
        assert_eq!(add(&cloud, &first, "Fabrikam").await, answer, "the same request is not carried out twice");
        assert_eq!(add(&cloud, &second, "Adatum").await.0, StatusCode::CREATED);
    }
}
