//! What happens between two pages, or just before a read: an administrator who works while a client is reading.

use super::{Directory, Forest, Shared, When, wire::request::Search};
use std::sync::{Mutex, PoisonError};

type Action = Box<dyn FnOnce(&mut Forest) + Send>;

/// Changes that wait for their moment; each happens once.
#[derive(Default)]
pub(crate) struct Meanwhile(Mutex<Vec<(When, Action)>>);

impl Directory {
    /// Changes the domain just before the search in question is answered, once.
    pub fn meanwhile(&self, when: When, action: impl FnOnce(&mut Forest) + Send + 'static) {
        let mut waiting = self.shared.meanwhile.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.push((when, Box::new(action)));
    }
}

impl Shared {
    pub(super) fn let_things_happen(&self, search: &Search, page: u32) {
        let due: Vec<Action> = {
            let mut waiting = self.meanwhile.0.lock().unwrap_or_else(PoisonError::into_inner);
            let (due, rest) =
                std::mem::take(&mut *waiting).into_iter().partition(|(when, _)| when.strikes(search, page));
            *waiting = rest;
            Vec::into_iter(due).map(|(_, action)| action).collect()
        };
        for action in due {
            action(&mut self.forest_mut());
        }
    }
}
