//! Decides when a search counts: only if every page of it ended well. Nothing can be read out of one that did not.

use std::collections::BTreeMap;
use std::fmt;

use rollcall_protocol::limits;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use uuid::Uuid;

use super::connect::{self, ConnectError, How, Target, Wire};
use super::conversation::{Conversation, Ended, Piece, Question};
use super::entry::Entry;
use super::filter::Filter;
use super::gate::ConnectionEnd;
use super::method::Method;
use super::request::{Control, Scope, SearchBody};

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
    /// So many entries that a read right is missing, not that a few of them keep something back.
    #[error("{what} cannot be read of {unreadable} of {of} people")]
    ReadRightMissing { what: &'static str, unreadable: u64, of: u64 },
    #[error("the directory shows more than {most} {what}")]
    TooMany { what: &'static str, most: u64 },
    #[error("a group lists members whom the directory does not show as such: a read right is missing")]
    Contradiction,
    #[error("the directory was rearranged while it was read")]
    ChangedMeanwhile,
    #[error("the store could not take what was read: {0}")]
    Store(String),
    #[error("the store is damaged: {0}")]
    Damaged(String),
}

/// Takes the entries of one search. It is handed over to the search and comes back only from a complete one.
pub trait Sink {
    /// An error says what about the entry could not be read; it ends the search.
    fn take(&mut self, entry: Entry) -> Result<(), Refused>;

    /// What is kept in memory needs a lower limit than what goes to the disk.
    fn most(&self) -> u64 {
        limits::DIRECTORY_PEOPLE
    }
}

/// Why a sink did not take an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// Nobody can say which object it is, so that somebody would look gone: the search does not count.
    Unreadable(&'static str),
    /// Something of one object cannot be read. The search counts without it, and says so.
    Withheld {
        guid: Uuid,
        what: &'static str,
    },
    /// More names than are kept in memory.
    TooManyNames,
    Store(String),
    /// Looking up what is known found the store damaged: it must be set aside, not tried again.
    Damaged(String),
}

impl Sink for Vec<Entry> {
    fn take(&mut self, entry: Entry) -> Result<(), Refused> {
        self.push(entry);
        Ok(())
    }

    fn most(&self) -> u64 {
        limits::DIRECTORY_OBJECTS
    }
}

/// A search whose every page ended well.
#[derive(Debug)]
pub struct Complete<S> {
    pub sink: S,
    pub entries: u64,
    /// Objects that are there and were not taken, with what could not be read of them.
    pub withheld: BTreeMap<Uuid, &'static str>,
    /// Search references: seen, counted, never followed (that would hand our credentials to whoever they name).
    pub references: u64,
    pub pages: u32,
}

/// What to search.
#[derive(Debug, Clone)]
pub struct Search<'a> {
    pub base: &'a str,
    pub filter: &'a Filter,
    /// Explicit, never `*`.
    pub attributes: &'a [&'a str],
    pub page_size: u32,
}

/// Page size asked for: what Active Directory gives at most unless it was told otherwise. A server may clamp it.
pub const PAGE_SIZE: u32 = 1_000;

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
pub struct DirectoryReader {
    /// Away while a search runs; a search that was given up midway never brings it back.
    conversation: Option<Conversation<Box<dyn Wire>>>,
    host: String,
    how: How,
}

impl DirectoryReader {
    /// Connects, secures and signs in.
    pub async fn open(target: &Target, methods: &[Method]) -> Result<Self, ConnectError> {
        let connected = connect::connect(target, methods).await?;
        let conversation = Some(Conversation::new(connected.wire, target.timeouts));
        Ok(Self { conversation, host: target.host.clone(), how: connected.how })
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
        if let Some(conversation) = &mut self.conversation {
            conversation.close().await;
        }
    }

    /// Reads one object. `None` when the directory says that there is none, or none that this account may see.
    pub async fn read_base(
        &mut self,
        base: &str,
        attributes: &[&str],
        finds: Finds,
    ) -> Result<Option<Entry>, Incomplete> {
        let body = SearchBody::new(base, Scope::Base, &Filter::Has("objectClass"), attributes);
        let mut found = Found::into(Vec::new());
        let ended = self.run(Question::Once { body, controls: controls_for(finds) }, &mut found).await?;
        match ended.code {
            0 => Ok(found.sink.pop()),
            // noSuchObject; 34 is how a server without `<GUID=…>` bases would refuse, which must not read as absence.
            32 => Ok(None),
            code => Err(failed(code, 1)),
        }
    }

    /// Searches a subtree page by page and gives the sink back only when the whole of it was read.
    pub async fn search_into<S: Sink>(&mut self, search: &Search<'_>, sink: S) -> Result<Complete<S>, Incomplete> {
        let body = SearchBody::new(search.base, Scope::Subtree, search.filter, search.attributes);
        let mut found = Found::into(sink);
        let ended = self.run(Question::Paged { body, size: search.page_size }, &mut found).await?;
        if ended.code != 0 {
            return Err(failed(ended.code, ended.pages));
        }
        let Found { sink, entries, withheld } = found;
        Ok(Complete { sink, entries, withheld, references: ended.references, pages: ended.pages })
    }

    /// Asks in a task of its own, so that the server, the decoding and the sink work side by side; what waits between them
    /// is bounded.
    async fn run<S: Sink>(&mut self, question: Question, found: &mut Found<S>) -> Result<Ended, Incomplete> {
        let spent = Incomplete::ConnectionLost { page: 1, end: ConnectionEnd::Closed };
        let mut conversation = self.conversation.take().ok_or(spent.clone())?;
        let (to_us, mut pieces) = mpsc::channel(PIECES);
        let mut task = JoinSet::new();
        task.spawn(async move {
            let ended = conversation.ask(question, to_us).await;
            (conversation, ended)
        });
        while let Some(piece) = pieces.recv().await {
            found.take(piece)?;
        }
        let Some(Ok((conversation, ended))) = task.join_next().await else { return Err(spent) };
        self.conversation = Some(conversation);
        ended
    }
}

impl fmt::Debug for DirectoryReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DirectoryReader").field("host", &self.host).field("how", &self.how).finish_non_exhaustive()
    }
}

/// Pieces that may wait for the sink: more than a page, so that it has work while the server makes the next one. Fewer and
/// larger ones cost a tenth of the time.
const PIECES: usize = 24;

struct Found<S> {
    sink: S,
    entries: u64,
    withheld: BTreeMap<Uuid, &'static str>,
}

impl<S: Sink> Found<S> {
    fn into(sink: S) -> Self {
        Self { sink, entries: 0, withheld: BTreeMap::new() }
    }

    fn take(&mut self, piece: Piece) -> Result<(), Incomplete> {
        let page = piece.page;
        for entry in piece.entries {
            self.entries += 1;
            if self.entries > self.sink.most() {
                return Err(Incomplete::TooMany { what: "objects of one kind", most: self.sink.most() });
            }
            match self.sink.take(entry) {
                Ok(()) => {}
                Err(Refused::Withheld { guid, what }) => {
                    self.withheld.insert(guid, what);
                }
                Err(Refused::Unreadable(what)) => return Err(Incomplete::UnreadableEntry { page, what }),
                Err(Refused::TooManyNames) => {
                    let most = limits::DIRECTORY_NAMES as u64;
                    return Err(Incomplete::TooMany { what: "bytes of names", most });
                }
                Err(Refused::Store(why)) => return Err(Incomplete::Store(why)),
                Err(Refused::Damaged(why)) => return Err(Incomplete::Damaged(why)),
            }
        }
        Ok(())
    }
}

fn failed(code: u32, page: u32) -> Incomplete {
    match code {
        10 => Incomplete::Referral,
        code => Incomplete::Result { code, page },
    }
}

fn controls_for(finds: Finds) -> Vec<Control> {
    match finds {
        Finds::Live => Vec::new(),
        Finds::Deleted => vec![Control::ShowDeleted, Control::ShowRecycled],
        Finds::ExtendedNames => vec![Control::ExtendedNames],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::entry::fixtures::entry;

    #[test]
    fn what_is_kept_in_memory_has_an_end() {
        let mut found = Found::into(Few);
        let piece = |entries| Piece { page: 1, entries: vec![entry("CN=Ana", &[]); entries] };

        assert_eq!(found.take(piece(3)), Ok(()));
        assert_eq!(found.take(piece(1)), Err(Incomplete::TooMany { what: "objects of one kind", most: 3 }));
    }

    struct Few;

    impl Sink for Few {
        fn take(&mut self, _: Entry) -> Result<(), Refused> {
            Ok(())
        }

        fn most(&self) -> u64 {
            3
        }
    }

    #[test]
    fn a_base_outside_the_domain_is_an_error_of_its_own() {
        assert_eq!(failed(10, 1), Incomplete::Referral);
        assert_eq!(failed(4, 3), Incomplete::Result { code: 4, page: 3 });
    }
}
