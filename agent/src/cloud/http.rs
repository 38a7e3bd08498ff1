//! Decides how long the HTTP client waits, which proxy it takes, and whom TLS trusts.

use std::sync::Arc;
use std::time::Duration;

use secrecy::ExposeSecret;

use super::link::LinkError;
use super::way_out::{Router, WayOut};
use crate::config::{Cloud, Proxy};
use crate::directory::tls;

pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The client for everything that goes to the cloud.
#[expect(clippy::disallowed_methods, reason = "the one place where the agent's HTTP client is built")]
pub fn client(settings: &Cloud, router: &Arc<Router>) -> Result<reqwest::Client, LinkError> {
    let setup = |error: &dyn std::fmt::Display| LinkError::Setup(error.to_string());
    let tls = tls::client_config(settings.ca_file.as_deref()).map_err(|error| setup(&error))?;
    let builder = reqwest::Client::builder()
        .tls_backend_preconfigured(Arc::unwrap_or_clone(tls))
        .connect_timeout(CONNECT_TIMEOUT)
        .tcp_keepalive(Duration::from_secs(30))
        .pool_max_idle_per_host(1)
        .pool_idle_timeout(Duration::from_secs(20))
        .redirect(reqwest::redirect::Policy::none())
        .user_agent(format!("rollcall-agent/{}", crate::version::text()));
    let builder = match &settings.proxy {
        None => builder.no_proxy(),
        Some(Proxy::At(url)) => builder.proxy(with_sign_in(named(url)?, settings)?),
        Some(Proxy::System) if cfg!(windows) => builder.proxy(as_windows_says(Arc::clone(router))),
        Some(Proxy::System) => builder,
    };
    builder.build().map_err(|error| setup(&error))
}

fn named(url: &str) -> Result<reqwest::Proxy, LinkError> {
    reqwest::Proxy::all(url).map_err(|_| LinkError::Setup("cloud.proxy is no URL".to_owned()))
}

fn as_windows_says(router: Arc<Router>) -> reqwest::Proxy {
    reqwest::Proxy::custom(move |_| match router.way_out() {
        WayOut::OfWindows { proxy, .. } => Some(proxy),
        WayOut::Direct | WayOut::Named(_) | WayOut::Excepted(_) | WayOut::NoneSet | WayOut::Environment => None,
    })
}

fn with_sign_in(proxy: reqwest::Proxy, settings: &Cloud) -> Result<reqwest::Proxy, LinkError> {
    let password = settings.proxy_password().map_err(|told| LinkError::Setup(told.detail))?;
    Ok(match (&settings.proxy_user, password) {
        (Some(user), Some(password)) => proxy.basic_auth(user, password.expose_secret()),
        (_, _) => proxy,
    })
}
