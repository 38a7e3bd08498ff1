//! What people do in the portal, form by form, on a real store and without script.

use axum::{
    body::Body,
    http::{HeaderMap, Request, header},
};
use rollcall_domain::{
    ids::{JobId, MailId, OperatorId},
    job,
    role::{Reach, Role},
};
use rollcall_protocol::evidence::Evidence;
use rollcall_store::{
    Scope as _,
    jobs::{self, NewJob},
    operators,
};
use uuid::Uuid;

use crate::{
    services::sign_in,
    testing::{TestAgent, TestCloud, person},
};

struct Answer {
    status: u16,
    place: String,
    cookie: Option<String>,
    headers: HeaderMap,
    html: String,
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The value of a hidden field.
    fn hidden(&self, name: &str) -> String {
        let mark = format!("name=\"{name}\" value=\"");
        let at = self.html.find(&mark).unwrap() + mark.len();
        self.html[at..].split('"').next().unwrap().to_owned()
    }
}

/// A browser with one cookie.
struct Browser<'a> {
    cloud: &'a TestCloud,
    cookie: Option<String>,
}

impl<'a> Browser<'a> {
    fn new(cloud: &'a TestCloud) -> Self {
        Self { cloud, cookie: None }
    }

    async fn get(&mut self, path: &str) -> Answer {
        self.send("GET", path, "").await
    }

    async fn post(&mut self, path: &str, body: &str) -> Answer {
        self.send("POST", path, body).await
    }

    async fn send(&mut self, method: &str, path: &str, body: &str) -> Answer {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("sec-fetch-site", "same-origin")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        if let Some(cookie) = &self.cookie {
            request = request.header(header::COOKIE, cookie);
        }
        let (parts, body) = self.cloud.ask(request.body(Body::from(body.to_owned())).unwrap()).await.into_parts();
        let text = |name| parts.headers.get(name).and_then(|value: &axum::http::HeaderValue| value.to_str().ok());
        let (place, cookie) = (text(header::LOCATION).unwrap_or_default().to_owned(), text(header::SET_COOKIE));
        let cookie = cookie.map(str::to_owned);
        if let Some(cookie) = &cookie {
            self.cookie = cookie.split(';').next().map(str::to_owned);
        }
        let status = parts.status.as_u16();
        let bytes = axum::body::to_bytes(body, 4 << 20).await.unwrap();
        Answer { status, place, cookie, headers: parts.headers, html: String::from_utf8_lossy(&bytes).into_owned() }
    }
}

/// An owner without a password, and the path of her one-time link.
async fn invite(cloud: &TestCloud) -> String {
    let scope = &cloud.who.scope;
    let id = cloud.state.mint(OperatorId::mint);
    let mut tx = cloud.db().write(scope).await.unwrap();
    let olga = operators::NewOperator {
        id,
        email: "olga@northwind.example",
        name: "Olga Owner",
        role: Role::Owner,
        reach: &Reach::All,
        created_at: cloud.now(),
    };
    operators::insert(&mut tx, scope, olga).await.unwrap();
    let link = sign_in::issue_link(&cloud.state, &mut tx, scope, id).await.unwrap();
    tx.commit().await.unwrap();
    link.address.strip_prefix("http://127.0.0.1:8080").unwrap().to_owned()
}

async fn signed_in(cloud: &TestCloud) -> Browser<'_> {
    let link = invite(cloud).await;
    let mut browser = Browser::new(cloud);
    assert_eq!(browser.post(&link, "password=correct+horse+battery").await.place, "/");
    browser
}

#[tokio::test]
async fn an_owner_signs_in_once_by_the_link_and_then_by_password() {
    let cloud = TestCloud::on_sqlite().await;
    let link = invite(&cloud).await;
    let mut olga = Browser::new(&cloud);

    let shown = olga.get(&link).await;
    assert!(shown.html.contains("Welcome, Olga Owner") && shown.status == 200);
    assert_eq!(olga.post(&link, "password=short").await.status, 422);
    let first = olga.post(&link, "password=correct+horse+battery").await;
    assert_eq!((first.status, first.place.as_str()), (303, "/"));
    assert!(first.cookie.is_some_and(|cookie| cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax")));
    assert!(olga.get("/").await.html.contains("Getting started"));
    assert_eq!(olga.get(&link).await.status, 410, "a link works once");

    assert!(olga.post("/logout", "").await.place.starts_with("/login"));
    assert!(olga.get("/customers?q=x").await.place.starts_with("/login?next=%2Fcustomers"));
    let wrong = olga.post("/login", "email=olga%40northwind.example&password=wrong+horse+battery").await;
    assert!(wrong.status == 422 && wrong.html.contains("wrong") && wrong.cookie.is_none());
    let right = "email=OLGA%40northwind.example&password=correct+horse+battery&next=%2Fpeople";
    assert_eq!(olga.post("/login", right).await.place, "/people");
    assert_eq!(olga.get("/people").await.status, 200);
}

#[tokio::test]
async fn after_twenty_attempts_not_even_the_right_password_is_looked_at() {
    let cloud = TestCloud::on_sqlite().await;
    invite(&cloud).await;
    let mut stranger = Browser::new(&cloud);

    for attempt in 0..20 {
        let answer = stranger.post("/login", "email=olga%40northwind.example&password=guess").await;
        assert_eq!(answer.status, 422, "attempt {attempt}");
    }

    let answer = stranger.post("/login", "email=olga%40northwind.example&password=correct+horse+battery").await;
    assert_eq!(answer.status, 429);
}

#[tokio::test]
async fn held_removals_are_approved_only_as_they_were_seen() {
    let cloud = TestCloud::on_sqlite().await;
    let mut olga = signed_in(&cloud).await;
    let mut agent = TestAgent::enrol(&cloud, 1).await;
    let import = cloud.import(Uuid::from_u128(0x0f)).await;
    let crowd: Vec<_> = (1..=20).map(|number| person(number, &format!("Person {number:03}"), import)).collect();
    agent.sync(&cloud, crowd.clone(), &Evidence::Deleted).await;
    agent.sync(&cloud, crowd[..10].to_vec(), &Evidence::Deleted).await;

    let review = olga.get("/c/contoso-gmbh/held").await;
    assert!(review.html.contains("10 removals held in Everybody") && review.html.contains("Person 020"));
    let (held, list) = (review.hidden("import"), review.hidden("list"));
    let verdict = |list: &str, count: u32| format!("import={held}&list={list}&count={count}");

    assert_eq!(olga.post("/c/contoso-gmbh/held/approve", &verdict(&list, 9)).await.status, 422);
    assert_eq!(olga.post("/c/contoso-gmbh/held/approve", &verdict("another", 10)).await.status, 422);
    assert_eq!(cloud.list(None).await.len(), 20, "nobody has left yet");
    let done = olga.post("/c/contoso-gmbh/held/approve", &verdict(&list, 10)).await;

    assert_eq!(done.place, "/c/contoso-gmbh/held?done=approved");
    assert_eq!(cloud.list(None).await.len(), 10);
    let gone = cloud.history_of("Person 020").await;
    assert_eq!((gone[0].change.as_str(), gone[0].actor.as_deref()), ("removal_approved", Some("Olga Owner")));
}

#[tokio::test]
async fn people_are_chosen_without_script() {
    let cloud = TestCloud::on_sqlite().await;
    let mut olga = signed_in(&cloud).await;
    TestAgent::enrol(&cloud, 1).await;
    let ou = Uuid::from_u128(0x0f);
    let form = |intent: &str| format!("name=Staff&ou={ou}&minutes=60&removal=keep&grace_days=7&intent={intent}");

    let looked = olga.post("/c/contoso-gmbh/imports/add", &form("look")).await;
    let nothing = olga.post("/c/contoso-gmbh/imports/add", "name=Staff&minutes=60&grace_days=7&intent=save").await;
    let saved = olga.post("/c/contoso-gmbh/imports/add", &form("save")).await;

    assert_eq!((looked.status, nothing.status), (200, 422));
    assert!(nothing.html.contains("Choose at least one OU or group."));
    assert_eq!(saved.place, "/c/contoso-gmbh/imports?done=import-saved");
    let list = olga.get(&saved.place).await.html;
    assert!(list.contains("Staff") && list.contains("every hour") && list.contains("stay in the list for good"));
}

#[tokio::test]
async fn a_token_is_shown_once_with_a_line_for_each_way() {
    let cloud = TestCloud::on_sqlite().await;
    let mut olga = signed_in(&cloud).await;

    let made = olga.post("/c/contoso-gmbh/agent/token", "hours=1").await;
    let later = olga.get("/c/contoso-gmbh/agent").await;

    assert!(made.html.contains("ENROLLTOKEN=ey") && made.html.contains("rollcall-agent enroll --token ey"));
    assert!(!later.html.contains("ENROLLTOKEN") && later.html.contains("Open"));
}

#[tokio::test]
async fn the_export_has_the_declared_columns_and_no_formulas() {
    let cloud = TestCloud::on_sqlite().await;
    let mut olga = signed_in(&cloud).await;
    let mut agent = TestAgent::enrol(&cloud, 1).await;
    let import = cloud.import(Uuid::from_u128(0x0f)).await;
    agent.sync(&cloud, vec![person(1, "=cmd()|x, \"y\"", import)], &Evidence::Deleted).await;

    let csv = olga.get("/c/contoso-gmbh/people.csv").await.html;

    let mut lines = csv.lines();
    assert!(lines.next().unwrap().starts_with("customer,name,account,sign_in_name,email,"));
    assert!(lines.next().unwrap().starts_with("Contoso GmbH,\"'=cmd()|x, \"\"y\"\"\","));
}

#[tokio::test]
async fn the_installer_has_one_name_and_goes_to_nobody_who_is_not_signed_in() {
    let cloud = TestCloud::on_sqlite().await;
    let place = "/download/rollcall-agent-x64.msi";
    assert!(Browser::new(&cloud).get(place).await.place.starts_with("/login"));
    let mut olga = signed_in(&cloud).await;

    let found = olga.get(place).await;

    assert_eq!((found.status, found.html.as_str()), (200, "an installer"));
    for other in ["/download/rollcall-agent-x86.msi", "/download/rollcall-agent-x64.msi.exe", "/download/"] {
        assert_eq!(olga.get(other).await.status, 404, "{other}");
    }
}

#[tokio::test]
async fn whoever_may_send_a_mail_again_is_told_that_it_may_have_arrived() {
    let cloud = TestCloud::on_sqlite().await;
    let mut olga = signed_in(&cloud).await;
    let mut tx = cloud.db().write(&cloud.who.scope).await.unwrap();
    let job = NewJob::send_mail(cloud.state.mint(JobId::mint), cloud.state.mint(MailId::mint), cloud.now());
    jobs::enqueue(&mut tx, job).await.unwrap();
    tx.commit().await.unwrap();
    let tenant = jobs::find_next_tenant(cloud.db(), job::Counterpart::Database, cloud.who.scope.msp(), cloud.now())
        .await
        .unwrap()
        .unwrap();
    let claimed =
        jobs::claim(cloud.db(), tenant, job::Counterpart::Database, cloud.now(), job::LEASE).await.unwrap().unwrap();
    let mut tx = cloud.db().write(&claimed.scope).await.unwrap();
    jobs::bury(&mut tx, &claimed.scope, "RC-6103: the line to the relay broke").await.unwrap();
    tx.commit().await.unwrap();

    let shown = olga.get("/system").await.html;

    for words in ["Mail outcome unknown", "the line to the relay broke", "may have arrived", "Try again"] {
        assert!(shown.contains(words), "{words} in {shown}");
    }
}

/// RMM tools and caches ask for size and hash first.
#[tokio::test]
async fn the_head_of_the_installer_says_size_and_hash_without_the_file() {
    let cloud = TestCloud::on_sqlite().await;
    let place = "/download/rollcall-agent-x64.msi";
    let stranger = Browser::new(&cloud).send("HEAD", place, "").await;
    let mut olga = signed_in(&cloud).await;
    let whole = olga.get(place).await;

    let head = olga.send("HEAD", place, "").await;

    assert_eq!((head.status, head.html.as_str()), (200, ""));
    assert_eq!(head.header("content-length"), whole.html.len().to_string());
    for name in ["x-content-sha256", "content-disposition", "content-type", "cache-control"] {
        assert_eq!(head.header(name), whole.header(name), "{name}");
    }
    assert_ne!(stranger.status, 200);
    assert_eq!((stranger.header("x-content-sha256"), stranger.html.as_str()), ("", ""));
}

// proves: M-42
#[tokio::test]
async fn the_delay_of_updates_takes_whole_days_and_says_so_otherwise() {
    let cloud = TestCloud::on_sqlite().await;
    let mut olga = signed_in(&cloud).await;

    let saved = olga.post("/updates/delay", "days=7").await;
    assert_eq!((saved.status, saved.place.as_str()), (303, "/updates?done=delay-set"));
    for days in ["31", "-1", "1.5", "", "a+week"] {
        let refused = olga.post("/updates/delay", &format!("days={days}")).await;
        assert_eq!(refused.status, 422, "{days}");
        assert!(refused.html.contains("Give a whole number of days from 0 to 30."), "{days}");
    }

    let page = olga.get("/updates").await.html;
    assert!(page.contains("7 days after it was published"), "what was there before stays");
}
