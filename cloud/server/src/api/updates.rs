//! Updates of agents in the API: how far a version has gone, pause and resume, delay, hours, and pins of customers.

use axum::{Json, extract::State, http::StatusCode};
use chrono::{DateTime, Utc};
use rollcall_domain::{
    ids::CustomerId,
    role::Act,
    rollout::{Delay, Window},
};
use rollcall_store::updates::{delay, pins, window};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    asking::{Body, Id, Key},
    idempotency::Once,
    problem::Problem,
};
use crate::{
    releases::Shelf,
    services::{
        rollouts::{self, Shown},
        updates::{self, Decision},
    },
    state::AppState,
};

pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(get))
        .routes(routes!(pause))
        .routes(routes!(resume))
        .routes(routes!(begin))
        .routes(routes!(set_delay))
        .routes(routes!(set_window))
        .routes(routes!(pin))
}

/// Releases and rollouts.
#[derive(Debug, Serialize, ToSchema)]
pub struct Updates {
    /// Versions that agents would take now, newest first.
    pub releases: Vec<String>,
    /// When they stop taking them unless the publication is confirmed.
    pub current_until: Option<DateTime<Utc>>,
    /// Newest first.
    pub rollouts: Vec<Rollout>,
    /// Releases that wait for their day, the first to come first.
    pub upcoming: Vec<Upcoming>,
    /// How many days after its publication a release reaches the first agents; 0: at once.
    pub delay_days: u32,
    pub window: Option<Hours>,
    /// Customers that stay at one version.
    pub pins: Vec<Pin>,
}

/// A release whose delay is not over.
#[derive(Debug, Serialize, ToSchema)]
pub struct Upcoming {
    #[schema(example = "1.4.2")]
    pub version: String,
    #[schema(example = "x86_64-windows")]
    pub platform: String,
    pub published_at: DateTime<Utc>,
    /// From when on agents are asked, ring by ring and in the hours.
    pub reaches_agents_from: DateTime<Utc>,
}

/// A customer that stays at one version, or goes straight to it.
#[derive(Debug, Serialize, ToSchema)]
pub struct Pin {
    pub customer: String,
    #[schema(example = "1.1.0")]
    pub version: String,
    pub by: String,
    pub at: DateTime<Utc>,
}

/// How far one version has gone on one platform.
#[derive(Debug, Serialize, ToSchema)]
pub struct Rollout {
    #[schema(example = "1.2.0")]
    pub version: String,
    #[schema(example = "x86_64-windows")]
    pub platform: String,
    /// `first`, `tenth` or `all`.
    pub ring: String,
    pub ring_since: DateTime<Utc>,
    /// `running`, `paused`, `stopped`, `done` or `replaced`.
    pub state: String,
    /// Of a running one: `soak`, `answers`, `turn`, `listening` or `nobody`.
    pub waits_for: Option<String>,
    /// Why it does not run, or what it waits for.
    pub reason: Option<String>,
    /// The numbers are null for a key that does not reach every customer.
    pub asked: Option<i64>,
    pub updated: Option<i64>,
    pub taken_back: Option<i64>,
    pub silent: Option<i64>,
    /// No longer waited for: no answer within three days, or a failure that a person let pass.
    pub left_behind: Option<i64>,
}

impl From<Shown> for Rollout {
    fn from(shown: Shown) -> Self {
        let Shown { rollout, tally, why, pace: _ } = shown;
        Self {
            waits_for: rollout.wait().map(|wait| wait.to_string()),
            ring: rollout.ring.to_string(),
            ring_since: rollout.ring_since,
            state: rollout.state.to_string(),
            version: rollout.version,
            platform: rollout.platform,
            reason: why,
            asked: tally.map(|tally| tally.asked()),
            updated: tally.map(|tally| tally.updated()),
            taken_back: tally.map(|tally| tally.taken_back),
            silent: tally.map(|tally| tally.silent),
            left_behind: tally.map(|tally| tally.left_behind),
        }
    }
}

/// Times of day in UTC.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Hours {
    #[schema(example = "22:00")]
    pub from: String,
    #[schema(example = "05:00")]
    pub to: String,
}

/// Shows releases and rollouts.
#[utoipa::path(get, path = "/updates", tag = "updates", responses((status = OK, body = Updates)))]
async fn get(State(state): State<AppState>, Key(who): Key) -> Result<Json<Updates>, Problem> {
    who.may(Act::ViewCustomers)?;
    let now = state.now();
    let shelf = state.releases.shelf(now).await;
    let mut tx = state.db.read(&who.scope).await?;
    let rollouts = rollouts::list(&mut tx, &who.scope, &shelf, now).await?.into_iter().map(Rollout::from).collect();
    let upcoming = updates::list_upcoming(&mut tx, &shelf, now).await?.into_iter().map(|one| Upcoming {
        version: one.version.to_string(),
        platform: one.platform.to_string(),
        published_at: one.published_at,
        reaches_agents_from: one.from,
    });
    let delay_days = delay::find(&mut tx).await?.days();
    let window = window::find(&mut tx).await?;
    let window = window.map(|window| Hours { from: window.from(), to: window.to() });
    let pins = pins::list(&mut tx, &who.scope).await?.into_iter().map(|pin| Pin {
        customer: pin.customer_id.to_string(),
        version: pin.version,
        by: pin.pinned_by,
        at: pin.pinned_at,
    });
    let (releases, current_until) = match &*shelf {
        Shelf::Open(stock) => (stock.versions().into_iter().map(ToString::to_string).collect(), Some(stock.expires)),
        Shelf::None | Shelf::Unusable(_) => (Vec::new(), None),
    };
    Ok(Json(Updates {
        releases,
        current_until,
        rollouts,
        upcoming: upcoming.collect(),
        delay_days,
        window,
        pins: pins.collect(),
    }))
}

/// Why a rollout is paused.
#[derive(Debug, Deserialize, ToSchema)]
pub struct PauseRollout {
    #[schema(example = "1.2.0")]
    pub version: String,
    #[schema(min_length = 1, max_length = 200)]
    pub reason: String,
}

/// Pauses a rollout: nobody else is asked, and who was asked and has not begun is told to stay.
#[utoipa::path(post, path = "/updates/pause", tag = "updates", params(Once), request_body = PauseRollout,
    responses((status = NO_CONTENT), (status = NOT_FOUND, body = Problem)))]
async fn pause(
    State(state): State<AppState>,
    Key(who): Key,
    Body(asked): Body<PauseRollout>,
) -> Result<StatusCode, Problem> {
    updates::decide(&state, &who, &asked.version, Decision::Pause { reason: asked.reason }).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Which rollout goes on.
#[derive(Debug, Deserialize, ToSchema)]
pub struct ResumeRollout {
    #[schema(example = "1.2.0")]
    pub version: String,
}

/// Goes on, also after a rollout stopped by itself. Agents that went back are asked once more.
#[utoipa::path(post, path = "/updates/resume", tag = "updates", params(Once), request_body = ResumeRollout,
    responses((status = NO_CONTENT), (status = NOT_FOUND, body = Problem)))]
async fn resume(
    State(state): State<AppState>,
    Key(who): Key,
    Body(asked): Body<ResumeRollout>,
) -> Result<StatusCode, Problem> {
    updates::decide(&state, &who, &asked.version, Decision::Resume).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Which release does not wait for its day.
#[derive(Debug, Deserialize, ToSchema)]
pub struct BeginRollout {
    #[schema(example = "1.4.2")]
    pub version: String,
}

/// Begins a release before its delay is over, on every platform where it waits, with the first ring.
#[utoipa::path(post, path = "/updates/begin", tag = "updates", params(Once), request_body = BeginRollout,
    responses((status = NO_CONTENT), (status = NOT_FOUND, body = Problem),
        (status = UNPROCESSABLE_ENTITY, body = Problem)))]
async fn begin(
    State(state): State<AppState>,
    Key(who): Key,
    Body(asked): Body<BeginRollout>,
) -> Result<StatusCode, Problem> {
    updates::begin(&state, &who, &asked.version).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// How long a release waits.
#[derive(Debug, Deserialize, ToSchema)]
pub struct NewDelay {
    /// Whole days from its publication to the first agents; 0: at once.
    #[schema(minimum = 0, maximum = 30, example = 7)]
    pub days: i64,
}

/// Sets how many days after its publication a release reaches the first agents. What has begun goes on.
#[utoipa::path(put, path = "/updates/delay", tag = "updates", request_body = NewDelay,
    responses((status = NO_CONTENT), (status = UNPROCESSABLE_ENTITY, body = Problem)))]
async fn set_delay(
    State(state): State<AppState>,
    Key(who): Key,
    Body(asked): Body<NewDelay>,
) -> Result<StatusCode, Problem> {
    who.may(Act::ManageUpdates)?;
    let delay = Delay::of_days(asked.days).map_err(|error| Problem::invalid("/days", format!("Give {error}.")))?;
    updates::set_delay(&state, &who, delay).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The hours in which agents are asked.
#[derive(Debug, Deserialize, ToSchema)]
pub struct NewWindow {
    /// Null: at any hour.
    pub window: Option<Hours>,
}

/// Sets the hours in which agents may be asked to update.
#[utoipa::path(put, path = "/updates/window", tag = "updates", request_body = NewWindow,
    responses((status = NO_CONTENT), (status = UNPROCESSABLE_ENTITY, body = Problem)))]
async fn set_window(
    State(state): State<AppState>,
    Key(who): Key,
    Body(asked): Body<NewWindow>,
) -> Result<StatusCode, Problem> {
    who.may(Act::ManageUpdates)?;
    let window = asked.window.map(|hours| Window::parse(&hours.from, &hours.to)).transpose();
    let window = window.map_err(|error| Problem::invalid("/window", format!("Give {error}.")))?;
    updates::set_window(&state, &who, window).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The version a customer is pinned to.
#[derive(Debug, Deserialize, ToSchema)]
pub struct NewPin {
    /// Null: with the others again.
    #[schema(example = "1.1.0")]
    pub version: Option<String>,
}

/// Pins a customer's agents to a version. A newer one than theirs is taken at once; nobody goes back.
#[utoipa::path(put, path = "/customers/{id}/update-pin", tag = "updates", params(("id" = String, Path)),
    request_body = NewPin, responses((status = NO_CONTENT), (status = NOT_FOUND, body = Problem)))]
async fn pin(
    State(state): State<AppState>,
    Key(who): Key,
    Id(id): Id<CustomerId>,
    Body(asked): Body<NewPin>,
) -> Result<StatusCode, Problem> {
    updates::pin(&state, &who, id, asked.version.as_deref()).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[cfg(test)]
mod tests {
    use axum::{
        body::Body as Bytes,
        http::{Request, header},
    };
    use rollcall_domain::role::Role;
    use serde_json::{Value, json};

    use crate::{
        services::api_keys::{self, KeyWish},
        testing::TestCloud,
    };

    async fn ask(cloud: &TestCloud, key: &str, method: &str, path: &str, body: Value) -> (u16, Value) {
        let request = Request::builder()
            .method(method)
            .uri(format!("/api/v1{path}"))
            .header(header::AUTHORIZATION, format!("Bearer {key}"))
            .header(header::CONTENT_TYPE, "application/json")
            .body(Bytes::from(body.to_string()))
            .unwrap();
        let response = cloud.ask(request).await;
        let status = response.status().as_u16();
        let bytes = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
        (status, serde_json::from_slice(&bytes).unwrap_or_default())
    }

    // proves: M-42
    #[tokio::test]
    async fn a_delay_is_set_and_shown_and_one_that_is_none_is_refused_with_its_code() {
        let cloud = TestCloud::on_sqlite().await;
        let wish = KeyWish { name: "script".into(), role: Role::Admin, customer: None, lifetime: None };
        let key = api_keys::create(&cloud.state, &cloud.who, wish).await.unwrap().key;

        assert_eq!(ask(&cloud, &key, "PUT", "/updates/delay", json!({ "days": 7 })).await.0, 204);
        for days in [json!(-1), json!(31), json!(1.5), json!("7"), Value::Null] {
            let (status, problem) = ask(&cloud, &key, "PUT", "/updates/delay", json!({ "days": days })).await;
            assert_eq!((status, problem["code"].as_str()), (422, Some("RC-7001")), "{days}: {problem}");
        }

        let shown = ask(&cloud, &key, "GET", "/updates", Value::Null).await.1;
        assert_eq!((&shown["delay_days"], &shown["upcoming"]), (&json!(7), &json!([])));
        let unknown = ask(&cloud, &key, "POST", "/updates/begin", json!({ "version": "9.9.9" })).await;
        assert_eq!(unknown.0, 404, "{}", unknown.1);
    }
}
