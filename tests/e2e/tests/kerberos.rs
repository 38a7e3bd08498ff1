//! An agent without a stored password reads a real Active Directory: sealed by Kerberos on the plain port, or inside
//! TLS. What it reads equals the LDAPS reading; whatever is wrong is told apart, and nobody is removed by it.

#![expect(clippy::unwrap_used, reason = "a test fails loudly")]

use rollcall_e2e::{Customer, SambaScope};
use rollcall_lab::samba::{Filling, Samba, SambaSetup};
use rollcall_lab::tamper::{HARMS, Harm, Tamper};
use rollcall_lab::world::{AgentSetup, Binding, Cloud, CloudSetup, Tickets};
use serde_json::Value;

/// A domain, a cloud, and an agent that imports everybody in `OU=Staff`.
struct Town {
    samba: Samba,
    customer: Customer,
    scope: SambaScope,
    _cloud: Cloud,
}

impl Town {
    async fn found(people: usize, binding: impl Fn(&Samba) -> Binding) -> Self {
        let samba = Samba::start(&SambaSetup::default()).unwrap();
        samba.fill(&Filling::company(people, 11)).unwrap();
        let cloud = Cloud::start(&CloudSetup::default()).await.unwrap();
        let setup = setup(binding(&samba));
        let customer = Customer::install(&cloud, "Alder & Finch", &setup).await.unwrap();
        customer.sync().await.unwrap();
        let ous = vec![samba.at("OU=Staff").unwrap()];
        customer.import("Staff", &[("ou", ous[0])], &[]).await.unwrap();
        customer.sync().await.unwrap();
        Self { samba, customer, scope: SambaScope { ous, groups: Vec::new() }, _cloud: cloud }
    }

    fn sealed(&self) -> Binding {
        Binding::sealed_to_samba(&self.samba).unwrap()
    }

    fn reach(&mut self, binding: Binding) {
        self.customer.agent.configure(&setup(binding)).unwrap();
    }

    /// The cloud's picture equals what `ldapsearch` sees over LDAPS.
    async fn compare(&self) {
        let expected = self.scope.people(&self.samba).unwrap();
        let differences = self.customer.picture().await.unwrap().differences(&expected);
        assert_eq!(differences, Vec::<String>::new());
    }

    async fn status(&self) -> Value {
        let done = self.customer.agent.finish(&["status", "--json"], MINUTE).await.unwrap();
        serde_json::from_str(&done.stdout).unwrap()
    }

    /// One reading that must not find a single difference to what the cloud was told before.
    async fn read_the_same(&self) {
        let run = self.customer.sync().await.unwrap();
        let changes = ["added", "updated", "departed", "held"].map(|count| run["counts"][count].as_u64());
        assert_eq!(changes, [Some(0); 4], "{run}");
    }

    async fn refused(&mut self, binding: Binding, code: &str) {
        self.reach(binding);
        let said = self.customer.sync_fails().await.unwrap();
        assert!(said.contains(code), "expected {code}: {said}");
    }
}

const MINUTE: std::time::Duration = std::time::Duration::from_mins(1);

/// Patient: the machine may be busy with other tests.
fn setup(binding: Binding) -> AgentSetup {
    AgentSetup { patience_seconds: 20, ..AgentSetup::new(binding) }
}

// proves: M-3
#[tokio::test(flavor = "multi_thread")]
async fn an_agent_with_a_keytab_and_no_password_reads_over_the_sealed_plain_port() {
    let town = Town::found(300, |samba| Binding::sealed_to_samba(samba).unwrap()).await;

    town.compare().await;

    assert_eq!(town.status().await["reached"]["used"], "Kerberos, sealed (389)");
    let checked = town.customer.agent.finish(&["check", "--json"], MINUTE).await.unwrap();
    assert!(checked.stdout.contains("Kerberos, sealed (389)"), "{}", checked.stdout);
    let agents = town.customer.api.list(&format!("/customers/{}/agents", town.customer.id)).await.unwrap();
    assert_eq!(agents[0]["transport"], "Kerberos, sealed (389)");
    assert!(town.samba.remote_changes().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn sealed_readings_of_fifteen_hundred_people_equal_the_ldaps_reading_three_times() {
    let mut town = Town::found(1_500, Binding::to_samba).await;
    town.compare().await;
    town.reach(town.sealed());
    for _ in 0..3 {
        town.read_the_same().await;
    }
    assert_eq!(town.status().await["people"], 1_500);
}

/// `cargo xtask soak sealed`: 20 of 20.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: ten thousand people, twenty times"]
async fn soak_sealed_readings_of_ten_thousand_people_equal_the_ldaps_reading_twenty_times() {
    let mut town = Town::found(10_000, Binding::to_samba).await;
    town.compare().await;
    town.reach(town.sealed());
    for run in 1..=20 {
        let started = std::time::Instant::now();
        town.read_the_same().await;
        println!("run {run}: complete and equal, {} ms", started.elapsed().as_millis());
    }
    assert_eq!(town.status().await["people"], 10_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_happens_to_a_sealed_buffer_ends_the_reading_and_removes_nobody() {
    let mut town = Town::found(600, Binding::to_samba).await;
    let tamper = Tamper::start(town.samba.ldap()).await.unwrap();
    let through = |town: &Town| Binding {
        address: tamper.address().ip().to_string(),
        port: tamper.address().port(),
        ..town.sealed()
    };
    let binding = through(&town);
    // Short: a dropped buffer shows by its absence alone when no other follows it.
    town.customer.agent.configure(&AgentSetup { patience_seconds: 4, ..AgentSetup::new(binding) }).unwrap();
    town.read_the_same().await;
    let buffers = tamper.buffers();
    assert!(buffers > 5, "{buffers} buffers");
    for harm in HARMS {
        for at in [1, buffers / 3, buffers * 2 / 3] {
            tamper.harm(harm, at);
            let said = town.customer.sync_fails().await.unwrap();
            assert!(["RC-2309", "RC-2303", "RC-2109"].iter().any(|code| said.contains(code)), "{harm:?} {at}: {said}");
        }
    }
    tamper.harm(Harm::None, 0);
    town.read_the_same().await;
    town.compare().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn inside_tls_kerberos_signs_in_and_tls_protects() {
    let mut town = Town::found(100, Binding::to_samba).await;
    for (transport, port, used) in
        [("ldaps", 636, "Kerberos, LDAPS (636)"), ("starttls", 389, "Kerberos, StartTLS (389)")]
    {
        town.reach(Binding { transport: transport.into(), port, ..town.sealed() });
        town.read_the_same().await;
        assert_eq!(town.status().await["reached"]["used"], used);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_best_way_that_works_is_taken_and_shown() {
    let mut town = Town::found(50, Binding::to_samba).await;
    let with_password = Binding { transport: String::new(), ..Binding::to_samba(&town.samba) };
    let mut everything = Binding { kerberos: town.sealed().kerberos, ..with_password };

    town.reach(everything.clone());
    town.read_the_same().await;
    assert_eq!(town.status().await["reached"]["used"], "Kerberos, sealed (389)");

    // Without its key servers Kerberos does not work at all, and nobody refused the account.
    if let Some(kerberos) = &mut everything.kerberos {
        kerberos.config = town.samba.kerberos_config_without_servers().unwrap();
    }
    town.reach(everything);
    town.read_the_same().await;
    let status = town.status().await;
    assert_eq!(status["reached"]["used"], "password, LDAPS (636)", "{status}");
    assert!(status["reached"]["failed"][0].as_str().unwrap().starts_with("Kerberos, sealed (389): "), "{status}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_kerberos_is_told_apart() {
    let mut town = Town::found(50, |samba| Binding::sealed_to_samba(samba).unwrap()).await;
    let good = town.sealed();
    let with = |tickets: Tickets| {
        let mut binding = good.clone();
        if let Some(kerberos) = &mut binding.kerberos {
            kerberos.tickets = tickets;
        }
        binding
    };

    town.refused(with(Tickets::Cache("/nonexistent/tickets".into())), "RC-2210").await;
    let expiring = town.samba.ticket_cache("2s").unwrap();
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    town.refused(with(Tickets::Cache(expiring)), "RC-2211").await;
    let mut elsewhere = good.clone();
    if let Some(kerberos) = &mut elsewhere.kerberos {
        kerberos.config = town.samba.kerberos_config_without_servers().unwrap();
    }
    town.refused(elsewhere, "RC-2110").await;
    let other_name = Binding { host: "other.lab.example".into(), ..good.clone() };
    town.refused(other_name, "RC-2209").await;
    town.samba.change_password("Another-Reader-2!").unwrap();
    town.refused(good.clone(), "RC-2207").await;

    let alive = town.customer.picture().await.unwrap();
    assert_eq!(alive.active.len(), town.scope.people(&town.samba).unwrap().len(), "nobody was removed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_that_somebody_else_renews_is_enough() {
    let mut town = Town::found(50, Binding::to_samba).await;
    let mut binding = town.sealed();
    let cache = town.samba.ticket_cache("10h").unwrap();
    if let Some(kerberos) = &mut binding.kerberos {
        kerberos.tickets = Tickets::Cache(cache);
    }

    town.reach(binding);

    town.read_the_same().await;
}
