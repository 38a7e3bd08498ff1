//! The Samba starter: a real domain controller that an administrator works on while a second client watches.

#![expect(clippy::unwrap_used, reason = "a test fails loudly")]

use rollcall_lab::{
    ldapsearch::{LdapSearch, LdapSearchError},
    oracle::OraclePerson,
    samba::{Filling, Samba, SambaPerson, SambaSetup},
};
use uuid::Uuid;

fn find(samba: &Samba, guid: Uuid) -> Option<OraclePerson> {
    samba.people().unwrap().into_iter().find(|person| person.guid == guid)
}

fn person(unit: &str, given: &str, surname: &str, account: &str) -> SambaPerson {
    SambaPerson {
        path: vec!["Staff".into(), unit.into()],
        given_name: given.into(),
        surname: surname.into(),
        account_name: account.into(),
        mail: Some(format!("{account}@lab.example")),
        groups: Vec::new(),
    }
}

#[test]
fn an_administrator_changes_a_domain_and_the_oracle_sees_each_change() {
    let samba = Samba::start(&SambaSetup::default()).unwrap();
    assert_eq!(samba.fill(&Filling::company(500, 1)).unwrap(), 500);
    let staff = |people: Vec<OraclePerson>| {
        people.into_iter().filter(|person| person.dn.contains("OU=Staff")).collect::<Vec<_>>()
    };
    assert_eq!(staff(samba.people().unwrap()).len(), 500);

    let ada = samba.add_person(&person("Sales", "Ada", "Lovelace, \"Jr.\"", "ada")).unwrap();
    let ben = samba.add_person(&person("Sales", "Ben", "Bauer", "ben")).unwrap();
    let vpn = samba.account("VPN Users").unwrap();
    samba.join(ada, vpn).unwrap();
    assert!(find(&samba, ada).unwrap().member_of[0].starts_with("CN=VPN Users"));
    samba.leave(ada, vpn).unwrap();
    assert!(find(&samba, ada).unwrap().member_of.is_empty());

    samba.rename(ada, "Ada \"Countess\" #1, King").unwrap();
    samba.move_to(ada, samba.at("OU=Support,OU=Staff").unwrap()).unwrap();
    samba.rename(samba.at("OU=Support,OU=Staff").unwrap(), "Help, Desk").unwrap();
    samba.rename(samba.at("OU=Staff").unwrap(), "People").unwrap();
    let seen = find(&samba, ada).unwrap();
    assert_eq!(seen.dn, "CN=Ada \\\"Countess\\\" \\#1\\, King,OU=Help\\, Desk,OU=People,DC=lab,DC=example");

    samba.disable(ada).unwrap();
    assert!(find(&samba, ada).unwrap().is_disabled());
    samba.enable(ada).unwrap();
    assert!(!find(&samba, ada).unwrap().is_disabled());

    samba.add_object(&["People", "Sales"], "A contact", "contact", &[("mail", "out@side.example")]).unwrap();
    samba.add_object(&["People", "Sales"], "WS-1", "computer", &[("sAMAccountName", "WS-1$")]).unwrap();
    let inet = [("sAMAccountName", "inet"), ("userAccountControl", "544")];
    let inet = samba.add_object(&["People", "Sales"], "Inet Person", "inetOrgPerson", &inet).unwrap();
    assert_eq!(find(&samba, inet).unwrap().account_name, "inet");
    assert!(!samba.people().unwrap().iter().any(|person| person.account_name == "WS-1$"));

    samba.swap_mails(ada, ben).unwrap();
    assert_eq!(find(&samba, ada).unwrap().mail.as_deref(), Some("ben@lab.example"));
    samba.set(ben, "mail", &[]).unwrap();
    assert_eq!(find(&samba, ben).unwrap().mail, None);

    samba.set_primary_group(ben, vpn).unwrap();
    let seen = find(&samba, ben).unwrap();
    assert_ne!(seen.primary_group_id, Some(513));
    assert!(!seen.member_of.iter().any(|group| group.starts_with("CN=VPN Users")));

    let other = samba.recreate(ada).unwrap();
    assert_ne!(other, ada);
    assert!(find(&samba, ada).is_none());
    assert_eq!(find(&samba, other).unwrap().account_name, "ada");

    samba.delete(other).unwrap();
    let look = || {
        let reader = samba.reader().option("-E").option("!1.2.840.113556.1.4.417");
        reader.run(&format!("<GUID={other}>"), "base", "(objectClass=*)", &["isDeleted"])
    };
    assert!(matches!(look(), Err(LdapSearchError::Failed { code: 32, .. })));
    samba.grant_deleted_objects().unwrap();
    assert_eq!(look().unwrap()[0].text("isDeleted").as_deref(), Some("TRUE"));
    assert!(samba.remote_changes().is_empty(), "the administrator works beside the database, readers only read");
    samba.undelete(other).unwrap();
    assert_eq!(find(&samba, other).unwrap().account_name, "ada");
}

#[test]
fn two_domains_run_side_by_side_and_refuse_passwords_in_the_clear() {
    let one = Samba::start(&SambaSetup::default()).unwrap();
    let two = Samba::start(&SambaSetup { domain_name: "other.test".into(), address: None }).unwrap();
    assert_ne!(one.address(), two.address());
    assert_eq!(two.base_dn(), "DC=other,DC=test");
    assert!(two.reader().run(&two.base_dn(), "base", "(objectClass=*)", &["objectGUID"]).is_ok());

    let clear =
        LdapSearch::new(format!("ldap://{}", one.address()), &one.ca_file()).bind(&one.bind_name(), one.password());
    let refused = clear.run(&one.base_dn(), "base", "(objectClass=*)", &["1.1"]);
    assert!(matches!(refused, Err(LdapSearchError::Failed { code: 8, .. })), "{refused:?}");
}

#[test]
fn every_change_over_the_network_is_seen() {
    let samba = Samba::start(&SambaSetup::default()).unwrap();
    let person = find(&samba, samba.service_account()).unwrap();
    let (name, password) = samba.administrator();
    let mut command = std::process::Command::new("ldapdelete");
    command.env("LDAPTLS_CACERT", samba.ca_file()).args(["-x", "-H", &format!("ldaps://{}", samba.address())]);
    command.args(["-D", &name, "-w", password, &person.dn]);

    assert_eq!(command.output().unwrap().status.code(), Some(0));

    // The controller answers first and writes its log afterwards.
    let seen = (0..50).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(100));
        samba.remote_changes().len() == 1
    });
    assert!(seen, "{}", samba.log());
}
