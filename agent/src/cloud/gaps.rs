//! Decides how soon a gap that the cloud speaks of is filled: at once the first time, and ever more rarely when it misses the
//! same batches again. Whoever answers in the cloud's place could otherwise have the whole ledger sent without end.

use std::time::Duration;

use rollcall_protocol::answer::Refusal;

use super::backoff::{self, Backoff};

/// Batches that the cloud says it lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    pub epoch: u64,
    pub from: u64,
    /// The batch that was to follow them.
    pub before: u64,
}

impl Gap {
    /// What the cloud has said.
    pub fn told(&self) -> Refusal {
        Refusal::Gap { expected: self.from }
    }
}

/// What was sent once more in one epoch.
#[derive(Debug)]
pub struct Gaps {
    epoch: u64,
    /// Whatever lies before this number was sent again.
    filled: u64,
    again: Backoff,
}

impl Default for Gaps {
    fn default() -> Self {
        Self { epoch: 0, filled: 0, again: backoff::GAP }
    }
}

impl Gaps {
    /// How long to wait before it is filled; `None`: not at all.
    pub fn wait_before(&mut self, gap: &Gap, fraction: f64) -> Option<Duration> {
        if gap.epoch != self.epoch {
            *self = Self { epoch: gap.epoch, ..Self::default() };
        }
        let was_filled = gap.from < self.filled;
        self.filled = self.filled.max(gap.before);
        was_filled.then(|| self.again.failed(fraction))
    }

    /// How often what had been sent again was missed again.
    pub fn in_vain(&self) -> u32 {
        self.again.failures()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait(gaps: &mut Gaps, epoch: u64, from: u64, before: u64) -> Option<u64> {
        gaps.wait_before(&Gap { epoch, from, before }, 1.0).map(|wait| wait.as_secs() / 60)
    }

    #[test]
    fn a_gap_is_filled_at_once_and_the_same_one_again_ever_more_rarely() {
        let mut gaps = Gaps::default();
        assert_eq!(wait(&mut gaps, 1, 3, 9), None, "a cloud that was restored is served at once");

        // From the same number, from within what was filled, and told while it is being filled.
        let waits: Vec<_> = [(3, 9), (5, 10), (2, 4)].map(|(from, before)| wait(&mut gaps, 1, from, before)).into();
        assert_eq!((waits, gaps.in_vain()), (vec![Some(1), Some(2), Some(4)], 3));
        assert_eq!((0..8).filter_map(|_| wait(&mut gaps, 1, 3, 9)).max(), Some(60));
    }

    #[test]
    fn a_gap_further_on_and_one_of_a_new_epoch_are_filled_at_once() {
        let mut gaps = Gaps::default();
        wait(&mut gaps, 1, 3, 9);
        wait(&mut gaps, 1, 3, 9);

        assert_eq!(wait(&mut gaps, 1, 9, 12), None);
        assert_eq!((wait(&mut gaps, 2, 3, 9), gaps.in_vain()), (None, 0));
    }
}
