//! What a demo found, as one JSON line.

use super::DemoError;
use super::journey::Figures;
use super::site::Site;
use crate::world::Cloud;
use serde::Serialize;
use serde_json::Value;
use std::fs;
use std::time::Duration;

/// Sums over all customers; times of the syncs are the longest of any customer.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Report {
    pub customers: usize,
    /// User objects in the directories.
    pub people: usize,
    pub in_scope: usize,
    /// People the cloud shows.
    pub accounts: usize,
    /// Of these, equal to the directory in every compared field.
    pub verified: usize,
    pub batches: u64,
    pub bytes_sent: u64,
    pub seconds: f64,
    pub first_sync_seconds: f64,
    pub people_per_second: f64,
    pub no_change_seconds: f64,
    pub no_change_bytes: u64,
    pub agent_peak_mib: f64,
    pub cloud_peak_mib: f64,
    /// Write operations the directories saw.
    pub directory_writes: u64,
}

impl Report {
    pub(super) fn add(&mut self, figures: &Figures) {
        self.customers += 1;
        self.in_scope += figures.in_scope;
        self.accounts += figures.accounts;
        self.verified += figures.verified;
        for run in [&figures.first_run, &figures.no_change_run] {
            self.batches += number(run, "batches");
            self.bytes_sent += number(run, "bytes");
        }
        self.no_change_bytes = self.no_change_bytes.max(number(&figures.no_change_run, "bytes"));
        let first = figures.first_sync.as_secs_f64();
        if first >= self.first_sync_seconds {
            self.first_sync_seconds = first;
            #[expect(clippy::cast_precision_loss, reason = "a figure for people to read")]
            let people = figures.in_scope as f64;
            self.people_per_second = people / first;
        }
        self.no_change_seconds = self.no_change_seconds.max(figures.no_change.as_secs_f64());
    }

    pub(super) fn finish(&mut self, cloud: &Cloud, sites: &[Site], took: Duration) -> Result<(), DemoError> {
        self.seconds = took.as_secs_f64();
        for site in sites {
            self.people += site.domain.count_people()?;
            self.directory_writes += site.domain.count_writes();
        }
        self.cloud_peak_mib = peak_mib(cloud.process_id());
        let peaks = sites.iter().map(|site| peak_mib(site.agent.process_id()));
        self.agent_peak_mib = peaks.fold(0.0, f64::max);
        Ok(())
    }
}

fn number(run: &Value, key: &str) -> u64 {
    run[key].as_u64().unwrap_or_default()
}

/// The most memory a process ever held (`VmHWM` of proc(5)).
fn peak_mib(process: Option<u32>) -> f64 {
    let status = process.and_then(|id| fs::read_to_string(format!("/proc/{id}/status")).ok()).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<f64>().ok());
    kib.unwrap_or_default() / 1024.0
}
