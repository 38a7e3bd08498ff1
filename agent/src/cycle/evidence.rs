//! Decides why a membership ended, from a second look at the very object. No evidence, no removal.

use chrono::{DateTime, TimeDelta, Utc};
use rollcall_protocol::desired::{Nesting, SelectionKind};
use rollcall_protocol::directory::DcIdentity;
use rollcall_protocol::evidence::Evidence;
use rollcall_protocol::person::InImport;
use uuid::Uuid;

use super::scope::{ImportScope, Located, Scope};
use crate::directory::dn::Dn;
use crate::directory::group::Group;
use crate::spool::snapshot::Missed;

/// What the directory says of one objectGUID now.
#[derive(Debug, Clone)]
pub enum Looked {
    Live(Live),
    /// A tombstone or recycled object that this account may see.
    Tombstone,
    /// "No such object": deleted, or hidden from this account.
    Nothing,
    /// The forest knows the object, and another domain has it: migrated, keeping its GUID. This domain has none.
    Elsewhere,
    /// It is there, and something that decides about it cannot be read.
    Withheld,
}

/// Where a live account is.
#[derive(Debug, Clone)]
pub struct Live {
    pub dn: Dn,
    pub standing: Standing,
    pub member_of: Vec<Dn>,
    pub primary_group: Option<u32>,
}

/// Whether a live account is somebody we import at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    Person,
    System,
    /// No user account any more.
    NotAUser,
}

/// Whether this reading may be compared with the last one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DcContinuity {
    Same,
    /// Another domain controller, a restored or a rolled-back one: it may lag behind. Departures wait for a second
    /// reading that agrees.
    Changed,
}

/// What becomes of one membership that the reading did not find.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    Depart(Evidence),
    /// Stays for now; a second reading decides.
    Wait,
    /// Stays until a human mends what keeps us from judging: another reading would say the same.
    Stay(Doubt),
    /// It is there after all: these selections hold the person.
    StillHeld(Vec<Uuid>),
}

/// Why a membership cannot be judged, however often we read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doubt {
    /// Another selection of the import cannot be located: they may be in that one.
    Selection,
    /// They are in a group that cannot be seen: it may lie in one whose inner groups are followed.
    UnseenGroup,
    /// They show no group of their own, and the group that held them shows no member: both may be hidden.
    SilentGroup,
    /// They cannot be read themselves.
    Withheld,
}

/// The circumstances of the second look.
#[derive(Debug, Clone, Copy)]
pub struct Circumstances<'a> {
    pub dc: &'a DcIdentity,
    pub continuity: DcContinuity,
    pub missed: Option<&'a Missed>,
    /// Only the cloud says that the import holds the person: no reading of ours has seen them in it, on whatever domain
    /// controller, so that nobody knows whether this one lags behind the one that has.
    pub is_hearsay: bool,
    pub now: DateTime<Utc>,
    /// How far apart two readings must be to count as two.
    pub second_reading_after: TimeDelta,
    /// How long ago the person was first missed by a clock that cannot be set, where there is one: at least this long.
    pub waited: Option<TimeDelta>,
}

/// Whether the operator took the whole import away, so that the directory need not be asked. A single selection that was
/// taken away is another matter: its people may be in one that remains.
pub fn is_import_gone(scope: &Scope, before: &InImport) -> bool {
    !scope.imports.contains_key(&before.import)
}

/// Judges one membership of a person who was not found where they were.
pub fn judge(scope: &Scope, before: &InImport, looked: &Looked, circumstances: &Circumstances<'_>) -> Verdict {
    let Some(import) = scope.imports.get(&before.import) else { return Verdict::Depart(Evidence::Deselected) };
    let evidence = match looked {
        // Two answers that agree are asked for in either case; then there is no such object in this domain.
        Looked::Nothing | Looked::Elsewhere => return judge_absent(circumstances),
        Looked::Withheld => return Verdict::Stay(Doubt::Withheld),
        Looked::Tombstone => Evidence::Deleted,
        Looked::Live(live) => match judge_live(scope, import, before, live) {
            Place::Out(evidence) => evidence,
            Place::In(via) => return Verdict::StillHeld(via),
            Place::Unknown(doubt) => return Verdict::Stay(doubt),
        },
    };
    // A tombstone is one on every controller.
    let is_certain = !circumstances.is_hearsay || evidence == Evidence::Deleted;
    match circumstances.continuity {
        DcContinuity::Same if is_certain || first_missed(circumstances).is_some() => Verdict::Depart(evidence),
        DcContinuity::Same | DcContinuity::Changed => Verdict::Wait,
    }
}

/// One "no such object" may be a lagging replica or a lost permission; two complete readings on the same, unrestored
/// domain controller count, and only far enough apart: what lags lags for longer than a moment.
fn judge_absent(circumstances: &Circumstances<'_>) -> Verdict {
    match (circumstances.continuity, first_missed(circumstances)) {
        (DcContinuity::Same, Some(first_missed_at)) => Verdict::Depart(Evidence::Absent { first_missed_at }),
        (DcContinuity::Same | DcContinuity::Changed, _) => Verdict::Wait,
    }
}

/// When an earlier reading of this very domain controller missed the person, if that was long enough ago.
fn first_missed(circumstances: &Circumstances<'_>) -> Option<DateTime<Utc>> {
    let missed = circumstances.missed.filter(|missed| missed.was_on(circumstances.dc))?;
    let is_apart = circumstances.now - missed.first_missed_at >= circumstances.second_reading_after
        && circumstances.waited.is_none_or(|waited| waited >= circumstances.second_reading_after);
    is_apart.then_some(missed.first_missed_at)
}

/// Where a live account is, seen from one import.
enum Place {
    Out(Evidence),
    /// These selections hold the person after all: paging is no snapshot, people move while we read.
    In(Vec<Uuid>),
    /// In none that can be seen, and nobody can say whether in one that cannot.
    Unknown(Doubt),
}

fn judge_live(scope: &Scope, import: &ImportScope, before: &InImport, live: &Live) -> Place {
    match live.standing {
        Standing::Person => {}
        Standing::System => return Place::Out(Evidence::Excluded { by: "system".into() }),
        Standing::NotAUser => return Place::Out(Evidence::Excluded { by: "not_a_user".into() }),
    }
    if let Some(by) = scope.excluded_by(import.import, &live.dn) {
        return Place::Out(Evidence::Excluded { by });
    }
    let mut held_by = Vec::new();
    let mut doubt = None;
    for selection in &import.include {
        match holds(scope, import, selection.guid, live) {
            Holds::Yes => held_by.push(selection.guid),
            Holds::No => {}
            Holds::NobodyKnows(why) => doubt = Some(why),
        }
    }
    match (held_by.is_empty(), doubt) {
        (false, _) => Place::In(held_by),
        (true, None) => Place::Out(where_to(import, before, live)),
        (true, Some(doubt)) => Place::Unknown(doubt),
    }
}

/// Whether one selection holds a live account.
enum Holds {
    Yes,
    No,
    NobodyKnows(Doubt),
}

fn holds(scope: &Scope, import: &ImportScope, selected: Uuid, live: &Live) -> Holds {
    let known = |is_held| if is_held { Holds::Yes } else { Holds::No };
    let is_in = |group: &&Group| {
        live.member_of.contains(&group.dn) || (live.primary_group.is_some() && live.primary_group == group.sid.rid())
    };
    if scope.why_unavailable(selected, import.nesting).is_some() {
        return Holds::NobodyKnows(Doubt::Selection);
    }
    match scope.located(selected) {
        Located::Ou(ou) => known(live.dn.is_at_or_under(ou)),
        Located::Group(_) if scope.groups(selected, import.nesting).iter().any(is_in) => Holds::Yes,
        Located::Group(_) => match import.nesting {
            Nesting::Direct => Holds::No,
            Nesting::Nested if live.member_of.iter().any(|group| scope.outlook().may_hide_more(group)) => {
                Holds::NobodyKnows(Doubt::UnseenGroup)
            }
            Nesting::Nested => Holds::No,
        },
        Located::Unavailable(_) => Holds::NobodyKnows(Doubt::Selection),
    }
}

/// People who were held by an OU alone or beside a group have left that OU; a group alone was left. Who was held by
/// nothing that is still selected went with the selection.
fn where_to(import: &ImportScope, before: &InImport, live: &Live) -> Evidence {
    if !before.via.iter().any(|via| import.include.iter().any(|held| held.guid == *via)) {
        return Evidence::Deselected;
    }
    let was_held_by =
        |kind: SelectionKind| import.include.iter().find(|held| held.kind == kind && before.via.contains(&held.guid));
    match (was_held_by(SelectionKind::Ou), was_held_by(SelectionKind::Group)) {
        (None, Some(group)) => Evidence::LeftGroup { group: group.guid },
        (Some(_), _) | (None, None) => Evidence::LeftScope { dn: live.dn.to_string() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cycle::scope::Unavailable;
    use crate::cycle::scope::fixtures::*;
    use chrono::DateTime;

    fn dc() -> DcIdentity {
        DcIdentity { dns_name: "dc1.lab".into(), ntds_guid: id(90), invocation_id: id(91), usn: 5 }
    }

    fn live(dn: &str) -> Looked {
        Looked::Live(Live {
            dn: Dn::parse(dn).unwrap(),
            standing: Standing::Person,
            member_of: Vec::new(),
            primary_group: Some(513),
        })
    }

    /// Five minutes after the beginning of time, which is just enough for a second reading.
    fn circumstances<'a>(
        dc: &'a DcIdentity,
        continuity: DcContinuity,
        missed: Option<&'a Missed>,
    ) -> Circumstances<'a> {
        let second_reading_after = TimeDelta::minutes(5);
        let now = DateTime::UNIX_EPOCH + second_reading_after;
        Circumstances { dc, continuity, missed, is_hearsay: false, now, second_reading_after, waited: None }
    }

    fn was_via(number: u128) -> InImport {
        InImport { import: id(11), via: vec![id(number)] }
    }

    fn judged(looked: &Looked, continuity: DcContinuity, missed: Option<&Missed>) -> Verdict {
        let scope = scope(vec![import(11, &[ou(21), ou(22)], &[31])]);
        judge(&scope, &was_via(21), looked, &circumstances(&dc(), continuity, missed))
    }

    #[test]
    fn where_only_the_cloud_knows_of_a_membership_two_readings_judge_and_a_tombstone_at_once() {
        let (scope, dc) = (scope(vec![import(11, &[ou(21)], &[])]), dc());
        let missed =
            Missed { first_missed_at: DateTime::UNIX_EPOCH, ntds_guid: dc.ntds_guid, invocation_id: dc.invocation_id };
        let judged = |looked: &Looked, missed| {
            let known = circumstances(&dc, DcContinuity::Same, missed);
            judge(&scope, &was_via(21), looked, &Circumstances { is_hearsay: true, ..known })
        };
        let outside = live("CN=Ana,OU=Alumni,DC=lab");

        assert_eq!(judged(&outside, None), Verdict::Wait, "this controller may lag behind the one that showed them");
        assert!(matches!(judged(&outside, Some(&missed)), Verdict::Depart(Evidence::LeftScope { .. })));
        assert_eq!(judged(&Looked::Tombstone, None), Verdict::Depart(Evidence::Deleted));
    }

    #[test]
    fn somebody_who_moved_out_has_left_the_scope_and_we_say_where_to() {
        let seen = judged(&live("CN=Ana,OU=Alumni,DC=lab"), DcContinuity::Same, None);

        assert_eq!(seen, Verdict::Depart(Evidence::LeftScope { dn: "CN=Ana,OU=Alumni,DC=lab".into() }));
    }

    #[test]
    fn somebody_who_moved_to_another_selected_ou_while_we_read_is_still_held() {
        let seen = judged(&live("CN=Ana,OU=22,DC=lab"), DcContinuity::Same, None);

        assert_eq!(seen, Verdict::StillHeld(vec![id(22)]));
    }

    #[test]
    fn somebody_under_an_excluded_ou_is_told_by_it() {
        let seen = judged(&live("CN=Ana,OU=31,DC=lab"), DcContinuity::Same, None);

        assert_eq!(seen, Verdict::Depart(Evidence::Excluded { by: id(31).to_string() }));
    }

    #[test]
    fn one_missing_look_is_not_enough_and_two_on_the_same_dc_are() {
        let missed = Missed { first_missed_at: DateTime::UNIX_EPOCH, ntds_guid: id(90), invocation_id: id(91) };
        let restored = Missed { invocation_id: id(92), ..missed.clone() };

        assert_eq!(judged(&Looked::Nothing, DcContinuity::Same, None), Verdict::Wait);
        assert_eq!(judged(&Looked::Nothing, DcContinuity::Same, Some(&restored)), Verdict::Wait);
        assert_eq!(
            judged(&Looked::Nothing, DcContinuity::Same, Some(&missed)),
            Verdict::Depart(Evidence::Absent { first_missed_at: DateTime::UNIX_EPOCH })
        );
    }

    #[test]
    fn somebody_whom_another_domain_has_now_leaves_like_one_who_is_not_there() {
        let missed = Missed { first_missed_at: DateTime::UNIX_EPOCH, ntds_guid: id(90), invocation_id: id(91) };

        assert_eq!(judged(&Looked::Elsewhere, DcContinuity::Same, None), Verdict::Wait);
        assert_eq!(
            judged(&Looked::Elsewhere, DcContinuity::Same, Some(&missed)),
            Verdict::Depart(Evidence::Absent { first_missed_at: DateTime::UNIX_EPOCH })
        );
    }

    #[test]
    fn somebody_who_cannot_be_read_stays_however_often_we_read() {
        let missed = Missed { first_missed_at: DateTime::UNIX_EPOCH, ntds_guid: id(90), invocation_id: id(91) };

        for continuity in [DcContinuity::Same, DcContinuity::Changed] {
            assert_eq!(judged(&Looked::Withheld, continuity, Some(&missed)), Verdict::Stay(Doubt::Withheld));
        }
    }

    #[test]
    fn two_looks_a_moment_apart_are_one() {
        let later = DateTime::UNIX_EPOCH + TimeDelta::milliseconds(1);
        let missed = Missed { first_missed_at: later, ntds_guid: id(90), invocation_id: id(91) };

        assert_eq!(judged(&Looked::Nothing, DcContinuity::Same, Some(&missed)), Verdict::Wait);
    }

    #[test]
    fn two_looks_between_which_the_clock_was_set_are_one() {
        let scope = scope(vec![import(11, &[ou(21), ou(22)], &[31])]);
        let missed = Missed { first_missed_at: DateTime::UNIX_EPOCH, ntds_guid: id(90), invocation_id: id(91) };
        let dc = dc();
        let after =
            |waited| Circumstances { waited: Some(waited), ..circumstances(&dc, DcContinuity::Same, Some(&missed)) };
        let judged = |waited| judge(&scope, &was_via(21), &Looked::Nothing, &after(waited));

        assert_eq!(judged(TimeDelta::seconds(3)), Verdict::Wait);
        assert!(matches!(judged(TimeDelta::minutes(5)), Verdict::Depart(Evidence::Absent { .. })));
    }

    #[test]
    fn on_another_domain_controller_every_departure_waits() {
        let missed = Missed { first_missed_at: DateTime::UNIX_EPOCH, ntds_guid: id(90), invocation_id: id(91) };

        assert_eq!(judged(&Looked::Tombstone, DcContinuity::Changed, None), Verdict::Wait);
        assert_eq!(judged(&Looked::Nothing, DcContinuity::Changed, Some(&missed)), Verdict::Wait);
        assert_eq!(judged(&live("CN=Ana,OU=Alumni,DC=lab"), DcContinuity::Changed, None), Verdict::Wait);
    }

    #[test]
    fn only_an_import_that_was_taken_away_whole_needs_no_look() {
        let scope = scope(vec![import(11, &[ou(21)], &[])]);

        assert!(is_import_gone(&scope, &InImport { import: id(12), via: vec![id(21)] }));
        assert!(!is_import_gone(&scope, &was_via(29)));
        assert!(!is_import_gone(&scope, &was_via(21)));
    }

    fn judged_while_22_is_unavailable(via: u128, looked: &Looked) -> Verdict {
        let mut scope = scope(vec![import(11, &[ou(21), ou(22)], &[31])]);
        scope.set_located(id(22), Located::Unavailable(Unavailable::Gone));
        judge(&scope, &was_via(via), looked, &circumstances(&dc(), DcContinuity::Same, None))
    }

    #[test]
    fn nobody_leaves_while_another_selection_of_the_import_cannot_be_located() {
        let moved = live("CN=Ana,OU=22,DC=lab");

        assert_eq!(judged_while_22_is_unavailable(21, &moved), Verdict::Stay(Doubt::Selection));
        assert_eq!(judged_while_22_is_unavailable(29, &moved), Verdict::Stay(Doubt::Selection));
        assert_eq!(judged_while_22_is_unavailable(29, &live("CN=Ana,OU=21,DC=lab")), Verdict::StillHeld(vec![id(21)]));
        assert_eq!(judged_while_22_is_unavailable(21, &Looked::Tombstone), Verdict::Depart(Evidence::Deleted));
    }

    #[test]
    fn a_selection_that_was_taken_away_lets_go_after_a_look_and_not_on_another_domain_controller() {
        let scope = scope(vec![import(11, &[ou(21), ou(22)], &[])]);
        let judged =
            |dn: &str, continuity| judge(&scope, &was_via(29), &live(dn), &circumstances(&dc(), continuity, None));

        assert_eq!(judged("CN=Ana,OU=29,DC=lab", DcContinuity::Same), Verdict::Depart(Evidence::Deselected));
        assert_eq!(judged("CN=Ana,OU=29,OU=22,DC=lab", DcContinuity::Same), Verdict::StillHeld(vec![id(22)]));
        assert_eq!(judged("CN=Ana,OU=29,DC=lab", DcContinuity::Changed), Verdict::Wait);
    }
}
