//! Decides whether to wait before the next check-in although this one was answered: what answers a long poll at once, and
//! brings nothing, would be asked again without end. A second copy of this agent does that, and so does a middlebox.

use std::time::Duration;

use rollcall_protocol::checkin::CheckinRequest;

use crate::cloud::backoff::{self, Backoff};
use crate::cloud::checkin::{Heard, Instructions};

/// An answer within this time has not been waited for.
const AT_ONCE: Duration = Duration::from_secs(1);

/// Counts the answers in a row that came at once and brought nothing.
#[derive(Debug)]
pub struct Breather(Backoff);

impl Default for Breather {
    fn default() -> Self {
        Self(backoff::IDLE)
    }
}

impl Breather {
    /// How long to wait after this answer, which came after `took`.
    pub fn after(&mut self, request: &CheckinRequest, heard: &Heard, took: Duration, fraction: f64) -> Duration {
        let brings = match heard.instructions {
            Instructions::New { .. } => true,
            // The cloud answers with the same again as long as the number that we obey is older.
            Instructions::AsBefore | Instructions::Refused(_) => heard.epoch.is_some() || !request.done.is_empty(),
        };
        if brings || request.wait_seconds == 0 || took >= AT_ONCE {
            self.0.reset();
            return Duration::ZERO;
        }
        self.0.failed(fraction)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desk::Desk;
    use chrono::DateTime;
    use rollcall_protocol::desired::Disobey;

    fn heard(instructions: Instructions) -> Heard {
        Heard { instructions, epoch: None }
    }

    fn after(breather: &mut Breather, wait: u32, heard: &Heard, took: Duration) -> Duration {
        let request = Desk::new(None, 0, None, DateTime::UNIX_EPOCH).request(wait, 0);
        breather.after(&request, heard, took, 1.0)
    }

    #[test]
    fn whoever_answers_at_once_with_nothing_is_asked_ever_less_often() {
        let mut breather = Breather::default();
        let nothing = [heard(Instructions::AsBefore), heard(Instructions::Refused(Disobey::Older))];

        let waits: Vec<_> =
            nothing.iter().cycle().take(8).map(|heard| after(&mut breather, 55, heard, Duration::ZERO)).collect();

        assert_eq!(waits[..3].iter().map(Duration::as_secs).collect::<Vec<_>>(), [1, 2, 4]);
        assert!(waits[7] >= Duration::from_secs(30), "{waits:?}");
    }

    #[test]
    fn an_answer_that_was_waited_for_or_was_to_come_at_once_is_followed_by_the_next_question() {
        let mut breather = Breather::default();
        let nothing = heard(Instructions::AsBefore);

        assert_eq!(after(&mut breather, 55, &nothing, AT_ONCE), Duration::ZERO);
        assert_eq!(after(&mut breather, 0, &nothing, Duration::ZERO), Duration::ZERO);
    }
}
