//! Edge cases that need the scripted directory and belong nowhere else; docs/edge-cases.md has the list of all thirty.

use rollcall_agent::cycle::concern::Concern;
use rollcall_agent::cycle::{Extent, Purpose};
use rollcall_agent::diagnostic::Diagnostic;
use rollcall_agent::exit::Exit;
use rollcall_lab::directory::{Attr, Fault, GroupKind, Person, Standing, Values, When, sid::Sid};
use rollcall_protocol::catalogue;
use rollcall_protocol::desired::{Nesting, Selection, SelectionKind};
use rollcall_protocol::loss::Accepted;
use uuid::Uuid;

use crate::site::Site;

fn ordinary(site: &Site, count: usize) -> Vec<Person> {
    let people = site.directory.people().into_iter();
    people.filter(|person| person.standing == Standing::Ordinary).take(count).collect()
}

/// A group of this many people; it lies in `OU=Groups`.
fn crowd(site: &Site, size: usize) -> Uuid {
    let place = site.ou("Groups/Security");
    let group = site.directory.add_group(place, "Crowd", GroupKind::GlobalSecurity).unwrap();
    for person in ordinary(site, size) {
        site.directory.join(person.guid, group).unwrap();
    }
    group
}

#[tokio::test]
async fn case_05_a_membership_that_changes_between_two_chunks_is_read_again() {
    let mut site = Site::new(2_000);
    let group = crowd(&site, 1_501);
    let late = ordinary(&site, 1_502).pop().unwrap();
    site.select_group(group);
    // Whoever follows inner groups looks at the members of each.
    site.desired.imports[0].nesting = Nesting::Nested;
    site.directory.meanwhile(When::single_read().asking("member;range=1500"), move |forest| {
        let (late, group) = (forest.get_guid(late.guid).unwrap(), forest.get_guid(group).unwrap());
        forest.join(late, group).unwrap();
    });

    site.sync().await.unwrap();
    let listed = site.cloud.groups.iter().find(|listed| listed.guid == group).unwrap().clone();
    let again = site.sync().await.unwrap();

    // The members were read again; the people were counted after that.
    assert_eq!((listed.people + listed.others, again.counts.departed), (1_502, 0));
    assert_eq!(site.seen().len(), 1_502);
    assert_eq!(site.seen(), site.expected());
}

#[tokio::test]
async fn case_19_references_to_other_naming_contexts_are_not_followed() {
    let mut site = Site::new(150);
    site.directory.fault(Fault::SendReferences);
    let head = site.directory.read(|forest| forest.entry(forest.landmarks.domain).guid);
    site.desired.imports[0].include = vec![Selection { guid: head, kind: SelectionKind::Ou }];

    site.sync().await.unwrap();

    assert!(site.seen().len() >= 140);
    assert_eq!(site.seen(), site.expected());
}

#[tokio::test]
async fn case_21_security_identifiers_that_are_valid_text_are_read() {
    let mut site = Site::new(60);
    // 21, three numbers and every relative id are bytes below 0x80, so each whole value is valid UTF-8.
    let domain = Sid::domain([0x6162_6364, 0x6566_6768, 0x696a_6b6c]);
    for (number, person) in ordinary(&site, usize::MAX).iter().enumerate() {
        let sid = domain.with_rid(0x0101_4100 + u32::try_from(number).unwrap() % 0x7f).to_bytes();
        assert!(std::str::from_utf8(&sid).is_ok());
        site.directory.set(person.guid, Attr::ObjectSid, Values::one(sid)).unwrap();
    }
    site.select_ous(&["Staff"]);

    site.sync().await.unwrap();

    let guid = *site.seen().keys().next().unwrap();
    assert!(site.seen_person(guid).unwrap().sid.unwrap().starts_with("S-1-5-21-1633837924-1701209960-1768581996-"));
    assert_eq!(site.seen(), site.expected());
}

fn with_mail(site: &Site) -> usize {
    site.seen().keys().filter(|guid| site.seen_person(**guid).unwrap().mail.is_some()).count()
}

// proves: R-4
#[tokio::test]
async fn case_26_an_attribute_that_one_person_loses_is_cleared() {
    let mut site = Site::synced(200, &["Staff"]).await;
    let before = with_mail(&site);
    let guid = *site.seen().keys().find(|guid| site.seen_person(**guid).unwrap().mail.is_some()).unwrap();
    site.directory.clear(guid, Attr::Mail).unwrap();

    let summary = site.sync().await.unwrap();

    assert_eq!((summary.counts.changed, with_mail(&site)), (1, before - 1));
    assert!(summary.concerns.is_empty());
}

// proves: R-4
#[tokio::test]
async fn case_26_an_attribute_that_most_people_lose_counts_as_unreadable_until_a_human_accepts_it() {
    let mut site = Site::synced(200, &["Staff"]).await;
    let before = with_mail(&site);
    let stays = *site.seen().keys().next().unwrap();
    site.directory.hide(Attr::Mail, 80);
    site.directory.disable(stays).unwrap();

    let lost = site.sync().await.unwrap();
    let still = site.sync().await.unwrap();

    assert_eq!(with_mail(&site), before, "old values stay");
    assert!(!site.seen_person(stays).unwrap().status.enabled, "other changes go on");
    let [Concern::AttributeLost { attribute: "mail", people, of, .. }] = lost.concerns[..] else { panic!("{lost:?}") };
    assert!(people * 10 > of * 6 && of == site.seen().len() as u64, "{people} of {of}");
    assert_eq!(
        Diagnostic::from(&lost.concerns[0]),
        Diagnostic::new(catalogue::ATTRIBUTE_LOST, &lost.concerns[0], Exit::Attention)
    );
    assert_eq!((still.concerns, still.counts.changed), (lost.concerns, 0));

    site.accepted = vec![Accepted { attribute: "mail".into(), at_most: None, import: None }];
    let accepted = site.sync().await.unwrap();

    assert!(accepted.concerns.is_empty());
    assert!(with_mail(&site) * 2 < before, "a human said that they are meant to be gone");
}

// proves: R-4
#[tokio::test]
async fn case_26_a_consent_is_of_as_many_people_as_were_seen() {
    let mut site = Site::synced(200, &["Staff"]).await;
    site.directory.hide(Attr::Mail, 80);
    let lost = site.sync().await.unwrap();
    let [Concern::AttributeLost { people, .. }] = lost.concerns[..] else { panic!("{lost:?}") };

    site.accepted = vec![Accepted { attribute: "mail".into(), at_most: Some(people - 1), import: None }];
    assert_eq!(site.sync().await.unwrap().concerns, lost.concerns);

    site.accepted = vec![Accepted { attribute: "mail".into(), at_most: Some(people), import: None }];
    assert!(site.sync().await.unwrap().concerns.is_empty());
}

#[tokio::test]
async fn case_26_a_consent_outlives_a_reading_that_was_replaced_unsent_and_ends_with_one_that_arrived() {
    let mut site = Site::synced(200, &["Staff"]).await;
    let before = with_mail(&site);
    site.directory.hide(Attr::Mail, 80);
    site.sync().await.unwrap();

    site.accepted = vec![Accepted { attribute: "mail".into(), at_most: None, import: None }];
    site.cycle(Extent::AsNeeded, &[], Purpose::Publish).await.unwrap();
    assert!(site.sync().await.unwrap().concerns.is_empty(), "the cloud was away for the first of them");
    assert!(with_mail(&site) * 2 < before);

    site.directory.heal();
    site.sync().await.unwrap();
    site.directory.hide(Attr::Mail, 80);
    assert_eq!(site.sync().await.unwrap().concerns.len(), 1, "it was said of that time alone");
}

#[tokio::test]
async fn case_26_values_that_come_back_are_read_again() {
    let mut site = Site::synced(200, &["Staff"]).await;
    site.directory.hide(Attr::Mail, 80);
    site.sync().await.unwrap();
    site.directory.heal();

    let healed = site.sync().await.unwrap();

    assert_eq!((healed.concerns.len(), healed.counts.changed), (0, 0));
}

#[tokio::test]
async fn case_27_an_empty_password_is_never_sent() {
    let mut site = Site::new(20);
    site.use_password("");

    let error = site.sync().await.unwrap_err();

    assert_eq!(Diagnostic::from(&error).fault.code, "RC-2201");
    assert_eq!(site.directory.tally().binds, 0);
}

#[tokio::test]
async fn case_30_an_attribute_of_three_megabytes_is_cut_and_harms_nobody() {
    let mut site = Site::synced(120, &["Staff"]).await;
    let before = site.seen();
    let guid = *before.keys().next().unwrap();
    site.directory.set(guid, Attr::Description, Values::one("x".repeat(3 * 1024 * 1024))).unwrap();

    let summary = site.sync().await.unwrap();

    assert_eq!((summary.counts.changed, summary.counts.departed), (1, 0));
    assert_eq!(site.seen_person(guid).unwrap().description[0].len(), 4 * 1024);
    assert_eq!(site.seen(), before);
}
