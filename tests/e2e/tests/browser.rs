//! Every page of the portal in a real browser, wide and narrow, light and dark: nothing runs over the edge, nothing fails,
//! and nobody is shut out.

#![expect(clippy::unwrap_used, reason = "a test fails loudly")]

use rollcall_e2e::{Customer, ScriptedScope};
use rollcall_lab::browser::{Browser, Theme};
use rollcall_lab::directory::{Directory, Plan, Setup};
use rollcall_lab::world::{AgentSetup, Binding, Cloud, CloudSetup};
use std::collections::BTreeSet;

/// Colours are the same at every width.
const VIEWS: [(u32, Theme); 3] = [(1280, Theme::Light), (1280, Theme::Dark), (360, Theme::Light)];

#[tokio::test(flavor = "multi_thread")]
async fn every_page_fits_the_screen_and_shuts_nobody_out() {
    let directory = Directory::start(&Plan::new(30, 1), Setup::default()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let binding = Binding::to_directory(&directory, &folder.path().join("ca.pem")).unwrap();
    let cloud = Cloud::start(&CloudSetup::default()).await.unwrap();
    let customer = Customer::install(&cloud, "Alder & Finch", &AgentSetup::new(binding)).await.unwrap();
    customer.sync().await.unwrap();
    let staff = directory.at("OU=Staff").unwrap();
    customer.import("Staff", &[("ou", staff)], &[]).await.unwrap();
    customer.sync().await.unwrap();
    let expected = ScriptedScope { ous: vec![staff], groups: Vec::new() }.people(&directory);
    assert!(!expected.is_empty());
    let browser = Browser::start().await.unwrap();
    sign_in(&browser, &cloud).await;

    let mut found = Vec::new();
    let pages = list_pages(&browser, &cloud.url).await;
    for page in &pages {
        for view in VIEWS {
            found.extend(look_at(&browser, &format!("{}{page}", cloud.url), view).await);
        }
    }

    assert!(pages.len() > 20, "{pages:?}");
    assert!(found.is_empty(), "{}", found.join("\n"));
}

async fn sign_in(browser: &Browser, cloud: &Cloud) {
    browser.open(&cloud.signin_link).await.unwrap();
    let script = "for (const field of document.querySelectorAll('input[type=password]')) field.value = 'correct horse battery staple';
        document.querySelector('form:has(input[type=password]) [type=submit]').click();";
    browser.run(script).await.unwrap();
    browser.open(&format!("{}/customers", cloud.url)).await.unwrap();
    let heading = browser.run("return document.querySelector('h1').textContent").await.unwrap();
    assert_eq!(heading, "Customers");
}

/// Every address that a person can click to, one of each kind.
async fn list_pages(browser: &Browser, url: &str) -> Vec<String> {
    let mut pages = vec!["/".to_owned()];
    let mut kinds: BTreeSet<String> = BTreeSet::new();
    let mut next = 0;
    while let Some(page) = pages.get(next).cloned() {
        next += 1;
        browser.open(&format!("{url}{page}")).await.unwrap();
        let script = "return [...document.querySelectorAll('a[href^=\"/\"]')].map(link => link.pathname)";
        let links = browser.run(script).await.unwrap();
        for link in links.as_array().into_iter().flatten().filter_map(|link| link.as_str()) {
            if is_page(link) && kinds.insert(kind_of(link)) {
                pages.push(link.to_owned());
            }
        }
    }
    pages
}

/// Files and the pages of other tools are no pages of ours.
fn is_page(path: &str) -> bool {
    !path.contains('.') && !path.starts_with("/api") && !path.starts_with("/download")
}

/// The address with its ids left out.
fn kind_of(path: &str) -> String {
    let part = |part: &str| if part.contains('_') { "id".to_owned() } else { part.to_owned() };
    path.split('/').map(part).collect::<Vec<_>>().join("/")
}

async fn look_at(browser: &Browser, url: &str, (width, theme): (u32, Theme)) -> Vec<String> {
    browser.show_as(width, theme).await.unwrap();
    browser.open(url).await.unwrap();
    let mut found = browser.list_barriers().await.unwrap();
    let over = browser.run("return document.documentElement.scrollWidth - innerWidth").await.unwrap();
    if over.as_i64().is_none_or(|pixels| pixels > 0) {
        found.push(format!("{over} px run over the edge"));
    }
    found.extend(browser.list_errors().await.unwrap());
    found.into_iter().map(|what| format!("{url} at {width} px, {theme:?}: {what}")).collect()
}
