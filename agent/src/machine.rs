//! What the agent tells about the machine it runs on: hints for people, never identity.

use rollcall_protocol::enrol::MachineFacts;

use crate::version;

/// The machine as it shows itself.
pub fn facts() -> MachineFacts {
    MachineFacts { host: host_name(), os: os_name(), agent_version: version::text().to_owned(), machine_id: None }
}

#[cfg(unix)]
fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname");
    name.map_or_else(|_| "unknown".to_owned(), |name| name.trim().to_owned())
}

#[cfg(not(unix))]
#[expect(clippy::disallowed_methods, reason = "Windows tells a program its machine's name in no simpler way")]
fn host_name() -> String {
    std::env::var("COMPUTERNAME").unwrap_or_else(|_| "unknown".to_owned())
}

#[cfg(unix)]
fn os_name() -> String {
    let release = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    let pretty = release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="));
    pretty.map_or_else(|| std::env::consts::OS.to_owned(), |name| name.trim_matches('"').to_owned())
}

#[cfg(not(unix))]
fn os_name() -> String {
    std::env::consts::OS.to_owned()
}
