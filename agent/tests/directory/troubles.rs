//! What goes wrong in the directory ends the reading in bounded time, with a reason, and removes nobody.

use std::time::{Duration, Instant};

use rollcall_agent::cycle::CycleError;
use rollcall_agent::diagnostic::Diagnostic;
use rollcall_lab::directory::{Attr, Code, Fault, GroupKind, Person, Trouble, When};
use rollcall_protocol::desired::{Selection, SelectionKind};

use crate::site::Site;

/// Runs one cycle under a trouble and checks that nothing came of it but a reason.
async fn fails_with(trouble: impl FnOnce(&Site), codes: &str) {
    let mut site = Site::synced(1_200, &["Staff", "Contractors"]).await;
    let before = site.seen();
    trouble(&site);
    let started = Instant::now();

    let error: CycleError = site.sync().await.unwrap_err();

    assert!(started.elapsed() < Duration::from_secs(15), "took {:?}", started.elapsed());
    let code = Diagnostic::from(&error).fault.code;
    assert!(codes.contains(code), "{code}: {error:?}");
    assert_eq!(site.spool.waiting().unwrap().batches, 0);
    site.directory.heal();
    let healed = site.sync().await.unwrap();
    assert_eq!((healed.counts.departed, healed.counts.awaiting), (0, 0));
    assert_eq!(site.seen(), before);
}

fn in_page_two(trouble: Trouble) -> impl FnOnce(&Site) {
    move |site| site.directory.trouble(When::page(2).asking("805306368"), trouble)
}

#[tokio::test]
async fn case_01_a_connection_cut_in_page_two_of_three_removes_nobody() {
    fails_with(in_page_two(Trouble::Cut), "RC-2303").await;
    fails_with(in_page_two(Trouble::Close), "RC-2303").await;
}

#[tokio::test]
async fn case_02_a_later_page_that_ends_with_another_result_removes_nobody() {
    let limits = [Code::SIZE_LIMIT, Code::ADMIN_LIMIT, Code::CRITICAL_EXTENSION, Code::BUSY];
    for code in limits {
        fails_with(in_page_two(Trouble::Result(code)), "RC-2303").await;
    }
}

#[tokio::test]
async fn a_server_that_stalls_in_the_middle_of_a_page() {
    fails_with(in_page_two(Trouble::Stall), "RC-2303").await;
}

#[tokio::test]
async fn case_30_two_hundred_thousand_nested_sequences_do_no_harm() {
    fails_with(in_page_two(Trouble::NestedSequences(200_000)), "RC-2308").await;
}

#[tokio::test]
async fn case_30_an_entry_with_wrong_inner_lengths_does_no_harm() {
    fails_with(in_page_two(Trouble::MalformedEntry), "RC-2308").await;
}

#[tokio::test]
async fn a_message_that_announces_two_gigabytes() {
    fails_with(in_page_two(Trouble::OversizeLength), "RC-2308").await;
}

#[tokio::test]
async fn case_30_a_notice_of_disconnection_in_the_middle_of_a_page_does_no_harm() {
    fails_with(in_page_two(Trouble::Notice), "RC-2303").await;
}

#[tokio::test]
async fn case_20_a_referral_is_an_error_and_no_empty_scope() {
    fails_with(in_page_two(Trouble::Referral), "RC-2301").await;
}

#[tokio::test]
async fn case_30_a_server_that_trickles_is_left_in_time() {
    fails_with(|site| site.directory.fault(Fault::Drip { bytes_per_second: 20 }), "RC-2109 or RC-2303").await;
}

#[tokio::test]
async fn a_second_look_that_fails_is_no_evidence() {
    let mut site = Site::synced(300, &["Staff"]).await;
    let guid = *site.seen().keys().next().unwrap();
    site.directory.delete(guid).unwrap();
    site.directory.trouble(When::single_read(), Trouble::Result(Code::BUSY));

    let error = site.sync().await.unwrap_err();

    assert!(matches!(error, CycleError::NotOurs(_) | CycleError::Incomplete(_)), "{error:?}");
    assert!(site.seen().contains_key(&guid));
}

#[tokio::test]
async fn case_07_a_group_whose_members_can_no_longer_be_seen_loses_nobody() {
    let mut site = Site::new(400);
    let place = site.ou("Groups/Security");
    let group = site.directory.add_group(place, "Crew", GroupKind::GlobalSecurity).unwrap();
    let people: Vec<_> = site.directory.people().into_iter().filter(|person| person.mail.is_some()).take(200).collect();
    for person in &people {
        site.directory.join(person.guid, group).unwrap();
    }
    site.select_group(group);
    site.sync().await.unwrap();
    site.directory.hide(Attr::MemberOf, 100);

    let error = site.sync().await.unwrap_err();

    assert_eq!(Diagnostic::from(&error).fault.code, "RC-2307");
    assert_eq!(site.seen().len(), 200);
}

#[tokio::test]
async fn half_of_a_group_that_can_no_longer_be_seen_loses_nobody() {
    let mut site = Site::new(300);
    let place = site.ou("Groups/Security");
    let group = site.directory.add_group(place, "Crew", GroupKind::GlobalSecurity).unwrap();
    let people: Vec<_> = site.directory.people().into_iter().filter(|person| person.mail.is_some()).take(50).collect();
    for person in &people {
        site.directory.join(person.guid, group).unwrap();
    }
    site.select_group(group);
    site.sync().await.unwrap();
    site.directory.hide(Attr::MemberOf, 50);

    let error = site.sync().await.unwrap_err();

    assert_eq!(Diagnostic::from(&error).fault.code, "RC-2307");
    assert_eq!(site.seen().len(), 50);
}

/// Fifty people of `Staff` who have joined a group since the last reading; both are selected.
async fn held_by_ou_and_group() -> (Site, Vec<Person>) {
    let mut site = Site::new(300);
    let place = site.ou("Groups/Security");
    let group = site.directory.add_group(place, "Crew", GroupKind::GlobalSecurity).unwrap();
    site.select_ous(&["Staff"]);
    let staff = site.expected();
    let people = site.directory.people().into_iter().filter(|person| staff.contains_key(&person.guid));
    let people: Vec<_> = people.take(50).collect();
    site.desired.imports[0].include.push(Selection { guid: group, kind: SelectionKind::Group });
    site.sync().await.unwrap();
    for person in &people {
        site.directory.join(person.guid, group).unwrap();
    }
    (site, people)
}

#[tokio::test]
async fn people_who_leave_the_ou_and_are_still_in_a_group_that_cannot_be_seen_stay() {
    let (mut site, people) = held_by_ou_and_group().await;
    let before = site.seen();
    // Namesakes of somebody who is there already cannot move.
    let moved = people.iter().filter(|person| site.directory.move_to(person.guid, site.ou("Contractors")).is_ok());
    assert!(moved.count() > 40);
    site.directory.hide(Attr::MemberOf, 50);

    let error = site.sync().await.unwrap_err();

    assert_eq!(Diagnostic::from(&error).fault.code, "RC-2307");
    assert_eq!(site.seen(), before);
}

#[tokio::test]
async fn people_of_a_deselected_ou_who_are_still_in_a_group_that_cannot_be_seen_stay() {
    let (mut site, _) = held_by_ou_and_group().await;
    let before = site.seen();
    site.desired.imports[0].include.remove(0);
    site.directory.hide(Attr::MemberOf, 50);

    let error = site.sync().await.unwrap_err();

    assert_eq!(Diagnostic::from(&error).fault.code, "RC-2307");
    assert_eq!(site.seen(), before);
}

#[tokio::test]
async fn somebody_whose_primary_group_cannot_be_read_leaves_no_group() {
    let (mut site, people) = held_by_ou_and_group().await;
    let group = site.desired.imports[0].include[1].guid;
    site.directory.set_primary_group(people[4].guid, group).unwrap();
    site.sync().await.unwrap();
    let before = site.seen();
    site.directory.move_to(people[4].guid, site.ou("Contractors")).unwrap();
    site.directory.hide(Attr::PrimaryGroupId, 100);

    let summary = site.sync().await.unwrap();

    assert_eq!((summary.counts.departed, summary.counts.undecided), (0, 1));
    assert_eq!(Diagnostic::from(&summary.concerns[0]).fault.code, "RC-2310");
    assert_eq!(site.seen(), before);
}

#[tokio::test]
async fn case_18_another_domain_that_answers_under_the_same_name_is_not_read() {
    let mut site = Site::synced(100, &["Staff"]).await;
    let before = site.seen();
    site.directory.become_other_domain();

    let error = site.sync().await.unwrap_err();

    assert_eq!(Diagnostic::from(&error).fault.code, "RC-2302");
    assert_eq!(site.seen(), before);
}

#[tokio::test]
async fn case_16_a_restored_or_rolled_back_controller_is_not_believed_at_once() {
    for mishap in [rollcall_lab::directory::Directory::restore_from_backup, |directory: &_| roll_back(directory)] {
        let mut site = Site::synced(200, &["Staff"]).await;
        let guid = *site.seen().keys().next().unwrap();
        site.directory.move_to(guid, site.ou("Contractors")).unwrap();
        mishap(&site.directory);

        let first = site.sync().await.unwrap();
        let second = site.sync().await.unwrap();

        assert_eq!((first.counts.departed, first.counts.awaiting), (0, 1));
        assert_eq!(second.counts.departed, 1);
    }
}

fn roll_back(directory: &rollcall_lab::directory::Directory) {
    directory.roll_back_usn(1_000);
}
