//! Decides how the agent is started and stopped by the system: by the service control manager on Windows, by signals
//! elsewhere.

use std::pin::Pin;

use crate::exit::Exit;

#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub use windows::{configure, start_name};

/// Settings of the service that were refused; a unit file holds them elsewhere.
#[cfg(not(windows))]
pub fn configure() -> Vec<(&'static str, String)> {
    Vec::new()
}

/// The service's name in Windows.
pub const NAME: &str = "RollcallAgent";

/// Ready when the agent is to stop.
pub type Stop = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Hands over to the service manager, which calls `work` and tells it when to stop. `work` ends within seconds of that,
/// or is ended.
#[cfg(windows)]
pub fn serve(work: fn(Stop) -> Exit) -> Exit {
    windows::serve(work)
}

/// systemd starts a service like any program and stops it by a signal.
#[cfg(not(windows))]
pub fn serve(work: fn(Stop) -> Exit) -> Exit {
    work(Box::pin(told_to_stop()))
}

/// Ctrl-C, and where there are such signals, the polite one.
#[cfg(unix)]
pub async fn told_to_stop() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else { return std::future::pending().await };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}

#[cfg(not(unix))]
pub async fn told_to_stop() {
    let _ = tokio::signal::ctrl_c().await;
}
