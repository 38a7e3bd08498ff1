//! What the customer's own file keeps back stays back, whatever the cloud wants.

use rollcall_agent::cycle::{CycleError, Extent};
use rollcall_agent::directory::ceiling::NeverRead;
use rollcall_agent::directory::people::AttributeList;
use rollcall_lab::directory::{GroupKind, Trouble, When};
use rollcall_protocol::evidence::{Evidence, LOCAL_CEILING, Stance};
use rollcall_protocol::structure::Blocked;
use uuid::Uuid;

use crate::site::Site;

fn bar(site: &mut Site, places: &[String]) {
    site.access.never_read = NeverRead::parse(places).unwrap();
}

fn dn_of(site: &Site, path: &str) -> String {
    let guid = site.ou(path);
    site.directory.organizational_units().into_iter().find(|ou| ou.guid == guid).unwrap().dn
}

fn people_in(site: &Site, ou: Uuid) -> Vec<Uuid> {
    let people = site.directory.people().into_iter();
    let people = people.filter(|person| person.standing == rollcall_lab::directory::Standing::Ordinary);
    people.filter(|person| person.containers.contains(&ou)).map(|person| person.guid).collect()
}

/// An OU below `Staff` with some people in it.
fn branch(site: &Site) -> (String, Uuid) {
    let staff = site.ou("Staff");
    let inside = site.directory.organizational_units().into_iter().filter(|ou| ou.dn.ends_with(&dn_of(site, "Staff")));
    let named = inside.filter(|ou| ou.guid != staff && (4..40).contains(&people_in(site, ou.guid).len()));
    let place = named.min_by_key(|ou| ou.dn.len()).unwrap();
    (place.dn, place.guid)
}

// proves: N-7
#[tokio::test]
async fn people_in_a_place_that_is_never_read_do_not_leave_the_network_and_are_counted() {
    let mut site = Site::new(300);
    site.select_ous(&["Staff"]);
    let (place, guid) = branch(&site);
    let hidden = people_in(&site, guid);
    bar(&mut site, std::slice::from_ref(&place));

    let summary = site.sync().await.unwrap();

    assert!(hidden.iter().all(|person| !site.cloud.people.contains_key(person)));
    assert_eq!(site.seen().len(), site.expected().len() - hidden.len());
    assert_eq!(summary.ceiling.people_left_out, Some(hidden.len() as u64));
    assert_eq!(summary.ceiling.never_read[0].guid, Some(guid));
    let listed = site.cloud.ous.iter().find(|ou| ou.guid == guid).unwrap();
    assert_eq!((listed.blocked, listed.people), (Some(Blocked::LocalCeiling), 0));
    let below = format!(",{place}");
    assert!(site.cloud.ous.iter().all(|ou| !ou.dn.ends_with(&below)), "nothing below it is listed");
    assert!(site.cloud.groups.iter().all(|group| !group.dn.ends_with(&below)), "no group in it is listed");
}

// proves: N-7
#[tokio::test]
async fn choosing_a_place_that_is_never_read_brings_nobody() {
    let mut site = Site::new(300);
    let (_, guid) = branch(&site);
    site.desired.imports[0].include =
        vec![rollcall_protocol::desired::Selection { guid, kind: rollcall_protocol::desired::SelectionKind::Ou }];
    bar(&mut site, &[guid.to_string()]);

    let summary = site.sync().await.unwrap();

    assert_eq!((summary.people, site.seen().len()), (0, 0));
}

// proves: N-7
#[tokio::test]
async fn few_who_come_under_the_ceiling_leave_with_that_reason_and_many_are_held() {
    let mut site = Site::synced(300, &["Staff"]).await;
    let quiet = site.directory.add_ou(site.ou("Staff"), "Quiet").unwrap();
    let moved: Vec<Uuid> = site.seen().into_keys().take(2).collect();
    for person in &moved {
        site.directory.move_to(*person, quiet).unwrap();
    }
    bar(&mut site, &[quiet.to_string()]);

    site.sync().await.unwrap();

    let by = || Evidence::Excluded { by: LOCAL_CEILING.into() };
    assert!(moved.iter().all(|person| !site.seen().contains_key(person)));
    assert!(site.cloud.departures.iter().all(|departure| departure.evidence == by()));
    assert_eq!(site.cloud.stances(), [Stance::Apply; 2]);

    let everybody = dn_of(&site, "Staff");
    bar(&mut site, &[everybody]);
    let count = site.seen().len();
    let summary = site.sync().await.unwrap();

    assert_eq!((summary.counts.departed, summary.counts.held), (count as u64, count as u64));
    assert!(site.cloud.departures.iter().all(|departure| departure.evidence == by()));
}

// proves: N-7
#[tokio::test]
async fn while_a_place_of_the_ceiling_is_not_there_nobody_joins_and_nobody_leaves() {
    let mut site = Site::synced(300, &["Staff"]).await;
    let before = site.seen();
    let (place, guid) = branch(&site);
    bar(&mut site, &[place]);
    site.directory.rename(guid, "Renamed").unwrap();

    let summary = site.sync().await.unwrap();

    assert_eq!(site.seen(), before);
    assert_eq!(summary.ceiling.never_read[0].guid, None);

    bar(&mut site, &[guid.to_string()]);
    site.sync().await.unwrap();
    assert!(
        people_in(&site, guid)
            .iter()
            .any(|person| !site.seen().contains_key(person) || site.cloud.stances().contains(&Stance::Held))
    );
}

// proves: N-7
#[tokio::test]
async fn while_a_place_of_the_ceiling_is_not_there_nothing_is_told_of_what_may_lie_in_it() {
    let mut site = Site::new(300);
    site.select_ous(&["Staff"]);
    let (place, guid) = branch(&site);
    let inside = site.directory.add_ou(guid, "Inner circle").unwrap();
    site.directory.add_group(inside, "Board only", GroupKind::GlobalSecurity).unwrap();
    bar(&mut site, std::slice::from_ref(&place));
    site.directory.rename(guid, "Renamed").unwrap();

    site.sync().await.unwrap();
    site.sync_with(Extent::Everybody, &[]).await.unwrap();

    assert!(site.cloud.ous.is_empty() && site.cloud.groups.is_empty());

    bar(&mut site, &[guid.to_string()]);
    site.sync().await.unwrap();
    let names: Vec<_> = site.cloud.ous.iter().map(|ou| &ou.name).collect();
    assert!(
        names.iter().any(|name| *name == "Staff") && !names.iter().any(|name| *name == "Inner circle"),
        "{names:?}"
    );
}

// proves: N-7
#[tokio::test]
async fn a_manager_who_is_never_read_is_not_named_in_the_records_of_others() {
    let mut site = Site::synced(300, &["Staff"]).await;
    let (place, guid) = branch(&site);
    let chief = people_in(&site, guid)[0];
    let others: Vec<Uuid> = site.seen().into_keys().filter(|person| !people_in(&site, guid).contains(person)).collect();
    site.directory
        .change(|forest| {
            let chief = forest.get_guid(chief)?;
            for person in &others {
                let person = forest.get_guid(*person)?;
                forest.set_manager(person, Some(chief));
            }
            Ok(())
        })
        .unwrap();
    site.sync().await.unwrap();
    let named = |site: &Site| others.iter().filter(|person| site.cloud.people[person].contains(&place)).count();
    assert_eq!(named(&site), others.len());
    bar(&mut site, std::slice::from_ref(&place));

    let summary = site.sync().await.unwrap();

    assert_eq!(named(&site), 0, "not even as a value that vanished from many");
    assert!(summary.concerns.is_empty(), "{summary:?}");
}

// proves: N-7
#[tokio::test]
async fn a_place_named_by_its_guid_is_kept_back_wherever_it_moves() {
    let mut site = Site::new(300);
    site.select_ous(&["Staff"]);
    let (_, guid) = branch(&site);
    bar(&mut site, &[format!("{{{guid}}}")]);
    site.directory.rename(guid, "Renamed").unwrap();

    site.sync().await.unwrap();

    assert!(people_in(&site, guid).iter().all(|person| !site.cloud.people.contains_key(person)));
    assert!(!people_in(&site, guid).is_empty());
}

// proves: N-7
#[tokio::test]
async fn an_attribute_that_is_withheld_is_not_even_asked_for() -> Result<(), CycleError> {
    let mut site = Site::new(120);
    site.select_ous(&["Staff"]);
    site.access.attributes = AttributeList::without(&["mail".into(), "mobile".into()]).unwrap();

    let summary = site.sync().await?;

    let asked = site.directory.tally().attributes;
    assert!(asked.contains("givenname") && !asked.contains("mail") && !asked.contains("mobile"), "{asked:?}");
    assert_eq!(summary.ceiling.withheld, ["mail", "mobile"]);
    let told = site.cloud.people.values().all(|json| !json.contains("\"mail\"") && !json.contains("\"mobile\""));
    assert!(told);
    Ok(())
}

// proves: N-7
#[tokio::test]
async fn a_place_that_went_to_another_domain_is_one_that_is_not_there() {
    let mut site = Site::synced(100, &["Staff"]).await;
    let before = site.seen();
    let gone = Uuid::from_u128(0xdead);
    bar(&mut site, &[gone.to_string()]);
    site.directory.trouble(When::single_read().asking(&gone.to_string()), Trouble::Referral);

    let summary = site.sync().await.unwrap();

    assert_eq!((site.seen(), summary.ceiling.never_read[0].guid), (before, None));
}
