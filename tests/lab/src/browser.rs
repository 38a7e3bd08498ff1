//! A real browser without a window: Chromium behind chromedriver, asked by the few requests of W3C WebDriver that tests need.
//!
//! Our own few lines, because the library for it makes serde_json keep the order of members in every crate that is built
//! together with it, so that the tests would no longer run what is shipped.

use crate::world::{Api, Program, ProgramError, free_port};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::Duration;
use tokio::process::Command;

const READY_WITHIN: Duration = Duration::from_mins(1);

/// The accessibility checker, as `cargo xtask setup` lays it into the target folder.
const AXE: &str = "axe-core/axe.min.js";

#[derive(Debug, thiserror::Error)]
pub enum BrowserError {
    #[error(transparent)]
    Program(#[from] ProgramError),
    #[error("the browser did not answer {asked}: {error}")]
    Silent { asked: String, error: reqwest::Error },
    #[error("the browser refused {asked}: {why}")]
    Refused { asked: String, why: String },
    #[error("{AXE} is in no folder above the tests; `cargo xtask setup` brings it")]
    NoAxe,
}

/// Dropping it ends the browser.
#[derive(Debug)]
pub struct Browser {
    session: String,
    client: reqwest::Client,
    _driver: Program,
    data: tempfile::TempDir,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Theme {
    Light,
    Dark,
}

impl Browser {
    pub async fn start() -> Result<Self, BrowserError> {
        let io = |error| ProgramError::Io { program: "chromedriver".into(), error };
        let data = tempfile::tempdir().map_err(io)?;
        let port = free_port().map_err(io)?;
        let mut command = Command::new("chromedriver");
        command.arg(format!("--port={port}"));
        let mut driver = Program::start(&mut command, &data.path().join("chromedriver.log"))?;
        let (client, base) = (Api::client(), format!("http://127.0.0.1:{port}"));
        let status = format!("{base}/status");
        let is_ready = async || client.get(&status).send().await.is_ok_and(|answer| answer.status() == 200);
        driver.wait_until(READY_WITHIN, is_ready).await?;
        let mut browser = Self { session: format!("{base}/session"), client, _driver: driver, data };
        let begun = browser.ask("", &capabilities(&browser.data.path().join("profile"))).await?;
        let id = begun["sessionId"].as_str().unwrap_or_default();
        browser.session = format!("{base}/session/{id}");
        Ok(browser)
    }

    /// Waits until the page is loaded.
    pub async fn open(&self, url: &str) -> Result<(), BrowserError> {
        self.ask("/url", &json!({ "url": url })).await.map(drop)
    }

    /// The body of a function; what it returns, also when that is a promise.
    pub async fn run(&self, script: &str) -> Result<Value, BrowserError> {
        self.ask("/execute/sync", &json!({ "script": script, "args": [] })).await
    }

    /// As a screen of this width, in CSS pixels, of somebody with this taste.
    pub async fn show_as(&self, width: u32, theme: Theme) -> Result<(), BrowserError> {
        let metrics = json!({ "width": width, "height": 800, "deviceScaleFactor": 1, "mobile": false });
        self.devtools("Emulation.setDeviceMetricsOverride", metrics).await?;
        let value = match theme {
            Theme::Light => "light",
            Theme::Dark => "dark",
        };
        let features = json!({ "features": [{ "name": "prefers-color-scheme", "value": value }] });
        self.devtools("Emulation.setEmulatedMedia", features).await
    }

    /// What the console said at level error since this was last asked.
    pub async fn list_errors(&self) -> Result<Vec<String>, BrowserError> {
        let lines = self.ask("/se/log", &json!({ "type": "browser" })).await?;
        let lines = lines.as_array().into_iter().flatten().filter(|line| line["level"] == "SEVERE");
        Ok(lines.map(|line| line["message"].as_str().unwrap_or_default().to_owned()).collect())
    }

    /// What axe finds against WCAG 2.2 AA on this page: each rule that is broken, with where.
    pub async fn list_barriers(&self) -> Result<Vec<String>, BrowserError> {
        let axe = axe().and_then(|path| std::fs::read_to_string(path).ok()).ok_or(BrowserError::NoAxe)?;
        let script = format!(
            "{axe};
             const tags = ['wcag2a', 'wcag2aa', 'wcag21aa', 'wcag22aa'];
             return axe.run(document, {{ runOnly: tags, resultTypes: ['violations'] }}).then(found =>
                 found.violations.map(rule => rule.id + ': ' + rule.nodes.map(node => node.target.join(' ')).join(', ')));"
        );
        let found = self.run(&script).await?;
        Ok(found.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect())
    }

    async fn devtools(&self, command: &str, params: Value) -> Result<(), BrowserError> {
        self.ask("/goog/cdp/execute", &json!({ "cmd": command, "params": params })).await.map(drop)
    }

    async fn ask(&self, path: &str, body: &Value) -> Result<Value, BrowserError> {
        let silent = |error| BrowserError::Silent { asked: path.to_owned(), error };
        let request = self.client.post(format!("{}{path}", self.session)).header("content-type", "application/json");
        let text = request.body(body.to_string()).send().await.map_err(silent)?.text().await.map_err(silent)?;
        let mut answer: Value = serde_json::from_str(&text).unwrap_or_default();
        let value = answer["value"].take();
        if value["error"].is_string() {
            let why = value["message"].as_str().unwrap_or_default().to_owned();
            return Err(BrowserError::Refused { asked: path.to_owned(), why });
        }
        Ok(value)
    }
}

fn capabilities(profile: &std::path::Path) -> Value {
    let profile = format!("--user-data-dir={}", profile.display());
    // Containers have no user namespaces and a small /dev/shm. The rest keeps it from asking anything of the Internet.
    let arguments = [
        "--headless=new",
        "--no-sandbox",
        "--disable-dev-shm-usage",
        "--disable-gpu",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--no-proxy-server",
        // By a pipe, so that it ends when chromedriver does, in whatever way.
        "--remote-debugging-pipe",
        &profile,
    ];
    json!({ "capabilities": { "alwaysMatch": {
        "browserName": "chrome",
        // Long pages take axe a while, and tests share two cores.
        "timeouts": { "script": 120_000, "pageLoad": 120_000 },
        "goog:loggingPrefs": { "browser": "ALL" },
        "goog:chromeOptions": { "args": arguments },
    } } })
}

/// In one of the folders above this program.
fn axe() -> Option<PathBuf> {
    let own = std::env::current_exe().ok()?;
    own.ancestors().map(|folder| folder.join(AXE)).find(|path| path.is_file())
}
