//! Decides how requests leave this network: directly, through the proxy that the file names, or as the system says.

use std::fmt;
use std::sync::mpsc;
use std::time::Duration;

use super::system_proxy::{self, Place, Source, Told};
use crate::config::{Cloud, Proxy};
use crate::platform::system_proxy as system;
use crate::platform::system_proxy::ScriptAnswer;

/// A script is fetched over the network, which may never answer.
const SCRIPT_PATIENCE: Duration = Duration::from_secs(10);

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
    /// `HTTPS_PROXY` and `NO_PROXY` decide with every request.
    Environment,
}

impl WayOut {
    /// Looks at what Windows says now, so a changed setting counts from the next start on. May take some seconds where
    /// the account has a script.
    pub fn to(url: &str, settings: &Cloud) -> Self {
        match &settings.proxy {
            // The environment of a service is nobody's configuration unless the file says so.
            None => Self::Direct,
            Some(Proxy::At(proxy)) => Self::Named(proxy.clone()),
            Some(Proxy::System) => Self::of_the_system(url),
        }
    }

    fn of_the_system(url: &str) -> Self {
        let parsed = reqwest::Url::parse(url).ok();
        let place = parsed.as_ref().and_then(|url| Some(Place { scheme: url.scheme(), host: url.host_str()? }));
        let Some(place) = place else { return Self::Environment };
        match system_proxy::decide(&system::settings(), place, |script| ask_in_time(script, url)) {
            Told::Through { proxy, source } => Self::OfWindows { proxy, source },
            Told::Directly(source) => Self::Excepted(source),
            Told::Nothing => Self::Environment,
        }
    }

    /// The proxy as people should read it; a password never stands in it.
    pub fn proxy(&self) -> Option<String> {
        match self {
            Self::Direct | Self::Excepted(_) => None,
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
            Self::OfWindows { proxy, source } => write!(f, "{}, as {source} says", without_sign_in(proxy)),
            Self::Excepted(source) => write!(f, "none: {source} excepts this address"),
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

fn ask_in_time(script: &str, url: &str) -> ScriptAnswer {
    let (tell, told) = mpsc::channel();
    let (script, url) = (script.to_owned(), url.to_owned());
    // Whoever waits no longer hears nothing; the thread ends with WinHTTP's own timeouts.
    std::thread::spawn(move || drop(tell.send(system::ask_script(&script, &url))));
    told.recv_timeout(SCRIPT_PATIENCE).unwrap_or(ScriptAnswer::None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(proxy: Option<Proxy>) -> Cloud {
        Cloud { proxy, ..Cloud::default() }
    }

    #[test]
    fn without_a_word_in_the_file_nothing_of_the_system_counts() {
        assert_eq!(WayOut::to("https://cloud.example", &settings(None)), WayOut::Direct);
    }

    #[test]
    fn the_proxy_of_the_file_is_told_as_it_stands_there() {
        let named = WayOut::to("https://cloud.example", &settings(Some(Proxy::At("http://proxy:3128".into()))));

        assert_eq!(named.proxy().as_deref(), Some("http://proxy:3128"));
        assert_eq!(named.to_string(), "http://proxy:3128, as cloud.proxy says");
    }

    #[test]
    fn a_password_in_the_settings_of_windows_is_not_shown() {
        let proxy = "http://joe:canary@proxy:3128".to_owned();
        let way_out = WayOut::OfWindows { proxy, source: Source::Machine };

        assert_eq!(way_out.to_string(), "http://proxy:3128, as WinHTTP of this machine says");
        assert_eq!(way_out.proxy().as_deref(), Some("http://proxy:3128"));
    }

    #[cfg(not(windows))]
    #[test]
    fn where_the_system_keeps_no_setting_its_environment_decides() {
        assert_eq!(WayOut::to("https://cloud.example", &settings(Some(Proxy::System))), WayOut::Environment);
    }
}
