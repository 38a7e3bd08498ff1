//! Selections that must not be read: each is refused with its code, and nobody leaves because of it.

use rollcall_agent::cycle::concern::Concern;
use rollcall_agent::diagnostic::Diagnostic;
use rollcall_lab::directory::{GroupKind, NewPerson, Trouble, When};
use rollcall_protocol::desired::{Selection, SelectionKind};
use uuid::Uuid;

use crate::site::Site;

/// Adds a selection to a site that is in order, and checks that it is refused and changes nothing.
async fn refused(select: impl FnOnce(&Site) -> Selection, concern: Concern, code: &str) {
    let mut site = Site::synced(100, &["Staff"]).await;
    let before = site.seen();
    let selected = select(&site);
    site.desired.imports[0].include.push(selected);

    let summary = site.sync().await.unwrap();

    assert_eq!((&summary.concerns, &summary.unavailable), (&vec![concern], &vec![selected.guid]));
    assert_eq!(Diagnostic::from(&summary.concerns[0]).fault.code, code);
    assert_eq!((summary.counts.added, summary.counts.departed), (0, 0));
    assert_eq!(site.seen(), before);
}

fn ou(guid: Uuid) -> Selection {
    Selection { guid, kind: SelectionKind::Ou }
}

fn group(guid: Uuid) -> Selection {
    Selection { guid, kind: SelectionKind::Group }
}

#[tokio::test]
async fn a_guid_that_nobody_knows_is_refused() {
    let unknown = Uuid::from_u128(0xdead);
    refused(|_| ou(unknown), Concern::SelectionGone { objects: 1 }, "RC-4002").await;
}

#[tokio::test]
async fn a_guid_of_another_domain_of_the_forest_is_refused() {
    let elsewhere = |site: &Site| {
        // A controller answers with a referral where it knows who has the object.
        let guid = site.ou("Contractors");
        site.directory.trouble(When::single_read().asking(&guid.to_string()), Trouble::Referral);
        ou(guid)
    };
    refused(elsewhere, Concern::SelectionElsewhere { objects: 1 }, "RC-2301").await;
}

#[tokio::test]
async fn an_object_of_the_configuration_is_refused() {
    let sites = |site: &Site| ou(site.directory.read(|forest| forest.entry(forest.landmarks.configuration).guid));
    refused(sites, Concern::SelectionElsewhere { objects: 1 }, "RC-2301").await;
}

#[tokio::test]
async fn windows_own_groups_are_refused_even_when_the_cloud_asks_for_them() {
    for name in ["Domain Admins", "Administrators", "Users Container Club"] {
        let own = |site: &Site| group(site.directory.account(name).unwrap());
        refused(own, Concern::NotSelectable { objects: 1 }, "RC-4013").await;
    }
}

#[tokio::test]
async fn an_object_of_another_kind_than_was_said_is_refused() {
    let group_as_ou = |site: &Site| ou(site.directory.account("VPN Users").unwrap());
    let ou_as_group = |site: &Site| group(site.ou("Contractors"));
    refused(group_as_ou, Concern::NotSelectable { objects: 1 }, "RC-4013").await;
    refused(ou_as_group, Concern::NotSelectable { objects: 1 }, "RC-4013").await;
}

#[tokio::test]
async fn names_that_try_to_break_out_of_a_filter_or_a_base_select_what_they_name() {
    let mut site = Site::new(60);
    let odd = ["*)(objectClass=*", "a\\2a)(|(cn=*", "x,DC=evil", "#1 \"best\" + <GUID=0>;", "\u{202e}漢字"];
    for (number, name) in odd.into_iter().enumerate() {
        let place = site.directory.add_ou(site.ou("Contractors"), name).unwrap();
        let account = format!("odd{number}");
        let person = NewPerson::new(name, "Odd", &account, "odd@lab.example");
        let person = site.directory.add_person(place, &person).unwrap();
        let crew = site.directory.add_group(place, name, GroupKind::GlobalSecurity).unwrap();
        site.directory.join(person, crew).unwrap();
        for selected in [ou(place), group(crew)] {
            site.desired.imports[0].include = vec![selected];
            site.desired.imports[0].import = Uuid::from_u128(0x2000 + number as u128);

            site.sync().await.unwrap();

            let seen = site.seen_person(person).unwrap();
            assert_eq!(
                (seen.account_name, seen.imports[0].via.clone()),
                (account.clone(), vec![selected.guid]),
                "{name}"
            );
            assert_eq!(site.seen(), site.expected(), "{name}");
        }
    }
}
