//! Decides whether newer instructions end a reading that is under way.

use chrono::{DateTime, Utc};
use rollcall_protocol::desired::{DesiredState, Pause, Role};
use rollcall_protocol::hash::Hash;
use uuid::Uuid;

/// What a reading that is under way is made with.
#[derive(Debug, Clone, Copy)]
pub struct Reads<'a> {
    pub desired: &'a DesiredState,
    pub recipe: Option<Hash>,
}

/// Whether it would show what must not be read any more, or is not what is wanted any more.
pub fn is_overtaken(reads: &Reads<'_>, newer: &DesiredState, recipe: Option<Hash>, now: DateTime<Utc>) -> bool {
    let holds = |pause: &Option<Pause>| pause.as_ref().is_some_and(|pause| pause.holds(now));
    let is_read = |import: Uuid| {
        let mut imports = reads.desired.imports.iter();
        imports.any(|read| read.import == import && !holds(&read.pause))
    };
    newer.role == Role::Standby
        || holds(&newer.pause)
        || recipe != reads.recipe
        || newer.imports.iter().any(|import| holds(&import.pause) && is_read(import.import))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cycle::scope::fixtures::{desired, id, import, ou};
    use chrono::TimeDelta;
    use rollcall_protocol::desired::{Command, Order};

    fn at(minutes: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::minutes(minutes)
    }

    #[test]
    fn a_pause_a_standby_and_another_selection_overtake_a_reading_and_a_new_order_does_not() {
        let wanted = desired(vec![import(11, &[ou(21)], &[])]);
        let recipe = Some(Hash::of(b"r"));
        let reads = Reads { desired: &wanted, recipe };
        let overtakes = |change: &dyn Fn(&mut DesiredState), recipe| {
            let mut newer = wanted.clone();
            change(&mut newer);
            is_overtaken(&reads, &newer, recipe, at(1))
        };
        let pause = || Some(Pause { until: Some(at(9)) });

        assert!(overtakes(&|newer| newer.pause = pause(), recipe));
        assert!(overtakes(&|newer| newer.role = Role::Standby, recipe));
        assert!(overtakes(&|newer| newer.imports[0].pause = pause(), recipe));
        assert!(overtakes(&|_| {}, Some(Hash::of(b"narrower"))));
        assert!(!overtakes(&|newer| newer.commands.push(Command { id: id(31), order: Order::SyncNow }), recipe));
        assert!(!overtakes(&|newer| newer.pause = Some(Pause { until: Some(at(1)) }), recipe));
    }
}
