//! Decides what the proxy settings of a Windows mean for one address: through which proxy it is reached, and who said so.

use std::net::IpAddr;

use crate::platform::system_proxy::{ScriptAnswer, Setting, Settings};

/// Where an address is; what proxy settings look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place<'a> {
    /// `https`
    pub scheme: &'a str,
    pub host: &'a str,
}

/// Who named a proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    Machine,
    Script,
    Account,
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Machine => "WinHTTP of this machine",
            Self::Script => "the script of the account that runs this",
            Self::Account => "the Internet options of the account that runs this",
        })
    }
}

/// What Windows says of an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    Through {
        proxy: String,
        source: Source,
    },
    /// It has a proxy, and this address is excepted.
    Directly(Source),
    /// It has no proxy.
    Nothing,
}

/// The script whose word counts. The machine's setting comes first: it is the one for services.
pub fn script_to_ask(settings: &Settings) -> Option<&str> {
    if settings.machine.is_none() { settings.script.as_deref() } else { None }
}

/// What the settings say of one place.
pub fn decide(settings: &Settings, place: Place<'_>, ask_script: impl FnOnce(&str) -> ScriptAnswer) -> Told {
    if let Some(machine) = &settings.machine {
        return apply(machine, place, Source::Machine);
    }
    match script_to_ask(settings).map_or(ScriptAnswer::None, ask_script) {
        ScriptAnswer::Through(answer) => return apply(&answer, place, Source::Script),
        ScriptAnswer::Directly => return Told::Directly(Source::Script),
        ScriptAnswer::None => {}
    }
    settings.account.as_ref().map_or(Told::Nothing, |account| apply(account, place, Source::Account))
}

fn apply(setting: &Setting, place: Place<'_>, source: Source) -> Told {
    if words(&setting.bypass).any(|pattern| is_excepted(pattern, place)) {
        return Told::Directly(source);
    }
    match server(&setting.servers, place.scheme) {
        Some(proxy) => Told::Through { proxy, source },
        None => Told::Directly(source),
    }
}

/// Lists are separated by semicolons or white space (`WINHTTP_PROXY_INFO`).
fn words(list: &str) -> impl Iterator<Item = &str> {
    list.split(|c: char| c == ';' || c.is_whitespace()).filter(|word| !word.is_empty())
}

/// The first server for this scheme, or the first for every scheme: `[scheme=][scheme://]server[:port]`.
fn server(servers: &str, scheme: &str) -> Option<String> {
    let for_scheme = words(servers).find_map(|word| {
        let (of, server) = word.split_once('=')?;
        of.eq_ignore_ascii_case(scheme).then_some(server)
    });
    let chosen = for_scheme.or_else(|| words(servers).find(|word| !word.contains('=')))?;
    Some(if chosen.contains("://") { chosen.to_owned() } else { format!("http://{chosen}") })
}

/// `<local>` is every name without a dot; `*` stands for anything; a scheme or a port may stand around the name.
fn is_excepted(pattern: &str, place: Place<'_>) -> bool {
    let host = place.host.trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
    if pattern.eq_ignore_ascii_case("<local>") {
        return !host.contains('.') && host.parse::<IpAddr>().is_err();
    }
    let pattern = pattern.to_ascii_lowercase();
    let pattern = match pattern.split_once("://") {
        Some((scheme, _)) if !scheme.eq_ignore_ascii_case(place.scheme) => return false,
        Some((_, rest)) => rest,
        None => pattern.as_str(),
    };
    matches(without_port(pattern), &host)
}

fn without_port(pattern: &str) -> &str {
    match pattern.rsplit_once(':') {
        // An address of IPv6 has several.
        Some((name, port)) if !name.contains(':') && port.bytes().all(|b| b.is_ascii_digit()) => name,
        Some(_) | None => pattern.trim_start_matches('[').trim_end_matches(']'),
    }
}

/// The parts between the stars, in order: the first at the beginning, the last at the end.
fn matches(pattern: &str, text: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut text) = text.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        let Some((_, after)) = text.split_once(part) else { return false };
        text = after;
    }
    text.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLOUD: Place<'_> = Place { scheme: "https", host: "rollcall.msp.example" };

    fn setting(servers: &str, bypass: &str) -> Setting {
        Setting { servers: servers.into(), bypass: bypass.into() }
    }

    fn machine(servers: &str, bypass: &str) -> Settings {
        Settings { machine: Some(setting(servers, bypass)), ..Settings::default() }
    }

    fn told(settings: &Settings, place: Place<'_>) -> Told {
        decide(settings, place, |_| ScriptAnswer::None)
    }

    fn through(proxy: &str, source: Source) -> Told {
        Told::Through { proxy: proxy.into(), source }
    }

    #[test]
    fn a_server_is_for_every_scheme_unless_it_names_one() {
        for (servers, proxy) in [
            ("proxy:3128", "http://proxy:3128"),
            ("http=web:80;https=secure:8443", "http://secure:8443"),
            ("http=web:80 HTTPS=secure:8443", "http://secure:8443"),
            ("socks=old:1080;proxy:3128", "http://proxy:3128"),
            ("https=https://secure:443", "https://secure:443"),
            ("http://proxy:3128", "http://proxy:3128"),
        ] {
            assert_eq!(told(&machine(servers, ""), CLOUD), through(proxy, Source::Machine), "{servers}");
        }
        assert_eq!(told(&machine("http=web:80", ""), CLOUD), Told::Directly(Source::Machine));
    }

    #[test]
    fn who_is_on_the_bypass_list_is_reached_directly() {
        for list in [
            "rollcall.msp.example",
            "*.lab.example;*.msp.example",
            "a b ROLLCALL.*",
            "https://*.example",
            "*call*exam*",
            "*.example:443",
        ] {
            assert_eq!(told(&machine("proxy:3128", list), CLOUD), Told::Directly(Source::Machine), "{list}");
        }
        for list in ["", "<local>", "msp.example", "*.msp.exam", "http://*.example", "*.*.*.*"] {
            assert_eq!(
                told(&machine("proxy:3128", list), CLOUD),
                through("http://proxy:3128", Source::Machine),
                "{list}"
            );
        }
    }

    #[test]
    fn local_means_a_name_without_a_dot_and_no_address() {
        let settings = machine("proxy:3128", "<local>; 10.*");
        let directly = Told::Directly(Source::Machine);

        assert_eq!(told(&settings, Place { host: "rollcall", ..CLOUD }), directly);
        assert_eq!(told(&settings, Place { host: "10.1.2.3", ..CLOUD }), directly);
        assert_eq!(told(&settings, Place { host: "[::1]", ..CLOUD }), through("http://proxy:3128", Source::Machine));
        assert_eq!(told(&machine("p:1", "[::1]"), Place { host: "[::1]", ..CLOUD }), directly);
    }

    #[test]
    fn the_machine_comes_before_the_script_and_the_script_before_the_account() {
        let all = Settings {
            machine: Some(setting("machine:1", "")),
            account: Some(setting("account:3", "")),
            script: Some("http://wpad.lab.example/proxy.pac".into()),
        };
        let without_machine = Settings { machine: None, ..all.clone() };
        let script = |_: &str| ScriptAnswer::Through(setting("script:2", ""));

        assert_eq!(decide(&all, CLOUD, script), through("http://machine:1", Source::Machine));
        assert_eq!(decide(&without_machine, CLOUD, script), through("http://script:2", Source::Script));
        assert_eq!(decide(&without_machine, CLOUD, |_| ScriptAnswer::Directly), Told::Directly(Source::Script));
        assert_eq!(told(&without_machine, CLOUD), through("http://account:3", Source::Account));
        assert_eq!(decide(&Settings::default(), CLOUD, script), Told::Nothing);
    }
}
