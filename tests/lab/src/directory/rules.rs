//! How the directory behaves at the moment: limits, permissions, passwords, faults. Tests change it while clients are connected.

use super::{
    fault::Faults,
    view::{Denied, Tombstones, Unreadable, View},
};
use std::collections::HashMap;
use uuid::Uuid;

#[derive(Debug, Clone)]
pub struct Rules {
    /// `MaxPageSize` (KB315071): pages are cut to it, and searches without paging end there.
    pub max_page_size: usize,
    /// `MaxValRange` (KB315071): longer values come in ranges.
    pub max_values: usize,
    pub unreadable: Vec<Unreadable>,
    pub denied: Denied,
    pub deleted_objects: DeletedObjects,
    pub passwords: HashMap<Uuid, String>,
    pub faults: Faults,
}

/// Who may look into the container of deleted objects; by default only administrators (KB892806).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeletedObjects {
    Closed,
    Readable,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            max_page_size: 1_000,
            max_values: 1_500,
            unreadable: Vec::new(),
            denied: Denied::default(),
            deleted_objects: DeletedObjects::Closed,
            passwords: HashMap::new(),
            faults: Faults::default(),
        }
    }
}

impl Rules {
    /// What a caller sees who asked for tombstones, or did not.
    pub fn view(&self, asked: Tombstones) -> View {
        let tombstones = match self.deleted_objects {
            DeletedObjects::Closed => Tombstones::Hidden,
            DeletedObjects::Readable => asked,
        };
        View { unreadable: self.unreadable.clone(), denied: self.denied.clone(), tombstones }
    }
}
