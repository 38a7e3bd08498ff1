//! Decides what becomes of a spool that failed: it is put aside, or waited for, and the agent stays up.

use std::path::Path;

use rollcall_protocol::catalogue;

use crate::cloud::backoff::{self, Backoff};
use crate::cloud::link::Link;
use crate::desk::Desk;
use crate::diagnostic::Diagnostic;
use crate::exit::Exit;
use crate::spool::{self, Found, Spool, SpoolError};

/// Opens the spool, however long it takes until the disk lets us. What was found is told at the next check-in.
pub async fn open(folder: &Path, desk: &Desk, link: &Link) -> Spool {
    let mut backoff = backoff::STORE;
    loop {
        match open_writable(folder, link) {
            Ok((spool, found)) => {
                if backoff.failures() > 0 {
                    desk.clear(&catalogue::NOT_WRITABLE);
                }
                tell(found, desk, link);
                return spool;
            }
            Err(error) => {
                report(&error, desk, link);
                tokio::time::sleep(backoff.failed(link.chance.fraction())).await;
            }
        }
    }
}

fn open_writable(folder: &Path, link: &Link) -> Result<(Spool, Found), SpoolError> {
    let (mut spool, found) = Spool::open(folder, link.clock.now())?;
    spool.check_writable()?;
    Ok((spool, found))
}

fn tell(found: Found, desk: &Desk, link: &Link) {
    let detail = match found {
        Found::Sound => return,
        Found::Begun => "the file was missing",
        Found::SetAside => "the damaged file lies beside it",
        Found::Older => "the file was older than what was sent, as after the restore of a backup",
    };
    desk.raise(&Diagnostic::new(catalogue::SPOOL_REBUILT, detail, Exit::Attention), link.clock.now());
    desk.news.notify_one();
}

/// After a failure: tells it, and puts aside what cannot be trusted. The next [`open`] begins where this ends.
pub async fn after(error: SpoolError, spool: Spool, folder: &Path, desk: &Desk, link: &Link, backoff: &mut Backoff) {
    report(&error, desk, link);
    // Closed first: a damaged file is only moved when nobody writes it any more.
    drop(spool);
    match error {
        SpoolError::Damaged(_) | SpoolError::Unreadable => {
            if let Err(error) = spool::set_aside(folder, link.clock.now()) {
                report(&error, desk, link);
            }
        }
        SpoolError::Unwritable(_) | SpoolError::Gone => {}
    }
    tokio::time::sleep(backoff.failed(link.chance.fraction())).await;
}

fn report(error: &SpoolError, desk: &Desk, link: &Link) {
    let diagnostic = Diagnostic::from(error);
    tracing::error!(code = diagnostic.fault.code, detail = %diagnostic.detail, "the spool failed");
    desk.raise(&diagnostic, link.clock.now());
    desk.news.notify_one();
}
