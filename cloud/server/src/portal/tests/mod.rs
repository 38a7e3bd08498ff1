//! What every page is held to, drawn without a store.

mod samples;
mod html_lint;
mod journeys;
