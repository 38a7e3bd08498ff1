//! Serves the portal's stylesheet, script and icon from the binary, under addresses that change with the content.

use std::{borrow::Cow, collections::HashMap, sync::LazyLock};

use axum::{
    extract::{Path, Query},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use rust_embed::{EmbeddedFile, RustEmbed};

use super::view::hex::hex;

#[derive(RustEmbed)]
#[folder = "assets/"]
struct Files;

/// A year; the address changes with the content, so it never has to be asked for again.
const FOR_EVER: &str = "public, max-age=31536000, immutable";

static VERSIONS: LazyLock<HashMap<String, String>> = LazyLock::new(|| {
    Files::iter().filter_map(|path| Files::get(&path).map(|file| (path.to_string(), version(&file)))).collect()
});

/// The address of an asset, with the version of its content.
pub fn url(path: &str) -> String {
    let version = VERSIONS.get(path).map_or("0", String::as_str);
    format!("/assets/{path}?v={version}")
}

fn version(file: &EmbeddedFile) -> String {
    hex(&file.metadata.sha256_hash()[..6])
}

#[derive(Debug, serde::Deserialize)]
pub struct Asked {
    v: Option<String>,
}

/// `GET /assets/{*path}`
pub async fn serve(Path(path): Path<String>, Query(asked): Query<Asked>) -> Response {
    let Some(file) = Files::get(&path) else { return StatusCode::NOT_FOUND.into_response() };
    let is_current = asked.v.as_deref() == VERSIONS.get(&path).map(String::as_str);
    let cache = if is_current { FOR_EVER } else { "no-cache" };
    let body = match file.data {
        Cow::Borrowed(bytes) => bytes.into_response(),
        Cow::Owned(bytes) => bytes.into_response(),
    };
    let mut response = body;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type(&path)));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
    response
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit('.').next() {
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sha2::{Digest, Sha256};

    fn sha256(path: &str) -> String {
        let file = Files::get(path).unwrap();
        hex(&Sha256::digest(&file.data))
    }

    #[test]
    fn the_vendored_scripts_are_exactly_the_reviewed_ones() {
        assert_eq!(sha256("vendor/htmx.min.js"), "a0abb04f2f45a1f89d1d4844023245537e5e6014c87b144553e0607b4cc32130");
        assert_eq!(sha256("vendor/hx-sse.min.js"), "18ef2761356ec1fe0bb6d92612315b37517a7c1e9856b661c5ae81fef239d103");
    }

    #[test]
    fn our_own_script_stays_small() {
        let script = Files::get("app.js").unwrap();
        assert!(script.data.len() < 8 * 1024, "app.js has {} bytes", script.data.len());
    }
}
