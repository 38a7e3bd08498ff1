//! Every route of portal and API × everybody who must not use it. A route that is not in the table fails the first test.

mod table;
mod visitors;

use rollcall_domain::role::Role;
use rollcall_store::{db::PoolSize, testing::TestDb};

use crate::testing::TestCloud;
use table::{Door, ROUTES, Route};
use visitors::{Ids, Told, World};

async fn worlds() -> Vec<World> {
    let postgres = rollcall_lab::postgres::Postgres::start_private().unwrap();
    let url = postgres.fresh_database().unwrap();
    let on_postgres = World::build(TestCloud::on(TestDb::postgres(&url).await.unwrap()).await, Some(postgres)).await;
    vec![World::build(TestCloud::on_sqlite().await, None).await, on_postgres]
}

#[test]
fn every_route_stands_in_the_table_and_nothing_else_does() {
    let mut served: Vec<(String, String)> =
        crate::portal::pages().table().iter().map(|(method, path)| (method.to_string(), (*path).to_owned())).collect();
    let specification = serde_json::to_value(crate::api::specification()).unwrap();
    for (path, operations) in specification["paths"].as_object().unwrap() {
        served.extend(operations.as_object().unwrap().keys().map(|method| (method.to_uppercase(), path.clone())));
    }
    let mut listed: Vec<(String, String)> =
        ROUTES.iter().map(|route| (route.method.to_owned(), route.path.to_owned())).collect();
    served.sort();
    listed.sort();
    assert_eq!(served, listed);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_not_signed_in_gets_nothing() {
    for world in worlds().await {
        for route in ROUTES.iter().filter(|route| route.door != Door::Open) {
            for credential in
                [None, Some("rubbish"), Some(world.revoked_session.as_str()), Some(world.revoked_key.as_str())]
            {
                let told = world.ask(route, credential, &world.own).await;
                let expected = match (route.door, route.method) {
                    (Door::Page(_) | Door::Anybody, "GET") => 303,
                    (Door::Page(_) | Door::Anybody | Door::Api(_) | Door::Open, _) => 401,
                };
                assert_eq!(told.status, expected, "{} {} with {credential:?}", route.method, route.path);
                assert!(!told.contains("Contoso"), "{} tells a stranger whose it is", route.path);
            }
        }
        world.assert_untouched().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_of_one_door_opens_no_other() {
    for world in worlds().await {
        for route in ROUTES.iter().filter(|route| route.door != Door::Open) {
            let wrong =
                if matches!(route.door, Door::Api(_)) { &world.session(Role::Owner) } else { &world.key(Role::Owner) };
            let told = world.ask(route, Some(wrong), &world.own).await;
            assert!(matches!(told.status, 303 | 401), "{} {}: {}", route.method, route.path, told.status);
        }
        world.assert_untouched().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_tenants_things_look_exactly_like_things_that_do_not_exist() {
    for world in worlds().await {
        let nothing = Ids::of_nothing();
        for route in ROUTES.iter().filter(|route| route.has_ids() && route.door != Door::Open) {
            let secret = match route.door {
                Door::Api(_) => &world.strangers_key,
                Door::Page(_) | Door::Anybody | Door::Open => &world.strangers_session,
            };
            let foreign = world.ask(route, Some(secret), &world.own).await;
            let missing = world.ask(route, Some(secret), &nothing).await;
            assert_eq!(foreign, missing, "{} {} betrays that something is there", route.method, route.path);
            assert_eq!(foreign.status, 404, "{} {}", route.method, route.path);
        }
        world.assert_untouched().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_show_a_stranger_nothing_of_ours() {
    for world in worlds().await {
        for route in ROUTES.iter().filter(|route| !route.has_ids() && route.method == "GET") {
            let secret =
                if matches!(route.door, Door::Api(_)) { &world.strangers_key } else { &world.strangers_session };
            let told = world.ask(route, Some(secret), &world.own).await;
            assert!(
                !told.contains("Contoso") && !told.contains("Person 0"),
                "{} shows a stranger our people",
                route.path
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_can_do_what_it_may_and_nothing_more() {
    for world in worlds().await {
        for role in Role::ALL.iter().copied() {
            for route in ROUTES {
                let (Door::Page(act) | Door::Api(act)) = route.door else { continue };
                if role.may(act) {
                    continue;
                }
                let told = world.ask(route, Some(&world.secret_for(route, role)), &world.own).await;
                assert_eq!(told.status, 403, "{role} at {} {}", route.method, route.path);
            }
        }
        world.assert_untouched().await;
        for role in Role::ALL.iter().copied() {
            for route in ROUTES.iter().filter(|route| is_allowed(route, role) && !route.ends_things()) {
                let told = world.ask(route, Some(&world.secret_for(route, role)), &world.own).await;
                let is_done = matches!(told.status, 200..=399 | 409 | 422);
                assert!(is_done, "{role} at {} {}: {} {}", route.method, route.path, told.status, told.text());
            }
        }
    }
}

fn is_allowed(route: &Route, role: Role) -> bool {
    match route.door {
        Door::Page(act) | Door::Api(act) => role.may(act),
        Door::Anybody => true,
        Door::Open => false,
    }
}

/// As many live pages as there are connections ask again in the same moment: each that holds one while it waits for another
/// waits for the others, and all of them fail.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_holds_a_connection_while_waiting_for_another() {
    let postgres = rollcall_lab::postgres::Postgres::start_private().unwrap();
    let url = postgres.fresh_database().unwrap();
    // The listener of the notifications has one of them.
    let narrow = TestDb::postgres_with(&url, PoolSize(2)).await.unwrap();
    let world = World::build(TestCloud::on(narrow).await, Some(postgres)).await;
    let may = |route: &&Route| is_allowed(route, Role::Owner);
    let saves = ROUTES.iter().filter(|route| route.body == table::IMPORT).map(Route::saving);
    let (last, first): (Vec<Route>, Vec<Route>) =
        ROUTES.iter().filter(may).copied().chain(saves).partition(Route::ends_things);

    for route in first.iter().chain(&last) {
        let told = world.ask(route, Some(&world.secret_for(route, Role::Owner)), &world.own).await;
        assert_ne!(told.status, 503, "{} {} {}: {}", route.method, route.path, route.body, told.text());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_form_is_taken_from_another_site() {
    let world = World::build(TestCloud::on_sqlite().await, None).await;
    for route in ROUTES.iter().filter(|route| route.method == "POST" && !matches!(route.door, Door::Api(_))) {
        let told: Told = world.ask_from_elsewhere(route, &world.session(Role::Owner), &world.own).await;
        assert_eq!((told.status, told.contains("RC-7012")), (403, true), "{}", route.path);
    }
    world.assert_untouched().await;
}

/// Pages, scripts and answers alike.
#[tokio::test(flavor = "multi_thread")]
async fn every_answer_carries_the_headers_that_guard_it() {
    let world = World::build(TestCloud::on_sqlite().await, None).await;
    for route in ROUTES.iter().filter(|route| route.method == "GET" && !matches!(route.door, Door::Api(_))) {
        let told = world.ask(route, Some(&world.session(Role::Owner)), &world.own).await;
        let policy = told.header("content-security-policy");
        assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{}: {policy}", route.path);
        assert_eq!(told.header("x-content-type-options"), "nosniff", "{}", route.path);
        if told.header("content-type").starts_with("text/html") {
            assert_eq!(told.header("cache-control"), "no-store", "{}", route.path);
        }
    }
}
