//! Logs and metrics of this process: set up once, by `main`.

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use rollcall_protocol::catalogue;
use tracing_subscriber::EnvFilter;

use crate::start::StartError;

/// JSON lines on standard error; ids and counts, never people.
pub fn start_log(filter: &str) -> Result<(), StartError> {
    let invalid = |error: String| StartError::new(&catalogue::VARIABLE_INVALID, format!("ROLLCALL_LOG: {error}"));
    let filter = EnvFilter::try_new(filter).map_err(|error| invalid(error.to_string()))?;
    tracing_subscriber::fmt()
        .json()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .try_init()
        .map_err(|error| invalid(error.to_string()))
}

pub fn start_metrics() -> Result<PrometheusHandle, StartError> {
    PrometheusBuilder::new()
        .install_recorder()
        .map_err(|error| StartError::new(&catalogue::UNEXPECTED, format!("metrics: {error}")))
}
