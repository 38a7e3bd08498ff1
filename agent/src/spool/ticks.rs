//! Keeps one bit for each acknowledged person: came back as they were.

/// Bits by row number.
#[derive(Debug)]
pub struct Ticks {
    bits: Vec<u64>,
}

/// More rows than any directory has; numbers above come from a damaged file alone.
const MOST: i64 = 1 << 26;

impl Ticks {
    /// Room for the rows up to this one. `None` if no such table can be.
    pub fn up_to(row: i64) -> Option<Self> {
        let words = usize::try_from(row).ok().filter(|_| row < MOST)? / 64 + 1;
        Some(Self { bits: vec![0; words] })
    }

    /// Answers whether there is room for the row.
    pub fn set(&mut self, row: i64) -> bool {
        let Some((word, bit)) = place(row) else { return false };
        self.bits.get_mut(word).map(|bits| *bits |= bit).is_some()
    }

    pub fn has(&self, row: i64) -> bool {
        place(row).is_some_and(|(word, bit)| self.bits.get(word).is_some_and(|bits| bits & bit != 0))
    }

    pub fn count(&self) -> u64 {
        self.bits.iter().map(|bits| u64::from(bits.count_ones())).sum()
    }
}

fn place(row: i64) -> Option<(usize, u64)> {
    let row = usize::try_from(row).ok()?;
    Some((row / 64, 1 << (row % 64)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_ticked_by_itself_and_only_where_there_is_room() {
        let mut ticks = Ticks::up_to(130).unwrap();

        assert!(ticks.set(0) && ticks.set(64) && ticks.set(130) && ticks.set(130));

        assert!(!ticks.set(i64::MAX) && !ticks.set(-1));
        assert_eq!((ticks.has(64), ticks.has(63), ticks.has(-64), ticks.count()), (true, false, false, 3));
        assert!(Ticks::up_to(i64::MAX).is_none() && Ticks::up_to(-1).is_none());
    }
}
