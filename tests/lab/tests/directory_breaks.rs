//! The scripted directory's faults: each one does to a client exactly what its name says.

#![expect(clippy::unwrap_used, reason = "a test fails loudly")]

use rollcall_lab::{
    authority::Flavour,
    directory::{Attr, Code, Directory, Fault, Plan, Setup, Trouble, When},
    ldapsearch::{LdapSearch, LdapSearchError},
};
use tempfile::TempDir;

const PEOPLE: &str = "(sAMAccountType=805306368)";

struct Lab {
    directory: Directory,
    folder: TempDir,
}

impl Lab {
    fn new() -> Self {
        let directory = Directory::start(&Plan::new(300, 7), Setup::default()).unwrap();
        let folder = TempDir::new().unwrap();
        directory.authority().write_pem(&folder.path().join("ca.pem")).unwrap();
        Self { directory, folder }
    }

    fn client(&self) -> LdapSearch {
        self.client_of(&self.directory)
    }

    fn client_of(&self, directory: &Directory) -> LdapSearch {
        LdapSearch::new(format!("ldaps://{}", directory.ldaps()), &self.folder.path().join("ca.pem"))
            .bind(&directory.bind_name(), directory.password())
            .within_seconds(20)
            .paged(100)
    }

    /// The number of people read, or the code and message of the failure.
    fn read(&self) -> Result<usize, (i32, String)> {
        count(self.client().run(&self.directory.base_dn(), "sub", PEOPLE, &["cn"]))
    }
}

fn count<T>(result: Result<Vec<T>, LdapSearchError>) -> Result<usize, (i32, String)> {
    match result {
        Ok(entries) => Ok(entries.len()),
        Err(LdapSearchError::Failed { code, message }) => Err((code, message)),
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn a_result_strikes_on_its_page_and_on_no_other() {
    let lab = Lab::new();
    for code in
        [Code::SIZE_LIMIT, Code::ADMIN_LIMIT, Code::CRITICAL_EXTENSION, Code::BUSY, Code::UNAVAILABLE, Code::OTHER]
    {
        lab.directory.trouble(When::page(2), Trouble::Result(code));
        assert_eq!(lab.read().unwrap_err().0, i32::from(code.0));
        lab.directory.heal();
    }
    lab.directory.trouble(When::page(5), Trouble::Result(Code::BUSY));
    assert_eq!(lab.read().unwrap(), 303, "there are four pages");
}

#[test]
fn a_fault_may_strike_once_and_only_certain_searches() {
    let lab = Lab::new();
    lab.directory.trouble(When::page(1).once(), Trouble::Result(Code::BUSY));
    assert!(lab.read().is_err());
    assert!(lab.read().is_ok());

    lab.directory.trouble(When::page(1).asking("memberOf"), Trouble::Result(Code::BUSY));
    assert!(lab.read().is_ok());
}

#[test]
fn connections_end_in_the_middle_of_a_page() {
    let lab = Lab::new();
    for trouble in [Trouble::Cut, Trouble::Close, Trouble::Notice] {
        lab.directory.trouble(When::page(2), trouble.clone());
        assert!(lab.read().is_err(), "{trouble:?}");
        lab.directory.heal();
    }
}

#[test]
fn broken_bytes_reach_the_client() {
    let lab = Lab::new();
    for trouble in [Trouble::MalformedEntry, Trouble::OversizeLength] {
        lab.directory.trouble(When::page(2), trouble.clone());
        let before = lab.directory.tally().bytes_out;
        let client = lab.client().within_seconds(1);
        let read = count(client.run(&lab.directory.base_dn(), "sub", PEOPLE, &["cn"]));
        assert!(read.is_err(), "{trouble:?}");
        assert!(lab.directory.tally().bytes_out > before);
        lab.directory.heal();
    }
}

#[test]
fn pages_are_clamped_without_losing_anybody() {
    let lab = Lab::new();
    lab.directory.clamp_pages(7);
    assert_eq!(lab.read().unwrap(), 303);
    assert_eq!(lab.directory.tally().searches, 303_u64.div_ceil(7));
}

#[test]
fn a_referral_is_an_error() {
    let lab = Lab::new();
    lab.directory.trouble(When::page(1), Trouble::Referral);
    assert_eq!(lab.read().unwrap_err().0, 10);
    lab.directory.heal();
    lab.directory.trouble(When::single_read(), Trouble::Referral);
    assert!(lab.read().is_ok());
}

#[test]
fn silence_is_silence() {
    let lab = Lab::new();
    lab.directory.fault(Fault::Silence);
    let client = lab.client().within_seconds(1);
    assert_eq!(count(client.run(&lab.directory.base_dn(), "sub", PEOPLE, &["cn"])).unwrap_err().0, 124);
    assert_eq!(lab.directory.tally().handshakes, 0);
}

#[test]
fn a_drip_is_slow_and_complete() {
    let lab = Lab::new();
    lab.directory.fault(Fault::Drip { bytes_per_second: 200_000 });
    assert_eq!(lab.read().unwrap(), 303);
}

#[test]
fn refused_binds_carry_their_sub_code() {
    let lab = Lab::new();
    lab.directory.fault(Fault::RefuseBinds { data: "775" });
    let (code, message) = lab.read().unwrap_err();
    assert_eq!(code, 49);
    assert!(message.contains("data 775"), "{message}");
}

#[test]
fn bad_certificates_are_refused_by_a_careful_client() {
    let lab = Lab::new();
    for flavour in [Flavour::WrongName, Flavour::Expired, Flavour::SelfSigned, Flavour::NamesOnly] {
        lab.directory.show_certificate(flavour).unwrap();
        assert!(lab.read().is_err(), "{flavour:?}");
    }
    lab.directory.show_certificate(Flavour::Good).unwrap();
    assert!(lab.read().is_ok());
}

#[test]
fn start_tls_can_be_refused() {
    let lab = Lab::new();
    lab.directory.fault(Fault::RefuseStartTls);
    let client =
        LdapSearch::new(format!("ldap://{}", lab.directory.ldap()), &lab.folder.path().join("ca.pem")).option("-ZZ");
    assert!(client.run("", "base", "(objectClass=*)", &[]).is_err());
}

#[test]
fn a_share_of_the_objects_hides_an_attribute() {
    let lab = Lab::new();
    lab.directory.hide(Attr::Mail, 80);
    let with_mail = lab.client().run(&lab.directory.base_dn(), "sub", PEOPLE, &["mail"]).unwrap();
    let shown = with_mail.iter().filter(|entry| entry.text("mail").is_some()).count();
    assert!((20..120).contains(&shown), "{shown}");
}

#[test]
fn a_second_controller_lags_until_it_catches_up_and_stays_itself() {
    let lab = Lab::new();
    let second = lab.directory.second_controller("dc2", Setup::default()).unwrap();
    let identity = |directory: &Directory| {
        let client = lab.client_of(directory);
        let root = client.run("", "base", "(objectClass=*)", &["dsServiceName", "dnsHostName"]);
        let root = root.unwrap_or_default();
        root.first().map(|root| (root.text("dsServiceName"), root.text("dnsHostName")))
    };
    let person = lab.directory.people().pop().unwrap();
    lab.directory.delete(person.guid).unwrap();
    assert!(second.person(person.guid).is_some_and(|seen| seen.dn == person.dn));
    let (first_identity, second_identity) = (identity(&lab.directory), identity(&second));
    assert_ne!(first_identity, second_identity);

    second.catch_up(&lab.directory);

    assert_eq!(second.people().len(), lab.directory.people().len());
    assert_eq!(identity(&second), second_identity);
}

#[test]
fn a_controller_changes_its_identity() {
    let lab = Lab::new();
    let facts = || {
        let root = lab
            .client()
            .run("", "base", "(objectClass=*)", &["highestCommittedUSN", "dsServiceName"])
            .unwrap()
            .remove(0);
        let service = lab
            .client()
            .run(&root.text("dsServiceName").unwrap(), "base", "(objectClass=*)", &["invocationId"])
            .unwrap();
        let head = lab
            .client()
            .run(&lab.directory.base_dn(), "base", "(objectClass=*)", &["objectGUID", "objectSid"])
            .unwrap();
        (
            root.text("highestCommittedUSN").unwrap().parse::<u64>().unwrap(),
            service[0].values("invocationId")[0].clone(),
            head[0].attributes.clone(),
        )
    };
    let before = facts();
    lab.directory.restore_from_backup();
    let restored = facts();
    assert_ne!(restored.1, before.1);
    lab.directory.roll_back_usn(100);
    let rolled_back = facts();
    assert!(rolled_back.0 < restored.0 && rolled_back.1 == restored.1);
    lab.directory.become_other_domain();
    assert_ne!(facts().2, before.2);
}

#[test]
fn an_administrator_works_while_a_client_turns_the_page() {
    let lab = Lab::new();
    // The deepest units come last.
    let last = lab.directory.people().into_iter().rfind(|person| person.dn.contains("OU=Engineering")).unwrap();
    lab.directory.meanwhile(When::page(2).asking("805306368"), move |forest| {
        let id = forest.find_guid(last.guid).unwrap();
        forest.delete(id).unwrap();
    });

    assert_eq!(lab.read().unwrap(), 302);
    assert_eq!(lab.read().unwrap(), 302);
}

#[test]
fn a_membership_changes_between_two_ranges() {
    let lab = Lab::new();
    lab.directory.set_rules(|rules| rules.max_values = 50);
    let group = lab.directory.account("All Staff").unwrap();
    let leaver = lab.directory.people().into_iter().rfind(|person| person.groups.contains(&group)).unwrap().guid;
    lab.directory.meanwhile(When::single_read().asking("member;range=50"), move |forest| {
        let (leaver, group) = (forest.find_guid(leaver).unwrap(), forest.find_guid(group).unwrap());
        forest.leave(leaver, group).unwrap();
    });
    let usn = || {
        let entry = lab.client().run(
            &format!("<GUID={group}>"),
            "base",
            "(objectClass=*)",
            &["uSNChanged", "member;range=50-*"],
        );
        entry.unwrap()[0].text("uSNChanged").unwrap().parse::<u64>().unwrap()
    };
    let before = lab.directory.read(|forest| forest.entry(forest.find_guid(group).unwrap()).usn_changed);

    assert!(usn() > before);
}
