//! A fleet of machines, good and bad ones, some of them off, of two platforms, some pinned, and a cloud that is away at
//! times: whatever they do, a rollout ends or says what it waits for.

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use uuid::Uuid;

use super::*;

/// How a machine takes the new version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Nature {
    Takes,
    /// It answers after two days: its line is slow.
    Dawdles,
    Refuses,
    GoesBack,
    FallsSilent,
    /// It neither takes the version nor says why.
    Shrugs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Home {
    Ours,
    OtherPlatform,
    Pinned,
}

#[derive(Debug, Clone, Copy)]
struct Machine {
    nature: Nature,
    home: Home,
    /// The hours of the day in which it is on.
    on: (i64, i64),
}

#[derive(Debug, Clone)]
struct Fleet {
    machines: Vec<Machine>,
    window: Option<Window>,
    /// Hours since the beginning, and how many.
    outages: Vec<(i64, i64)>,
}

/// One machine's row in the table of those who were asked.
#[derive(Debug, Clone, Copy)]
struct Row {
    state: UpdateState,
    offered_at: DateTime<Utc>,
    settled_at: Option<DateTime<Utc>>,
    is_forgiven: bool,
}

#[derive(Debug, Clone, Copy)]
struct Seen {
    at: Option<DateTime<Utc>>,
    row: Option<Row>,
    has_new: bool,
    is_dead: bool,
}

struct Rollout {
    progress: Progress,
    cutoff: i64,
    looked_at: DateTime<Utc>,
    state: RolloutState,
    wait: Option<Wait>,
}

struct World<'a> {
    fleet: &'a Fleet,
    now: DateTime<Utc>,
    seen: Vec<Seen>,
    rollout: Option<Rollout>,
    stops: usize,
    asked_outside: bool,
}

const STEP: TimeDelta = TimeDelta::minutes(4);

fn start() -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(20_000)
}

impl<'a> World<'a> {
    fn new(fleet: &'a Fleet) -> Self {
        // They were all heard of just before the version was published.
        let seen = Seen { at: Some(start()), row: None, has_new: false, is_dead: false };
        let seen = vec![seen; fleet.machines.len()];
        Self { fleet, now: start(), seen, rollout: None, stops: 0, asked_outside: false }
    }

    fn place(number: usize) -> i64 {
        place(Uuid::from_u128(number as u128 + 1), "1.2.0")
    }

    fn is_away(&self) -> bool {
        let hour = (self.now - start()).num_hours();
        self.fleet.outages.iter().any(|(from, hours)| (*from..from + hours).contains(&hour))
    }

    fn run(&mut self, days: i64) {
        let end = self.now + TimeDelta::days(days);
        while self.now < end && self.rollout.as_ref().is_none_or(|rollout| rollout.state != RolloutState::Stopped) {
            if !self.is_away() {
                for number in 0..self.seen.len() {
                    self.check_in(number);
                }
            }
            self.now += STEP;
        }
    }

    fn check_in(&mut self, number: usize) {
        let machine = self.fleet.machines[number];
        let hour = (self.now - start()).num_hours() % 24;
        if self.seen[number].is_dead || !(machine.on.0..machine.on.1).contains(&hour) {
            return;
        }
        self.seen[number].at = Some(self.now);
        if machine.home != Home::Ours {
            return;
        }
        self.look();
        self.answer(number, machine.nature);
        self.offer(number);
    }

    /// What the machine does with what it was asked, and says of it.
    fn answer(&mut self, number: usize, nature: Nature) {
        let seen = &mut self.seen[number];
        let Some(row) = seen.row.as_mut().filter(|row| row.state == UpdateState::Offered) else {
            if nature == Nature::FallsSilent && seen.has_new {
                seen.is_dead = true;
            }
            return;
        };
        let waited = self.now - row.offered_at;
        let outcome = match nature {
            Nature::Takes if waited >= TimeDelta::minutes(8) => UpdateState::Updated,
            Nature::FallsSilent if waited >= TimeDelta::minutes(8) => UpdateState::Updated,
            Nature::Dawdles if waited >= TimeDelta::days(2) => UpdateState::Updated,
            Nature::Refuses => UpdateState::Refused,
            Nature::GoesBack if waited >= TimeDelta::minutes(20) => UpdateState::TakenBack,
            Nature::Takes | Nature::FallsSilent | Nature::Dawdles | Nature::GoesBack | Nature::Shrugs => return,
        };
        seen.has_new = outcome == UpdateState::Updated;
        row.state = outcome;
        row.settled_at = Some(self.now);
    }

    fn offer(&mut self, number: usize) {
        let is_in_hours = self.fleet.window.is_none_or(|window| window.holds(self.now));
        let Some(rollout) = &self.rollout else { return };
        let is_asked = rollout.state.is_open() && is_in_hours && Self::place(number) <= rollout.cutoff;
        let seen = &mut self.seen[number];
        if is_asked && !seen.has_new && seen.row.is_none() {
            let state = UpdateState::Offered;
            seen.row = Some(Row { state, offered_at: self.now, settled_at: None, is_forgiven: false });
            self.asked_outside |= self.fleet.machines[number].home != Home::Ours;
        }
    }

    fn asked(&self, seen: &Seen) -> Option<Asked> {
        let bounds = Bounds::at(self.now);
        let row = seen.row?;
        Some(Asked {
            state: row.state,
            is_heard: seen.at.is_some_and(|at| at >= bounds.heard_since),
            is_due: row.offered_at < bounds.due_before,
            is_late: row.offered_at < bounds.late_before,
            is_fresh: row.settled_at.is_some_and(|at| at >= bounds.fresh_since),
            is_forgiven: row.is_forgiven,
        })
    }

    fn tally(&self) -> Tally {
        let mut tally = Tally::default();
        for asked in self.seen.iter().filter_map(|seen| self.asked(seen)) {
            tally.add(&asked, 1);
        }
        tally
    }

    fn members(&self) -> Vec<Member> {
        let heard_since = Bounds::at(self.now).heard_since;
        let of = |number: usize| {
            let seen = self.seen[number];
            let is_ours = self.fleet.machines[number].home == Home::Ours;
            (is_ours && seen.at.is_some_and(|at| at >= heard_since)).then(|| Member {
                place: Self::place(number),
                is_older: !seen.has_new,
                is_asked: seen.row.is_some(),
            })
        };
        (0..self.seen.len()).filter_map(of).collect()
    }

    fn look(&mut self) {
        let now = self.now;
        if self
            .rollout
            .as_ref()
            .is_some_and(|rollout| rollout.state != RolloutState::Running || rollout.looked_at == now)
        {
            return;
        }
        let (members, tally) = (self.members(), self.tally());
        let Some(rollout) = &mut self.rollout else {
            let progress = Progress { ring: Ring::First, ring_since: now, present_since: now };
            let state = RolloutState::Running;
            self.rollout = Some(Rollout { progress, cutoff: begin(&members), looked_at: now, state, wait: None });
            return;
        };
        if now - rollout.looked_at > PRESENT_WITHIN {
            rollout.progress.present_since = now;
        }
        rollout.looked_at = now;
        rollout.wait = None;
        match decide(&rollout.progress, tally, now) {
            Next::Stop => {
                rollout.state = RolloutState::Stopped;
                self.stops += 1;
            }
            Next::Wait(wait) => rollout.wait = Some(wait),
            Next::GoOn => match advance(rollout.progress.ring, rollout.cutoff, tally.counted(), &members) {
                Step::Wait(wait) => rollout.wait = Some(wait),
                Step::Widen { ring, cutoff } => {
                    rollout.progress = Progress { ring, ring_since: now, ..rollout.progress };
                    rollout.cutoff = cutoff;
                }
                Step::Redraw { cutoff } => rollout.cutoff = cutoff,
                Step::Finish => rollout.state = RolloutState::Done,
            },
        }
    }

    /// A person has looked at those who failed, and says go on.
    fn go_on(&mut self) {
        let standings: Vec<Option<Standing>> =
            self.seen.iter().map(|seen| self.asked(seen).map(|asked| asked.standing())).collect();
        for (seen, standing) in self.seen.iter_mut().zip(standings) {
            let (Some(row), Some(Standing::TakenBack | Standing::Silent)) = (&mut seen.row, standing) else { continue };
            row.is_forgiven = true;
            if row.state != UpdateState::Updated {
                *row = Row { state: UpdateState::Offered, offered_at: self.now, settled_at: None, ..*row };
            }
        }
        if let Some(rollout) = &mut self.rollout {
            rollout.state = RolloutState::Running;
        }
    }

    fn state(&self) -> Option<RolloutState> {
        self.rollout.as_ref().map(|rollout| rollout.state)
    }

    fn count_who_ran_it(&self) -> usize {
        let ran = |seen: &&Seen| {
            seen.row.is_some_and(|row| matches!(row.state, UpdateState::Updated | UpdateState::TakenBack))
        };
        self.seen.iter().filter(ran).count()
    }
}

fn nature(bad: bool) -> BoxedStrategy<Nature> {
    let harmless = [Nature::Takes, Nature::Takes, Nature::Takes, Nature::Dawdles, Nature::Refuses, Nature::Shrugs];
    let all = [&harmless[..], &[Nature::GoesBack, Nature::FallsSilent]].concat();
    if bad { prop::sample::select(all).boxed() } else { prop::sample::select(harmless.to_vec()).boxed() }
}

#[derive(Debug, Clone, Copy)]
enum Power {
    On,
    SomeByDay,
}

#[derive(Debug, Clone, Copy)]
enum Natures {
    Harmless,
    Any,
}

fn fleet(natures: Natures, power: Power) -> impl Strategy<Value = Fleet> {
    let nature = match natures {
        Natures::Harmless => nature(false),
        Natures::Any => nature(true),
    };
    let home = prop::sample::select(vec![Home::Ours, Home::Ours, Home::Ours, Home::OtherPlatform, Home::Pinned]);
    let on = match power {
        Power::On => Just((0, 24)).boxed(),
        Power::SomeByDay => prop::sample::select(vec![(0, 24), (0, 24), (7, 19), (9, 10)]).boxed(),
    };
    let machine = (nature, home, on).prop_map(|(nature, home, on)| Machine { nature, home, on });
    let window = prop::option::of(
        (0_u32..24, 1_u32..24)
            .prop_map(|(from, hours)| Window::of_minutes(from * 60, (from + hours) % 24 * 60).unwrap()),
    );
    let outages = prop::collection::vec((0_i64..300, 1_i64..30), 0..4);
    (prop::collection::vec(machine, 1..16), window, outages).prop_map(|(machines, window, outages)| Fleet {
        machines,
        window,
        outages,
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn a_rollout_ends_or_says_what_it_waits_for(fleet in fleet(Natures::Any, Power::SomeByDay)) {
        let mut world = World::new(&fleet);
        world.run(30);

        let ours = fleet.machines.iter().filter(|machine| machine.home == Home::Ours).count();
        let Some(rollout) = &world.rollout else {
            prop_assert_eq!(ours, 0, "nobody began it");
            return Ok(());
        };
        match rollout.state {
            RolloutState::Done | RolloutState::Stopped => {}
            RolloutState::Running => prop_assert!(rollout.wait.is_some(), "it runs and says nothing"),
            RolloutState::Paused | RolloutState::Replaced => prop_assert!(false, "nobody did that"),
        }
        prop_assert!(!world.asked_outside);
    }

    /// The cloud's own absence stops nothing, nor does a machine that takes its time or refuses.
    #[test]
    fn a_harmless_version_reaches_everybody_who_takes_it(fleet in fleet(Natures::Harmless, Power::On)) {
        let mut world = World::new(&fleet);
        world.run(30);

        prop_assert_eq!(world.stops, 0);
        let ours = |machine: &&Machine| machine.home == Home::Ours;
        let takes = |nature| matches!(nature, Nature::Takes | Nature::Dawdles);
        let some_take_it = fleet.machines.iter().filter(ours).any(|machine| takes(machine.nature));
        if !some_take_it {
            let wait = world.rollout.as_ref().and_then(|rollout| rollout.wait);
            prop_assert!(fleet.machines.iter().filter(ours).count() == 0 || wait == Some(Wait::Nobody));
            return Ok(());
        }
        prop_assert_eq!(world.state(), Some(RolloutState::Done));
        for (machine, seen) in fleet.machines.iter().zip(&world.seen) {
            prop_assert_eq!(seen.has_new, machine.home == Home::Ours && takes(machine.nature));
        }
    }

    /// Each go-on forgives whom it was about, so a person is asked at most once for each bad machine.
    #[test]
    fn going_on_after_each_stop_comes_to_an_end(fleet in fleet(Natures::Any, Power::On)) {
        let mut world = World::new(&fleet);
        for _ in 0..=fleet.machines.len() {
            world.run(12);
            if world.state() == Some(RolloutState::Stopped) {
                world.go_on();
            }
        }
        let is_bad = |nature| matches!(nature, Nature::GoesBack | Nature::FallsSilent);
        prop_assert!(world.stops <= fleet.machines.iter().filter(|machine| is_bad(machine.nature)).count());
        let wait = world.rollout.as_ref().and_then(|rollout| rollout.wait);
        let is_over = matches!(world.state(), None | Some(RolloutState::Done)) || wait.is_some();
        prop_assert!(is_over, "{:?} {:?}", world.state(), wait);
    }

    #[test]
    fn a_version_that_harms_everybody_is_run_by_few(number in 2_usize..200, goes_back in any::<bool>()) {
        let nature = if goes_back { Nature::GoesBack } else { Nature::FallsSilent };
        let machine = Machine { nature, home: Home::Ours, on: (0, 24) };
        let fleet = Fleet { machines: vec![machine; number], window: None, outages: vec![] };
        let mut world = World::new(&fleet);
        world.run(2);

        prop_assert_eq!(world.state(), Some(RolloutState::Stopped));
        prop_assert!(world.count_who_ran_it() <= number / 100 + 1, "{} of {number}", world.count_who_ran_it());
    }
}
