//! Guards every answer and every form of the portal: security headers, and no action in somebody's name from another site.

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header},
    middleware::Next,
    response::Response,
};
use rollcall_protocol::catalogue;

use super::{answer::dead_end, view::Link};
use crate::state::AppState;

/// Scripts, styles and data come from ourselves only, and nobody may frame us. No inline code at all.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
    form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

pub async fn add_headers(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "same-origin"),
        (header::X_FRAME_OPTIONS, "DENY"),
    ] {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}

/// Where a request that changes something comes from, as the browser says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    Own,
    Foreign,
}

pub async fn refuse_cross_site(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let changes = !matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    if changes && judge(request.headers(), request.uri(), &state.public_url) == Origin::Foreign {
        let fault = &catalogue::CROSS_SITE;
        return dead_end(StatusCode::FORBIDDEN, fault, fault.cause.to_owned(), Link::to("Go to the dashboard", "/"));
    }
    next.run(request).await
}

/// Browsers say where a request comes from; a request that says neither is refused.
fn judge(headers: &HeaderMap, uri: &Uri, public_url: &str) -> Origin {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    match text("sec-fetch-site") {
        Some("same-origin" | "none") => return Origin::Own,
        Some(_) => return Origin::Foreign,
        None => {}
    }
    let Some(origin) = text("origin") else { return Origin::Foreign };
    let host = text("host").or_else(|| uri.authority().map(axum::http::uri::Authority::as_str));
    let is_own_host = host.is_some_and(|host| origin.split_once("://").is_some_and(|(_, named)| named == host));
    if origin == public_url || is_own_host { Origin::Own } else { Origin::Foreign }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(pairs: &[(&'static str, &str)]) -> Origin {
        let headers = pairs
            .iter()
            .map(|(name, value)| (header::HeaderName::from_static(name), HeaderValue::from_str(value).unwrap()))
            .collect();
        judge(&headers, &Uri::from_static("/customers"), "https://rollcall.example")
    }

    #[test]
    fn a_form_of_our_own_is_let_in() {
        assert_eq!(judged(&[("sec-fetch-site", "same-origin")]), Origin::Own);
        assert_eq!(judged(&[("origin", "https://rollcall.example")]), Origin::Own);
        assert_eq!(judged(&[("origin", "http://127.0.0.1:8080"), ("host", "127.0.0.1:8080")]), Origin::Own);
    }

    #[test]
    fn a_form_of_another_site_is_refused() {
        assert_eq!(judged(&[("sec-fetch-site", "cross-site")]), Origin::Foreign);
        assert_eq!(judged(&[("sec-fetch-site", "same-site")]), Origin::Foreign);
        assert_eq!(
            judged(&[("sec-fetch-site", "cross-site"), ("origin", "https://rollcall.example")]),
            Origin::Foreign
        );
        assert_eq!(judged(&[("origin", "https://evil.example"), ("host", "rollcall.example")]), Origin::Foreign);
        assert_eq!(judged(&[("origin", "null")]), Origin::Foreign);
    }

    #[test]
    fn a_request_that_does_not_say_where_it_comes_from_is_refused() {
        assert_eq!(judged(&[]), Origin::Foreign);
    }
}
