//! A membership has two ends, and one read right that is missing hides both: nobody leaves by it.

use rollcall_agent::cycle::concern::Concern;
use rollcall_agent::diagnostic::Diagnostic;
use rollcall_lab::directory::{Attr, GroupKind, Person, Standing, Trouble, When};
use rollcall_protocol::desired::{Nesting, Selection, SelectionKind};
use rollcall_protocol::evidence::Evidence;
use uuid::Uuid;

use crate::site::Site;

/// Everybody of `Staff`, and six others by a group of their own.
struct Externals {
    site: Site,
    group: Uuid,
    people: Vec<Person>,
}

impl Externals {
    async fn synced(nesting: Nesting) -> Self {
        let mut site = Site::new(200);
        site.select_ous(&["Staff"]);
        let (place, staff) = (site.ou("Groups/Security"), site.ou("Staff"));
        let group = site.directory.add_group(place, "Externals", GroupKind::GlobalSecurity).unwrap();
        let elsewhere = |person: &Person| person.standing == Standing::Ordinary && !person.containers.contains(&staff);
        let people: Vec<Person> = site.directory.people().into_iter().filter(elsewhere).take(6).collect();
        for person in &people {
            site.directory.join(person.guid, group).unwrap();
        }
        let import = &mut site.desired.imports[0];
        import.include.push(Selection { guid: group, kind: SelectionKind::Group });
        import.nesting = nesting;
        site.sync().await.unwrap();
        Self { site, group, people }
    }

    /// Somebody whom no import holds.
    fn stranger(&self) -> Uuid {
        let seen = self.site.seen();
        let people = self.site.directory.people().into_iter();
        let mut others =
            people.filter(|person| person.standing == Standing::Ordinary && !seen.contains_key(&person.guid));
        others.next().unwrap().guid
    }
}

#[tokio::test]
async fn a_group_whose_links_are_hidden_at_both_ends_loses_nobody() {
    for nesting in [Nesting::Direct, Nesting::Nested] {
        let mut externals = Externals::synced(nesting).await;
        let before = externals.site.seen();
        externals.site.directory.hide(Attr::Member, 100);
        externals.site.directory.hide(Attr::MemberOf, 100);

        let summary = externals.site.sync().await.unwrap();

        assert_eq!((summary.counts.departed, summary.counts.undecided, summary.counts.awaiting), (0, 6, 0));
        assert_eq!(externals.site.seen(), before);
        assert_eq!(summary.concerns, vec![Concern::GroupSilent { memberships: 6 }]);
        assert_eq!(Diagnostic::from(&summary.concerns[0]).fault.code, "RC-2307");

        externals.site.directory.heal();
        let healed = externals.site.sync().await.unwrap();
        assert_eq!((healed.counts.departed, healed.concerns.len()), (0, 0));
    }
}

#[tokio::test]
async fn somebody_who_leaves_a_group_that_others_are_in_leaves_at_once() {
    let mut externals = Externals::synced(Nesting::Direct).await;
    let (group, ana) = (externals.group, externals.people[0].guid);
    externals.site.directory.leave(ana, group).unwrap();

    externals.site.sync().await.unwrap();

    assert_eq!(externals.site.evidence_for(ana), Some(Evidence::LeftGroup { group }));
}

#[tokio::test]
async fn a_group_of_people_of_another_domain_is_empty_and_stops_nobody() {
    let mut externals = Externals::synced(Nesting::Direct).await;
    for person in &externals.people {
        externals.site.directory.leave(person.guid, externals.group).unwrap();
    }
    // Somebody is in it whom the controller knows another domain to have.
    let stranger = externals.stranger();
    externals.site.directory.join(stranger, externals.group).unwrap();
    externals.site.directory.hide_object(stranger);
    externals.site.directory.trouble(When::single_read().asking(&stranger.to_string()), Trouble::Referral);

    let summary = externals.site.sync().await.unwrap();

    assert_eq!((summary.counts.departed, summary.counts.awaiting), (6, 0));
}
