//! What a reading finds and how it is sent.

use rollcall_agent::cycle::{Extent, Purpose};
use rollcall_agent::directory::method::Tls;
use rollcall_lab::directory::{GroupKind, NewPerson};
use rollcall_protocol::batch::CycleKind;
use rollcall_protocol::structure::Blocked;

use crate::site::Site;

#[tokio::test]
async fn the_first_reading_sends_everybody_in_scope_and_nobody_else() {
    let mut site = Site::new(300);
    site.select_ous(&["Staff", "Contractors"]);

    let summary = site.sync().await.unwrap();

    assert_eq!(site.seen(), site.expected());
    assert!(summary.people > 100, "{summary:?}");
    assert_eq!(summary.kind, CycleKind::Full);
}

#[tokio::test]
async fn start_tls_reads_the_same_as_ldaps() {
    let mut site = Site::new(100);
    site.select_ous(&["Staff"]);
    let password = site.directory.password().to_owned();
    site.reach(Tls::StartTls, site.directory.ldap().port(), &password);

    site.sync().await.unwrap();

    assert_eq!(site.seen(), site.expected());
}

#[tokio::test]
async fn an_agent_without_an_import_still_shows_the_directory() {
    let mut site = Site::new(50);

    let summary = site.sync().await.unwrap();

    assert_eq!(summary.people, 0);
    assert!(summary.people_in_domain >= 50);
    let staff = site.ou("Staff");
    assert!(site.cloud.ous.iter().any(|unit| unit.guid == staff));
}

#[tokio::test]
async fn a_reading_without_changes_sends_only_count_and_digest() {
    let mut site = Site::synced(300, &["Staff"]).await;

    let summary = site.sync().await.unwrap();

    assert_eq!((summary.counts.added, summary.counts.changed), (0, 0));
    assert_eq!(summary.kind, CycleKind::Delta);
    assert!(summary.bytes < 100, "{summary:?}");
    assert_eq!(site.seen(), site.expected());
}

#[tokio::test]
async fn case_03_pages_that_the_server_clamps_are_all_read() {
    let mut site = Site::new(300);
    site.select_ous(&["Staff"]);
    site.directory.clamp_pages(100);

    site.sync().await.unwrap();

    assert_eq!(site.seen(), site.expected());
}

// proves: L-8
#[tokio::test]
async fn case_04_groups_of_every_size_around_the_range_limit_are_read_whole() {
    for size in [1_499, 1_500, 1_501, 4_501] {
        let mut site = Site::new(5_000);
        let place = site.ou("Groups/Security");
        let group = site.directory.add_group(place, "Everybody here", GroupKind::GlobalSecurity).unwrap();
        let ordinary =
            |person: &rollcall_lab::directory::Person| person.standing == rollcall_lab::directory::Standing::Ordinary;
        let people: Vec<_> = site.directory.people().into_iter().filter(ordinary).take(size).collect();
        for person in &people {
            site.directory.join(person.guid, group).unwrap();
        }
        site.select_group(group);

        site.sync().await.unwrap();

        assert_eq!(site.seen().len(), size);
        assert_eq!(site.seen(), site.expected());
        let listed = site.cloud.groups.iter().find(|listed| listed.guid == group).unwrap();
        assert_eq!((listed.people as usize, listed.others, listed.blocked), (size, 0, None));
    }
}

#[tokio::test]
async fn somebody_whose_primary_group_is_selected_is_in_scope() {
    let mut site = Site::new(80);
    let place = site.ou("Groups/Security");
    let group = site.directory.add_group(place, "Crew", GroupKind::GlobalSecurity).unwrap();
    let ana = site.directory.people().into_iter().find(|person| person.mail.is_some()).unwrap();
    site.directory.join(ana.guid, group).unwrap();
    site.directory.set_primary_group(ana.guid, group).unwrap();
    site.select_group(group);

    site.sync().await.unwrap();

    assert_eq!(site.seen(), site.expected());
    assert!(site.seen().contains_key(&ana.guid));
}

#[tokio::test]
async fn a_person_in_two_selections_is_sent_once_with_both_reasons() {
    let mut site = Site::new(80);
    site.select_ous(&["Staff", "Staff/Berlin"]);

    site.sync().await.unwrap();

    let berlin = site.ou("Staff/Berlin");
    let in_berlin = site.directory.people().into_iter().find(|person| person.containers.contains(&berlin)).unwrap();
    assert_eq!(site.seen_person(in_berlin.guid).unwrap().imports[0].via.len(), 2);
    assert_eq!(site.seen(), site.expected());
}

#[tokio::test]
async fn an_excluded_ou_is_out_with_everything_below() {
    let mut site = Site::new(120);
    site.select_ous(&["Staff"]);
    let berlin = site.ou("Staff/Berlin");
    site.desired.imports[0].exclude = vec![berlin];

    site.sync().await.unwrap();

    let mut expected = site.expected();
    for person in site.directory.people() {
        if person.containers.contains(&berlin) {
            expected.remove(&person.guid);
        }
    }
    assert_eq!(site.seen(), expected);
}

#[tokio::test]
async fn a_renamed_ou_is_followed_and_nobody_leaves() {
    let mut site = Site::synced(120, &["Staff/Berlin"]).await;
    let before = site.seen().len();
    site.directory.rename(site.ou("Staff/Berlin"), "Hauptstadt, Süd & #2").unwrap();
    site.directory.rename(site.ou("Staff"), "People").unwrap();

    let summary = site.sync().await.unwrap();

    assert_eq!((summary.counts.departed, summary.counts.awaiting), (0, 0));
    assert_eq!(summary.counts.changed, before as u64);
    assert_eq!(site.seen(), site.expected());
}

#[tokio::test]
async fn a_selected_ou_that_is_gone_keeps_its_people_and_is_reported() {
    let mut site = Site::new(120);
    let place = site.ou("Staff");
    let ou = site.directory.add_ou(place, "Pop-up").unwrap();
    let ana = NewPerson::new("Ana", "Silva", "ana.silva", "ana@lab.example");
    let ana = site.directory.add_person(ou, &ana).unwrap();
    site.select_ous(&["Staff/Pop-up", "Contractors"]);
    site.sync().await.unwrap();
    site.directory.delete_tree(ou).unwrap();

    let summary = site.sync().await.unwrap();

    assert_eq!(summary.unavailable, vec![ou]);
    assert!(site.seen().contains_key(&ana));
    assert_eq!(summary.counts.departed, 0);
}

#[tokio::test]
async fn default_groups_are_blocked_and_custom_ones_are_not() {
    let mut site = Site::new(60);

    site.sync().await.unwrap();

    for reason in [Blocked::Builtin, Blocked::DefaultGroup, Blocked::UsersContainer, Blocked::Distribution] {
        let listed: Vec<_> = site.cloud.groups.iter().map(|group| (&group.name, group.blocked)).collect();
        assert!(listed.iter().any(|(_, blocked)| *blocked == Some(reason)), "{reason:?} of {listed:?}");
    }
    let custom = site.cloud.groups.iter().filter(|group| group.blocked.is_none());
    assert!(custom.count() > 3);
}

#[tokio::test]
async fn a_dry_run_decides_everything_and_leaves_nothing() {
    let mut site = Site::new(60);
    site.select_ous(&["Staff"]);

    let summary = site.cycle(Extent::AsNeeded, &[], Purpose::DryRun).await.unwrap();

    assert!(summary.counts.added > 0);
    assert_eq!(site.spool.waiting().unwrap().batches, 0);
    assert_eq!(site.spool.count_people().unwrap(), 0);
}

#[tokio::test]
async fn the_directory_sees_reads_alone() {
    let site = Site::synced(100, &["Staff"]).await;

    let tally = site.directory.tally();

    assert_eq!(tally.writes, 0, "{tally:?}");
}
