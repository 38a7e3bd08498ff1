//! Checks this machine: configuration, data folder, disk, spool, service, version.

use std::path::Path;

use rollcall_protocol::catalogue;

use super::finding::{Finding, Report};
use crate::clock::Clock;
use crate::config::Config;
use crate::diagnostic::Diagnostic;
use crate::exit::Exit;
use crate::folder::lock;
use crate::machine;
use crate::platform::private_file;
use crate::platform::reason;
use crate::spool::state::State;
use crate::spool::{Spool, SpoolError};

/// Below this a first reading of a large domain may not fit.
const LITTLE_DISK: u64 = 512 * 1024 * 1024;

pub fn check_configuration<'a>(report: &mut Report<'_>, config: Result<&'a Config, &Diagnostic>) -> Option<&'a Config> {
    report.add("version", Finding::Ok(format!("{} on {}", crate::version::text(), machine::facts().os)));
    report.step("configuration", config.map(|config| (config, "readable".to_owned())).map_err(Clone::clone))
}

/// The data folder and what lies in it. Answers what the agent knew after its last cycle.
pub fn check_store(report: &mut Report<'_>, config: &Config, clock: &Clock) -> Option<State> {
    let folder = config.data_dir.as_path();
    if report.step("data folder", is_writable(folder)).is_none() {
        report.skip(&["folder permissions", "disk space", "spool", "service"], "the data folder cannot be used");
        return None;
    }
    report.add("folder permissions", permissions(folder));
    report.add("disk space", disk_space(fs4::available_space(folder)));
    let service = if lock::is_held(folder) { "running" } else { "not running on this folder" };
    report.add("service", Finding::Ok(service.to_owned()));
    report.step("spool", spool(folder, clock).map_err(|error| Diagnostic::from(&error)))
}

/// A file is written and taken away again, beside a running service too.
fn is_writable(folder: &Path) -> Result<((), String), Diagnostic> {
    let probe = folder.join("probe");
    let tried = private_file::make_folder(folder)
        .and_then(|()| private_file::write(&probe, b"probe"))
        .and_then(|()| std::fs::remove_file(&probe));
    match tried {
        Ok(()) => Ok(((), format!("{} is writable", folder.display()))),
        Err(error) => {
            let detail = format!("{}: {}", folder.display(), reason::of(&error));
            Err(Diagnostic::new(catalogue::NOT_WRITABLE, detail, Exit::Failed))
        }
    }
}

fn permissions(folder: &Path) -> Finding {
    match private_file::is_readable_by_others(folder) {
        Ok(false) => Finding::Ok("only the agent's account may look into the data folder".to_owned()),
        Ok(true) => Finding::Warn(Diagnostic::new(catalogue::SECRET_FILE_OPEN, folder.display(), Exit::Attention)),
        Err(error) => Finding::Fail(Diagnostic::new(catalogue::NOT_WRITABLE, reason::of(&error), Exit::Failed)),
    }
}

fn disk_space(available: std::io::Result<u64>) -> Finding {
    let Ok(available) = available else {
        return Finding::Skipped("this machine does not say how much is free".to_owned());
    };
    let words = format!("{} MiB are free", available / (1024 * 1024));
    if available < LITTLE_DISK {
        return Finding::Warn(Diagnostic::new(catalogue::DISK_LOW, words, Exit::Attention));
    }
    Finding::Ok(words)
}

/// Only looked at: a damaged spool is mended by the service, not by a check.
fn spool(folder: &Path, clock: &Clock) -> Result<(State, String), SpoolError> {
    let Some(spool) = Spool::open_to_look(folder)? else {
        return Ok((State::default(), "none yet; it comes with the enrolment".to_owned()));
    };
    let (state, waiting, people) = (spool.state()?, spool.waiting()?, spool.count_people()?);
    let last = match state.base.finished_at {
        None => "nothing read yet".to_owned(),
        Some(at) => format!("last reading {} min ago", (clock.cloud_now() - at).num_minutes().max(0)),
    };
    let words = format!("{people} people acknowledged, {} batches wait, {last}", waiting.batches);
    Ok((state, words))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nearly_full_disk_is_a_warning_with_its_figure() {
        assert!(matches!(disk_space(Ok(LITTLE_DISK)), Finding::Ok(_)));
        let told = disk_space(Ok(LITTLE_DISK - 1));
        assert!(
            matches!(&told, Finding::Warn(told) if told.fault.code == "RC-1021" && told.detail == "511 MiB are free")
        );
    }

    #[cfg(unix)]
    #[test]
    fn a_data_folder_that_others_may_look_into_is_a_warning() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
        assert!(matches!(permissions(folder.path()), Finding::Ok(_)));

        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();

        assert!(matches!(permissions(folder.path()), Finding::Warn(told) if told.fault.code == "RC-1012"));
    }
}
