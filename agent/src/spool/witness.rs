//! Decides whether the spool is older than what this machine has already sent.
//!
//! A spool from a backup would sign other batches for places that are taken, and the cloud would have to call that a
//! clone. A small file beside it remembers the place that the chain had reached; it is not in a backup of the spool, and
//! is in a copy of the whole machine, which is how the two are told apart.

use std::path::{Path, PathBuf};

use rollcall_protocol::chain::ChainHead;

use super::SpoolError;
use crate::platform::private_file;

/// What the spool is to the witness.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Age {
    /// As far as the witness, or further: a crash may fall between the two writes. After one that falls into the replacement
    /// of a cycle by a shorter one the spool is behind, and counts as older; a new epoch heals that too.
    Current,
    Older,
}

/// Decides. Without a witness, or without a place in the spool, there is nothing to compare.
pub fn judge(witnessed: Option<ChainHead>, spooled: Option<ChainHead>) -> Age {
    let (Some(witnessed), Some(spooled)) = (witnessed, spooled) else { return Age::Current };
    let place = |head: ChainHead| (head.epoch, head.seq);
    let is_same_place = place(spooled) == place(witnessed);
    if place(spooled) < place(witnessed) || (is_same_place && spooled.prev != witnessed.prev) {
        Age::Older
    } else {
        Age::Current
    }
}

fn path(folder: &Path) -> PathBuf {
    folder.join("place.json")
}

/// What was noted last. A file that cannot be read witnesses nothing.
pub fn find(folder: &Path) -> Option<ChainHead> {
    serde_json::from_slice(&std::fs::read(path(folder)).ok()?).ok()
}

/// Notes the place. Called after every commit that moves it and before anything signed for it leaves.
pub fn note(folder: &Path, head: ChainHead) -> Result<(), SpoolError> {
    Ok(private_file::write(&path(folder), &serde_json::to_vec(&head)?)?)
}

pub fn forget(folder: &Path) {
    let _ = std::fs::remove_file(path(folder));
}

#[cfg(test)]
mod tests {
    use super::*;
    use rollcall_protocol::hash::Hash;

    fn head(epoch: u64, seq: u64, prev: &str) -> ChainHead {
        ChainHead { epoch, seq, prev: Hash::of(prev.as_bytes()) }
    }

    #[test]
    fn only_a_spool_behind_its_witness_is_older() {
        let witnessed = Some(head(2, 5, "a"));

        assert_eq!(judge(witnessed, Some(head(2, 4, "x"))), Age::Older);
        assert_eq!(judge(witnessed, Some(head(1, 9, "x"))), Age::Older);
        assert_eq!(judge(witnessed, Some(head(2, 5, "b"))), Age::Older);
        for current in [Some(head(2, 5, "a")), Some(head(2, 6, "x")), Some(head(3, 1, "x")), None] {
            assert_eq!(judge(witnessed, current), Age::Current);
        }
        assert_eq!(judge(None, Some(head(1, 1, "x"))), Age::Current);
    }
}
