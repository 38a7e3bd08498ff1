//! The Windows program signs in by SSPI with the tickets of its account, finds domain controllers, and finds the proxy of
//! its Windows. Wine carries the calls to the real Kerberos library and the real domain controller.

#![expect(clippy::unwrap_used, reason = "a test fails loudly")]

use rollcall_e2e::WindowsSite;
use rollcall_lab::dns::Dns;
use rollcall_lab::proxy::Proxy;
use rollcall_lab::tamper::{HARMS, Harm, Tamper};
use serde_json::json;
use std::path::Path;
use std::process::Command;

/// A site whose account holds a ticket, with everybody read once, sealed.
async fn sealed(people: usize) -> WindowsSite {
    let mut site = WindowsSite::found(people).await.unwrap();
    site.wine.install_kerberos().await.unwrap();
    let tickets = site.samba.ticket_cache("10h").unwrap();
    site.wine.hold_tickets(&site.samba.kerberos_config().unwrap(), &tickets);
    site.configure(&format!("{}\ntransport = 'sealed'", site.controller()), "").unwrap();
    site.enrol().await.unwrap();
    site.sync().await.unwrap();
    site.import().await.unwrap();
    site.sync().await.unwrap();
    site
}

async fn reads_the_same(site: &WindowsSite, used: &str) {
    let run = site.sync().await.unwrap();
    let changes = ["added", "updated", "departed", "held"].map(|count| run["counts"][count].as_u64());
    assert_eq!(changes, [Some(0); 4], "{run}");
    assert_eq!(site.status().await.unwrap()["reached"]["used"], used);
}

async fn fails_with(site: &WindowsSite, codes: &[&str], what: &str) {
    let done = site.ask(&["sync", "--json"]).await.unwrap();
    let (code, said) = (done.code, done.stdout + &done.stderr);
    assert!(
        code != Some(0) && codes.iter().any(|code| said.contains(code)),
        "{what}: ended with {code:?}, not by one of {codes:?}: {said}"
    );
}

// proves: M-3
#[tokio::test(flavor = "multi_thread")]
async fn the_ticket_of_the_account_reads_a_domain_sealed_and_inside_tls() {
    // given: an account of a Windows with a ticket and no password anywhere

    // when: it reads over the plain port
    let mut site = sealed(600).await;

    // then: everybody is there, exactly those that ldapsearch sees
    assert_eq!(site.differences().await.unwrap(), Vec::<String>::new());
    assert_eq!(site.status().await.unwrap()["reached"]["used"], "Kerberos, sealed (389)");
    let checked = site.ask(&["check"]).await.unwrap().stdout;
    assert!(checked.contains("accepted: Kerberos, sealed (389)"), "{checked}");
    assert!(site.samba.remote_changes().is_empty());

    // then: inside TLS it signs in, too, tied to the certificate of the controller
    for (transport, used) in [("ldaps", "Kerberos, LDAPS (636)"), ("starttls", "Kerberos, StartTLS (389)")] {
        site.configure(&format!("{}\ntransport = '{transport}'", site.controller()), "").unwrap();
        reads_the_same(&site, used).await;
    }
    let bindings = site.wine.channel_bindings();
    assert_eq!(bindings, [b"tls-server-end-point:", certificate_hash(&site).as_slice()].concat());

    // when: there is no ticket
    site.configure(&format!("{}\ntransport = 'sealed'", site.controller()), "").unwrap();
    let kerberos = site.samba.kerberos_config().unwrap();
    site.wine.hold_tickets(&kerberos, Path::new("/nonexistent/tickets"));
    fails_with(&site, &["RC-2210"], "no ticket").await;

    // then: nobody was removed
    assert_eq!(site.differences().await.unwrap(), Vec::<String>::new());
}

// proves: M-3
#[tokio::test(flavor = "multi_thread")]
async fn whatever_happens_to_a_buffer_that_sspi_unseals_ends_the_reading_and_removes_nobody() {
    let site = sealed(300).await;
    let tamper = Tamper::start(site.samba.ldap()).await.unwrap();
    let place = format!(
        "host = '{}'\naddress = '{}'\nport = {}\ntransport = 'sealed'",
        site.samba.host_name(),
        tamper.address().ip(),
        tamper.address().port()
    );
    site.configure(&place, "").unwrap();
    reads_the_same(&site, &format!("Kerberos, sealed ({})", tamper.address().port())).await;
    let buffers = tamper.buffers();
    assert!(buffers > 3, "{buffers} buffers");

    for harm in HARMS {
        tamper.harm(harm, buffers / 2);
        fails_with(&site, &["RC-2309", "RC-2303", "RC-2109"], &format!("{harm:?}")).await;
    }

    tamper.harm(Harm::None, 0);
    reads_the_same(&site, &format!("Kerberos, sealed ({})", tamper.address().port())).await;
    assert_eq!(site.differences().await.unwrap(), Vec::<String>::new());
}

/// RFC 5929 4.1; the lab's authority signs with SHA-256.
fn certificate_hash(site: &WindowsSite) -> Vec<u8> {
    let certificate = site.samba.folder().join("tls/cert.pem");
    let said = Command::new("openssl")
        .args(["x509", "-noout", "-fingerprint", "-sha256", "-in"])
        .arg(certificate)
        .output()
        .unwrap();
    let text = String::from_utf8(said.stdout).unwrap();
    let digits = text.trim().split('=').nth(1).unwrap().split(':');
    digits.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
}

// proves: L-24
#[tokio::test(flavor = "multi_thread")]
async fn where_windows_finds_its_domain_the_name_of_the_domain_is_all_that_is_configured() {
    // given: a Windows whose name server is the domain's, and an account with a ticket
    let mut site = WindowsSite::found(60).await.unwrap();
    site.wine.install_kerberos().await.unwrap();
    let tickets = site.samba.ticket_cache("10h").unwrap();
    site.wine.hold_tickets(&site.samba.kerberos_config().unwrap(), &tickets);
    let dns = Dns::start_on_port_53().unwrap();
    dns.add_controller("lab.example", &site.samba.host_name(), site.samba.address(), 0, 100);
    site.wine.resolve_with(dns.address().ip()).unwrap();

    // when: nothing but the domain is named
    site.configure("domain = 'lab.example'", "").unwrap();
    site.enrol().await.unwrap();

    // then: Windows' locator names the controller, and it is read
    let checked = site.ask(&["check"]).await.unwrap().stdout;
    let located = format!("locator: {} is the nearest of lab.example; it is tried first", site.samba.host_name());
    assert!(checked.contains(&located), "{checked}");
    assert!(checked.contains("accepted: Kerberos, sealed (389)"), "{checked}");
    site.sync().await.unwrap();
    site.import().await.unwrap();
    site.sync().await.unwrap();
    assert_eq!(site.differences().await.unwrap(), Vec::<String>::new());
}

const THROUGH_THE_SYSTEM: &str = "[cloud]\nproxy = 'system'\n";

// proves: M-45, L-24
#[tokio::test(flavor = "multi_thread")]
async fn a_windows_without_a_locator_asks_dns_and_its_own_proxy_settings_lead_to_the_cloud() {
    // given: a domain that Windows' own locator does not know, and a name server that does
    let site = WindowsSite::found(60).await.unwrap();
    let password = site.wine.at(r"ProgramData\Rollcall\password");
    std::fs::write(&password, site.samba.password()).unwrap();
    std::fs::set_permissions(&password, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let dns = Dns::start().unwrap();
    dns.add_controller("lab.example", &site.samba.host_name(), site.samba.address(), 0, 100);
    let ldap = format!(
        "domain = 'lab.example'\nname_server = '{}'\ntransport = 'ldaps'\nbind_user = '{}'\n\
         password_file = 'C:\\ProgramData\\Rollcall\\password'",
        dns.address(),
        site.samba.bind_name()
    );

    // when: a proxy stands in WinHTTP's own setting
    let proxy = Proxy::start().await.unwrap();
    let server = proxy.address().to_string();
    site.wine.set_machine_proxy(&format!("http={server};https={server}"), "*.lab.example;<local>").await.unwrap();
    site.configure(&ldap, THROUGH_THE_SYSTEM).unwrap();
    site.enrol().await.unwrap();

    // then: the enrolment went through it, and so does a reading; the check tells who named it and how DNS stood in
    assert!(proxy.carried() > 0);
    site.sync().await.unwrap();
    site.import().await.unwrap();
    site.sync().await.unwrap();
    assert_eq!(site.differences().await.unwrap(), Vec::<String>::new());
    let checked = site.ask(&["check"]).await.unwrap().stdout;
    assert!(
        checked.contains(&format!("cloud proxy: http://{server}, as told by WinHTTP of this machine")),
        "{checked}"
    );
    assert!(checked.contains("Windows names no controller of lab.example (error "), "{checked}");
    assert!(checked.contains(&format!("controllers: {}, in this order", site.samba.host_name())), "{checked}");

    let status = site.status().await.unwrap();
    assert_eq!(status["proxy"], format!("http://{server}, as told by WinHTTP of this machine"));

    // when: the cloud is on the bypass list
    site.wine.set_machine_proxy(&server, "127.0.0.*").await.unwrap();
    let before = proxy.carried();
    let checked = site.ask(&["check"]).await.unwrap().stdout;

    // then: it is reached directly
    assert!(checked.contains("none: WinHTTP of this machine excepts this address"), "{checked}");
    assert_eq!(proxy.carried(), before);

    // when: only the account has a proxy, by name and then by script
    site.wine.clear_machine_proxy().await.unwrap();
    site.wine.set_account_proxy(&server, "<local>").await.unwrap();
    reached_through(&site, &proxy, "the Internet options of the account that runs this").await;
    site.wine.set_account_script(&proxy.script()).await.unwrap();
    reached_through(&site, &proxy, "the script of the account that runs this").await;

    // when: the setting changes under an agent that runs
    let (other, before) = (Proxy::start().await.unwrap(), proxy.carried());
    let running = site.run().unwrap();
    carries_more(&site, &proxy, before).await;
    site.wine.set_machine_proxy(&other.address().to_string(), "").await.unwrap();
    let customer = &site.customer;
    customer.api.post(&format!("/customers/{}/sync", customer.id), &json!({})).await.unwrap();

    // then: its next connection takes the other one, without a restart
    carries_more(&site, &other, 0).await;
    drop(running);
}

async fn carries_more(site: &WindowsSite, proxy: &Proxy, before: usize) {
    let more =
        site.customer.until("a connection through the proxy", async || Ok((proxy.carried() > before).then_some(())));
    more.await.unwrap();
}

async fn reached_through(site: &WindowsSite, proxy: &Proxy, source: &str) {
    let before = proxy.carried();
    let checked = site.ask(&["check"]).await.unwrap().stdout;
    assert!(checked.contains(&format!("cloud proxy: http://{}, as told by {source}", proxy.address())), "{checked}");
    assert!(checked.contains("knows this agent's key"), "{checked}");
    assert!(proxy.carried() > before, "{checked}");
}
