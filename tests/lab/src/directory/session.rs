//! One client's conversation: who it is, which pages it still has to fetch, and what it is answered. Answers are acts, so that nothing here waits or writes.

mod binding;
mod paging;

use super::{
    Shared,
    entry::EntryId,
    fault::{Fault, Trouble},
    forest::Forest,
    rendering::{self, IdForm, NameForm, Selection, Style},
    root_dse,
    searching::{self, Domain},
    trouble,
    view::{Tombstones, View},
    wire::{
        answer::{self, Code, Outcome, PAGED_RESULTS, START_TLS, answer_tag},
        ber::Writer,
        request::{Control, Message, Operation, Paging, Scope, Search, control_number},
    },
};
use paging::{Bookmark, Bookmarks};

const SHOW_DELETED: &str = "1.2.840.113556.1.4.417";
const EXTENDED_DN: &str = "1.2.840.113556.1.4.529";
const DOMAIN_SCOPE: &str = "1.2.840.113556.1.4.1339";
const RANGE_PAST_END: &str = "1.2.840.113556.1.4.1948";
const KNOWN_CONTROLS: &[&str] = &[
    PAGED_RESULTS,
    SHOW_DELETED,
    EXTENDED_DN,
    DOMAIN_SCOPE,
    RANGE_PAST_END,
    "1.2.840.113556.1.4.801",
    "1.2.840.113556.1.4.2064",
    "1.2.840.113556.1.4.2065",
    "2.16.840.1.113730.3.4.2",
];

/// What the connection does next.
#[derive(Debug, PartialEq, Eq)]
pub enum Act {
    Send(Vec<u8>),
    /// The same again and again, until the client goes.
    Repeat(Vec<u8>),
    /// Answers nothing more, but stays.
    Hang,
    /// Gone without a word.
    Cut,
    /// Ends TLS and closes.
    Close,
    /// Goes on under TLS.
    Secure,
}

/// Whether others on the wire could read along.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Channel {
    Clear,
    Sealed,
}

#[derive(Debug)]
pub struct Session {
    pub channel: Channel,
    who: Option<EntryId>,
    bookmarks: Bookmarks,
}

impl Session {
    pub fn new(channel: Channel, connection: u64) -> Self {
        Self { channel, who: None, bookmarks: Bookmarks::new(connection) }
    }

    pub fn answer(&mut self, shared: &Shared, message: &Message) -> Vec<Act> {
        let id = message.id;
        let refuse = |tag: u8| {
            let denied = Outcome::new(
                Code::NO_RIGHTS,
                "00000005: SecErr: DSID-03152E29, problem 4003 (INSUFF_ACCESS_RIGHTS), data 0\n",
            );
            vec![Act::Send(answer::outcome(id, tag, &denied))]
        };
        match &message.operation {
            Operation::Bind(bind) => self.bind(shared, id, bind),
            Operation::Unbind => vec![Act::Close],
            Operation::Abandon => Vec::new(),
            Operation::Search(search) => self.search(shared, message, search),
            Operation::Extended { oid } => self.extended(shared, id, oid),
            Operation::Modify => refuse(answer_tag::MODIFY),
            Operation::Add => refuse(answer_tag::ADD),
            Operation::Delete => refuse(answer_tag::DELETE),
            Operation::ModifyDn => refuse(answer_tag::MODIFY_DN),
            Operation::Compare => refuse(answer_tag::COMPARE),
        }
    }

    fn extended(&self, shared: &Shared, id: i64, oid: &str) -> Vec<Act> {
        let refused = |outcome: &Outcome| vec![Act::Send(answer::extended(id, outcome, oid))];
        if oid != START_TLS {
            return refused(&Outcome::new(Code::PROTOCOL_ERROR, "0000203D: LdapErr: unknown extended request OID"));
        }
        if shared.rules().faults.has(&Fault::RefuseStartTls) {
            return refused(&Outcome::new(Code::UNAVAILABLE, "00000000: LdapErr: Error initializing SSL/TLS"));
        }
        match self.channel {
            Channel::Sealed => refused(&Outcome::new(Code::OPERATIONS_ERROR, "TLS is established already")),
            Channel::Clear => vec![Act::Send(answer::extended(id, &Outcome::success(), oid)), Act::Secure],
        }
    }

    fn search(&mut self, shared: &Shared, message: &Message, search: &Search) -> Vec<Act> {
        shared.let_things_happen(search, self.page_number(message));
        let forest = shared.forest();
        let done = |outcome: &Outcome| vec![Act::Send(answer::outcome(message.id, answer_tag::DONE, outcome))];
        if let Some(refusal) = self.refusal(message, search) {
            return done(&refusal);
        }
        if search.base.is_empty() && search.scope == Scope::Base {
            let mut writer = Writer::default();
            root_dse::entry(&mut writer, message.id, &forest, self.who, search);
            writer.raw(&answer::outcome(message.id, answer_tag::DONE, &Outcome::success()));
            return vec![Act::Send(writer.into_bytes())];
        }
        let request = Request::new(shared, message, search);
        let page = match self.page(shared, &forest, &request) {
            Ok(page) => page,
            Err(outcome) => return done(&outcome),
        };
        let trouble = shared.rules().faults.take_trouble(search, page.number);
        match trouble {
            None => page.acts(shared),
            Some(trouble) => strike(&trouble, message.id, &page),
        }
    }

    /// Which page of its search a request is for, counted from 1.
    fn page_number(&self, message: &Message) -> u32 {
        let paging = message.control(PAGED_RESULTS).and_then(|control| Paging::decode(control).ok());
        paging.and_then(|paging| self.bookmarks.page_number(&paging.cookie)).unwrap_or(1)
    }

    /// Why a search is not even begun.
    fn refusal(&self, message: &Message, search: &Search) -> Option<Outcome> {
        let unknown = |control: &&Control| control.critical && !KNOWN_CONTROLS.contains(&control.oid.as_str());
        if message.controls.iter().any(|control| unknown(&control)) {
            return Some(Outcome::new(
                Code::CRITICAL_EXTENSION,
                "00000057: LdapErr: DSID-0C0907B5, comment: Error processing control, data 0, v4563",
            ));
        }
        let is_root = search.base.is_empty() && search.scope == Scope::Base;
        if self.who.is_none() && (!is_root || message.control(PAGED_RESULTS).is_some()) {
            return Some(Outcome::new(
                Code::OPERATIONS_ERROR,
                "000004DC: LdapErr: DSID-0C090A5C, comment: In order to perform this operation a successful bind must be completed on the connection., data 0, v4563",
            ));
        }
        None
    }

    fn page(&mut self, shared: &Shared, forest: &Forest, request: &Request<'_>) -> Result<Page, Outcome> {
        let (max_page, max_values) = {
            let rules = shared.rules();
            (rules.max_page_size, rules.max_values)
        };
        let mut bookmark = match &request.paging {
            Some(paging) if !paging.cookie.is_empty() => self.bookmarks.take(&paging.cookie, request.search)?,
            _ => Bookmark::start(searching::find(forest, request.search, &request.view, request.domain)?),
        };
        let style = Style { selection: &request.selection, view: &request.view, names: request.names, max_values };
        if !request.range_past_end
            && bookmark.next_ids(1).iter().any(|id| style.selection.has_range_past_end(forest, *id))
        {
            return Err(Outcome::new(Code::OPERATIONS_ERROR, "00000057: LdapErr: range starts behind the last value"));
        }
        let size = match &request.paging {
            // A page of size 0 with a cookie gives the search up (RFC 2696).
            Some(paging) if paging.size == 0 && !paging.cookie.is_empty() => 0,
            Some(paging) if paging.size == 0 => max_page,
            Some(paging) => paging.size.min(max_page),
            None => limit(request.search.size_limit, max_page),
        };
        let mut page = Page::new(bookmark.page_number());
        for url in bookmark.take_references() {
            page.writer.raw(&answer::reference(request.message_id, &url));
        }
        let ids = bookmark.take_ids(size);
        for (at, id) in ids.iter().enumerate() {
            if at == ids.len() / 2 {
                page.half = page.writer.len();
            }
            // Objects that vanished since the first page are passed over.
            if request.view.shows(forest.entry(*id)) {
                rendering::entry(&mut page.writer, request.message_id, forest, *id, &style);
                page.entries += 1;
            }
        }
        page.end = self.end_of_page(request, bookmark, size);
        Ok(page)
    }

    fn end_of_page(&mut self, request: &Request<'_>, bookmark: Bookmark, size: usize) -> Vec<u8> {
        let (id, is_over) = (request.message_id, bookmark.is_over());
        match &request.paging {
            Some(_) if is_over || size == 0 => answer::page_done(id, &Outcome::success(), 0, b""),
            Some(_) => {
                let cookie = self.bookmarks.keep(bookmark, request.search);
                answer::page_done(id, &Outcome::success(), 0, &cookie)
            }
            None if is_over => answer::outcome(id, answer_tag::DONE, &Outcome::success()),
            None => answer::outcome(id, answer_tag::DONE, &Outcome::new(Code::SIZE_LIMIT, "")),
        }
    }
}

fn limit(asked: i64, max_page: usize) -> usize {
    usize::try_from(asked).ok().filter(|asked| *asked > 0).map_or(max_page, |asked| asked.min(max_page))
}

/// A search with its controls understood.
struct Request<'a> {
    message_id: i64,
    search: &'a Search,
    selection: Selection,
    paging: Option<Paging>,
    view: View,
    domain: Domain,
    names: NameForm,
    range_past_end: bool,
}

impl<'a> Request<'a> {
    fn new(shared: &Shared, message: &Message, search: &'a Search) -> Self {
        let asked = if message.control(SHOW_DELETED).is_some() { Tombstones::Shown } else { Tombstones::Hidden };
        let is_deaf = shared.rules().faults.has(&Fault::SendReferences);
        let is_wanted = message.control(DOMAIN_SCOPE).is_none();
        let domain = if is_wanted || is_deaf { Domain::WithReferences } else { Domain::Only };
        let names = message.control(EXTENDED_DN).map_or(NameForm::Plain, |control| {
            NameForm::WithIds(if control_number(control) == Some(1) { IdForm::Text } else { IdForm::Hex })
        });
        Self {
            message_id: message.id,
            search,
            selection: Selection::new(search),
            paging: message.control(PAGED_RESULTS).and_then(|control| Paging::decode(control).ok()),
            view: shared.rules().view(asked),
            domain,
            names,
            range_past_end: message.control(RANGE_PAST_END).is_some(),
        }
    }
}

/// One page, ready to be sent or to be spoilt.
struct Page {
    number: u32,
    writer: Writer,
    half: usize,
    end: Vec<u8>,
    entries: u64,
}

impl Page {
    fn new(number: u32) -> Self {
        Self { number, writer: Writer::with_capacity(64 * 1024), half: 0, end: Vec::new(), entries: 0 }
    }

    fn acts(mut self, shared: &Shared) -> Vec<Act> {
        let entries = self.entries;
        shared.ledger.note(|tally| tally.entries += entries);
        self.writer.raw(&self.end);
        vec![Act::Send(self.writer.into_bytes())]
    }

    fn first_half(&self) -> Act {
        Act::Send(self.writer.as_bytes()[..self.half].to_vec())
    }
}

fn strike(trouble: &Trouble, id: i64, page: &Page) -> Vec<Act> {
    let whole = || Act::Send(page.writer.as_bytes().to_vec());
    let done = |outcome: Outcome| vec![Act::Send(answer::outcome(id, answer_tag::DONE, &outcome))];
    match trouble {
        Trouble::Cut => vec![page.first_half(), Act::Cut],
        Trouble::Close => vec![page.first_half(), Act::Close],
        Trouble::Stall => vec![page.first_half(), Act::Hang],
        Trouble::Result(code) => done(Outcome::new(*code, "scripted result")),
        Trouble::Referral => done(searching::elsewhere("DC=elsewhere,DC=example")),
        Trouble::MalformedEntry => {
            vec![page.first_half(), Act::Send(trouble::malformed_entry(id)), whole(), Act::Send(page.end.clone())]
        }
        Trouble::NestedSequences(depth) => {
            vec![page.first_half(), Act::Send(trouble::nested_sequences(*depth)), Act::Hang]
        }
        Trouble::OversizeLength => vec![page.first_half(), Act::Send(trouble::oversize_length()), Act::Hang],
        Trouble::InventedGroups => {
            let invented = (0..trouble::INVENTED).map(|number| Act::Send(trouble::invented_groups(id, number)));
            [page.first_half()].into_iter().chain(invented).chain([Act::Send(page.end.clone())]).collect()
        }
        Trouble::Flood => vec![Act::Repeat(page.writer.as_bytes().to_vec())],
        Trouble::Notice => vec![page.first_half(), Act::Send(trouble::notice_of_disconnection()), Act::Close],
    }
}
