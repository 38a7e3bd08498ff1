//! Decides where the agent's lines go: to standard error, to files that never grow without bound, and the few that
//! matter to a monitor into the Windows event log. No line ever shows people.

mod files;
mod events;

use std::path::{Path, PathBuf};

use rollcall_protocol::catalogue;
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::{Level, Log};
use crate::platform::event_log::EventLog;

pub use events::{READ, STARTED, STOPPED};
pub use files::Files;

/// Who will read the lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reader {
    /// Somebody at a terminal, or the journal behind it.
    Terminal,
    /// Nobody: a Windows service has no terminal.
    Service,
    /// Nobody either: a fetched version below a service. Its files are its own, because two processes cannot take turns
    /// with one.
    Fetched,
}

/// Begins to log; to be called once.
pub fn start(settings: &Log, data_dir: &Path, reader: Reader) {
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(false);
    let folder = folder(settings, data_dir, reader);
    let files =
        folder.clone().map(|folder| tracing_subscriber::fmt::layer().with_writer(Files::open(folder)).with_ansi(false));
    let events = match reader {
        Reader::Terminal => None,
        Reader::Service | Reader::Fetched => EventLog::open().map(events::Layer::new),
    };
    // What a monitor keys on does not depend on how much somebody wants to read.
    let wanted = Targets::new().with_target("rollcall_agent", filter(settings.level));
    let for_events = Targets::new().with_target("rollcall_agent", LevelFilter::INFO);
    tracing_subscriber::registry()
        .with(lines.with_filter(wanted.clone()))
        .with(files.with_filter(wanted))
        .with(events.with_filter(for_events))
        .init();
    // Said once, to whoever else hears: each of the lines to come is lost in silence.
    if let Some((folder, error)) = folder.and_then(|folder| Files::check(&folder).err().map(|error| (folder, error))) {
        let detail = format!("{}: {}; no log file is written", folder.display(), error.kind());
        tracing::error!(code = catalogue::NOT_WRITABLE.code, %detail, "the folder of the log cannot be written");
    }
}

/// The folder of the files: the one that was asked for, and on Windows never none, since there is no journal.
fn folder(settings: &Log, data_dir: &Path, reader: Reader) -> Option<PathBuf> {
    let own = match reader {
        Reader::Service | Reader::Fetched if cfg!(windows) => Some(data_dir.join(crate::belongings::LOGS)),
        Reader::Service | Reader::Fetched | Reader::Terminal => None,
    };
    match reader {
        Reader::Service => settings.folder.clone().or(own),
        Reader::Fetched => settings.folder.clone().or(own).map(|folder| folder.join("fetched")),
        // Commands beside the service leave its files alone.
        Reader::Terminal => None,
    }
}

fn filter(level: Level) -> LevelFilter {
    match level {
        Level::Error => LevelFilter::ERROR,
        Level::Warn => LevelFilter::WARN,
        Level::Info => LevelFilter::INFO,
        Level::Debug => LevelFilter::DEBUG,
    }
}
