//! Groups inside groups: left out and counted, or followed where an import wants them.

use rollcall_agent::cycle::concern::Concern;
use rollcall_agent::diagnostic::Diagnostic;
use rollcall_lab::directory::dn::RelativeName;
use rollcall_lab::directory::{Attr, GroupKind, Person, Standing};
use rollcall_protocol::desired::{Nesting, Selection, SelectionKind};
use rollcall_protocol::evidence::Evidence;
use uuid::Uuid;

use crate::site::Site;

struct Town {
    site: Site,
    outer: Uuid,
    inner: Uuid,
    deep: Uuid,
    people: Vec<Person>,
}

impl Town {
    /// Ten people in the outer group, ten in the one inside, ten in the one inside that, which holds the outer again.
    fn new(nesting: Nesting) -> Self {
        let mut site = Site::new(200);
        let place = site.ou("Groups/Security");
        let add = |name| site.directory.add_group(place, name, GroupKind::GlobalSecurity).unwrap();
        let (outer, inner, deep) = (add("Outer"), add("Inner (a*b)"), add("Deep"));
        let ordinary = site.directory.people().into_iter().filter(|person| person.standing == Standing::Ordinary);
        let people: Vec<Person> = ordinary.take(30).collect();
        for (group, members) in [outer, inner, deep].into_iter().zip(people.chunks(10)) {
            for person in members {
                site.directory.join(person.guid, group).unwrap();
            }
        }
        for (member, group) in [(inner, outer), (deep, inner), (outer, deep)] {
            site.directory.join(member, group).unwrap();
        }
        site.select_group(outer);
        site.desired.imports[0].nesting = nesting;
        Self { site, outer, inner, deep, people }
    }

    /// Deeper than is followed.
    fn chain_of_twelve(&self) {
        let place = self.site.ou("Groups/Security");
        let mut above = self.deep;
        for number in 0..12 {
            let name = format!("Step {number}");
            let below = self.site.directory.add_group(place, &name, GroupKind::GlobalSecurity).unwrap();
            self.site.directory.join(below, above).unwrap();
            above = below;
        }
    }

    fn departed(&self) -> Vec<Evidence> {
        self.site.cloud.departures.iter().map(|departure| departure.evidence.clone()).collect()
    }
}

// proves: M-9, L-10
#[tokio::test]
async fn people_of_inner_groups_stay_out_and_are_counted() {
    let mut town = Town::new(Nesting::Direct);
    let computer = town.site.directory.read(|forest| {
        let is_computer = |id: &_| forest.entry(*id).has_class("computer");
        forest.ids().find(is_computer).map(|id| forest.entry(id).guid).unwrap()
    });
    let foreigner = town.site.directory.change(|forest| {
        let name = RelativeName::new("CN", "S-1-5-21-9-9-9-1234");
        let id = forest.add_container(forest.landmarks.domain, name, &["top", "foreignSecurityPrincipal"])?;
        Ok(forest.entry(id).guid)
    });
    let administrator = town.site.directory.account("Administrator").unwrap();
    for member in [computer, foreigner.unwrap(), administrator] {
        town.site.directory.join(member, town.outer).unwrap();
    }

    town.site.sync().await.unwrap();

    assert_eq!(town.site.seen().len(), 10);
    let listed = town.site.cloud.groups.iter().find(|group| group.guid == town.outer).unwrap();
    assert_eq!((listed.people, listed.others), (10, 4));
    assert_eq!((listed.nested, listed.computers, listed.foreign), (1, 1, 1), "and the administrator");
}

// proves: M-9, L-10
#[tokio::test]
async fn inner_groups_are_followed_where_an_import_wants_them_even_in_a_circle() {
    let mut town = Town::new(Nesting::Nested);

    town.site.sync().await.unwrap();

    let seen: Vec<Uuid> = town.site.seen().into_keys().collect();
    let mut expected: Vec<Uuid> = town.people.iter().map(|person| person.guid).collect();
    expected.sort_unstable();
    assert_eq!(seen, expected);
    let person = town.site.seen_person(town.people[25].guid).unwrap();
    assert_eq!(person.imports[0].via, vec![town.outer], "held by the group that was selected");
}

#[tokio::test]
async fn switching_inner_groups_off_lets_their_people_go_and_holds_them() {
    let mut town = Town::new(Nesting::Nested);
    town.site.sync().await.unwrap();
    town.site.desired.imports[0].nesting = Nesting::Direct;

    let summary = town.site.sync().await.unwrap();

    assert_eq!((summary.counts.departed, summary.counts.held), (20, 20));
    assert!(town.departed().iter().all(|evidence| *evidence == Evidence::LeftGroup { group: town.outer }));
}

#[tokio::test]
async fn somebody_who_leaves_an_inner_group_has_left_the_selected_one() {
    let mut town = Town::new(Nesting::Nested);
    town.site.sync().await.unwrap();
    town.site.directory.leave(town.people[15].guid, town.inner).unwrap();

    town.site.sync().await.unwrap();

    assert_eq!(town.departed(), vec![Evidence::LeftGroup { group: town.outer }]);
    assert_eq!(town.site.seen().len(), 29);
}

#[tokio::test]
async fn somebody_who_changes_between_inner_groups_stays() {
    let mut town = Town::new(Nesting::Nested);
    town.site.sync().await.unwrap();
    town.site.directory.leave(town.people[15].guid, town.inner).unwrap();
    town.site.directory.join(town.people[15].guid, town.deep).unwrap();

    let summary = town.site.sync().await.unwrap();

    assert_eq!((summary.counts.departed, town.site.seen().len()), (0, 30));
}

#[tokio::test]
async fn inner_groups_that_no_longer_say_what_they_are_in_lose_nobody() {
    let mut town = Town::new(Nesting::Nested);
    town.site.sync().await.unwrap();
    town.site.directory.hide(Attr::MemberOf, 100);

    let error = town.site.sync().await.unwrap_err();

    assert_eq!(Diagnostic::from(&error).fault.code, "RC-2307");
    assert_eq!(town.site.seen().len(), 30);
}

#[tokio::test]
async fn an_inner_group_that_is_hidden_as_a_whole_loses_neither_its_people_nor_those_of_groups_inside_it() {
    let mut town = Town::new(Nesting::Nested);
    town.site.sync().await.unwrap();
    town.site.directory.hide_object(town.inner);
    town.site.directory.leave(town.people[5].guid, town.outer).unwrap();

    let summary = town.site.sync().await.unwrap();

    assert_eq!(town.departed(), vec![Evidence::LeftGroup { group: town.outer }], "of the group that is seen");
    assert_eq!((town.site.seen().len(), summary.counts.undecided, summary.counts.awaiting), (29, 20, 0));
    assert_eq!(summary.concerns, vec![Concern::GroupUnseen { memberships: 20 }]);
    assert_eq!(Diagnostic::from(&summary.concerns[0]).fault.code, "RC-2311");

    town.site.directory.heal();
    let healed = town.site.sync().await.unwrap();
    assert_eq!((town.site.seen().len(), healed.concerns.len()), (29, 0));
}

#[tokio::test]
async fn a_hidden_group_that_nobody_follows_keeps_nobody() {
    let mut town = Town::new(Nesting::Direct);
    town.site.sync().await.unwrap();
    town.site.directory.hide_object(town.inner);
    town.site.directory.join(town.people[5].guid, town.inner).unwrap();
    town.site.directory.leave(town.people[5].guid, town.outer).unwrap();

    town.site.sync().await.unwrap();

    assert_eq!(town.departed(), vec![Evidence::LeftGroup { group: town.outer }]);
}

#[tokio::test]
async fn a_chain_that_is_too_deep_stands_still_and_says_so() {
    let mut town = Town::new(Nesting::Nested);
    town.site.sync().await.unwrap();
    town.chain_of_twelve();

    let summary = town.site.sync().await.unwrap();

    assert_eq!(summary.concerns, vec![Concern::NestedTooFar { groups: 1 }]);
    assert_eq!(Diagnostic::from(&summary.concerns[0]).fault.code, "RC-4014");
    assert_eq!((summary.counts.departed, town.site.seen().len()), (0, 30));
}

#[tokio::test]
async fn domain_users_inside_a_group_bring_nobody() {
    let mut town = Town::new(Nesting::Nested);
    let domain_users = town.site.directory.account("Domain Users").unwrap();
    town.site.directory.join(domain_users, town.outer).unwrap();

    town.site.sync().await.unwrap();

    assert_eq!(town.site.seen().len(), 30);
}

#[tokio::test]
async fn one_group_may_be_direct_in_one_import_and_nested_in_another() {
    let mut town = Town::new(Nesting::Nested);
    let mut direct = town.site.desired.imports[0].clone();
    direct.import = Uuid::from_u128(0x1002);
    direct.nesting = Nesting::Direct;
    direct.include = vec![Selection { guid: town.outer, kind: SelectionKind::Group }];
    town.site.desired.imports.push(direct);

    town.site.sync().await.unwrap();

    let imports = |index: usize| town.site.seen_person(town.people[index].guid).unwrap().imports.len();
    assert_eq!((imports(5), imports(15), imports(25)), (2, 1, 1));
}

#[tokio::test]
async fn groups_that_go_too_far_are_no_matter_to_an_import_that_does_not_follow_them() {
    let mut town = Town::new(Nesting::Nested);
    let mut direct = town.site.desired.imports[0].clone();
    direct.import = Uuid::from_u128(0x1002);
    direct.nesting = Nesting::Direct;
    town.site.desired.imports.push(direct);
    town.site.sync().await.unwrap();
    town.chain_of_twelve();
    let leaver = town.people[5].guid;
    town.site.directory.leave(leaver, town.outer).unwrap();

    let summary = town.site.sync().await.unwrap();

    assert_eq!(summary.concerns, vec![Concern::NestedTooFar { groups: 1 }]);
    assert_eq!(town.departed(), vec![Evidence::LeftGroup { group: town.outer }], "of the import that does not");
    assert_eq!(town.site.seen_person(leaver).unwrap().imports.len(), 1, "the other one stands still");
}
