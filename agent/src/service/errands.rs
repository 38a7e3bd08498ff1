//! Decides when an order that needs no cycle is carried out, and how often it is tried: so far, support bundles.

use rollcall_protocol::answer::Refusal;
use rollcall_protocol::desired::{DesiredState, Order};
use tokio::time::{Duration, Instant};
use uuid::Uuid;

use crate::cloud::link::LinkError;
use crate::diagnostic::Diagnostic;

/// What is open and what was tried.
#[derive(Debug, Default)]
pub struct Errands {
    settled: Vec<Uuid>,
    tried: Option<Tried>,
}

/// An errand that failed and is tried again.
#[derive(Debug)]
struct Tried {
    command: Uuid,
    failures: u32,
    not_before: Instant,
    /// What was made for it and could not be sent: made once more, it would sign in once more.
    made: Option<Vec<u8>>,
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
const PAUSE: Duration = Duration::from_mins(1);

impl Errands {
    /// The bundle to make now. An order that is wanted no more is waited for no more.
    pub fn due(&mut self, desired: Option<&DesiredState>, now: Instant) -> Option<Uuid> {
        let commands = desired.map_or(&[][..], |desired| &desired.commands);
        let is_ordered = |id: Uuid| commands.iter().any(|command| command.id == id);
        self.settled.retain(|settled| is_ordered(*settled));
        self.tried.take_if(|tried| !is_ordered(tried.command));
        if self.again_at().is_some_and(|at| now < at) {
            return None;
        }
        let mut open = commands.iter().filter(|command| command.order == Order::Bundle);
        open.find(|command| !self.settled.contains(&command.id)).map(|command| command.id)
    }

    /// When a failed errand is tried again.
    pub fn again_at(&self) -> Option<Instant> {
        self.tried.as_ref().map(|tried| tried.not_before)
    }

    /// What an earlier try has made for this order.
    pub fn take_made(&mut self, command: Uuid) -> Option<Vec<u8>> {
        self.tried.as_mut().filter(|tried| tried.command == command)?.made.take()
    }

    pub fn settle(&mut self, command: Uuid) {
        self.settled.push(command);
        self.tried = None;
    }

    pub fn failed(&mut self, command: Uuid, failure: &Failure, made: Option<Vec<u8>>, now: Instant) -> AfterFailure {
        let before = self.tried.as_ref().filter(|tried| tried.command == command).map_or(0, |tried| tried.failures);
        let failures = before + 1;
        if failures >= TRIES || failure.hope == Hope::None {
            self.settle(command);
            return AfterFailure::GiveUp;
        }
        self.tried = Some(Tried { command, failures, not_before: now + PAUSE, made });
        AfterFailure::TryAgain
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::DateTime;
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

    fn failure(hope: Hope) -> Failure {
        Failure { hope, ..Failure::sending(&LinkError::TimedOut { host: "cloud".into() }) }
    }

    #[tokio::test]
    async fn each_bundle_is_made_once_even_by_an_agent_that_stands_by() {
        let now = Instant::now();
        let wanted = desired(&[(31, Order::SyncNow), (32, Order::Bundle), (33, Order::Bundle)]);
        let mut errands = Errands::default();

        assert_eq!(errands.due(Some(&wanted), now), Some(Uuid::from_u128(32)));
        errands.settle(Uuid::from_u128(32));
        assert_eq!(errands.due(Some(&wanted), now), Some(Uuid::from_u128(33)));
        errands.settle(Uuid::from_u128(33));
        assert_eq!(errands.due(Some(&wanted), now), None);
    }

    #[tokio::test]
    async fn what_the_cloud_refused_for_good_is_not_sent_again() {
        let refused = Failure::sending(&LinkError::Refused(Refusal::TooLarge { limit: 4 }));
        let away = Failure::sending(&LinkError::TimedOut { host: "cloud".into() });
        let rotating = Failure::sending(&LinkError::Refused(Refusal::Unauthorized));

        assert_eq!((refused.hope, away.hope, rotating.hope), (Hope::None, Hope::Some, Hope::Some));
        let after = Errands::default().failed(Uuid::from_u128(32), &refused, None, Instant::now());
        assert_eq!(after, AfterFailure::GiveUp);
    }

    #[tokio::test]
    async fn a_failed_bundle_is_tried_again_after_a_minute_and_given_up_after_three() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let wanted = desired(&[(32, Order::Bundle)]);
        let (mut errands, bundle) = (Errands::default(), Uuid::from_u128(32));
        let failed = failure(Hope::Some);

        assert_eq!(errands.failed(bundle, &failed, Some(vec![1]), at(0)), AfterFailure::TryAgain);
        assert_eq!(errands.due(Some(&wanted), at(59)), None);
        assert_eq!(errands.again_at(), Some(at(60)));
        assert_eq!(errands.due(Some(&wanted), at(60)), Some(bundle));
        assert_eq!(errands.take_made(bundle), Some(vec![1]), "it is not made again");
        assert_eq!(errands.failed(bundle, &failed, Some(vec![1]), at(60)), AfterFailure::TryAgain);
        assert_eq!(errands.failed(bundle, &failed, None, at(120)), AfterFailure::GiveUp);
        assert_eq!(errands.due(Some(&wanted), at(1000)), None);
        assert_eq!(errands.again_at(), None);
    }

    #[tokio::test]
    async fn an_order_that_vanishes_while_it_waits_for_its_next_try_is_waited_for_no_more() {
        let start = Instant::now();
        let mut errands = Errands::default();
        errands.failed(Uuid::from_u128(32), &failure(Hope::Some), Some(vec![1]), start);
        assert!(errands.again_at().is_some());

        assert_eq!(errands.due(Some(&desired(&[(31, Order::SyncNow)])), start + Duration::from_secs(90)), None);

        assert_eq!((errands.again_at(), errands.take_made(Uuid::from_u128(32))), (None, None));
        let other = desired(&[(33, Order::Bundle)]);
        assert_eq!(errands.due(Some(&other), start), Some(Uuid::from_u128(33)), "another one waits for nothing");
    }
}
