//! An agent without a stored password reads a real Active Directory: sealed by Kerberos on the plain port, or inside
//! TLS. What it reads equals the LDAPS reading; whatever is wrong is told apart, and nobody is removed by it.

#![expect(clippy::unwrap_used, reason = "a test fails loudly")]

use rollcall_e2e::{Customer, SambaScope};
use rollcall_lab::samba::{Filling, Samba, SambaSetup};
use rollcall_lab::world::{AgentSetup, Binding, Cloud, CloudSetup};

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
        let setup = AgentSetup::new(binding(&samba));
        let customer = Customer::install(&cloud, "Alder & Finch", &setup).await.unwrap();
        customer.sync().await.unwrap();
        let ous = vec![samba.at("OU=Staff").unwrap()];
        customer.import("Staff", &[("ou", ous[0])], &[]).await.unwrap();
        customer.sync().await.unwrap();
        Self { samba, customer, scope: SambaScope { ous, groups: Vec::new() }, _cloud: cloud }
    }

    /// The cloud's picture equals what `ldapsearch` sees over LDAPS.
    async fn compare(&self) {
        let expected = self.scope.people(&self.samba).unwrap();
        let differences = self.customer.picture().await.unwrap().differences(&expected);
        assert_eq!(differences, Vec::<String>::new());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_with_a_keytab_and_no_password_reads_over_the_sealed_plain_port() {
    let town = Town::found(300, |samba| Binding::sealed_to_samba(samba).unwrap()).await;

    town.compare().await;
}
