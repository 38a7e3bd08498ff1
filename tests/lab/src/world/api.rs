//! A client of `/api/v1`, as an MSP's own script would be one.

use serde_json::Value;
use std::time::Duration;

#[derive(Debug, Clone)]
pub struct Api {
    base: String,
    key: String,
    client: reqwest::Client,
}

/// An answer that is not 2xx, or none.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{method} {path}: {status} {body}")]
pub struct Problem {
    pub method: &'static str,
    pub path: String,
    /// 0 when nothing answered.
    pub status: u16,
    pub body: String,
}

impl Problem {
    /// The code in the catalogue, where the answer names one.
    pub fn code(&self) -> String {
        let body: Value = serde_json::from_str(&self.body).unwrap_or_default();
        body["code"].as_str().unwrap_or_default().to_owned()
    }
}

impl Api {
    pub fn new(url: &str, key: &str) -> Self {
        Self { base: format!("{url}/api/v1"), key: key.to_owned(), client: Self::client() }
    }

    /// The lab's only HTTP client; it speaks to loopback.
    #[expect(clippy::disallowed_methods, reason = "this is the one place")]
    pub fn client() -> reqwest::Client {
        // Whoever comes first installs it; the second time it is there already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let builder = reqwest::Client::builder().timeout(Duration::from_mins(2)).no_proxy();
        builder.redirect(reqwest::redirect::Policy::none()).build().unwrap_or_default()
    }

    pub async fn get(&self, path: &str) -> Result<Value, Problem> {
        self.send("GET", path, self.client.get(format!("{}{path}", self.base))).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Result<Value, Problem> {
        let request = self.client.post(format!("{}{path}", self.base));
        self.send("POST", path, request.header("content-type", "application/json").body(body.to_string())).await
    }

    /// Every item of a paged list.
    pub async fn list(&self, path: &str) -> Result<Vec<Value>, Problem> {
        let mut items = Vec::new();
        let separator = if path.contains('?') { '&' } else { '?' };
        let mut next = format!("{path}{separator}limit=500");
        loop {
            let page = self.get(&next).await?;
            items.extend(page["data"].as_array().cloned().unwrap_or_default());
            let Some(after) = page["next"].as_str() else { return Ok(items) };
            next = format!("{path}{separator}limit=500&after={after}");
        }
    }

    async fn send(&self, method: &'static str, path: &str, request: reqwest::RequestBuilder) -> Result<Value, Problem> {
        let problem = |status, body| Problem { method, path: path.to_owned(), status, body };
        let answer = request.bearer_auth(&self.key).send().await.map_err(|error| problem(0, format!("{error:?}")))?;
        let status = answer.status().as_u16();
        let body = answer.text().await.map_err(|error| problem(status, error.to_string()))?;
        if !(200..300).contains(&status) {
            return Err(problem(status, body));
        }
        if body.is_empty() { Ok(Value::Null) } else { serde_json::from_str(&body).map_err(|_| problem(status, body)) }
    }
}
