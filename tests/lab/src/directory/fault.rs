//! What goes wrong, and when. Tests set faults while the directory runs and take them away again.

use super::wire::{
    answer::Code,
    request::{Scope, Search},
};

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Connections are accepted and nothing ever comes back, not even a TLS handshake.
    Silence,
    RefuseStartTls,
    /// Everything trickles out at this rate.
    Drip {
        bytes_per_second: u32,
    },
    /// Every bind fails with this sub-code of `AcceptSecurityContext error`, whatever the password.
    RefuseBinds {
        data: &'static str,
    },
    /// Binds are never answered.
    StallBinds,
    /// Searches at the domain's root point to other naming contexts even where the client does not want to hear of them.
    SendReferences,
    InSearch(When, Trouble),
}

/// Which search a trouble strikes, and in which of its pages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct When {
    page: u32,
    reads: Reads,
    asks: Option<String>,
    filters: Option<String>,
    times: Times,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reads {
    Lists,
    SingleObjects,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Times {
    Always,
    Once,
}

impl When {
    /// In this page, counted from 1, of every one-level or subtree search.
    pub fn page(page: u32) -> Self {
        Self { page, reads: Reads::Lists, asks: None, filters: None, times: Times::Always }
    }

    /// In every read of a single object.
    pub fn single_read() -> Self {
        Self { page: 1, reads: Reads::SingleObjects, asks: None, filters: None, times: Times::Always }
    }

    /// Only in searches whose base, filter or list of attributes holds this text: `805306368` for people, `member;range=1500`
    /// for the second part of a long membership.
    pub fn asking(self, text: &str) -> Self {
        Self { asks: Some(text.to_owned()), ..self }
    }

    /// Only in searches whose filter holds this text: `objectGUID` for people who are looked for one by one.
    pub fn filtering(self, text: &str) -> Self {
        Self { filters: Some(text.to_owned()), ..self }
    }

    /// The first time only.
    pub fn once(self) -> Self {
        Self { times: Times::Once, ..self }
    }

    pub(super) fn strikes(&self, search: &Search, page: u32) -> bool {
        let reads = if search.scope == Scope::Base { Reads::SingleObjects } else { Reads::Lists };
        let asked = |text: &String| {
            contains(&search.filter_bytes, text.as_bytes())
                || search.attributes.iter().any(|name| name.contains(text))
                || search.base.contains(text)
        };
        let filtered = |text: &String| contains(&search.filter_bytes, text.as_bytes());
        let is_it = self.asks.as_ref().is_none_or(asked) && self.filters.as_ref().is_none_or(filtered);
        self.page == page && self.reads == reads && is_it
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// Half of the page, then the connection is gone without a word.
    Cut,
    /// Half of the page, then the server ends TLS properly and closes.
    Close,
    /// Half of the page, then nothing more.
    Stall,
    /// The page ends with this result instead of its entries.
    Result(Code),
    /// A referral to another directory instead of the entries.
    Referral,
    /// An entry whose outer length is right and whose inner lengths are not.
    MalformedEntry,
    /// A message made of sequences inside sequences.
    NestedSequences(usize),
    /// A message that announces two gigabytes.
    OversizeLength,
    /// Half of the page, then a Notice of Disconnection, as after an idle time.
    Notice,
    /// The page's entries again and again, for as long as somebody listens.
    Flood,
    /// A few more entries in the page, each in as many groups as go into one message; all names are invented.
    InventedGroups,
}

/// The faults in force.
#[derive(Debug, Clone, Default)]
pub struct Faults(Vec<Fault>);

impl Faults {
    pub fn add(&mut self, fault: Fault) {
        self.0.push(fault);
    }

    pub fn clear(&mut self) {
        self.0.clear();
    }

    pub fn has(&self, fault: &Fault) -> bool {
        self.0.contains(fault)
    }

    pub fn drip(&self) -> Option<u32> {
        self.0
            .iter()
            .find_map(|fault| if let Fault::Drip { bytes_per_second } = fault { Some(*bytes_per_second) } else { None })
    }

    pub fn bind_refusal(&self) -> Option<&'static str> {
        self.0.iter().find_map(|fault| if let Fault::RefuseBinds { data } = fault { Some(*data) } else { None })
    }

    /// The trouble that strikes this page of this search; one that strikes once is used up.
    pub fn take_trouble(&mut self, search: &Search, page: u32) -> Option<Trouble> {
        let at =
            self.0.iter().position(|fault| matches!(fault, Fault::InSearch(when, _) if when.strikes(search, page)))?;
        let Fault::InSearch(when, trouble) = &self.0[at] else { return None };
        let (times, trouble) = (when.times, trouble.clone());
        if times == Times::Once {
            self.0.remove(at);
        }
        Some(trouble)
    }
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    !part.is_empty() && bytes.windows(part.len()).any(|window| window == part)
}
