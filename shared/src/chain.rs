//! Decides what a batch is to the chain: the next link, one seen before, or a sign that something is wrong.

use crate::hash::Hash;
use serde::{Deserialize, Serialize};

/// A numbered beginning, issued by the cloud. `start` is the `prev` of its first batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Epoch {
    pub number: u64,
    pub start: Hash,
}

/// A batch's place: `seq` counts from 1, `prev` is the SHA-256 of the previous batch's JWS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChainLink {
    pub epoch: u64,
    pub seq: u64,
    pub prev: Hash,
}

/// Where a chain stands: what the next batch must say.
pub type ChainHead = ChainLink;

impl Epoch {
    pub const fn head(self) -> ChainHead {
        ChainLink { epoch: self.number, seq: 1, prev: self.start }
    }
}

impl ChainLink {
    /// The head after a batch with this link and this JWS hash was taken.
    pub const fn then(&self, jws: Hash) -> ChainHead {
        ChainLink { epoch: self.epoch, seq: self.seq + 1, prev: jws }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The next link: store it.
    Next,
    /// Stored before, byte for byte: answer as then.
    Duplicate,
    /// Another batch stands at this place: two copies of one agent exist.
    Fork,
    /// Batches before it are missing; `expected` is the next one.
    Gap { expected: u64 },
    /// The epoch is over, or never was.
    WrongEpoch,
}

/// `stored` is the JWS hash of the batch that the cloud holds at the link's epoch and seq, if it holds one.
pub fn judge(head: &ChainHead, stored: Option<&Hash>, link: &ChainLink, jws: &Hash) -> Verdict {
    if link.epoch != head.epoch {
        return Verdict::WrongEpoch;
    }
    match stored {
        Some(stored) if stored == jws => return Verdict::Duplicate,
        Some(_) => return Verdict::Fork,
        None => {}
    }
    if link.seq > head.seq {
        return Verdict::Gap { expected: head.seq };
    }
    // Below the head everything is stored, unless it was cleared away long after its acknowledgement; an honest agent
    // does not send such a batch again.
    if link.seq < head.seq || link.prev != head.prev {
        return Verdict::Fork;
    }
    Verdict::Next
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    const EPOCH: Epoch = Epoch { number: 4, start: Hash::from_bytes([0; 32]) };

    #[derive(Default)]
    struct Cloud {
        stored: BTreeMap<u64, Hash>,
    }

    impl Cloud {
        fn head(&self) -> ChainHead {
            self.stored.iter().fold(EPOCH.head(), |head, (_, jws)| head.then(*jws))
        }

        fn take(&mut self, link: &ChainLink, jws: Hash) -> Verdict {
            let verdict = judge(&self.head(), self.stored.get(&link.seq), link, &jws);
            if verdict == Verdict::Next {
                self.stored.insert(link.seq, jws);
            }
            verdict
        }
    }

    /// An honest agent's batches: each link follows the JWS before it.
    fn chain(length: u64, salt: u64) -> Vec<(ChainLink, Hash)> {
        let mut head = EPOCH.head();
        (0..length)
            .map(|number| {
                let jws = Hash::of(format!("{salt}/{number}").as_bytes());
                let link = head;
                head = link.then(jws);
                (link, jws)
            })
            .collect()
    }

    // proves: R-13
    #[test]
    fn a_resent_batch_is_a_duplicate_and_a_skipped_one_a_gap() {
        let mut cloud = Cloud::default();
        let batches = chain(3, 0);
        assert_eq!(cloud.take(&batches[0].0, batches[0].1), Verdict::Next);
        assert_eq!(cloud.take(&batches[0].0, batches[0].1), Verdict::Duplicate);
        assert_eq!(cloud.take(&batches[2].0, batches[2].1), Verdict::Gap { expected: 2 });
        assert_eq!(cloud.take(&batches[1].0, batches[1].1), Verdict::Next);
    }

    #[test]
    fn a_batch_of_another_epoch_is_refused_whatever_it_says() {
        let mut cloud = Cloud::default();
        for number in [0, 3, 5] {
            let link = ChainLink { epoch: number, ..EPOCH.head() };
            assert_eq!(cloud.take(&link, Hash::of(b"x")), Verdict::WrongEpoch);
        }
    }

    #[test]
    fn a_cloned_agent_is_found_at_its_first_own_batch() {
        let mut cloud = Cloud::default();
        let (original, clone) = (chain(2, 0), chain(2, 1));
        assert_eq!(cloud.take(&original[0].0, original[0].1), Verdict::Next);
        assert_eq!(cloud.take(&clone[0].0, clone[0].1), Verdict::Fork);
        assert_eq!(cloud.take(&clone[1].0, clone[1].1), Verdict::Fork);
    }

    proptest! {
        /// However batches are repeated, dropped, swapped or mixed with a clone's: what is stored is one honest chain
        /// from its start, and every batch of it once.
        #[test]
        fn the_stored_chain_is_always_an_unbroken_prefix(order in proptest::collection::vec((0_usize..12, 0_u64..2), 0..80)) {
            let chains = [chain(12, 0), chain(12, 1)];
            let mut cloud = Cloud::default();
            for (index, which) in order {
                let (link, jws) = &chains[usize::try_from(which).unwrap()][index];
                cloud.take(link, *jws);
            }
            let stored: Vec<Hash> = cloud.stored.values().copied().collect();
            let is_prefix = |chain: &[(ChainLink, Hash)]| chain.iter().map(|(_, jws)| *jws).take(stored.len()).eq(stored.iter().copied());
            prop_assert!(is_prefix(&chains[0]) || is_prefix(&chains[1]));
            prop_assert_eq!(cloud.stored.keys().copied().collect::<Vec<_>>(), (1..=stored.len() as u64).collect::<Vec<_>>());
        }
    }
}
