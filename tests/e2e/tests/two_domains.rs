//! A customer with two domains has two agents: each reads its own domain and can read no other, and both fill one list.

#![expect(clippy::unwrap_used, reason = "a test fails loudly")]

use rollcall_e2e::{Customer, ScriptedScope};
use rollcall_lab::directory::{Directory, Plan, Setup};
use rollcall_lab::world::{AgentSetup, Binding, Cloud, CloudSetup};
use std::collections::BTreeMap;
use std::path::Path;
use uuid::Uuid;

fn setup(directory: &Directory, folder: &Path) -> AgentSetup {
    let ca_file = folder.join(format!("{}.pem", directory.host_name()));
    AgentSetup::new(Binding::to_directory(directory, &ca_file).unwrap())
}

fn scope(directory: &Directory) -> ScriptedScope {
    ScriptedScope { ous: vec![directory.at("OU=Staff").unwrap()], groups: Vec::new() }
}

/// The id of the directory of this name.
async fn directory_named(customer: &Customer, name: &str) -> String {
    let found = customer.api.list(&format!("/customers/{}/directories", customer.id)).await.unwrap();
    let found = found.iter().find(|directory| directory["dns_name"].as_str() == Some(name)).unwrap();
    found["id"].as_str().unwrap().to_owned()
}

// proves: Issuetrak-11
#[tokio::test(flavor = "multi_thread")]
async fn two_agents_bring_two_domains_of_one_customer_and_neither_reads_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let west = Directory::start(&Plan::new(60, 2).named("west.example"), Setup::default()).unwrap();
    let east = Directory::start(&Plan::new(80, 3).named("east.example"), Setup::default()).unwrap();
    let cloud = Cloud::start(&CloudSetup::default()).await.unwrap();
    let first = Customer::install(&cloud, "Two Towns", &setup(&west, folder.path())).await.unwrap();
    let second = first.join(&setup(&east, folder.path())).await.unwrap();
    first.sync().await.unwrap();
    second.sync().await.unwrap();
    for (customer, directory, name) in [(&first, &west, "west.example"), (&second, &east, "east.example")] {
        let id = directory_named(customer, name).await;
        let include: Vec<(&str, Uuid)> = scope(directory).ous.iter().map(|ou| ("ou", *ou)).collect();
        customer.import_of(&id, name, &include, &[]).await.unwrap();
    }

    first.sync().await.unwrap();
    second.sync().await.unwrap();

    let mut expected: BTreeMap<_, _> = scope(&west).people(&west);
    expected.extend(scope(&east).people(&east));
    let picture = first.picture().await.unwrap();
    assert_eq!(picture.differences(&expected), Vec::<String>::new());
    assert!(picture.departed.is_empty());

    // Another domain under the known name: nothing is read and nobody leaves.
    west.become_other_domain();
    assert!(first.sync_fails().await.unwrap().contains("RC-2302"));
    assert_eq!(first.picture().await.unwrap().active.len(), picture.active.len());
}
