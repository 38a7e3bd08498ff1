//! Decides which lines a monitor sees: those that carry an event id, and those that carry a code of the catalogue which
//! has one. The same trouble is told once an hour, so that an outage does not flush the log.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rollcall_protocol::catalogue;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::Context;

use crate::platform::event_log::{EventLog, Kind};

/// Ids of what is no fault. Monitoring keys on them; `docs/operate/monitoring.md` lists all.
pub const STARTED: u16 = 100;
pub const STOPPED: u16 = 101;
pub const READ: u16 = 200;

const QUIET: Duration = Duration::from_hours(1);

/// The layer that writes to the event log.
#[derive(Debug)]
pub struct Layer {
    log: EventLog,
    told: Mutex<Told>,
}

impl Layer {
    pub fn new(log: EventLog) -> Self {
        Self { log, told: Mutex::default() }
    }
}

impl<S: Subscriber> tracing_subscriber::Layer<S> for Layer {
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        let mut line = Line::default();
        event.record(&mut line);
        let Some(id) = line.id() else { return };
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.is_news(id, line.code.as_deref(), Instant::now()) {
            drop(told);
            self.log.write(kind(*event.metadata().level()), id, &line.text());
        }
    }
}

fn kind(level: Level) -> Kind {
    match level {
        Level::ERROR => Kind::Error,
        Level::WARN => Kind::Warning,
        _ => Kind::Information,
    }
}

/// When which trouble was told last.
#[derive(Debug, Default)]
struct Told(BTreeMap<String, Instant>);

impl Told {
    fn is_news(&mut self, id: u16, code: Option<&str>, now: Instant) -> bool {
        // After a success the next failure is news again.
        if id == READ {
            self.0.clear();
        }
        let Some(code) = code else { return true };
        let is_news = self.0.get(code).is_none_or(|last| now.duration_since(*last) >= QUIET);
        if is_news {
            self.0.insert(code.to_owned(), now);
        }
        is_news
    }
}

/// The fields of one line.
#[derive(Debug, Default)]
struct Line {
    message: String,
    event: Option<u16>,
    code: Option<String>,
    rest: String,
}

impl Line {
    fn id(&self) -> Option<u16> {
        self.event.or_else(|| catalogue::find(self.code.as_deref()?)?.event)
    }

    /// What happened, its facts, and for a fault its cause and what mends it.
    fn text(&self) -> String {
        let mut text = format!("{}{}", self.message, self.rest);
        if let Some(fault) = self.code.as_deref().and_then(catalogue::find) {
            let _ = write!(text, "\r\n\r\n{fault}. {}\r\n{}", fault.cause, fault.fix.join("\r\n"));
        }
        text
    }

    fn add(&mut self, field: &Field, value: &dyn fmt::Display) {
        let _ = match field.name() {
            "message" => write!(self.message, "{value}"),
            name => write!(self.rest, "; {name}: {value}"),
        };
    }
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add(field, &format_args!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "code" => self.code = Some(value.to_owned()),
            _ => self.add(field, &value),
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        match field.name() {
            "event" => self.event = u16::try_from(value).ok(),
            _ => self.add(field, &value),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use tracing_subscriber::layer::SubscriberExt;

    /// What would have been written.
    #[derive(Clone, Default)]
    struct Notebook(Arc<Mutex<Vec<Written>>>);

    type Written = (Option<u16>, String);

    impl<S: Subscriber> tracing_subscriber::Layer<S> for Notebook {
        fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
            let mut line = Line::default();
            event.record(&mut line);
            self.0.lock().unwrap().push((line.id(), line.text()));
        }
    }

    fn written(work: impl FnOnce()) -> Vec<(Option<u16>, String)> {
        let notebook = Notebook::default();
        tracing::subscriber::with_default(tracing_subscriber::registry().with(notebook.clone()), work);
        let lines = notebook.0.lock().unwrap();
        lines.clone()
    }

    #[test]
    fn a_fault_is_told_with_the_id_of_its_kind_and_with_what_mends_it() {
        let fault = catalogue::BIND_REFUSED;

        let lines = written(|| tracing::error!(code = fault.code, detail = %"code 49", "reading failed"));

        let (id, text) = &lines[0];
        assert_eq!(*id, Some(301));
        assert!(text.starts_with("reading failed; detail: code 49\r\n\r\nRC-2201"), "{text}");
        assert!(text.contains(fault.fix[0]));
    }

    #[test]
    fn start_and_stop_have_ids_of_their_own_and_ordinary_lines_have_none() {
        let lines = written(|| {
            tracing::info!(event = STARTED, "started");
            tracing::info!(people = 3_u64, "looked");
        });

        assert_eq!(lines[0].0, Some(100));
        assert_eq!(lines[1], (None, "looked; people: 3".to_owned()));
    }

    #[test]
    fn the_same_trouble_is_told_once_an_hour_until_a_reading_succeeds() {
        let (mut told, start) = (Told::default(), Instant::now());
        let at = |minutes: u64| start + Duration::from_mins(minutes);

        assert!(told.is_news(400, Some("RC-3004"), at(0)));
        assert!(!told.is_news(400, Some("RC-3004"), at(59)));
        assert!(told.is_news(300, Some("RC-2102"), at(59)));
        assert!(told.is_news(400, Some("RC-3004"), at(60)));
        assert!(told.is_news(READ, None, at(61)));
        assert!(told.is_news(400, Some("RC-3004"), at(62)));
    }

    #[test]
    fn every_id_is_one_that_the_message_file_knows() {
        let faults = catalogue::all().filter_map(|fault| fault.event);

        assert!(faults.chain([STARTED, STOPPED, READ]).all(|id| (1..=1000).contains(&id)));
    }
}
