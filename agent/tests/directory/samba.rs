//! Edge cases that a real Active Directory must show; docs/edge-cases.md has the list of all thirty.

use std::collections::BTreeSet;
use std::time::Duration;

use rollcall_agent::cycle::concern::Concern;
use rollcall_agent::directory::access::Access;
use rollcall_agent::directory::connect::{Target, Timeouts};
use rollcall_agent::directory::controllers::Controllers;
use rollcall_agent::directory::method::{Credentials, Method, Tls};
use rollcall_agent::directory::people::AttributeList;
use rollcall_agent::directory::reader::{DirectoryReader, Finds};
use rollcall_lab::oracle::OraclePerson;
use rollcall_lab::samba::{Filling, Samba, SambaPerson, SambaSetup};
use rollcall_protocol::desired::{Nesting, Selection, SelectionKind};
use rollcall_protocol::evidence::Evidence;
use rollcall_protocol::structure::Blocked;
use uuid::Uuid;

use crate::site::Installation;

/// A real domain of a small company, and an agent that reads it.
struct Town {
    samba: Samba,
    agent: Installation,
    sales: Uuid,
    elsewhere: Uuid,
}

impl Town {
    /// An import of `OU=Sales,OU=Staff` that has synchronised once.
    async fn synced() -> Self {
        let mut town = Self::found();
        town.agent.sync().await.unwrap();
        town
    }

    fn found() -> Self {
        let samba = Samba::start(&SambaSetup::default()).unwrap();
        samba.fill(&Filling::company(30, 7)).unwrap();
        let agent = Installation::new(access(&samba), tempfile::tempdir().unwrap());
        let sales = samba.at("OU=Sales,OU=Staff").unwrap();
        let elsewhere = samba.at("OU=Engineering,OU=Staff").unwrap();
        let mut town = Self { samba, agent, sales, elsewhere };
        town.select(SelectionKind::Ou, sales);
        town
    }

    fn select(&mut self, kind: SelectionKind, guid: Uuid) {
        self.agent.desired.imports[0].include = vec![Selection { guid, kind }];
        self.agent.desired.version += 1;
    }

    /// Somebody whom the agent has read.
    fn somebody(&self) -> Uuid {
        *self.agent.seen().keys().next().unwrap()
    }

    fn seen(&self) -> BTreeSet<Uuid> {
        self.agent.seen().into_keys().collect()
    }

    /// Everybody whom another client finds under this name.
    fn under(&self, dn: &str) -> BTreeSet<Uuid> {
        let is_in = |person: &OraclePerson| person.is_under(dn) && !person.is_default_account();
        self.samba.people().unwrap().into_iter().filter(is_in).map(|person| person.guid).collect()
    }

    fn newcomer(&self, path: &[&str], name: &str) -> Uuid {
        let account_name = format!("new{}", name.len());
        let person = SambaPerson {
            path: path.iter().map(|part| (*part).to_owned()).collect(),
            given_name: name.to_owned(),
            surname: "Novak".to_owned(),
            mail: Some(format!("{account_name}@lab.example")),
            account_name,
            groups: Vec::new(),
        };
        self.samba.add_person(&person).unwrap()
    }
}

fn access(samba: &Samba) -> Access {
    // Generous: the tests of a whole workspace share two cores.
    let patience = Duration::from_mins(1);
    Access {
        controllers: Controllers::one(&samba.host_name()),
        target: Target {
            host: samba.host_name(),
            address: Some(samba.address().into()),
            ca_file: Some(samba.ca_file()),
            timeouts: Timeouts { connect: patience, message: patience, entry: patience },
        },
        methods: methods(samba, Tls::Ldaps, samba.ldaps().port()),
        attributes: AttributeList::without(&[]).unwrap(),
        never_read: rollcall_agent::directory::ceiling::NeverRead::default(),
    }
}

fn methods(samba: &Samba, tls: Tls, port: u16) -> Vec<Method> {
    let credentials = Credentials { user: samba.bind_name(), password: samba.password().to_owned().into() };
    vec![Method::PasswordOverTls { tls, port, credentials }]
}

#[tokio::test]
async fn case_04_a_real_controller_gives_members_in_the_ranges_that_are_asked_for() {
    let town = Town::found();
    let group = town.samba.account("Sales Team").unwrap();
    let base = format!("<GUID={group}>");
    let access = access(&town.samba);
    let mut reader = DirectoryReader::open(&access.target, &access.methods).await.unwrap();

    let first = reader.read_base(&base, &["member;range=0-5"], Finds::ExtendedNames).await.unwrap().unwrap();
    let rest = reader.read_base(&base, &["member;range=6-*"], Finds::ExtendedNames).await.unwrap().unwrap();

    let (first, rest) = (first.chunk("member").unwrap(), rest.chunk("member").unwrap());
    assert_eq!((first.start, first.last, first.values.len()), (0, Some(5), 6));
    assert_eq!((rest.start, rest.last, rest.values.len()), (6, None, 4));
}

// proves: M-7, L-9
#[tokio::test]
async fn case_06_a_selected_group_that_is_somebodys_primary_group_holds_them() {
    let mut town = Town::found();
    let group = town.samba.add_group(&["Groups"], "Crew").unwrap();
    let ana = town.newcomer(&["Staff", "Support"], "Ana");
    town.samba.set_primary_group(ana, group).unwrap();
    town.select(SelectionKind::Group, group);

    town.agent.sync().await.unwrap();

    assert_eq!(town.seen(), BTreeSet::from([ana]));
}

// proves: M-9, L-10
#[tokio::test]
async fn case_08_people_of_a_group_inside_a_group_stay_out_and_are_counted_until_somebody_wants_them() {
    let mut town = Town::found();
    let (outer, inner) =
        (town.samba.account("VPN Users").unwrap(), town.samba.add_group(&["Groups"], "Inner").unwrap());
    let ana = town.newcomer(&["Staff", "Support"], "Ana");
    town.samba.join(ana, inner).unwrap();
    town.samba.join(inner, outer).unwrap();
    town.select(SelectionKind::Group, outer);

    town.agent.sync().await.unwrap();

    assert!(!town.seen().contains(&ana) && !town.seen().is_empty());
    let listed = town.agent.cloud.groups.iter().find(|group| group.guid == outer).unwrap();
    assert_eq!((listed.others, listed.nested, listed.foreign), (1, 1, 0));

    town.agent.desired.imports[0].nesting = Nesting::Nested;
    town.agent.sync().await.unwrap();

    assert_eq!(town.agent.seen_person(ana).unwrap().imports[0].via, vec![outer]);
}

// proves: L-12
#[tokio::test]
async fn case_09_an_ou_that_is_renamed_with_its_parent_keeps_its_people() {
    let mut town = Town::synced().await;
    let before = town.seen();
    town.samba.rename(town.sales, "Verkauf, Süd").unwrap();
    town.samba.rename(town.samba.at("OU=Staff").unwrap(), "People + Places").unwrap();

    let summary = town.agent.sync().await.unwrap();

    assert_eq!((summary.counts.departed, summary.counts.awaiting), (0, 0));
    assert_eq!(summary.counts.changed, before.len() as u64);
    assert_eq!(town.seen(), before);
    assert!(town.agent.seen_person(town.somebody()).unwrap().dn.contains("OU=Verkauf\\, Süd,OU=People \\+ Places,"));
}

// proves: L-12
#[tokio::test]
async fn case_10_a_selected_ou_that_is_deleted_keeps_its_people_and_is_reported() {
    let mut town = Town::synced().await;
    let before = town.seen();
    town.samba.delete_tree(town.sales).unwrap();

    let first = town.agent.sync().await.unwrap();
    let second = town.agent.sync().await.unwrap();

    assert_eq!(first.unavailable, vec![town.sales]);
    assert_eq!(first.concerns, vec![Concern::SelectionGone { objects: 1 }]);
    assert_eq!((first.counts.departed, second.counts.departed), (0, 0));
    assert_eq!(town.seen(), before);
}

#[tokio::test]
async fn case_11_somebody_who_moves_out_and_back_is_the_same_person() {
    let mut town = Town::synced().await;
    let (ana, before) = (town.somebody(), town.seen());
    town.samba.move_to(ana, town.elsewhere).unwrap();

    town.agent.sync().await.unwrap();

    let Some(Evidence::LeftScope { dn }) = town.agent.evidence_for(ana) else { panic!() };
    assert!(dn.contains(",OU=Engineering,OU=Staff,"), "{dn}");
    town.samba.move_to(ana, town.sales).unwrap();
    town.agent.sync().await.unwrap();
    assert_eq!(town.seen(), before);
}

#[tokio::test]
async fn case_12_a_deleted_person_is_absent_or_deleted_as_far_as_the_account_may_see() {
    let mut town = Town::synced().await;
    let (ana, bo) = (town.somebody(), *town.seen().iter().nth(1).unwrap());
    town.samba.delete(ana).unwrap();
    let first = town.agent.sync().await.unwrap();
    let second = town.agent.sync().await.unwrap();
    assert_eq!((first.counts.departed, first.counts.awaiting, second.counts.departed), (0, 1, 1));
    assert!(matches!(town.agent.evidence_for(ana), Some(Evidence::Absent { .. })));

    town.samba.grant_deleted_objects().unwrap();
    town.samba.delete(bo).unwrap();
    town.agent.sync().await.unwrap();

    assert_eq!(town.agent.evidence_for(bo), Some(Evidence::Deleted));
}

#[tokio::test]
async fn case_13_somebody_who_is_made_anew_with_the_same_names_is_another_person() {
    let mut town = Town::synced().await;
    town.samba.grant_deleted_objects().unwrap();
    let ana = town.somebody();
    let name = town.agent.seen_person(ana).unwrap().account_name;
    let again = town.samba.recreate(ana).unwrap();

    let summary = town.agent.sync().await.unwrap();

    assert_eq!((summary.counts.added, summary.counts.departed), (1, 1));
    assert_eq!(town.agent.evidence_for(ana), Some(Evidence::Deleted));
    assert_eq!(town.agent.seen_person(again).unwrap().account_name, name);
}

#[tokio::test]
async fn case_14_somebody_who_is_restored_from_the_deleted_objects_is_the_same_person() {
    let mut town = Town::synced().await;
    town.samba.grant_deleted_objects().unwrap();
    let (ana, before) = (town.somebody(), town.seen());
    town.samba.delete(ana).unwrap();
    town.agent.sync().await.unwrap();
    assert!(!town.seen().contains(&ana));
    town.samba.undelete(ana).unwrap();

    town.agent.sync().await.unwrap();

    assert_eq!(town.seen(), before);
}

#[tokio::test]
async fn case_19_the_whole_domain_can_be_read_past_its_references() {
    let mut town = Town::found();
    let head = town.samba.client().run(&town.samba.base_dn(), "base", "(objectClass=*)", &["objectGUID"]).unwrap();
    let head: [u8; 16] = head[0].values("objectGUID")[0].as_slice().try_into().unwrap();
    town.select(SelectionKind::Ou, Uuid::from_bytes_le(head));

    town.agent.sync().await.unwrap();

    assert_eq!(town.seen(), town.under(&town.samba.base_dn()));
    assert!(town.seen().len() > 30);
}

// proves: L-22
#[tokio::test]
async fn case_22_names_full_of_special_characters_are_read_and_selected() {
    let mut town = Town::found();
    let odd = "#1 a,b+c \"d\" \\ <e>; (f*) 漢字";
    let unit = town.samba.add_ou(&["Staff", odd]).unwrap();
    // An account name has fewer signs to choose from than the name of the object.
    let group = town.samba.add_group(&["Staff", odd], "plain").unwrap();
    town.samba.rename(group, &format!("{odd} group")).unwrap();
    let ana = town.newcomer(&["Staff", odd], &format!("{odd} Ana"));
    town.samba.join(ana, group).unwrap();
    for (kind, guid) in [(SelectionKind::Ou, unit), (SelectionKind::Group, group)] {
        town.select(kind, guid);
        town.agent.sync().await.unwrap();

        assert_eq!(town.agent.seen_person(ana).unwrap().imports[0].via, vec![guid]);
        assert_eq!(town.seen(), BTreeSet::from([ana]));
    }
}

#[tokio::test]
async fn case_23_of_all_that_lies_in_an_ou_only_people_are_imported() {
    let mut town = Town::synced().await;
    let path = &["Staff", "Sales"];
    let before = town.seen();
    let add =
        |name: &str, class: &str, values: &[(&str, &str)]| town.samba.add_object(path, name, class, values).unwrap();
    add("PC1", "computer", &[("sAMAccountName", "PC1$"), ("userAccountControl", "4128")]);
    add(
        "gmsa",
        "msDS-GroupManagedServiceAccount",
        &[("sAMAccountName", "gmsa$"), ("msDS-ManagedPasswordInterval", "30")],
    );
    add("Contact", "contact", &[("mail", "contact@lab.example")]);
    let values = [("sAMAccountName", "ine"), ("sn", "Org"), ("userAccountControl", "544")];
    let internet = add("Ine Org", "inetOrgPerson", &values);
    town.samba.move_to(town.samba.account("Guest").unwrap(), town.sales).unwrap();

    town.agent.sync().await.unwrap();

    let added: Vec<Uuid> = town.seen().difference(&before).copied().collect();
    assert_eq!(added, vec![internet]);
}

#[tokio::test]
async fn case_24_default_groups_are_known_by_their_identifier_in_any_language() {
    let mut town = Town::found();
    let admins = town.samba.account("Domain Admins").unwrap();
    town.samba.rename(admins, "Domänen-Admins").unwrap();
    let club = town.samba.add_group(&["Groups"], "Club").unwrap();
    let hidden = town.samba.add_group(&["Groups"], "Hidden Club").unwrap();
    town.samba.move_to(hidden, town.samba.at("CN=Users").unwrap()).unwrap();

    town.agent.sync().await.unwrap();

    let blocked = |guid: Uuid| town.agent.cloud.groups.iter().find(|group| group.guid == guid).unwrap().blocked;
    assert_eq!(blocked(admins), Some(Blocked::DefaultGroup));
    assert_eq!(blocked(hidden), Some(Blocked::UsersContainer));
    assert_eq!(blocked(club), None);
    let open = town.agent.cloud.groups.iter().filter(|group| group.blocked.is_none());
    assert_eq!(open.count(), 5, "the company's own four and the club");
}

#[tokio::test]
async fn case_25_the_state_of_an_account_is_read_and_what_moves_by_itself_is_no_change() {
    let mut town = Town::synced().await;
    let ana = town.somebody();
    let expires = |town: &Town| town.agent.seen_person(ana).unwrap().status.expires_at;
    for (value, expected) in [
        ("0", None),
        ("9223372036854775807", None),
        ("133801632000000000", Some("2025-01-01T00:00:00+00:00".to_owned())),
    ] {
        town.samba.set(ana, "accountExpires", &[value]).unwrap();
        town.agent.sync().await.unwrap();
        assert_eq!(expires(&town).map(|at| at.to_rfc3339()), expected, "{value}");
    }
    town.samba.disable(ana).unwrap();
    town.agent.sync().await.unwrap();
    assert!(!town.agent.seen_person(ana).unwrap().status.enabled);
    town.samba.enable(ana).unwrap();
    town.agent.sync().await.unwrap();

    // A change that moves uSNChanged and whenChanged, as every logon does from time to time.
    town.samba.set(ana, "info", &["was here"]).unwrap();
    let quiet = town.agent.sync().await.unwrap();

    assert!(town.agent.seen_person(ana).unwrap().status.enabled);
    assert_eq!((quiet.counts.added, quiet.counts.changed, quiet.counts.departed), (0, 0, 0));
}

#[tokio::test]
async fn case_28_a_controller_that_demands_protection_is_read_by_start_tls_on_the_same_port() {
    let mut town = Town::found();
    let clear =
        rollcall_lab::ldapsearch::LdapSearch::new(format!("ldap://{}", town.samba.address()), &town.samba.ca_file())
            .bind(&town.samba.bind_name(), town.samba.password());
    let refused = clear.run(&town.samba.base_dn(), "base", "(objectClass=*)", &["cn"]).unwrap_err().to_string();
    assert!(refused.contains("Strong(er) authentication required"), "{refused}");
    town.agent.access.methods = methods(&town.samba, Tls::StartTls, town.samba.ldap().port());

    town.agent.sync().await.unwrap();

    assert!(!town.seen().is_empty());
    assert_eq!(town.samba.remote_changes(), Vec::<String>::new());
}
