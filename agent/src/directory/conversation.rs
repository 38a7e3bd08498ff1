//! Decides what one question to the directory brings: its entries piece by piece, and how it ended. One question at a time.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;

use super::answer::{Answer, Done};
use super::ber::{self, Malformed};
use super::connect::Timeouts;
use super::entry::Entry;
use super::gate::{ConnectionEnd, MessageReader};
use super::reader::Incomplete;
use super::request::{self, Control, SearchBody};

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Question {
    Once {
        body: SearchBody,
        controls: Vec<Control>,
    },
    /// In pages of this size, until the server has no more.
    Paged {
        body: SearchBody,
        size: u32,
    },
}

/// Entries that were read together.
#[derive(Debug)]
pub struct Piece {
    pub page: u32,
    pub entries: Vec<Entry>,
}

/// How a question ended: the last result code that the server gave, 0 only when there is nothing more to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    pub code: u32,
    pub references: u64,
    pub pages: u32,
}

/// One bound connection.
#[derive(Debug)]
pub struct Conversation<S> {
    messages: MessageReader<S>,
    last_id: u32,
    /// How long the server may say nothing.
    patience: Duration,
}

/// The sign-in used the numbers below.
const FIRST_ID: u32 = 1_000;
const MAX_PAGES: u32 = 20_000;

impl<S: AsyncRead + AsyncWrite + Unpin> Conversation<S> {
    pub fn new(stream: S, timeouts: Timeouts) -> Self {
        let messages = MessageReader::new(stream, ber::SESSION, timeouts.message);
        Self { messages, last_id: FIRST_ID, patience: timeouts.entry }
    }

    /// Says goodbye.
    pub async fn close(&mut self) {
        let goodbye = request::unbind(self.next_id());
        let _ = tokio::time::timeout(Duration::from_secs(1), self.messages.send(&goodbye)).await;
    }

    /// Asks, hands the entries over as they come, and says how it ended.
    pub async fn ask(&mut self, question: Question, to: mpsc::Sender<Piece>) -> Result<Ended, Incomplete> {
        let mut outlet = Outlet { to, page: 1, piece: Vec::new(), bytes: 0, references: 0, most: 1, given: 0 };
        match question {
            Question::Once { body, controls } => {
                let request = body.message(self.next_id(), &controls);
                let done = self.search(&request, &mut outlet).await?;
                Ok(outlet.ended(done.code))
            }
            Question::Paged { body, size } => self.search_pages(&body, size, &mut outlet).await,
        }
    }

    async fn search_pages(&mut self, body: &SearchBody, size: u32, outlet: &mut Outlet) -> Result<Ended, Incomplete> {
        let mut cookie = Vec::new();
        outlet.most = size;
        for page in 1..=MAX_PAGES {
            (outlet.page, outlet.given) = (page, 0);
            let controls = [Control::DomainScope, Control::Page { size, cookie }];
            let request = body.message(self.next_id(), &controls);
            let done = self.search(&request, outlet).await?;
            if done.code != 0 {
                return Ok(outlet.ended(done.code));
            }
            cookie = done.cookie.ok_or(Incomplete::UnreadablePageControl { page })?;
            if cookie.is_empty() {
                return Ok(outlet.ended(0));
            }
        }
        Err(Incomplete::TooManyPages(MAX_PAGES))
    }

    fn next_id(&mut self) -> u32 {
        self.last_id += 1;
        self.last_id
    }

    /// One search operation to its result.
    async fn search(&mut self, request: &[u8], outlet: &mut Outlet) -> Result<Done, Incomplete> {
        let lost = |end| Incomplete::ConnectionLost { page: outlet.page, end };
        self.messages.send(request).await.map_err(lost)?;
        loop {
            match self.next_answer(outlet).await? {
                Some(Answer::Entry(entry)) => outlet.give(entry).await?,
                Some(Answer::UnreadableEntry) => {
                    return Err(Incomplete::UnreadableEntry { page: outlet.page, what: "its form" });
                }
                // Seen, counted, never followed: that would hand our credentials to whoever they name.
                Some(Answer::Reference) => outlet.references += 1,
                Some(Answer::Intermediate) | None => {}
                Some(Answer::Done(done)) => {
                    outlet.flush().await?;
                    return Ok(done);
                }
            }
        }
    }

    /// The next message that answers the running search. `None` for a late answer to an earlier one that was given up.
    async fn next_answer(&mut self, outlet: &mut Outlet) -> Result<Option<Answer>, Incomplete> {
        let page = outlet.page;
        let lost = |end| Incomplete::ConnectionLost { page, end };
        let length = if let Some(length) = self.messages.ready().map_err(lost)? {
            length
        } else {
            // Nothing of what is already read waits for the network.
            outlet.flush().await?;
            let arrived = tokio::time::timeout(self.patience, self.messages.fill_one()).await;
            let silent = Incomplete::Silent { page, seconds: self.patience.as_secs() };
            arrived.map_err(|_| silent)?.map_err(lost)?.ok_or(ConnectionEnd::Closed).map_err(lost)?
        };
        let message = self.messages.take(length).map_err(lost)?;
        match message.id {
            id if id == self.last_id => Answer::read(&message).map(Some),
            id if (FIRST_ID..self.last_id).contains(&id) => Ok(None),
            _ => Err(Malformed::Shape),
        }
        .map_err(|malformed| lost(malformed.into()))
    }
}

/// Collects entries until it is worth handing them over.
struct Outlet {
    to: mpsc::Sender<Piece>,
    page: u32,
    piece: Vec<Entry>,
    bytes: usize,
    references: u64,
    /// No more entries than were asked for at once, or they would have no end.
    most: u32,
    given: u32,
}

const PIECE_BYTES: usize = 64 * 1024;

impl Outlet {
    async fn give(&mut self, entry: Entry) -> Result<(), Incomplete> {
        if self.given == self.most {
            return Err(Incomplete::TooMany { what: "entries of one answer", most: self.most.into() });
        }
        self.given += 1;
        self.bytes += entry.size();
        self.piece.push(entry);
        if self.bytes >= PIECE_BYTES { self.flush().await } else { Ok(()) }
    }

    async fn flush(&mut self) -> Result<(), Incomplete> {
        if self.piece.is_empty() {
            return Ok(());
        }
        self.bytes = 0;
        let piece = Piece { page: self.page, entries: std::mem::take(&mut self.piece) };
        // Whoever does not take it any more has a reason of its own and does not hear ours.
        let nobody = |_| Incomplete::ConnectionLost { page: self.page, end: ConnectionEnd::Closed };
        self.to.send(piece).await.map_err(nobody)
    }

    fn ended(&self, code: u32) -> Ended {
        Ended { code, references: self.references, pages: self.page }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::ber::{element, integer};
    use crate::directory::entry::fixtures;
    use crate::directory::filter::Filter;
    use crate::directory::request::{PAGED_RESULTS, Scope};
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

    fn message(id: u32, tag: u8, body: &[u8], controls: &[u8]) -> Vec<u8> {
        let controls = if controls.is_empty() { Vec::new() } else { element(0xa0, controls) };
        element(0x30, &[integer(0x02, id), element(tag, body), controls].concat())
    }

    fn entry(id: u32) -> Vec<u8> {
        message(id, 0x64, &fixtures::body("CN=Ana", &[("mail", &[b"a"])]), &[])
    }

    fn done(id: u32, code: u8, cookie: &[u8]) -> Vec<u8> {
        let result = [element(0x0a, &[code]), element(0x04, b""), element(0x04, b"")].concat();
        let page = element(0x30, &[integer(0x02, 0), element(0x04, cookie)].concat());
        let control = element(0x30, &[element(0x04, PAGED_RESULTS.as_bytes()), element(0x04, &page)].concat());
        message(id, 0x65, &result, &control)
    }

    /// Asks for pages of a server that says these things, one after each request.
    async fn ask(answers: &[Vec<u8>]) -> (Result<Ended, Incomplete>, usize) {
        let (ours, mut theirs) = tokio::io::duplex(1 << 20);
        let answers = answers.to_vec();
        let server = tokio::spawn(async move {
            for answer in answers {
                wait_for_request(&mut theirs).await;
                theirs.write_all(&answer).await.unwrap();
            }
        });
        let body = SearchBody::new("DC=lab", Scope::Subtree, &Filter::Has("cn"), &["mail"]);
        let (to, mut pieces) = mpsc::channel(100);
        let ended = Conversation::new(ours, Timeouts::default()).ask(Question::Paged { body, size: 2 }, to).await;
        let mut entries = 0;
        while let Some(piece) = pieces.recv().await {
            entries += piece.entries.len();
        }
        server.abort();
        (ended, entries)
    }

    async fn wait_for_request(from: &mut DuplexStream) {
        let mut seen = [0; 1024];
        let _ = from.read(&mut seen).await.unwrap();
    }

    #[tokio::test]
    async fn a_search_is_over_when_a_page_comes_without_a_cookie() {
        let first = [entry(1001), entry(1001), done(1001, 0, b"next")].concat();
        let second = [entry(1002), done(1002, 0, b"")].concat();

        let (ended, entries) = ask(&[first, second]).await;

        assert_eq!(ended, Ok(Ended { code: 0, references: 0, pages: 2 }));
        assert_eq!(entries, 3);
    }

    #[tokio::test]
    async fn a_connection_that_ends_between_two_entries_is_no_end_of_a_search() {
        let (ended, _) = ask(&[entry(1001)]).await;

        assert_eq!(ended, Err(Incomplete::ConnectionLost { page: 1, end: ConnectionEnd::Closed }));
    }

    #[tokio::test]
    async fn a_page_without_a_readable_page_control_is_no_last_page() {
        let result = [element(0x0a, &[0]), element(0x04, b""), element(0x04, b"")].concat();

        let (ended, _) = ask(&[message(1001, 0x65, &result, &[])]).await;

        assert_eq!(ended, Err(Incomplete::UnreadablePageControl { page: 1 }));
    }

    #[tokio::test]
    async fn the_result_of_the_page_that_failed_is_told() {
        let first = [entry(1001), done(1001, 0, b"next")].concat();

        let (ended, _) = ask(&[first, done(1002, 51, b"")]).await;

        assert_eq!(ended, Ok(Ended { code: 51, references: 0, pages: 2 }));
    }

    #[tokio::test]
    async fn an_answer_to_a_question_that_was_never_asked_ends_the_connection() {
        let malformed = ConnectionEnd::Malformed(Malformed::Shape);
        for strange in [0, 7, 1002] {
            let (ended, _) = ask(&[done(strange, 0, b"")]).await;

            assert_eq!(ended, Err(Incomplete::ConnectionLost { page: 1, end: malformed.clone() }), "{strange}");
        }
    }

    #[tokio::test]
    async fn a_late_answer_to_an_earlier_page_is_passed_over() {
        let first = done(1001, 0, b"next");
        let second = [entry(1001), done(1001, 0, b""), entry(1002), done(1002, 0, b"")].concat();

        let (ended, entries) = ask(&[first, second]).await;

        assert_eq!((ended.map(|ended| ended.pages), entries), (Ok(2), 1));
    }
}
