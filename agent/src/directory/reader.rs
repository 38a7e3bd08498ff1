//! Decides when a search counts: only if every page of it ended well. Nothing can be read out of one that did not.
//!
//! ldap3 alone would let a cut connection look like a short result (its paged stream answers `finish()` with the first
//! page's success), so pages are asked for here, one by one, and each must end with result 0.

use std::time::Duration;

use ldap3::controls::{Control, RawControl};
use ldap3::{Ldap, LdapConnAsync, LdapConnSettings, LdapError, ResultEntry, Scope};
use tokio::task::JoinHandle;

use super::ber;
use super::connect::{self, ConnectError, How, Target};
use super::entry::Entry;
use super::gate::{self, ConnectionEnd, EndReason, MessageReader};
use super::method::Method;
use crate::platform::stream_pair;

/// Why a search does not count. A cycle in which one occurs publishes nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Incomplete {
    #[error("the directory ended the search on page {page} with result {code}")]
    Result { code: u32, page: u32 },
    #[error("the search base lies outside this domain (result 10)")]
    Referral,
    #[error("page {page} never came: {end}")]
    ConnectionLost { page: u32, end: ConnectionEnd },
    #[error("the directory said nothing for {seconds} s on page {page}")]
    Silent { page: u32, seconds: u64 },
    #[error("an entry on page {page} could not be read: {what}")]
    UnreadableEntry { page: u32, what: &'static str },
    #[error("the directory's page control could not be read on page {page}")]
    UnreadablePageControl { page: u32 },
    #[error("the search did not end within {0} pages")]
    TooManyPages(u32),
    #[error("a group lists members whom the directory does not show as such: a read right is missing")]
    Contradiction,
    #[error("the group changed while its members were read")]
    ChangedMeanwhile,
    #[error("the store could not take what was read: {0}")]
    Store(String),
}

/// Takes the entries of one search. It is handed over to the search and comes back only from a complete one.
pub trait Sink {
    /// An error says what about the entry could not be read; it ends the search.
    fn take(&mut self, entry: Entry) -> Result<(), Refused>;
}

/// Why a sink did not take an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    Unreadable(&'static str),
    Store(String),
}

impl Sink for Vec<Entry> {
    fn take(&mut self, entry: Entry) -> Result<(), Refused> {
        self.push(entry);
        Ok(())
    }
}

/// A search whose every page ended well.
#[derive(Debug)]
pub struct Complete<S> {
    pub sink: S,
    pub entries: u64,
    /// Search references: seen, counted, never followed (that would hand our credentials to whoever they name).
    pub references: u64,
    pub pages: u32,
}

/// What to search.
#[derive(Debug, Clone)]
pub struct Search<'a> {
    pub base: &'a str,
    pub filter: &'a str,
    /// Explicit, never `*`.
    pub attributes: &'a [&'a str],
    pub page_size: i32,
}

/// Page size asked for; a server may clamp it.
pub const PAGE_SIZE: i32 = 500;
const MAX_PAGES: u32 = 200_000;

const PAGED_RESULTS: &str = "1.2.840.113556.1.4.319";
const DOMAIN_SCOPE: &str = "1.2.840.113556.1.4.1339";
const SHOW_DELETED: &str = "1.2.840.113556.1.4.417";
const SHOW_RECYCLED: &str = "1.2.840.113556.1.4.2064";
const EXTENDED_DN: &str = "1.2.840.113556.1.4.529";

/// What kind of object a base read should find.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finds {
    Live,
    /// Tombstones and recycled objects too, if the account may see them.
    Deleted,
    /// Live ones, with `<GUID=…>;<SID=…>;` before every name in their values.
    ExtendedNames,
}

/// One bound connection to one domain controller. Short-lived: one per cycle.
#[derive(Debug)]
pub struct DirectoryReader {
    ldap: Ldap,
    end: EndReason,
    tasks: Vec<JoinHandle<()>>,
    entry_timeout: Duration,
    host: String,
    how: How,
}

impl Drop for DirectoryReader {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

impl DirectoryReader {
    /// Connects, secures, signs in, and puts ldap3 behind the gate.
    pub async fn open(target: &Target, methods: &[Method]) -> Result<Self, ConnectError> {
        let bound = connect::connect(target, methods).await?;
        let broken = |error: std::io::Error| ConnectError::Ended(ConnectionEnd::Broken(error.kind().to_string()));
        let pair = stream_pair::open().map_err(broken)?;
        let settings = LdapConnSettings::new().set_std_stream(pair.theirs);
        let (driver, ldap) = LdapConnAsync::with_settings(settings, pair.url)
            .await
            .map_err(|error| ConnectError::Ended(ConnectionEnd::Broken(error.to_string())))?;
        let end = EndReason::default();
        let (from_server, to_server) = tokio::io::split(bound.wire);
        let (from_ldap3, to_ldap3) = tokio::io::split(pair.ours);
        let messages = MessageReader::new(from_server, ber::SESSION, target.timeouts.message);
        let tasks = vec![
            tokio::spawn(gate::pump_down(messages, to_ldap3, end.clone())),
            tokio::spawn(gate::pump_up(from_ldap3, to_server, end.clone())),
            // Its own account of the end is worthless (it may panic, or report success on a close): the gate's counts.
            tokio::spawn(async move { drop(driver.drive().await) }),
        ];
        let entry_timeout = target.timeouts.entry;
        Ok(Self { ldap, end, tasks, entry_timeout, host: target.host.clone(), how: bound.how })
    }

    /// The name we connected to.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Which way was taken, and which failed before it.
    pub fn how(&self) -> &How {
        &self.how
    }

    /// Says goodbye; a server that does not hear it notices the close.
    pub async fn close(mut self) {
        let _ = tokio::time::timeout(Duration::from_secs(1), self.ldap.unbind()).await;
    }

    /// Reads one object. `None` when the directory says that there is none, or none that this account may see.
    pub async fn read_base(
        &mut self,
        base: &str,
        attributes: &[&str],
        finds: Finds,
    ) -> Result<Option<Entry>, Incomplete> {
        let asked = Asked { base, scope: Scope::Base, filter: "(objectClass=*)", attributes };
        let mut found = Found { sink: Vec::new(), entries: 0, references: 0 };
        let end = self.run(&asked, controls_for(finds), &mut found, 1).await?;
        match end.code {
            0 => Ok(found.sink.pop()),
            // noSuchObject; 34 is how a server without `<GUID=…>` bases would refuse, which must not read as absence.
            32 => Ok(None),
            code => Err(failed(code, 1)),
        }
    }

    /// Searches a subtree page by page and gives the sink back only when the whole of it was read.
    pub async fn search_into<S: Sink>(&mut self, search: &Search<'_>, sink: S) -> Result<Complete<S>, Incomplete> {
        let asked =
            Asked { base: search.base, scope: Scope::Subtree, filter: search.filter, attributes: search.attributes };
        let mut found = Found { sink, entries: 0, references: 0 };
        let mut cookie = Vec::new();
        for page in 1..=MAX_PAGES {
            let controls = vec![plain(DOMAIN_SCOPE), paged(search.page_size, &cookie)];
            let end = self.run(&asked, controls, &mut found, page).await?;
            if end.code != 0 {
                return Err(failed(end.code, page));
            }
            cookie = end.cookie.ok_or(Incomplete::UnreadablePageControl { page })?;
            if cookie.is_empty() {
                return Ok(Complete {
                    sink: found.sink,
                    entries: found.entries,
                    references: found.references,
                    pages: page,
                });
            }
        }
        Err(Incomplete::TooManyPages(MAX_PAGES))
    }

    /// One search operation to its result.
    async fn run<S: Sink>(
        &mut self,
        asked: &Asked<'_>,
        controls: Vec<RawControl>,
        found: &mut Found<S>,
        page: u32,
    ) -> Result<PageEnd, Incomplete> {
        self.ldap.with_controls(controls).with_timeout(self.entry_timeout);
        let started = self.ldap.streaming_search(asked.base, asked.scope, asked.filter, asked.attributes).await;
        let mut stream = started.map_err(|error| lost(&error, &self.end, self.entry_timeout, page))?;
        loop {
            match stream.next().await {
                Ok(Some(entry)) => found.take(entry, page)?,
                Ok(None) => break,
                Err(error) => return Err(lost(&error, &self.end, self.entry_timeout, page)),
            }
        }
        let result = stream.finish().await;
        Ok(PageEnd { code: result.rc, cookie: cookie_of(&result.ctrls) })
    }
}

struct Asked<'a> {
    base: &'a str,
    scope: Scope,
    filter: &'a str,
    attributes: &'a [&'a str],
}

struct Found<S> {
    sink: S,
    entries: u64,
    references: u64,
}

impl<S: Sink> Found<S> {
    fn take(&mut self, entry: ResultEntry, page: u32) -> Result<(), Incomplete> {
        if entry.is_ref() {
            self.references += 1;
            return Ok(());
        }
        if entry.is_intermediate() {
            return Ok(());
        }
        let entry = Entry::from_tag(entry.0).map_err(|_| Incomplete::UnreadableEntry { page, what: "its form" })?;
        self.entries += 1;
        self.sink.take(entry).map_err(|refused| match refused {
            Refused::Unreadable(what) => Incomplete::UnreadableEntry { page, what },
            Refused::Store(why) => Incomplete::Store(why),
        })
    }
}

struct PageEnd {
    code: u32,
    cookie: Option<Vec<u8>>,
}

fn failed(code: u32, page: u32) -> Incomplete {
    match code {
        10 => Incomplete::Referral,
        code => Incomplete::Result { code, page },
    }
}

fn lost(error: &LdapError, end: &EndReason, timeout: Duration, page: u32) -> Incomplete {
    if matches!(error, LdapError::Timeout { .. }) {
        return Incomplete::Silent { page, seconds: timeout.as_secs() };
    }
    Incomplete::ConnectionLost { page, end: end.get() }
}

fn controls_for(finds: Finds) -> Vec<RawControl> {
    match finds {
        Finds::Live => Vec::new(),
        Finds::Deleted => vec![plain(SHOW_DELETED), plain(SHOW_RECYCLED)],
        Finds::ExtendedNames => {
            let flag = ber::element(0x30, &ber::element(0x02, &[1]));
            vec![RawControl { ctype: EXTENDED_DN.to_owned(), crit: true, val: Some(flag) }]
        }
    }
}

fn plain(oid: &str) -> RawControl {
    RawControl { ctype: oid.to_owned(), crit: false, val: None }
}

/// Critical: a server that ignores paging would cut the result at its size limit.
fn paged(size: i32, cookie: &[u8]) -> RawControl {
    let size = size.to_be_bytes();
    let value = ber::element(0x30, &[ber::element(0x02, &size), ber::element(0x04, cookie)].concat());
    RawControl { ctype: PAGED_RESULTS.to_owned(), crit: true, val: Some(value) }
}

/// The cookie of RFC 2696, read without trusting its form. `None` when the control is missing or is not one.
fn cookie_of(controls: &[Control]) -> Option<Vec<u8>> {
    let Control(_, raw) = controls.iter().find(|Control(_, raw)| raw.ctype == PAGED_RESULTS)?;
    let parts = ber::take(raw.val.as_deref()?, 0x30).ok()?;
    let size = ber::take(parts.content, 0x02).ok()?;
    Some(ber::take(size.rest, 0x04).ok()?.content.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn control(value: &[u8]) -> Vec<Control> {
        vec![Control(None, RawControl { ctype: PAGED_RESULTS.into(), crit: false, val: Some(value.to_vec()) })]
    }

    #[test]
    fn the_cookie_is_read_and_an_odd_control_is_no_empty_cookie() {
        let sent = paged(500, b"next");

        assert_eq!(cookie_of(&control(&sent.val.unwrap())), Some(b"next".to_vec()));
        assert_eq!(cookie_of(&control(b"\x30\x01")), None);
        assert_eq!(cookie_of(&[]), None);
    }

    #[test]
    fn a_base_outside_the_domain_is_an_error_of_its_own() {
        assert_eq!(failed(10, 1), Incomplete::Referral);
        assert_eq!(failed(4, 3), Incomplete::Result { code: 4, page: 3 });
    }
}
