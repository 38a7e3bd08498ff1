//! Collects people until their multi-row statement is full.

use std::collections::HashSet;

use uuid::Uuid;

use super::people::{CHUNK, Present};

/// People that wait for their multi-row statement; no person twice in it.
#[derive(Debug, Default)]
pub struct Chunk {
    pub people: Vec<Present>,
    guids: HashSet<Uuid>,
}

impl Chunk {
    /// Answers the chunk before when this person needs a new one.
    pub fn push(&mut self, present: Present) -> Option<Vec<Present>> {
        let full = self.people.len() >= CHUNK || self.guids.contains(&present.person.guid);
        let before = full.then(|| {
            self.guids.clear();
            std::mem::take(&mut self.people)
        });
        self.guids.insert(present.person.guid);
        self.people.push(present);
        before
    }
}
