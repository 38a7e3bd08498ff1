//! A real Active Directory changes in every way an administrator changes one; after each sync the cloud equals it.

#![expect(clippy::unwrap_used, reason = "a test fails loudly")]

use rollcall_e2e::{Customer, SambaScope};
use rollcall_lab::samba::{Filling, Samba, SambaPerson, SambaSetup};
use rollcall_lab::world::{AgentSetup, Binding, Cloud, CloudSetup};
use serde_json::Value;
use uuid::Uuid;

fn newcomer(unit: &str, account: &str) -> SambaPerson {
    SambaPerson {
        path: vec!["Staff".into(), unit.into()],
        given_name: "Nora".into(),
        surname: format!("Novak {account}"),
        account_name: account.into(),
        mail: Some(format!("{account}@lab.example")),
        groups: Vec::new(),
    }
}

/// A domain, a customer, and the selection: two of three OUs, and a group that reaches into the third.
struct Town {
    samba: Samba,
    customer: Customer,
    scope: SambaScope,
    _cloud: Cloud,
}

impl Town {
    async fn found(people: usize) -> Self {
        let samba = Samba::start(&SambaSetup::default()).unwrap();
        samba.fill(&Filling::company(people, 7)).unwrap();
        let cloud = Cloud::start(&CloudSetup::default()).await.unwrap();
        let customer =
            Customer::install(&cloud, "Alder & Finch", &AgentSetup::new(Binding::to_samba(&samba))).await.unwrap();
        customer.sync().await.unwrap();
        let ous = vec![samba.at("OU=Sales,OU=Staff").unwrap(), samba.at("OU=Support,OU=Staff").unwrap()];
        let groups = vec![samba.account("VPN Users").unwrap()];
        let include: Vec<(&str, Uuid)> =
            ous.iter().map(|ou| ("ou", *ou)).chain(groups.iter().map(|group| ("group", *group))).collect();
        customer.import("Staff", &include, &[]).await.unwrap();
        Self { samba, customer, scope: SambaScope { ous, groups }, _cloud: cloud }
    }

    /// Syncs and compares everybody with what `ldapsearch` sees.
    async fn sync(&self, what: &str) -> Value {
        let run = self.customer.sync().await.unwrap();
        let differences = self.customer.picture().await.unwrap().differences(&self.scope.people(&self.samba).unwrap());
        assert_eq!(differences, Vec::<String>::new(), "after: {what}");
        run
    }

    async fn reason(&self, guid: Uuid) -> String {
        self.customer.picture().await.unwrap().departed.get(&guid).cloned().unwrap_or_default()
    }

    /// Somebody of this OU who is not held by the group as well.
    fn somebody(&self, unit: &str, number: usize) -> Uuid {
        let dn = format!("OU={unit},");
        let people = self.samba.people().unwrap();
        let mut plain = people.iter().filter(|person| {
            person.dn.contains(&dn) && !person.member_of.iter().any(|group| group.contains("VPN Users"))
        });
        plain.nth(number).unwrap().guid
    }
}

// proves, L-9, L-11, M-7, M-10, JobTraQ-2, JobTraQ-3, JobTraQ-4, JobTraQ-5, Quickpass-27, Truetask-7, R-1
#[tokio::test(flavor = "multi_thread")]
async fn every_change_an_administrator_makes_arrives_with_its_reason() {
    let town = Town::found(500).await;
    let samba = &town.samba;
    let first = town.sync("the first sync").await;
    assert_eq!(first["counts"]["added"].as_u64(), Some(town.scope.people(samba).unwrap().len() as u64));
    let quiet = town.sync("nothing").await;
    let changes = ["added", "updated", "departed", "held"].map(|count| quiet["counts"][count].as_u64());
    assert_eq!(changes, [Some(0); 4]);

    let nora = samba.add_person(&newcomer("Sales", "nora")).unwrap();
    town.sync("someone joins").await;
    let account = town.customer.picture().await.unwrap().ids[&nora].clone();

    samba.rename(nora, "Nora \"Countess\" #1, Novák-Łoś").unwrap();
    town.sync("someone is renamed").await;
    samba.move_to(nora, samba.at("OU=Support,OU=Staff").unwrap()).unwrap();
    town.sync("someone moves to another selected OU").await;
    assert_eq!(town.customer.picture().await.unwrap().ids[&nora], account, "a person is their objectGUID");

    samba.move_to(nora, samba.at("OU=Engineering,OU=Staff").unwrap()).unwrap();
    town.sync("someone moves out").await;
    assert_eq!(town.reason(nora).await, "left_scope");
    samba.move_to(nora, samba.at("OU=Sales,OU=Staff").unwrap()).unwrap();
    town.sync("they come back").await;
    assert_eq!(town.customer.picture().await.unwrap().ids[&nora], account, "the same account is reactivated");

    samba.disable(nora).unwrap();
    town.sync("someone is disabled").await;
    samba.enable(nora).unwrap();
    town.sync("someone is enabled").await;

    samba.delete(nora).unwrap();
    town.sync("someone is deleted").await;
    assert_eq!(town.reason(nora).await, "absent", "this account may not see the deleted objects");
    let twin = samba.add_person(&newcomer("Sales", "nora")).unwrap();
    town.sync("someone of the same name is made").await;
    assert_ne!(town.customer.picture().await.unwrap().ids[&twin], account, "a new objectGUID is a new person");
    let again = samba.recreate(twin).unwrap();
    town.sync("someone is deleted and made again between two syncs").await;
    assert_eq!(town.reason(twin).await, "absent");
    assert_ne!(again, twin);

    let engineer = town.somebody("Engineering", 3);
    samba.join(engineer, town.scope.groups[0]).unwrap();
    town.sync("someone joins the group").await;
    samba.leave(engineer, town.scope.groups[0]).unwrap();
    town.sync("someone leaves the group").await;
    assert_eq!(town.reason(engineer).await, "left_group");

    samba.rename(town.scope.ous[1], "Help, Desk").unwrap();
    samba.rename(samba.at("OU=Staff").unwrap(), "People + Places").unwrap();
    let renamed = town.sync("an OU and its parent are renamed").await;
    assert_eq!(renamed["counts"]["departed"].as_u64(), Some(0));

    let (left, right) = (town.somebody("Sales", 1), town.somebody("Sales", 2));
    samba.swap_mails(left, right).unwrap();
    let swapped = town.sync("two people swap their mail").await;
    assert_eq!((swapped["counts"]["added"].as_u64(), swapped["counts"]["updated"].as_u64()), (Some(0), Some(2)));

    let quiet_engineer = town.somebody("Engineering", 5);
    samba.join(quiet_engineer, town.scope.groups[0]).unwrap();
    samba.set_primary_group(quiet_engineer, town.scope.groups[0]).unwrap();
    town.sync("someone's primary group becomes the selected one").await;
    assert!(town.customer.picture().await.unwrap().active.contains_key(&quiet_engineer));

    samba.grant_deleted_objects().unwrap();
    samba.delete(again).unwrap();
    town.sync("someone is deleted and the tombstone can be read").await;
    assert_eq!(town.reason(again).await, "deleted");

    assert_eq!(samba.remote_changes(), Vec::<String>::new(), "the directory saw a write");
}
