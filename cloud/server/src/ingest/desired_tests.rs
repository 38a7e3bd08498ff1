//! What operators save reaches their agent: nothing can be saved that would make its instructions too long to be obeyed.

use rollcall_domain::{
    ids::{CommandId, ImportId},
    import::{ImportSettings, MAX_SELECTIONS, Nesting, RemovalPolicy, Schedule, Selection, SelectionKind},
};
use rollcall_protocol::{desired::Order, limits};
use rollcall_store::{
    agents,
    commands::{self, NewCommand},
    imports as rows,
};
use uuid::Uuid;

use crate::{
    services::{ServiceError, imports},
    testing::{TestAgent, TestCloud, stories},
};

stories! { what_is_saved_fits_on_postgres: [
    instructions_at_their_limits_are_obeyed_and_one_place_more_is_not_saved,
] }

fn guid(number: usize) -> Uuid {
    Uuid::from_u128(0x1_0000 + number as u128)
}

/// An import of so many places, groups first.
fn of(places: usize) -> ImportSettings {
    let group = |number| Selection { guid: guid(number), kind: SelectionKind::Group };
    ImportSettings {
        name: "Many groups".into(),
        selections: (0..places.min(MAX_SELECTIONS)).map(group).collect(),
        excludes: (MAX_SELECTIONS..places).map(guid).collect(),
        schedule: Schedule::DEFAULT,
        removal_policy: RemovalPolicy::Deactivate,
        grace_days: 30,
        nesting: Nesting::Nested,
    }
}

async fn instructions_at_their_limits_are_obeyed_and_one_place_more_is_not_saved(cloud: TestCloud) {
    // Given all but a hundred of the places, and as many people to be looked up as go out at once.
    let mut agent = TestAgent::enrol(&cloud, 1).await;
    let directory = cloud.directory().await;
    let mut tx = cloud.db().write(&cloud.who.scope).await.unwrap();
    let whole = 2 * MAX_SELECTIONS;
    let mut left = limits::PLACES - 100;
    while left > 0 {
        let (id, now) = (cloud.state.mint(ImportId::mint), cloud.now());
        rows::insert(&mut tx, &cloud.scope, directory, id, &of(left.min(whole)), now).await.unwrap();
        left = left.saturating_sub(whole);
    }
    let (scope, _) = agents::find(&mut tx, &cloud.who.scope, agent.id.into()).await.unwrap().unwrap();
    for _ in 0..3 {
        let command = NewCommand {
            id: cloud.state.mint(CommandId::mint),
            kind: commands::CONFIRM,
            payload: serde_json::json!(Order::Confirm { guids: vec![guid(1); limits::CONFIRM] }),
            created_by: "Rollcall",
            created_at: cloud.now(),
        };
        commands::insert(&mut tx, scope.agent(), command).await.unwrap();
    }
    tx.commit().await.unwrap();

    // When the last hundred are saved.
    let save = async |places| imports::create(&cloud.state, &cloud.who, cloud.customer, directory, &of(places)).await;
    let too_many = save(101).await;
    let last = save(100).await.unwrap();
    let desired = agent.check_in(&cloud).await.unwrap();

    // Then the agent obeys them, and nothing beyond them was or can be saved.
    let count = |import: &rollcall_protocol::desired::DesiredImport| import.include.len() + import.exclude.len();
    assert_eq!(desired.imports.iter().map(count).sum::<usize>(), limits::PLACES);
    assert_eq!(desired.commands.len(), 3);
    let is_told = |refused: &ServiceError| matches!(refused, ServiceError::Invalid { field: "include", message } if message.contains("20000"));
    assert!(too_many.is_err_and(|refused| is_told(&refused)));
    let change = async |places, version| {
        imports::update(&cloud.state, &cloud.who, cloud.customer, last, version, &of(places)).await
    };
    assert!(change(101, 1).await.is_err_and(|refused| is_told(&refused)));
    change(99, 1).await.unwrap();
    change(100, 2).await.unwrap();
}
