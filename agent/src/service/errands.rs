//! Decides when an order that needs no cycle is carried out, and how often it is tried: so far, support bundles.

use chrono::{DateTime, TimeDelta, Utc};
use rollcall_protocol::answer::Refusal;
use rollcall_protocol::desired::{DesiredState, Order};
use uuid::Uuid;

use crate::cloud::link::LinkError;
use crate::diagnostic::Diagnostic;

/// What is open and what was tried.
#[derive(Debug, Default)]
pub struct Errands {
    settled: Vec<Uuid>,
    failures: u32,
    not_before: Option<DateTime<Utc>>,
}

/// What becomes of an errand after a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AfterFailure {
    TryAgain,
    GiveUp,
}

/// Whether the same bundle may arrive later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hope {
    Some,
    None,
}

/// Why an errand came to nothing.
#[derive(Debug)]
pub struct Failure {
    pub diagnostic: Diagnostic,
    pub hope: Hope,
}

impl Failure {
    /// What the cloud does not want it will not want later; what did not reach it may, and a key that it does not know is
    /// perhaps being changed.
    pub fn sending(why: &LinkError) -> Self {
        let hope = match why {
            LinkError::Refused(
                Refusal::Busy { .. } | Refusal::Unavailable { .. } | Refusal::Skew { .. } | Refusal::Unauthorized,
            ) => Hope::Some,
            LinkError::Refused(_) | LinkError::Setup(_) | LinkError::Signing(_) => Hope::None,
            LinkError::NameUnknown { .. }
            | LinkError::Tls { .. }
            | LinkError::Proxy { .. }
            | LinkError::Unreachable { .. }
            | LinkError::Broken { .. }
            | LinkError::TimedOut { .. }
            | LinkError::TooLong
            | LinkError::Odd { .. } => Hope::Some,
        };
        Self { diagnostic: Diagnostic::from(why), hope }
    }
}

/// A bundle is asked for by somebody who waits; after this many tries they are told.
const TRIES: u32 = 3;
const PAUSE: TimeDelta = TimeDelta::minutes(1);

impl Errands {
    /// The bundle to make now.
    pub fn due(&mut self, desired: Option<&DesiredState>, now: DateTime<Utc>) -> Option<Uuid> {
        let commands = desired.map_or(&[][..], |desired| &desired.commands);
        self.settled.retain(|settled| commands.iter().any(|command| command.id == *settled));
        if self.not_before.is_some_and(|at| now < at) {
            return None;
        }
        let mut open = commands.iter().filter(|command| command.order == Order::Bundle);
        open.find(|command| !self.settled.contains(&command.id)).map(|command| command.id)
    }

    /// When a failed errand is tried again.
    pub fn again_at(&self) -> Option<DateTime<Utc>> {
        self.not_before
    }

    pub fn settle(&mut self, command: Uuid) {
        self.settled.push(command);
        self.failures = 0;
        self.not_before = None;
    }

    pub fn failed(&mut self, command: Uuid, hope: Hope, now: DateTime<Utc>) -> AfterFailure {
        self.failures += 1;
        if self.failures >= TRIES || hope == Hope::None {
            self.settle(command);
            return AfterFailure::GiveUp;
        }
        self.not_before = Some(now + PAUSE);
        AfterFailure::TryAgain
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rollcall_protocol::desired::{Command, Role};

    fn desired(orders: &[(u128, Order)]) -> DesiredState {
        let command = |(id, order): &(u128, Order)| Command { id: Uuid::from_u128(*id), order: order.clone() };
        DesiredState {
            cloud: Uuid::from_u128(1),
            agent: Uuid::from_u128(2),
            version: 1,
            issued_at: DateTime::UNIX_EPOCH,
            role: Role::Standby,
            domain: None,
            pause: None,
            update: None,
            imports: Vec::new(),
            commands: orders.iter().map(command).collect(),
        }
    }

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).unwrap()
    }

    #[test]
    fn each_bundle_is_made_once_even_by_an_agent_that_stands_by() {
        let wanted = desired(&[(31, Order::SyncNow), (32, Order::Bundle), (33, Order::Bundle)]);
        let mut errands = Errands::default();

        assert_eq!(errands.due(Some(&wanted), at(0)), Some(Uuid::from_u128(32)));
        errands.settle(Uuid::from_u128(32));
        assert_eq!(errands.due(Some(&wanted), at(0)), Some(Uuid::from_u128(33)));
        errands.settle(Uuid::from_u128(33));
        assert_eq!(errands.due(Some(&wanted), at(0)), None);
    }

    #[test]
    fn what_the_cloud_refused_for_good_is_not_sent_again() {
        let refused = Failure::sending(&LinkError::Refused(Refusal::TooLarge { limit: 4 }));
        let away = Failure::sending(&LinkError::TimedOut { host: "cloud".into() });
        let rotating = Failure::sending(&LinkError::Refused(Refusal::Unauthorized));

        assert_eq!((refused.hope, away.hope, rotating.hope), (Hope::None, Hope::Some, Hope::Some));
        let after = Errands::default().failed(Uuid::from_u128(32), refused.hope, at(0));
        assert_eq!(after, AfterFailure::GiveUp);
    }

    #[test]
    fn a_failed_bundle_is_tried_again_after_a_minute_and_given_up_after_three() {
        let wanted = desired(&[(32, Order::Bundle)]);
        let (mut errands, bundle) = (Errands::default(), Uuid::from_u128(32));

        assert_eq!(errands.failed(bundle, Hope::Some, at(0)), AfterFailure::TryAgain);
        assert_eq!(errands.due(Some(&wanted), at(59)), None);
        assert_eq!(errands.again_at(), Some(at(60)));
        assert_eq!(errands.due(Some(&wanted), at(60)), Some(bundle));
        assert_eq!(errands.failed(bundle, Hope::Some, at(60)), AfterFailure::TryAgain);
        assert_eq!(errands.failed(bundle, Hope::Some, at(120)), AfterFailure::GiveUp);
        assert_eq!(errands.due(Some(&wanted), at(1000)), None);
        assert_eq!(errands.again_at(), None);
    }
}
