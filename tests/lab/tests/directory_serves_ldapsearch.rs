//! The scripted directory must satisfy a client that is not ours: `OpenLDAP`'s `ldapsearch`.

#![expect(clippy::unwrap_used, reason = "a test fails loudly")]

use rollcall_lab::{
    directory::{AccountState, Attr, Directory, GroupKind, Plan, Setup, Values, rules::DeletedObjects},
    ldapsearch::{LdapSearch, LdapSearchError, LdifEntry},
};
use std::collections::BTreeSet;
use tempfile::TempDir;

struct Lab {
    directory: Directory,
    folder: TempDir,
}

impl Lab {
    fn with_users(users: usize) -> Self {
        let directory = Directory::start(&Plan::new(users, 7), Setup::default()).unwrap();
        let folder = TempDir::new().unwrap();
        directory.authority().write_pem(&folder.path().join("ca.pem")).unwrap();
        Self { directory, folder }
    }

    fn anonymous(&self) -> LdapSearch {
        let url = format!("ldaps://{}", self.directory.ldaps());
        LdapSearch::new(url, &self.folder.path().join("ca.pem"))
    }

    fn client(&self) -> LdapSearch {
        self.anonymous().bind(&self.directory.bind_name(), self.directory.password())
    }

    fn base(&self) -> String {
        self.directory.base_dn()
    }

    fn search(&self, filter: &str, attributes: &[&str]) -> Vec<LdifEntry> {
        self.client().paged(500).run(&self.base(), "sub", filter, attributes).unwrap()
    }
}

fn code(result: Result<Vec<LdifEntry>, LdapSearchError>) -> (i32, String) {
    match result {
        Err(LdapSearchError::Failed { code, message }) => (code, message),
        other => panic!("expected a failure, got {other:?}"),
    }
}

const PEOPLE: &str = "(sAMAccountType=805306368)";

#[test]
fn every_person_is_read_once_with_paging() {
    let lab = Lab::with_users(2_345);

    let found = lab.search(PEOPLE, &["objectGUID", "mail", "userAccountControl"]);

    let expected = lab.directory.people();
    assert_eq!(expected.len(), 2_345 + 3, "Administrator, Guest and krbtgt come on top");
    assert_eq!(found.len(), expected.len());
    let names: BTreeSet<_> = found.iter().map(|entry| entry.dn.clone()).collect();
    assert_eq!(names, expected.iter().map(|person| person.dn.clone()).collect());
    let disabled =
        found.iter().filter(|entry| entry.text("userAccountControl").unwrap().parse::<u32>().unwrap() & 2 != 0);
    let expected_disabled = expected.iter().filter(|person| person.state == AccountState::Disabled);
    assert_eq!(disabled.count(), expected_disabled.count());
    assert_eq!(lab.directory.tally().writes, 0);
}

#[test]
fn the_same_seed_gives_the_same_people_and_another_seed_others() {
    let names = |seed| {
        let directory = Directory::start(&Plan::new(50, seed), Setup::default()).unwrap();
        directory.people().into_iter().map(|person| (person.guid, person.dn)).collect::<Vec<_>>()
    };
    assert_eq!(names(3), names(3));
    assert_ne!(names(3), names(4));
}

#[test]
fn a_search_without_paging_ends_at_the_page_limit() {
    let lab = Lab::with_users(1_200);
    let (code, _) = code(lab.client().run(&lab.base(), "sub", PEOPLE, &["1.1"]));
    assert_eq!(code, 4);
}

#[test]
fn the_root_entry_tells_who_answers_and_who_asks() {
    let lab = Lab::with_users(5);
    let attributes = ["defaultNamingContext", "dnsHostName", "dsServiceName", "highestCommittedUSN", "tokenGroups"];

    let root = lab.client().run("", "base", "(objectClass=*)", &attributes).unwrap();

    assert_eq!(root[0].text("defaultNamingContext").unwrap(), "DC=lab,DC=example");
    assert_eq!(root[0].text("dnsHostName").unwrap(), "dc1.lab.example");
    let authenticated_users = [1, 1, 0, 0, 0, 0, 0, 5, 11, 0, 0, 0].to_vec();
    assert!(root[0].values("tokenGroups").contains(&authenticated_users));
    let service = root[0].text("dsServiceName").unwrap();
    let service = lab.client().run(&service, "base", "(objectClass=*)", &["invocationId", "objectGUID"]).unwrap();
    assert_eq!(service[0].values("invocationId")[0].len(), 16);
}

#[test]
fn a_subtree_search_at_the_root_gives_references_unless_told_not_to() {
    let lab = Lab::with_users(5);
    let raw = |client: LdapSearch| client.run(&lab.base(), "sub", "(objectClass=domainDNS)", &["1.1"]).unwrap();
    assert_eq!(raw(lab.client()).len(), 1);
    assert_eq!(raw(lab.client().option("-E").option("!1.2.840.113556.1.4.1339")).len(), 1);
}

#[test]
fn binds_fail_as_a_domain_controller_refuses_them() {
    let lab = Lab::with_users(20);
    let base = lab.base();
    let attempt = |name: &str, password: &str| {
        code(lab.anonymous().bind(name, password).run(&base, "base", "(objectClass=*)", &["1.1"]))
    };
    let victim = lab.directory.people().into_iter().find(|person| person.account_name != "svc-rollcall").unwrap();
    lab.directory.set_password(victim.guid, "Secret-1");
    lab.directory.disable(victim.guid).unwrap();

    let wrong = attempt(&lab.directory.bind_name(), "wrong");
    assert!(wrong.0 == 49 && wrong.1.contains("data 52e"), "{wrong:?}");
    assert!(attempt("nobody@lab.example", "x").1.contains("data 525"));
    assert!(attempt(&victim.dn, "Secret-1").1.contains("data 533"));
    assert_eq!(lab.directory.tally().refused_binds, 3);
}

#[test]
fn nothing_but_the_root_entry_is_shown_to_strangers() {
    let lab = Lab::with_users(5);
    let (code, message) = code(lab.anonymous().run(&lab.base(), "base", "(objectClass=*)", &["1.1"]));
    assert_eq!(code, 1);
    assert!(message.contains("000004DC"), "{message}");
}

#[test]
fn passwords_are_refused_in_the_clear_and_taken_after_start_tls() {
    let lab = Lab::with_users(5);
    let url = format!("ldap://{}", lab.directory.ldap());
    let clear = LdapSearch::new(url, &lab.folder.path().join("ca.pem"))
        .bind(&lab.directory.bind_name(), lab.directory.password());

    let refused = code(clear.run(&lab.base(), "base", "(objectClass=*)", &["1.1"]));
    assert!(refused.0 == 8 && refused.1.contains("00002028"), "{refused:?}");

    let found = clear.option("-ZZ").run(&lab.base(), "base", "(objectClass=*)", &["1.1"]).unwrap();
    assert_eq!(found.len(), 1);
}

#[test]
fn long_memberships_come_in_ranges() {
    for (members, expected) in [(1_499, None), (1_500, None), (1_501, Some(1_501)), (4_501, Some(4_501))] {
        let lab = Lab::with_users(members + 40);
        let groups = lab.directory.at("OU=Security,OU=Groups").unwrap();
        let group = lab.directory.add_group(groups, "Long", GroupKind::GlobalSecurity).unwrap();
        for person in lab.directory.people().iter().filter(|person| person.account_name.len() > 3).take(members) {
            lab.directory.join(person.guid, group).unwrap();
        }
        let base = format!("<GUID={group}>");
        let read =
            |attribute: &str| lab.client().run(&base, "base", "(objectClass=*)", &[attribute]).unwrap().remove(0);

        let whole = read("member");
        match expected {
            None => assert_eq!(whole.values("member").len(), members),
            Some(count) => {
                assert_eq!(whole.values("member;range=0-1499").len(), 1_500);
                let (mut start, mut seen) = (0, BTreeSet::new());
                loop {
                    let chunk = read(&format!("member;range={start}-*"));
                    let (name, values) = chunk.attributes.iter().find(|(name, _)| name.starts_with("member;")).unwrap();
                    seen.extend(values.iter().cloned());
                    start = seen.len();
                    if name.ends_with("-*") {
                        break;
                    }
                }
                assert_eq!(seen.len(), count);
            }
        }
    }
}

#[test]
fn filters_find_what_they_name() {
    let lab = Lab::with_users(300);
    let security = "(&(objectCategory=group)(groupType:1.2.840.113556.1.4.803:=2147483648)(!(groupType:1.2.840.113556.1.4.803:=1)))";
    let groups = lab.search(security, &["cn"]);
    assert!(groups.iter().any(|entry| entry.dn.starts_with("CN=VPN Users,")));
    assert!(!groups.iter().any(|entry| entry.dn.starts_with("CN=Newsletter,") || entry.dn.contains("CN=Builtin")));

    assert_eq!(lab.search("(ou=*Quoted*)", &["1.1"]).len(), 1);
    assert_eq!(lab.search("(ou=legal\\2c risk*)", &["1.1"]).len(), 1);
    assert_eq!(
        lab.search("(!(sAMAccountName=*))", &["1.1"]).len(),
        lab.search("(objectClass=*)", &["1.1"]).len() - lab.search("(sAMAccountName=*)", &["1.1"]).len()
    );
    let all = lab.search(PEOPLE, &["uSNChanged"]).len();
    let from_zero = lab.search("(&(sAMAccountType=805306368)(uSNChanged>=1))", &["1.1"]).len();
    let none = lab.search("(&(sAMAccountType=805306368)(uSNChanged>=99999999))", &["1.1"]).len();
    assert_eq!((from_zero, none), (all, 0));
}

#[test]
fn members_are_found_by_link_by_chain_and_by_primary_group() {
    let lab = Lab::with_users(400);
    let group = |name: &str| lab.directory.account(name).unwrap();
    let dn = |name: &str| lab.directory.groups().into_iter().find(|place| place.name == name).unwrap().dn;
    let expected = |group| lab.directory.people().iter().filter(|person| person.groups.contains(&group)).count();

    let direct = lab.search(&format!("(&{PEOPLE}(memberOf={}))", dn("Nested")), &["1.1"]).len();
    assert_eq!(direct, expected(group("Nested")));
    let deep = lab.search(&format!("(&{PEOPLE}(memberOf:1.2.840.113556.1.4.1941:={}))", dn("Nested")), &["1.1"]).len();
    assert!(deep > direct);

    let club = lab
        .directory
        .read(|forest| forest.entry(forest.find_account("Primary Club").unwrap()).sid().unwrap().rid().unwrap());
    let primary = lab.search(&format!("(&{PEOPLE}(primaryGroupID={club}))"), &["memberOf"]);
    assert!(!primary.is_empty());
    assert!(
        primary.iter().all(|entry| !entry.texts("memberOf").iter().any(|group| group.starts_with("CN=Primary Club")))
    );
}

#[test]
fn objects_are_found_by_guid_and_sid_wherever_they_move() {
    let lab = Lab::with_users(30);
    let person = lab.directory.people().into_iter().find(|person| person.dn.contains("OU=Sales")).unwrap();
    let elsewhere = lab.directory.at("OU=Contractors").unwrap();
    lab.directory.move_to(person.guid, elsewhere).unwrap();

    let found =
        lab.client().run(&format!("<GUID={}>", person.guid), "base", "(objectClass=*)", &["objectSid"]).unwrap();

    assert!(found[0].dn.ends_with("OU=Contractors,DC=lab,DC=example"), "{}", found[0].dn);
    let bytes = person.guid.to_bytes_le().iter().fold(String::new(), |text, byte| format!("{text}\\{byte:02x}"));
    assert_eq!(lab.search(&format!("(objectGUID={bytes})"), &["1.1"])[0].dn, found[0].dn);
    let users = lab
        .client()
        .run("<WKGUID=A9D1CA15768811D1ADED00C04FD8D5CD,DC=lab,DC=example>", "base", "(objectClass=*)", &["1.1"])
        .unwrap();
    assert_eq!(users[0].dn, "CN=Users,DC=lab,DC=example");
}

#[test]
fn a_renamed_unit_takes_its_people_along_without_touching_their_numbers() {
    let lab = Lab::with_users(60);
    let person = lab.directory.people().into_iter().find(|person| person.dn.contains("OU=Sales,OU=Berlin")).unwrap();
    let read = || {
        lab.client()
            .run(&format!("<GUID={}>", person.guid), "base", "(objectClass=*)", &["uSNChanged"])
            .unwrap()
            .remove(0)
    };
    let before = read();

    lab.directory.rename(lab.directory.at("OU=Berlin,OU=Staff").unwrap(), "Hamburg, Mitte").unwrap();

    let after = read();
    assert!(after.dn.contains("OU=Sales,OU=Hamburg\\, Mitte,OU=Staff"), "{}", after.dn);
    assert_eq!(after.text("uSNChanged"), before.text("uSNChanged"));
    let base = after.dn.split_once(",OU=").map(|(_, rest)| format!("OU={rest}")).unwrap();
    assert!(!lab.client().run(&base, "one", PEOPLE, &["1.1"]).unwrap().is_empty());
}

#[test]
fn joining_a_group_moves_only_the_groups_number() {
    let lab = Lab::with_users(30);
    let number = |guid| {
        let entry =
            lab.client().run(&format!("<GUID={guid}>"), "base", "(objectClass=*)", &["uSNChanged"]).unwrap().remove(0);
        entry.text("uSNChanged").unwrap().parse::<u64>().unwrap()
    };
    let person = lab.directory.people().pop().unwrap().guid;
    let group = lab.directory.account("Empty Group").unwrap();
    let (person_before, group_before) = (number(person), number(group));

    lab.directory.join(person, group).unwrap();

    assert_eq!(number(person), person_before);
    assert!(number(group) > group_before);
}

#[test]
fn deleted_people_are_gone_unless_one_may_look_into_the_bin() {
    let lab = Lab::with_users(30);
    let person = lab.directory.people().pop().unwrap();
    lab.directory.delete(person.guid).unwrap();
    let base = format!("<GUID={}>", person.guid);
    let read = |client: LdapSearch| client.run(&base, "base", "(objectClass=*)", &["isDeleted", "lastKnownParent"]);
    let show_deleted = || lab.client().option("-E").option("!1.2.840.113556.1.4.417");

    assert_eq!(code(read(lab.client())).0, 32);
    assert_eq!(code(read(show_deleted())).0, 32);

    lab.directory.set_deleted_objects(DeletedObjects::Readable);
    let tombstone = read(show_deleted()).unwrap();
    assert_eq!(tombstone[0].text("isDeleted").unwrap(), "TRUE");
    assert_eq!(code(read(lab.client())).0, 32);

    lab.directory.undelete(person.guid).unwrap();
    assert_eq!(read(lab.client()).unwrap()[0].dn, person.dn);
}

#[test]
fn names_outside_the_domain_are_referred_elsewhere() {
    let lab = Lab::with_users(5);
    assert_eq!(code(lab.client().run("DC=other,DC=test", "base", "(objectClass=*)", &["1.1"])).0, 10);
    assert_eq!(code(lab.client().run("OU=No Such,DC=lab,DC=example", "base", "(objectClass=*)", &["1.1"])).0, 32);
    assert_eq!(code(lab.client().run("no name at all", "base", "(objectClass=*)", &["1.1"])).0, 34);
}

#[test]
fn names_carry_their_ids_when_asked_to() {
    let lab = Lab::with_users(30);
    let group = lab.directory.account("Leads").unwrap();
    let entry = lab
        .client()
        .option("-E")
        .option("!1.2.840.113556.1.4.529=::MAMCAQE=")
        .run(&format!("<GUID={group}>"), "base", "(objectClass=*)", &["member"])
        .unwrap()
        .remove(0);
    assert!(entry.dn.starts_with(&format!("<GUID={group}>;<SID=S-1-5-21-")), "{}", entry.dn);
    assert!(entry.texts("member")[0].starts_with("<GUID="));
}

#[test]
fn attempts_to_write_are_refused_and_counted() {
    let lab = Lab::with_users(5);
    let person = lab.directory.people().pop().unwrap();
    let mut command = std::process::Command::new("ldapdelete");
    command.env("LDAPTLS_CACERT", lab.folder.path().join("ca.pem")).args(["-x", "-H"]);
    command.arg(format!("ldaps://{}", lab.directory.ldaps()));
    command.args(["-D", &lab.directory.bind_name(), "-w", lab.directory.password(), &person.dn]);
    assert_eq!(command.output().unwrap().status.code(), Some(50));
    assert_eq!(lab.directory.tally().writes, 1);
    assert!(lab.directory.person(person.guid).is_some());
}

#[test]
fn attributes_can_be_hidden_changed_and_cleared() {
    let lab = Lab::with_users(60);
    let with_mail = || lab.search("(&(sAMAccountType=805306368)(mail=*))", &["mail"]).len();
    let before = with_mail();
    let person = lab.directory.people().into_iter().find(|person| person.mail.is_some()).unwrap();

    lab.directory.clear(person.guid, Attr::Mail).unwrap();
    assert_eq!(with_mail(), before - 1);
    lab.directory.set(person.guid, Attr::Mail, Values::one("back@lab.example")).unwrap();
    assert_eq!(with_mail(), before);
    lab.directory.hide(Attr::Mail, 100);
    assert_eq!(with_mail(), 0);
    lab.directory.heal();
    assert_eq!(with_mail(), before);
}
