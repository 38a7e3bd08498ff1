//! What single objects keep from the account that reads: it stops nobody else, and nobody leaves because of it.

use rollcall_agent::cycle::concern::Concern;
use rollcall_agent::diagnostic::Diagnostic;
use rollcall_lab::directory::{Attr, GroupKind};
use rollcall_protocol::desired::{Selection, SelectionKind};
use uuid::Uuid;

use crate::site::Site;

fn nth(site: &Site, index: usize) -> Uuid {
    *site.seen().keys().nth(index).unwrap()
}

#[tokio::test]
async fn one_account_that_cannot_be_read_stays_as_it_is_and_everybody_else_goes_on() {
    for hidden in [Attr::UserAccountControl, Attr::ObjectSid, Attr::AccountName] {
        let mut site = Site::synced(300, &["Staff"]).await;
        let (director, mover, other) = (nth(&site, 0), nth(&site, 1), nth(&site, 2));
        let record = site.cloud.people[&director].clone();
        site.directory.deny(director, hidden);
        site.directory.move_to(mover, site.ou("Contractors")).unwrap();
        site.directory.disable(other).unwrap();

        let summary = site.sync().await.unwrap();

        assert_eq!((summary.counts.departed, summary.counts.changed, summary.counts.undecided), (1, 1, 1));
        assert_eq!(site.cloud.people[&director], record);
        let [Concern::Withheld { what, people: 1, first }] = summary.concerns[..] else { panic!("{summary:?}") };
        assert_eq!((what, first), (hidden.name(), director));
        assert_eq!(Diagnostic::from(&summary.concerns[0]).fault.code, "RC-2310");
        assert_eq!(site.seen(), site.expected());
    }
}

#[tokio::test]
async fn an_account_that_cannot_be_read_and_is_elsewhere_now_stays_too() {
    let mut site = Site::synced(300, &["Staff"]).await;
    let director = nth(&site, 0);
    site.directory.deny(director, Attr::UserAccountControl);
    site.directory.move_to(director, site.ou("Contractors")).unwrap();

    let first = site.sync().await.unwrap();
    let second = site.sync().await.unwrap();

    assert_eq!((first.counts.departed, second.counts.departed), (0, 0));
    assert!(site.seen().contains_key(&director));

    site.directory.heal();
    site.sync().await.unwrap();
    assert_eq!(site.seen(), site.expected());
}

#[tokio::test]
async fn somebody_elsewhere_who_hides_even_their_guid_stays_and_stops_nobody() {
    let mut site = Site::synced(300, &["Staff/Berlin"]).await;
    let (director, mover) = (nth(&site, 0), nth(&site, 1));
    for person in [director, mover] {
        site.directory.move_to(person, site.ou("Contractors")).unwrap();
    }
    site.directory.deny(director, Attr::ObjectGuid);

    let summary = site.sync().await.unwrap();

    assert_eq!((summary.counts.departed, summary.counts.undecided), (1, 1));
    assert_eq!(summary.concerns, vec![Concern::Withheld { what: "objectGUID", people: 1, first: director }]);
}

#[tokio::test]
async fn somebody_new_who_cannot_be_read_does_not_join_yet() {
    let mut site = Site::new(300);
    site.select_ous(&["Staff"]);
    let director = *site.expected().keys().next().unwrap();
    site.directory.deny(director, Attr::UserAccountControl);

    let summary = site.sync().await.unwrap();

    assert_eq!(site.seen().len(), site.expected().len() - 1);
    assert_eq!(summary.concerns.len(), 1);
    site.directory.heal();
    site.sync().await.unwrap();
    assert_eq!(site.seen(), site.expected());
}

#[tokio::test]
async fn an_attribute_that_is_hidden_of_everybody_is_a_missing_right_by_name() {
    let mut site = Site::synced(300, &["Staff"]).await;
    let before = site.seen();
    site.directory.hide(Attr::UserAccountControl, 100);

    let error = site.sync().await.unwrap_err();

    assert_eq!(Diagnostic::from(&error).fault.code, "RC-2310");
    assert!(error.to_string().contains("userAccountControl"), "{error}");
    assert_eq!(site.seen(), before);
}

#[tokio::test]
async fn a_group_that_does_not_say_what_it_is_stops_nobody() {
    for hidden in [Attr::GroupType, Attr::ObjectSid] {
        let mut site = Site::synced(200, &["Staff"]).await;
        let place = site.ou("Groups/Security");
        let group = site.directory.add_group(place, "Secret", GroupKind::GlobalSecurity).unwrap();
        site.directory.deny(group, hidden);
        let mover = nth(&site, 0);
        site.directory.move_to(mover, site.ou("Contractors")).unwrap();

        let summary = site.sync().await.unwrap();

        assert_eq!(summary.counts.departed, 1);
        let told = Concern::GroupsUnlisted { what: hidden.name(), groups: 1, first: group };
        assert_eq!(summary.concerns, vec![told]);
        assert_eq!(Diagnostic::from(&summary.concerns[0]).fault.code, "RC-2312");
        assert!(site.cloud.groups.iter().all(|listed| listed.guid != group), "it cannot be chosen");
    }
}

#[tokio::test]
async fn a_selected_group_that_no_longer_says_what_it_is_keeps_its_people() {
    let mut site = Site::new(200);
    let place = site.ou("Groups/Security");
    let group = site.directory.add_group(place, "Crew", GroupKind::GlobalSecurity).unwrap();
    let people = site.directory.people().into_iter().filter(|person| person.mail.is_some()).take(10);
    for person in people {
        site.directory.join(person.guid, group).unwrap();
    }
    site.select_group(group);
    site.sync().await.unwrap();
    site.directory.deny(group, Attr::GroupType);

    let summary = site.sync().await.unwrap();

    let unlisted = Concern::GroupsUnlisted { what: "groupType", groups: 1, first: group };
    assert_eq!((site.seen().len(), summary.concerns), (10, vec![Concern::NotSelectable { objects: 1 }, unlisted]));
}

#[tokio::test]
async fn three_hundred_selections_that_cannot_be_found_are_told_and_everything_else_goes_on() {
    let mut site = Site::synced(100, &["Staff"]).await;
    let lost =
        (0..300).map(|number| Selection { guid: Uuid::from_u128(0xdead_0000 + number), kind: SelectionKind::Ou });
    site.desired.imports[0].include.extend(lost);
    let leaver = nth(&site, 0);
    site.directory.disable(leaver).unwrap();

    let summary = site.sync().await.unwrap();

    assert_eq!((summary.counts.changed, summary.counts.departed, summary.unavailable.len()), (1, 0, 300));
    let told = &site.cloud.last.as_ref().unwrap().link.cycle;
    assert_eq!((told.unavailable.len(), told.unavailable_more), (100, 200));
}

fn crew(site: &mut Site, size: usize) -> Vec<Uuid> {
    let place = site.ou("Groups/Security");
    let group = site.directory.add_group(place, "Crew", GroupKind::GlobalSecurity).unwrap();
    let people = site.directory.people().into_iter().filter(|person| person.mail.is_some()).take(size);
    let people: Vec<Uuid> = people.map(|person| person.guid).collect();
    for person in &people {
        site.directory.join(*person, group).unwrap();
    }
    site.select_group(group);
    people
}

#[tokio::test]
async fn one_member_whose_own_groups_are_hidden_stays_and_everybody_else_goes_on() {
    let mut site = Site::new(200);
    let people = crew(&mut site, 30);
    let group = site.desired.imports[0].include[0].guid;
    site.sync().await.unwrap();
    site.directory.deny(people[0], Attr::MemberOf);
    site.directory.leave(people[1], group).unwrap();

    let summary = site.sync().await.unwrap();

    assert_eq!((summary.counts.departed, summary.counts.undecided, site.seen().len()), (1, 1, 29));
    let expected = Concern::Withheld { what: "memberOf", people: 1, first: people[0] };
    assert_eq!(summary.concerns, vec![expected]);
}
