//! Decides how requests leave this network: directly, through the proxy that the file names, or as the system says.

use std::fmt;

use super::script_memory::ScriptMemory;
use super::system_proxy::{self, Place, Source, Told};
use crate::config::{Cloud, Proxy};
use crate::platform::system_proxy as system;

/// The way to one address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WayOut {
    /// The file names no proxy.
    Direct,
    /// The file names it.
    Named(String),
    /// Windows names it.
    OfWindows { proxy: String, source: Source },
    /// Windows has a proxy, and this address is excepted.
    Excepted(Source),
    /// The file says that Windows decides, and Windows has no proxy.
    NoneSet,
    /// `HTTPS_PROXY` and `NO_PROXY` decide.
    Environment,
}

/// Finds the way to one address anew for each connection: a changed setting of Windows counts without a restart.
#[derive(Debug)]
pub struct Router {
    url: String,
    proxy: Option<Proxy>,
    script: ScriptMemory,
}

impl Router {
    pub fn new(url: &str, settings: &Cloud) -> Self {
        Self { url: url.to_owned(), proxy: settings.proxy.clone(), script: ScriptMemory::new(system::ask_script) }
    }

    /// Waits some seconds the first time where the account has a script.
    pub async fn look(&self) -> WayOut {
        match &self.proxy {
            Some(Proxy::System) if cfg!(windows) => {
                let settings = system::settings();
                if let Some(script) = system_proxy::script_to_ask(&settings) {
                    self.script.answer(script, &self.url).await;
                }
            }
            Some(Proxy::System | Proxy::At(_)) | None => {}
        }
        self.way_out()
    }

    /// As far as is known; a script that was never asked counts as one that says nothing.
    pub fn way_out(&self) -> WayOut {
        match &self.proxy {
            // The environment of a service is nobody's configuration unless the file says so.
            None => WayOut::Direct,
            Some(Proxy::At(proxy)) => WayOut::Named(proxy.clone()),
            Some(Proxy::System) if cfg!(windows) => self.as_windows_says(),
            Some(Proxy::System) => WayOut::Environment,
        }
    }

    fn as_windows_says(&self) -> WayOut {
        let parsed = reqwest::Url::parse(&self.url).ok();
        let place = parsed.as_ref().and_then(|url| Some(Place { scheme: url.scheme(), host: url.host_str()? }));
        let Some(place) = place else { return WayOut::NoneSet };
        match system_proxy::decide(&system::settings(), place, |script| self.script.recall(script, &self.url)) {
            Told::Through { proxy, source } => WayOut::OfWindows { proxy, source },
            Told::Directly(source) => WayOut::Excepted(source),
            Told::Nothing => WayOut::NoneSet,
        }
    }
}

impl WayOut {
    /// The proxy as people should read it; a password never stands in it.
    pub fn proxy(&self) -> Option<String> {
        match self {
            Self::Direct | Self::Excepted(_) | Self::NoneSet => None,
            Self::Named(proxy) => Some(proxy.clone()),
            Self::OfWindows { proxy, .. } => Some(without_sign_in(proxy)),
            Self::Environment => Some("of the system".to_owned()),
        }
    }
}

impl fmt::Display for WayOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Direct => f.write_str("none"),
            Self::Named(proxy) => write!(f, "{proxy}, as cloud.proxy says"),
            Self::OfWindows { proxy, source } => write!(f, "{}, as told by {source}", without_sign_in(proxy)),
            Self::Excepted(source) => write!(f, "none: {source} excepts this address"),
            Self::NoneSet => {
                f.write_str("none: neither WinHTTP of this machine nor the account that runs this has one")
            }
            Self::Environment => f.write_str("as the environment says (HTTPS_PROXY, NO_PROXY)"),
        }
    }
}

/// Whatever stands before an @ could be a password.
fn without_sign_in(proxy: &str) -> String {
    match (proxy.split_once("://"), proxy.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, place))) => format!("{scheme}://{place}"),
        (_, _) => proxy.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn way_out(proxy: Option<Proxy>) -> WayOut {
        Router::new("https://cloud.example", &Cloud { proxy, ..Cloud::default() }).way_out()
    }

    #[test]
    fn without_a_word_in_the_file_nothing_of_the_system_counts() {
        assert_eq!(way_out(None), WayOut::Direct);
    }

    #[test]
    fn the_proxy_of_the_file_is_told_as_it_stands_there() {
        let named = way_out(Some(Proxy::At("http://proxy:3128".into())));

        assert_eq!(named.proxy().as_deref(), Some("http://proxy:3128"));
        assert_eq!(named.to_string(), "http://proxy:3128, as cloud.proxy says");
    }

    #[test]
    fn a_password_in_the_settings_of_windows_is_not_shown() {
        let proxy = "http://joe:canary@proxy:3128".to_owned();
        let way_out = WayOut::OfWindows { proxy, source: Source::Machine };

        assert_eq!(way_out.to_string(), "http://proxy:3128, as told by WinHTTP of this machine");
        assert_eq!(way_out.proxy().as_deref(), Some("http://proxy:3128"));
    }

    #[cfg(not(windows))]
    #[test]
    fn where_the_system_keeps_no_setting_its_environment_decides() {
        assert_eq!(way_out(Some(Proxy::System)), WayOut::Environment);
    }
}
