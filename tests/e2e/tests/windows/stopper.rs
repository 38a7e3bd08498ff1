//! Stops the service at once: Wine's own `net stop` takes half a second to come up, in which thousands are written.

use crate::site::Site;
use rollcall_lab::world::Program;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

const SOURCE: &str = r#"#include <windows.h>
#include <stdio.h>
int main(void) {
    SERVICE_STATUS status;
    SC_HANDLE manager = OpenSCManagerW(NULL, NULL, SC_MANAGER_CONNECT);
    SC_HANDLE service = OpenServiceW(manager, L"RollcallAgent", SERVICE_STOP | SERVICE_QUERY_STATUS);
    if (!service) return 1;
    fclose(fopen("C:\\stopper-is-ready", "w"));
    while (GetFileAttributesA("C:\\stop-now") == INVALID_FILE_ATTRIBUTES) Sleep(1);
    if (!ControlService(service, SERVICE_CONTROL_STOP, &status)) return 2;
    while (QueryServiceStatus(service, &status) && status.dwCurrentState != SERVICE_STOPPED) Sleep(1);
    fclose(fopen("C:\\stopped", "w"));
    return 0;
}
"#;

/// A program of this Windows that holds the service and waits for its word.
pub struct Stopper {
    now: PathBuf,
    stopped: PathBuf,
    _program: Program,
}

impl Stopper {
    pub async fn prepare(site: &Site) -> Self {
        let [ready, now, stopped] = ["stopper-is-ready", "stop-now", "stopped"].map(|name| site.wine.at(name));
        let (source, exe) = (site.wine.at("stopper.c"), site.wine.at("stopper.exe"));
        fs::write(&source, SOURCE).unwrap();
        let done = Command::new("x86_64-w64-mingw32-gcc").arg("-o").arg(exe).arg(source).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        let program = site.wine.start(&[r"C:\stopper.exe"], &site.wine.at("stopper.log")).unwrap();
        wait_for(&ready, Duration::from_mins(1)).await;
        Self { now, stopped, _program: program }
    }

    /// How long the service took to end.
    pub async fn stop(self) -> Duration {
        let begun = Instant::now();
        fs::write(&self.now, "").unwrap();
        wait_for(&self.stopped, Duration::from_secs(15)).await;
        begun.elapsed()
    }
}

async fn wait_for(file: &Path, patience: Duration) {
    let begun = Instant::now();
    while !file.exists() {
        assert!(begun.elapsed() < patience, "{} did not appear", file.display());
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}
