//! Decides how HTTPS leaves this network: directly, or through the proxy that the file names; and whom TLS trusts.

use std::sync::Arc;
use std::time::Duration;

use secrecy::ExposeSecret;

use super::link::LinkError;
use crate::config::{Cloud, Proxy};
use crate::directory::tls;

pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The client for everything that goes to the cloud.
#[expect(clippy::disallowed_methods, reason = "the one place where the agent's HTTP client is built")]
pub fn client(settings: &Cloud) -> Result<reqwest::Client, LinkError> {
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
        // The environment of a service is nobody's configuration unless the file says so.
        None => builder.no_proxy(),
        Some(Proxy::System) => builder,
        Some(Proxy::At(url)) => builder.proxy(named_proxy(url, settings)?),
    };
    builder.build().map_err(|error| setup(&error))
}

fn named_proxy(url: &str, settings: &Cloud) -> Result<reqwest::Proxy, LinkError> {
    let proxy = reqwest::Proxy::all(url).map_err(|_| LinkError::Setup("cloud.proxy is no URL".to_owned()))?;
    let password = settings.proxy_password().map_err(|told| LinkError::Setup(told.detail))?;
    Ok(match (&settings.proxy_user, password) {
        (Some(user), Some(password)) => proxy.basic_auth(user, password.expose_secret()),
        (_, _) => proxy,
    })
}
