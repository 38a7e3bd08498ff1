//! Who leaves, why, and who does not.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use rollcall_agent::cycle::Extent;
use rollcall_agent::spool::Spool;
use rollcall_lab::directory::{Attr, GroupKind, Person, Setup, Trouble, When, rules::DeletedObjects};
use rollcall_protocol::desired::{Pause, Selection, SelectionKind};
use rollcall_protocol::evidence::{Evidence, Stance};
use uuid::Uuid;

use crate::site::{IMPORT, Site};

pub fn somebody(site: &Site, index: usize) -> Person {
    let seen = site.seen();
    let (guid, _) = seen.iter().nth(index).unwrap();
    site.directory.person(*guid).unwrap()
}

#[tokio::test]
async fn somebody_who_moves_out_leaves_with_the_place_they_went_to() {
    let mut site = Site::synced(200, &["Staff"]).await;
    let ana = somebody(&site, 3);
    site.directory.move_to(ana.guid, site.ou("Contractors")).unwrap();

    site.sync().await.unwrap();

    let dn = site.directory.person(ana.guid).unwrap().dn;
    assert_eq!(site.evidence_for(ana.guid), Some(Evidence::LeftScope { dn }));
    assert_eq!(site.seen(), site.expected());
}

#[tokio::test]
async fn somebody_who_comes_back_is_the_same_person() {
    let mut site = Site::synced(200, &["Staff"]).await;
    let ana = somebody(&site, 3);
    let home = ana.containers[0];
    site.directory.move_to(ana.guid, site.ou("Contractors")).unwrap();
    site.sync().await.unwrap();
    site.directory.move_to(ana.guid, home).unwrap();

    site.sync().await.unwrap();

    assert!(site.seen().contains_key(&ana.guid));
    assert_eq!(site.seen(), site.expected());
}

#[tokio::test]
async fn a_deleted_person_leaves_only_after_two_readings_when_tombstones_are_hidden() {
    let mut site = Site::synced(200, &["Staff"]).await;
    let ana = somebody(&site, 5);
    site.directory.delete(ana.guid).unwrap();

    let first = site.sync().await.unwrap();
    assert_eq!((first.counts.departed, first.counts.awaiting), (0, 1));
    assert!(site.seen().contains_key(&ana.guid));
    let second = site.sync().await.unwrap();

    assert_eq!((second.counts.departed, second.counts.awaiting), (1, 0));
    assert!(matches!(site.evidence_for(ana.guid), Some(Evidence::Absent { .. })));
    assert_eq!(site.seen(), site.expected());
}

#[tokio::test]
async fn readings_that_follow_each_other_too_soon_count_as_one() {
    let mut site = Site::synced(200, &["Staff"]).await;
    site.second_reading_after = TimeDelta::minutes(5);
    site.directory.delete(somebody(&site, 5).guid).unwrap();
    site.sync().await.unwrap();

    let soon = site.sync().await.unwrap();
    site.pass(TimeDelta::minutes(4));
    let late = site.sync().await.unwrap();

    assert_eq!((soon.counts.departed, soon.counts.awaiting), (0, 1));
    assert_eq!((late.counts.departed, late.counts.awaiting), (1, 0));
}

#[tokio::test]
async fn a_deleted_person_leaves_at_once_when_the_tombstone_can_be_read() {
    let mut site = Site::synced(200, &["Staff"]).await;
    site.directory.set_deleted_objects(DeletedObjects::Readable);
    let ana = somebody(&site, 5);
    site.directory.delete(ana.guid).unwrap();

    site.sync().await.unwrap();

    assert_eq!(site.evidence_for(ana.guid), Some(Evidence::Deleted));
    assert_eq!(site.seen(), site.expected());
}

#[tokio::test]
async fn somebody_who_is_deleted_and_made_anew_is_another_person() {
    let mut site = Site::synced(200, &["Staff"]).await;
    site.directory.set_deleted_objects(DeletedObjects::Readable);
    let ana = somebody(&site, 5);
    let again = site.directory.recreate(ana.guid).unwrap();

    let summary = site.sync().await.unwrap();

    assert_ne!(again, ana.guid);
    assert_eq!((summary.counts.added, summary.counts.departed), (1, 1));
    assert_eq!(site.seen(), site.expected());
}

#[tokio::test]
async fn somebody_who_leaves_the_group_is_told_by_the_group() {
    let mut site = Site::new(200);
    let place = site.ou("Groups/Security");
    let group = site.directory.add_group(place, "Crew", GroupKind::GlobalSecurity).unwrap();
    let people: Vec<_> = site.directory.people().into_iter().filter(|person| person.mail.is_some()).take(30).collect();
    for person in &people {
        site.directory.join(person.guid, group).unwrap();
    }
    site.select_group(group);
    site.sync().await.unwrap();
    site.directory.leave(people[4].guid, group).unwrap();

    site.sync().await.unwrap();

    assert_eq!(site.evidence_for(people[4].guid), Some(Evidence::LeftGroup { group }));
    assert_eq!(site.seen(), site.expected());
}

#[tokio::test]
async fn too_many_at_once_go_out_held_and_changes_go_on() {
    let mut site = Site::synced(200, &["Staff"]).await;
    let members = site.seen().len();
    let leaving: Vec<_> = site.seen().into_keys().take(members / 10 + 1).collect();
    let contractors = site.ou("Contractors");
    for guid in &leaving {
        site.directory.move_to(*guid, contractors).unwrap();
    }
    let stays = somebody(&site, members - 1);
    site.directory.disable(stays.guid).unwrap();

    let summary = site.sync().await.unwrap();

    assert_eq!(summary.counts.held, leaving.len() as u64);
    assert!(site.cloud.stances().iter().all(|stance| *stance == Stance::Held));
    assert!(!site.seen_person(stays.guid).unwrap().status.enabled);
}

#[tokio::test]
async fn a_deselected_ou_lets_its_people_go() {
    let mut site = Site::synced(200, &["Staff", "Contractors"]).await;
    let contractors = site.ou("Contractors");
    let people = site.directory.people();
    let gone: Vec<_> = people.iter().filter(|person| person.containers.contains(&contractors)).collect();
    assert!(!gone.is_empty());
    site.select_ous(&["Staff"]);

    site.sync().await.unwrap();

    assert_eq!(site.cloud.departures.len(), gone.len());
    assert!(gone.iter().all(|person| site.evidence_for(person.guid) == Some(Evidence::Deselected)));
}

#[tokio::test]
async fn an_ou_replaced_by_its_parent_that_cannot_be_found_loses_nobody() {
    let mut site = Site::synced(200, &["Staff/Berlin"]).await;
    let before = site.seen();
    let gone = Selection { guid: Uuid::from_u128(0xdead), kind: SelectionKind::Ou };
    site.desired.imports[0].include = vec![gone];

    let summary = site.sync().await.unwrap();

    assert_eq!((summary.counts.departed, summary.counts.undecided as usize), (0, before.len()));
    assert_eq!(summary.counts.awaiting, 0, "another reading would say the same");
    assert_eq!(site.seen(), before);
}

#[tokio::test]
async fn somebody_who_moves_to_a_selection_that_cannot_be_found_stays() {
    let mut site = Site::synced(200, &["Staff"]).await;
    let ana = somebody(&site, 3);
    let gone = Selection { guid: Uuid::from_u128(0xdead), kind: SelectionKind::Ou };
    site.desired.imports[0].include.push(gone);
    site.directory.move_to(ana.guid, site.ou("Contractors")).unwrap();

    let summary = site.sync().await.unwrap();

    assert_eq!((summary.counts.departed, summary.counts.awaiting, summary.counts.undecided), (0, 0, 1));
    assert!(site.seen().contains_key(&ana.guid));
}

#[tokio::test]
async fn somebody_whom_another_domain_of_the_forest_has_now_stops_nobody_and_leaves_after_a_second_reading() {
    let mut site = Site::synced(200, &["Staff"]).await;
    let (ana, ben) = (somebody(&site, 3), somebody(&site, 4));
    site.directory.delete(ana.guid).unwrap();
    site.directory.trouble(When::single_read().asking(&ana.guid.to_string()), Trouble::Referral);
    site.directory.move_to(ben.guid, site.ou("Contractors")).unwrap();

    let first = site.sync().await.unwrap();
    assert_eq!((first.counts.departed, first.counts.awaiting), (1, 1));
    let second = site.sync().await.unwrap();

    assert_eq!((second.counts.departed, second.counts.awaiting), (1, 0));
    assert!(matches!(site.evidence_for(ana.guid), Some(Evidence::Absent { .. })));
    assert_eq!(site.seen(), site.expected());
}

#[tokio::test]
async fn somebody_missed_long_ago_and_seen_since_is_missed_anew() {
    let mut site = Site::synced(200, &["Staff"]).await;
    let ana = somebody(&site, 3);
    site.directory.hide_object(ana.guid);
    assert_eq!(site.sync().await.unwrap().counts.awaiting, 1);
    site.directory.heal();
    // Seen, and nobody can say whether she has left: she stays without being found.
    site.directory.deny(ana.guid, Attr::UserAccountControl);
    assert_eq!(site.sync().await.unwrap().counts.undecided, 1);
    site.directory.heal();
    site.directory.hide_object(ana.guid);

    let again = site.sync().await.unwrap();

    assert_eq!((again.counts.departed, again.counts.awaiting), (0, 1));
}

#[tokio::test]
async fn people_of_a_deselected_ou_are_looked_for_many_at_a_time() {
    let mut site = Site::synced(400, &["Staff", "Contractors"]).await;
    let before = site.seen().len();
    site.select_ous(&["Contractors"]);
    site.directory.reset_tally();

    let summary = site.sync().await.unwrap();

    let tally = site.directory.tally();
    assert!(summary.counts.departed > 200, "{summary:?}");
    assert!(tally.base_reads < 50, "{} reads for {} of {before} people", tally.base_reads, summary.counts.departed);
    assert!(site.cloud.departures.iter().all(|departure| departure.evidence == Evidence::Deselected));
}

#[tokio::test]
async fn a_question_about_people_stays_open_while_nobody_can_judge_them() {
    let mut site = Site::synced(100, &["Staff"]).await;
    let stranger = Uuid::from_u128(0xdead);
    site.desired.imports[0].pause = Some(Pause { until: None });

    let summary = site.sync_with(Extent::AsNeeded, &[stranger]).await.unwrap();

    assert_eq!((summary.counts.awaiting, summary.counts.undecided), (0, 1));
}

#[tokio::test]
async fn a_paused_import_changes_nothing_for_its_people() {
    let mut site = Site::synced(200, &["Staff"]).await;
    let before = site.seen();
    site.directory.move_to(somebody(&site, 3).guid, site.ou("Contractors")).unwrap();
    site.desired.imports[0].pause = Some(Pause { until: None });

    let summary = site.sync().await.unwrap();

    assert_eq!(summary.counts.departed, 0);
    assert_eq!(site.seen(), before);
}

#[tokio::test]
async fn case_15_a_controller_that_lags_behind_removes_nobody_until_it_agrees_twice() {
    let mut site = Site::new(150);
    let late = site.directory.second_controller("dc2", Setup::default()).unwrap();
    let place = site.ou("Staff");
    // Both controllers draw GUIDs from the same seed; these keep Ana's apart from those of dc2 itself.
    for name in ["a", "b", "c", "d"] {
        site.directory.add_ou(place, name).unwrap();
    }
    let new = rollcall_lab::directory::NewPerson::new("Ana", "Silva", "ana.silva", "ana@lab.example");
    let ana = site.directory.add_person(place, &new).unwrap();
    let gone = site.directory.people().into_iter().find(|person| person.containers.contains(&place)).unwrap();
    site.directory.move_to(gone.guid, site.ou("Contractors")).unwrap();
    site.select_ous(&["Staff"]);
    site.sync().await.unwrap();
    site.go_to(&late);

    let lagging = site.sync().await.unwrap();

    assert_eq!((lagging.counts.departed, lagging.counts.awaiting), (0, 1));
    assert!(site.seen().contains_key(&ana), "ana is missing on dc2 only because it lags");
    late.catch_up(&site.directory);
    site.sync().await.unwrap();
    assert_eq!(site.seen(), site.expected());
}

#[tokio::test]
async fn people_whom_only_the_cloud_knows_are_looked_up_on_request() {
    let mut site = Site::synced(200, &["Staff"]).await;
    let outside = site.directory.people().into_iter().find(|person| !site.seen().contains_key(&person.guid)).unwrap();
    let inside = somebody(&site, 1);
    let nobody = Uuid::from_u128(0xdead);

    let asked = [outside.guid, inside.guid, nobody];
    let first = site.sync_with(Extent::AsNeeded, &asked).await.unwrap();
    let told_at_once = site.cloud.departures.len();
    let second = site.sync_with(Extent::AsNeeded, &asked).await.unwrap();

    assert_eq!(told_at_once, 0, "this controller may lag behind the one that showed them");
    assert_eq!((first.counts.awaiting, second.counts.awaiting), (2, 0));
    assert!(matches!(site.evidence_for(nobody), Some(Evidence::Absent { .. })));
    let stances: BTreeMap<_, _> = site.cloud.departures.iter().map(|gone| (gone.guid, gone.stance)).collect();
    let expected = [(nobody, Stance::Held), (outside.guid, Stance::Apply)];
    assert_eq!(stances, expected.into(), "this agent never saw nobody, and may not be allowed to");
    assert!(site.cloud.departures.iter().all(|departure| departure.import == IMPORT));
    assert_eq!(site.seen(), site.expected());
}

/// Another agent takes over, and the controller it finds has not heard of a move that the cloud knows already.
#[tokio::test]
async fn who_was_moved_in_stays_when_an_agent_without_a_memory_reads_a_controller_that_lags() {
    let mut site = Site::new(150);
    let late = site.directory.second_controller("dc2", Setup::default()).unwrap();
    site.select_ous(&["Staff"]);
    let contractors = site.ou("Contractors");
    let ana = site.directory.people().into_iter().find(|person| person.containers.contains(&contractors)).unwrap().guid;
    site.directory.move_to(ana, site.ou("Staff/Berlin")).unwrap();
    site.sync().await.unwrap();
    assert!(site.seen().contains_key(&ana));

    let elsewhere = tempfile::tempdir().unwrap();
    site.spool = Spool::open(elsewhere.path(), site.clock.now()).unwrap().0;
    let epoch = site.cloud.begin_epoch(1);
    site.spool.begin_epoch(epoch).unwrap();
    site.go_to(&late);
    site.sync().await.unwrap();
    let looked = site.sync_with(Extent::AsNeeded, &[ana]).await.unwrap();

    assert_eq!((looked.counts.awaiting, site.cloud.departures.len()), (1, 0), "dc2 still has ana with the contractors");
    late.catch_up(&site.directory);
    site.sync_with(Extent::AsNeeded, &[ana]).await.unwrap();
    assert!(site.seen().contains_key(&ana) && site.cloud.departures.is_empty());
}

#[tokio::test]
async fn a_full_snapshot_on_request_sends_everybody_and_changes_nobody() {
    let mut site = Site::synced(200, &["Staff"]).await;

    site.sync_with(Extent::Everybody, &[]).await.unwrap();

    assert_eq!(site.seen(), site.expected());
}
