//! `check` names what is wrong, with its code, and only that.

use rollcall_lab::authority::Flavour;
use rollcall_lab::directory::rules::DeletedObjects;
use rollcall_lab::directory::{Attr, Directory, Fault, Plan, Setup};
use rollcall_protocol::answer::Refusal;
use rollcall_protocol::desired::{Selection, SelectionKind};
use serde_json::Value;

use crate::home::Home;

async fn checks(home: &Home) -> (i32, Vec<Value>) {
    let done = home.agent(&["check", "--json"]).await;
    let lines = String::from_utf8(done.stdout).unwrap();
    (done.status.code().unwrap(), lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

/// The codes of everything that failed or is warned of.
fn troubles(checks: &[Value]) -> Vec<&str> {
    checks.iter().filter_map(|check| check["problem"]["code"].as_str()).collect()
}

fn detail<'a>(checks: &'a [Value], name: &str) -> Vec<&'a str> {
    let named = checks.iter().filter(|check| check["check"] == name);
    named.filter_map(|check| check["detail"].as_str().or(check["problem"]["detail"].as_str())).collect()
}

fn edit(home: &Home, from: &str, to: &str) {
    let text = std::fs::read_to_string(home.path("agent.toml")).unwrap();
    assert!(text.contains(from), "{from} is not in {text}");
    std::fs::write(home.path("agent.toml"), text.replacen(from, to, 1)).unwrap();
}

// proves: Truetask-8, Truetask-13
#[tokio::test]
async fn everything_is_checked_by_name_and_well() {
    let home = Home::enrolled(60).await;
    home.agent(&["sync"]).await;
    home.directory.reset_tally();

    let (exit, checks) = checks(&home).await;

    assert_eq!((exit, troubles(&checks)), (0, vec![]), "{checks:?}");
    let names: std::collections::BTreeSet<&str> = checks.iter().filter_map(|check| check["check"].as_str()).collect();
    assert!(names.len() >= 25, "{names:?}");
    assert!(checks.iter().all(|check| check["result"] == "ok"), "{checks:?}");
    assert_eq!(home.directory.tally().binds, 1);
    assert_eq!(home.directory.tally().writes, 0);
    let count = format!("{} people", home.expected().len());
    assert!(detail(&checks, "selection")[0].contains(&count), "{checks:?}");
}

#[tokio::test]
async fn what_cannot_be_tried_is_named_as_skipped() {
    let home = Home::new(20).await;

    let (exit, checks) = checks(&home).await;

    assert_eq!((exit, troubles(&checks)), (3, vec!["RC-1009"]));
    let skipped: Vec<&str> =
        checks.iter().filter(|check| check["result"] == "skip").filter_map(|check| check["check"].as_str()).collect();
    assert!(skipped.contains(&"cloud") && skipped.contains(&"selection"), "{skipped:?}");
}

#[tokio::test]
async fn check_names_what_is_wrong_and_tries_a_password_once() {
    let home = Home::enrolled(20).await;
    home.write_secret("wrong");

    let (exit, checks) = checks(&home).await;

    assert_eq!((exit, troubles(&checks)), (5, vec!["RC-2201"]));
    assert_eq!(home.directory.tally().binds, 1);
}

// proves: Truetask-27
#[tokio::test]
async fn a_name_in_an_odd_form_is_named_instead_of_the_password() {
    let home = Home::enrolled(20).await;
    let name = home.directory.bind_name();
    edit(&home, &format!("bind_user = {name:?}"), "bind_user = 'svc-rollcall'");

    let (exit, checks) = checks(&home).await;

    assert_eq!((exit, troubles(&checks)), (5, vec!["RC-2221", "RC-2221"]), "{checks:?}");
    assert_eq!(home.directory.tally().binds, 1);
}

type Spoil = fn(&Home);

/// What goes wrong in a directory or on its line, and the code it must have.
const LINE: &[(&str, Spoil, i32, &[&str])] = &[
    ("the port is refused", |home| edit(home, "port = ", "port = 1\n# "), 5, &["RC-2102"]),
    ("an expired certificate", |home| home.directory.show_certificate(Flavour::Expired).unwrap(), 5, &["RC-2105"]),
    ("another name", |home| home.directory.show_certificate(Flavour::WrongName).unwrap(), 5, &["RC-2104"]),
    ("an unknown CA", |home| home.directory.show_certificate(Flavour::SelfSigned).unwrap(), 5, &["RC-2103"]),
    ("a locked account", |home| home.directory.fault(Fault::RefuseBinds { data: "775" }), 5, &["RC-2202"]),
    ("a disabled account", |home| home.directory.fault(Fault::RefuseBinds { data: "533" }), 5, &["RC-2203"]),
    ("an expired password", |home| home.directory.fault(Fault::RefuseBinds { data: "532" }), 5, &["RC-2204"]),
    ("a server that says nothing", |home| home.directory.fault(Fault::Silence), 5, &["RC-2109"]),
    ("an open password file", open_secret, 1, &["RC-1012"]),
    ("an open data folder", open_folder, 10, &["RC-1012"]),
    ("a powerful account", empower, 10, &["RC-2205"]),
    ("a controller's clock", |home| home.directory.set_clock_ahead(-400), 10, &["RC-2208"]),
    ("no addresses", |home| home.directory.hide(Attr::Mail, 100), 10, &["RC-2305"]),
    ("memberships hidden", |home| home.directory.hide(Attr::MemberOf, 100), 10, &["RC-2307"]),
    ("an empty unit", |home| choose(home, "OU=Nobody"), 10, &["RC-4001"]),
    ("a unit that is gone", choose_gone, 10, &["RC-4002"]),
    ("everybody excluded", exclude_all, 10, &["RC-4001"]),
    ("nothing chosen", |home| home.cloud.want(|desired| desired.imports.clear()), 10, &["RC-4007"]),
    ("a ceiling that is not there", |home| privacy(home, "never_read = ['OU=Nowhere,DC=lab']"), 10, &["RC-1022"]),
    (
        "a copy of us was found",
        |home| home.cloud.books(|books| books.refuse_checkins.push_back(Refusal::Quarantined)),
        1,
        &["RC-3103"],
    ),
    (
        "the clock is off",
        |home| home.cloud.books(|books| books.ahead = chrono::TimeDelta::minutes(3)),
        10,
        &["RC-1005"],
    ),
];

fn open_secret(home: &Home) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(home.path("password"), std::fs::Permissions::from_mode(0o644)).unwrap();
}

fn open_folder(home: &Home) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(home.path("data"), std::fs::Permissions::from_mode(0o755)).unwrap();
}

fn empower(home: &Home) {
    let account = home.directory.account("svc-rollcall").unwrap();
    let admins = home.directory.account("Domain Admins").unwrap();
    home.directory.join(account, admins).unwrap();
}

fn choose(home: &Home, path: &str) {
    let name = path.trim_start_matches("OU=");
    let guid = home.directory.add_ou(home.directory.at("OU=Staff").unwrap(), name).unwrap();
    let mut import = home.staff();
    import.include = vec![Selection { guid, kind: SelectionKind::Ou }];
    home.cloud.select(import);
}

fn choose_gone(home: &Home) {
    let mut import = home.staff();
    import.include.push(Selection { guid: uuid::Uuid::from_u128(404), kind: SelectionKind::Group });
    home.cloud.select(import);
}

fn exclude_all(home: &Home) {
    let mut import = home.staff();
    import.exclude = vec![home.directory.at("OU=Staff").unwrap()];
    home.cloud.select(import);
}

fn privacy(home: &Home, line: &str) {
    home.configure(&format!("[privacy]\n{line}\n"));
}

// proves: Truetask-9, Truetask-27, Truetask-28, N-8
#[tokio::test]
async fn every_trouble_has_its_code_and_hides_no_other() {
    for (what, spoil, exit, codes) in LINE {
        let home = Home::enrolled(60).await;
        spoil(&home);

        let (seen, checks) = checks(&home).await;

        assert_eq!((seen, troubles(&checks).as_slice()), (*exit, *codes), "{what}: {checks:#?}");
        assert!(home.directory.tally().binds <= 1, "{what}: the password was sent more than once");
    }
}

// proves: Truetask-28
#[tokio::test]
async fn a_unit_that_is_too_narrow_is_answered_with_where_people_are() {
    let home = Home::enrolled(120).await;
    choose(&home, "OU=Nobody");

    let (_, checks) = checks(&home).await;

    let told = detail(&checks, "selection")[0];
    assert!(told.contains("nobody lies there") && told.contains("OU=Staff"), "{told}");
}

#[tokio::test]
async fn a_refused_port_is_told_with_the_other_one() {
    let home = Home::enrolled(20).await;
    edit(&home, "port = ", "port = 1\n# ");

    let (_, checks) = checks(&home).await;

    assert!(detail(&checks, "controller port")[0].contains("port 389 does not answer either"), "{checks:?}");
}

#[tokio::test]
async fn another_domain_under_the_same_name_is_refused_by_its_pin() {
    let home = Home::enrolled(60).await;
    home.agent(&["sync"]).await;
    home.directory.become_other_domain();

    let (exit, checks) = checks(&home).await;

    assert_eq!((exit, troubles(&checks)), (5, vec!["RC-2302"]), "{checks:?}");
}

#[tokio::test]
async fn readable_tombstones_are_told_and_nothing_is_wrong_with_either() {
    let home = Home::enrolled(60).await;
    home.directory.set_deleted_objects(DeletedObjects::Readable);

    let (exit, checks) = checks(&home).await;

    assert_eq!(exit, 0);
    assert!(detail(&checks, "deleted objects")[0].starts_with("readable"), "{checks:?}");
}

#[tokio::test]
async fn without_a_cloud_the_directory_is_still_checked() {
    let home = Home::enrolled(60).await;
    home.agent(&["sync"]).await;
    let nowhere = Directory::start(&Plan::new(5, 1), Setup::default()).unwrap().ldap();
    let identity = std::fs::read_to_string(home.path("data/identity.json")).unwrap();
    let mut identity: Value = serde_json::from_str(&identity).unwrap();
    identity["url"] = format!("http://{nowhere}").into();
    std::fs::write(home.path("data/identity.json"), identity.to_string()).unwrap();

    let (exit, checks) = checks(&home).await;

    assert_eq!((exit, troubles(&checks)), (4, vec!["RC-3004", "RC-3004"]), "{checks:?}");
    assert!(!detail(&checks, "selection").is_empty());
}

#[tokio::test]
async fn check_prints_for_people_with_the_fix() {
    let home = Home::new(20).await;
    home.configure("[cloud]\nproxi = 1\n");

    let done = home.agent(&["check"]).await;

    let text = String::from_utf8(done.stdout).unwrap();
    assert!(text.contains("[FAIL] RC-1006"), "{text}");
    assert!(text.contains("line 14, column 1") && text.contains("Fix:"), "{text}");
    assert_eq!(done.status.code(), Some(2));
}
