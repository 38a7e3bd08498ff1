//! Tells open pages when what they show has changed. Only that it did: the page then asks for itself again.

use std::{convert::Infallible, time::Duration};

use axum::{
    extract::{Query, State},
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use futures_util::{Stream, StreamExt as _};
use rollcall_domain::ids::CustomerId;
use rollcall_store::{
    Scope as _,
    live::{self, Topic},
};
use tokio_stream::wrappers::BroadcastStream;

use super::{answer::PageError, guard::SignedIn};
use crate::{services::reach, state::AppState};

/// Proxies cut silent connections after a minute or so.
const KEEP_ALIVE: Duration = Duration::from_secs(20);

/// Which changes a page wants to hear of.
#[derive(Debug, serde::Deserialize)]
pub struct About {
    /// The word of one customer; without it, everything within reach.
    c: Option<String>,
}

/// `GET /events`
pub async fn listen(
    State(state): State<AppState>,
    signed: SignedIn,
    Query(about): Query<About>,
) -> Result<Response, PageError> {
    let customer = match about.c {
        Some(slug) => Some(reach::customer_by_slug(&state, &signed.who, &slug).await?.1.id),
        None => None,
    };
    let stream = changes(&state, signed, customer);
    Ok(Sse::new(stream).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response())
}

fn changes(
    state: &AppState,
    signed: SignedIn,
    customer: Option<CustomerId>,
) -> impl Stream<Item = Result<Event, Infallible>> + use<> {
    let shutdown = state.shutdown.clone();
    let events = BroadcastStream::new(state.hub.subscribe(signed.who.scope.msp()));
    let concerns = move |event: &live::Event| {
        let is_shown = !matches!(event.topic, Topic::Desired | Topic::Job);
        let within = event.customer.is_none_or(|id| signed.who.scope.reach().covers(id));
        is_shown && within && (customer.is_none() || event.customer.is_none() || event.customer == customer)
    };
    events
        .filter_map(move |event| {
            // A page that lagged behind looks for itself.
            let concerned = event.as_ref().map_or(true, &concerns);
            async move { concerned.then(|| Ok(Event::default().event("changed").data("1"))) }
        })
        .take_until(async move { shutdown.begun().await })
}
