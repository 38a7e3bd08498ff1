//! Why there is no connection: each cause is told apart, by its own code, within the connect timeout.

use rollcall_agent::diagnostic::Diagnostic;
use rollcall_agent::directory::method::Tls;
use rollcall_lab::authority::Flavour;
use rollcall_lab::directory::Fault;

use crate::site::Site;

async fn code_of(site: &mut Site) -> &'static str {
    let error = site.sync().await.unwrap_err();
    Diagnostic::from(&error).fault.code
}

#[tokio::test]
async fn case_29_bad_certificates_are_told_apart() {
    let mut site = Site::new(20);
    for (flavour, code) in
        [(Flavour::WrongName, "RC-2104"), (Flavour::Expired, "RC-2105"), (Flavour::SelfSigned, "RC-2103")]
    {
        site.directory.show_certificate(flavour).unwrap();
        assert_eq!(code_of(&mut site).await, code, "{flavour:?}");
    }
}

#[tokio::test]
async fn a_certificate_without_addresses_is_fine_since_we_connect_by_name() {
    let mut site = Site::new(20);
    site.directory.show_certificate(Flavour::NamesOnly).unwrap();

    site.sync().await.unwrap();
}

#[tokio::test]
async fn case_27_a_wrong_password_is_tried_once() {
    let mut site = Site::new(20);
    site.use_password("wrong");

    assert_eq!(code_of(&mut site).await, "RC-2201");
    assert_eq!(site.directory.tally().binds, 1);
}

#[tokio::test]
async fn case_27_refusals_of_the_account_are_told_apart() {
    for (data, code) in [("775", "RC-2202"), ("533", "RC-2203"), ("701", "RC-2203"), ("773", "RC-2204")] {
        let mut site = Site::new(20);
        site.directory.fault(Fault::RefuseBinds { data });
        assert_eq!(code_of(&mut site).await, code, "{data}");
    }
}

#[tokio::test]
async fn case_29_a_server_that_never_answers_is_left_in_time() {
    let mut site = Site::new(20);
    site.directory.fault(Fault::Silence);
    assert_eq!(code_of(&mut site).await, "RC-2109");

    let mut site = Site::new(20);
    site.directory.fault(Fault::StallBinds);
    assert!(["RC-2109", "RC-2303"].contains(&code_of(&mut site).await));
}

#[tokio::test]
async fn case_29_a_refused_start_tls_never_becomes_a_clear_text_sign_in() {
    let mut site = Site::new(20);
    let password = site.directory.password().to_owned();
    site.reach(Tls::StartTls, site.directory.ldap().port(), &password);
    site.directory.fault(Fault::RefuseStartTls);

    assert_eq!(code_of(&mut site).await, "RC-2108");
    assert_eq!(site.directory.tally().binds, 0);
}

#[tokio::test]
async fn a_port_where_nobody_listens_is_told_as_such() {
    let mut site = Site::new(20);
    site.reach(Tls::Ldaps, 1, "never sent");

    assert_eq!(code_of(&mut site).await, "RC-2102");
}
