//! Signing in: with a password, or the first time with a one-time link that sets it.

use askama::Template;
use axum::{
    Form,
    extract::{Path, Query, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use rollcall_protocol::catalogue;
use rollcall_store::{msps, operators::Known};
use serde::Deserialize;

use super::{
    answer::{PageError, dead_end, page, page_with, see},
    guard::{From, SignedIn, secret_of, set_cookie},
    notices,
    pages::Pages,
    view::{FieldError, Link, Notice, Tone},
};
use crate::{
    services::{
        passwords::Password,
        sign_in::{self, SignInError},
    },
    state::AppState,
};

pub fn routes() -> Pages {
    Pages::new()
        .get("/login", show)
        .post("/login", with_password)
        .get("/login/{link}", show_link)
        .post("/login/{link}", with_link)
        .post("/logout", sign_out)
}

#[derive(Debug, Template)]
#[template(path = "sign_in.html")]
pub struct SignInPage {
    pub notice: Option<Notice>,
    pub email: String,
    pub next: String,
}

#[derive(Debug, Template)]
#[template(path = "first_password.html")]
pub struct FirstPasswordPage {
    pub name: String,
    pub msp: String,
    pub email: String,
    pub token: String,
    pub errors: Vec<FieldError>,
}

#[derive(Debug, Deserialize)]
struct Asked {
    #[serde(default)]
    next: String,
    #[serde(default)]
    done: String,
}

async fn show(signed: Option<SignedIn>, Query(asked): Query<Asked>) -> Response {
    let next = own_path(&asked.next);
    if signed.is_some() {
        return see(&next);
    }
    page(&SignInPage { notice: notices::find(&asked.done), email: String::new(), next })
}

/// Only a path of ours: a link to the sign-in must not lead elsewhere afterwards.
fn own_path(text: &str) -> String {
    let is_ours =
        text.starts_with('/') && !text.starts_with("//") && !text.contains(['\\', '\r', '\n', '\t']) && text.is_ascii();
    if is_ours { text.to_owned() } else { "/".to_owned() }
}

#[derive(Debug, Deserialize)]
struct Credentials {
    email: String,
    password: String,
    #[serde(default)]
    next: String,
}

async fn with_password(
    State(state): State<AppState>,
    From(visitor): From,
    Form(form): Form<Credentials>,
) -> Result<Response, PageError> {
    let next = own_path(&form.next);
    match sign_in::with_password(&state, &form.email, Password::typed(form.password), &visitor).await {
        Ok(begun) => {
            let mut response = see(&next);
            set_cookie(&mut response, &state, Some(&begun.secret));
            Ok(response)
        }
        Err(error) => refuse(error, form.email, next),
    }
}

fn refuse(error: SignInError, email: String, next: String) -> Result<Response, PageError> {
    let (status, title, detail) = match error {
        SignInError::Refused | SignInError::WeakPassword | SignInError::LinkSpent => {
            (StatusCode::UNPROCESSABLE_ENTITY, "E-mail address or password is wrong", "")
        }
        SignInError::TooMany { .. } => (
            StatusCode::TOO_MANY_REQUESTS,
            "Too many attempts",
            "Wait until the next full hour, or ask an owner for a one-time sign-in link.",
        ),
        SignInError::Busy(_) => return Ok(busy()),
        SignInError::Store(error) => return Err(error.into()),
    };
    let notice = Some(Notice { tone: Tone::Bad, title, detail });
    Ok(page_with(status, &SignInPage { notice, email, next }))
}

/// Nothing was looked at, and a link is not spent.
fn busy() -> Response {
    let fault = &catalogue::RATE_LIMITED;
    let again = Link::to("Go to sign-in", "/login");
    let mut response = dead_end(StatusCode::TOO_MANY_REQUESTS, fault, fault.cause.to_owned(), again);
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
    response
}

async fn show_link(State(state): State<AppState>, Path(link): Path<String>) -> Result<Response, PageError> {
    match sign_in::find_by_link(&state, &link).await? {
        Some(known) => Ok(page(&first_password(&state, known, link, vec![]).await?)),
        None => Ok(spent()),
    }
}

async fn first_password(
    state: &AppState,
    known: Known,
    token: String,
    errors: Vec<FieldError>,
) -> Result<FirstPasswordPage, PageError> {
    let mut tx = state.db.read(&known.scope).await?;
    let msp = msps::get(&mut tx).await?.name;
    Ok(FirstPasswordPage { name: known.operator.name, msp, email: known.operator.email, token, errors })
}

fn spent() -> Response {
    let fault = &catalogue::LINK_SPENT;
    dead_end(StatusCode::GONE, fault, fault.cause.to_owned(), Link::to("Go to sign-in", "/login"))
}

#[derive(Debug, Deserialize)]
struct NewPassword {
    password: String,
}

async fn with_link(
    State(state): State<AppState>,
    From(visitor): From,
    Path(link): Path<String>,
    Form(form): Form<NewPassword>,
) -> Result<Response, PageError> {
    match sign_in::with_link(&state, &link, Password::typed(form.password), &visitor).await {
        Ok(begun) => {
            let mut response = see("/");
            set_cookie(&mut response, &state, Some(&begun.secret));
            Ok(response)
        }
        Err(SignInError::WeakPassword) => {
            let Some(known) = sign_in::find_by_link(&state, &link).await? else { return Ok(spent()) };
            let errors = vec![FieldError::new("password", "Use 12 to 1,024 characters.")];
            let form = first_password(&state, known, link, errors).await?;
            Ok(page_with(StatusCode::UNPROCESSABLE_ENTITY, &form))
        }
        Err(SignInError::Busy(_)) => Ok(busy()),
        Err(SignInError::Store(error)) => Err(error.into()),
        Err(SignInError::LinkSpent | SignInError::Refused | SignInError::TooMany { .. }) => Ok(spent()),
    }
}

async fn sign_out(
    State(state): State<AppState>,
    From(visitor): From,
    headers: HeaderMap,
) -> Result<Response, PageError> {
    if let Some(secret) = secret_of(&headers, &state) {
        sign_in::sign_out(&state, &secret, &visitor).await?;
    }
    let mut response = see("/login?done=signed-out").into_response();
    set_cookie(&mut response, &state, None);
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::services::passwords::DeskFull;

    #[test]
    fn whoever_finds_the_queue_full_is_told_when_to_come_back() {
        let answer = refuse(SignInError::Busy(DeskFull), String::new(), "/".to_owned()).unwrap();
        assert_eq!(answer.status(), StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(answer.headers()[header::RETRY_AFTER], "5");
    }

    #[test]
    fn after_signing_in_nobody_is_led_to_another_site() {
        for elsewhere in
            ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)", "", "/ü\r\n"]
        {
            assert_eq!(own_path(elsewhere), "/", "{elsewhere:?}");
        }
        assert_eq!(own_path("/c/contoso/people?q=ada"), "/c/contoso/people?q=ada");
    }
}
