//! Who seems to have left and has not, and who has left and would not seem to.

use rollcall_agent::cycle::concern::Concern;
use rollcall_agent::cycle::{CycleError, Extent};
use rollcall_agent::directory::method::{Credentials, Method, Tls};
use rollcall_agent::directory::reader::Incomplete;
use rollcall_agent::spool::Spool;
use rollcall_lab::directory::{AccountState, When};
use rollcall_protocol::desired::{DesiredImport, Selection, SelectionKind};
use rollcall_protocol::evidence::{Evidence, Stance};
use uuid::Uuid;

use crate::departures::somebody;
use crate::site::Site;

// proves: R-3
#[tokio::test]
async fn who_is_back_under_a_place_that_is_renamed_at_this_moment_has_not_left() {
    let mut site = Site::synced(200, &["Staff/Berlin"]).await;
    let (berlin, sales) = (site.ou("Staff/Berlin"), site.ou("Staff/Berlin/Sales"));
    let ana = somebody(&site, 0).guid;
    site.directory.move_to(ana, site.ou("Contractors")).unwrap();
    site.directory.meanwhile(When::page(1).filtering("objectGUID"), move |forest| {
        let [berlin, sales, ana] = [berlin, sales, ana].map(|guid| forest.get_guid(guid).unwrap());
        forest.rename(berlin, "Hauptstadt").unwrap();
        forest.move_to(ana, sales).unwrap();
    });

    let error = site.sync().await.unwrap_err();
    let summary = site.sync().await.unwrap();

    assert!(matches!(error, CycleError::Incomplete(Incomplete::ChangedMeanwhile)), "{error:?}");
    assert_eq!(summary.counts.departed, 0);
    assert_eq!(site.seen(), site.expected());
}

/// As when Kerberos fails for ten minutes and the password of another account is tried.
// proves: R-3
#[tokio::test]
async fn who_is_not_seen_by_another_account_leaves_by_a_human_alone() {
    let mut site = Site::synced(200, &["Staff"]).await;
    let (hidden, moved) = (somebody(&site, 0).guid, somebody(&site, 1).guid);
    let lesser = site
        .directory
        .people()
        .into_iter()
        .find(|person| person.state == AccountState::Enabled && !site.seen().contains_key(&person.guid))
        .unwrap();
    site.directory.set_password(lesser.guid, "Other-1");
    let credentials = Credentials { user: lesser.dn.clone(), password: "Other-1".to_owned().into() };
    let port = site.directory.ldaps().port();
    let before = std::mem::replace(
        &mut site.access.methods,
        vec![Method::PasswordOverTls { tls: Tls::Ldaps, port, credentials }],
    );
    site.directory.hide_object(hidden);
    site.directory.move_to(moved, site.ou("Contractors")).unwrap();

    let first = site.sync().await.unwrap();
    assert!(matches!(site.evidence_for(moved), Some(Evidence::LeftScope { .. })));
    assert_eq!(first.counts.awaiting, 1);
    assert_eq!(site.cloud.stances(), [Stance::Apply]);
    assert!(first.concerns.contains(&Concern::OtherAccount { memberships: 1 }), "{:?}", first.concerns);
    let second = site.sync().await.unwrap();

    assert!(matches!(site.evidence_for(hidden), Some(Evidence::Absent { .. })));
    assert_eq!((site.cloud.stances(), second.counts.held), (vec![Stance::Held], 1));

    site.access.methods = before;
    site.directory.heal();
    site.sync().await.unwrap();
    assert!(site.seen().contains_key(&hidden));
}

/// The cloud knows of a membership that the lost spool has taken with it.
// proves: R-3
#[tokio::test]
async fn who_left_one_of_two_imports_while_the_spool_was_lost_leaves_it_when_asked_about() {
    let mut site = Site::new(200);
    site.select_ous(&["Staff"]);
    let berlin = Selection { guid: site.ou("Staff/Berlin"), kind: SelectionKind::Ou };
    let other = Uuid::from_u128(0x1002);
    let town = DesiredImport { import: other, include: vec![berlin], ..site.desired.imports[0].clone() };
    site.desired.imports.push(town);
    site.sync().await.unwrap();
    let ana = site.directory.people().into_iter().find(|person| person.containers.contains(&berlin.guid)).unwrap().guid;
    let ben =
        site.directory.people().into_iter().rfind(|person| person.containers.contains(&berlin.guid)).unwrap().guid;

    let elsewhere = tempfile::tempdir().unwrap();
    site.spool = Spool::open(elsewhere.path(), site.clock.now()).unwrap().0;
    let epoch = site.cloud.begin_epoch(1);
    site.spool.begin_epoch(epoch).unwrap();
    site.directory.move_to(ana, site.ou("Staff/Lisbon")).unwrap();
    site.sync().await.unwrap();
    assert!(site.cloud.departures.is_empty(), "nobody here knows that ana was in it");
    let first = site.sync_with(Extent::AsNeeded, &[ana, ben]).await.unwrap();
    assert_eq!((first.counts.awaiting, site.cloud.departures.len()), (1, 0), "two readings of this controller judge");
    site.sync_with(Extent::AsNeeded, &[ana, ben]).await.unwrap();

    let told: Vec<_> = site.cloud.departures.iter().map(|departure| (departure.guid, departure.import)).collect();
    assert_eq!(told, [(ana, other)]);
    assert!(matches!(site.evidence_for(ana), Some(Evidence::LeftScope { .. })), "{:?}", site.evidence_for(ana));
    let imports = |site: &Site, guid| site.seen_person(guid).unwrap().imports.len();
    assert_eq!((imports(&site, ana), imports(&site, ben)), (1, 2));
}
