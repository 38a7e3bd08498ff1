//! Decides what a cycle reads: which selections of which imports, which stand still, and what the reading is made with.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use rollcall_protocol::desired::{DesiredState, Nesting, Selection, SelectionKind};
use rollcall_protocol::evidence::LOCAL_CEILING;
use rollcall_protocol::hash::Hash;
use rollcall_protocol::person::{InImport, Person};
use uuid::Uuid;

use crate::directory::ceiling::{Barred, NeverRead};
use crate::directory::dn::Dn;
use crate::directory::group::{Group, Outlook};
use crate::directory::people::AttributeList;
use crate::spool::commit::FoundPerson;
use crate::spool::reading::HoldIndex;

/// A selected object as it stands now.
#[derive(Debug, Clone)]
pub enum Located {
    Ou(Dn),
    Group(Group),
    /// Its people stay, and the operator is told why.
    Unavailable(Unavailable),
}

/// Why a selected object is not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unavailable {
    /// Deleted, or hidden from this account: the directory says the same of both.
    Gone,
    /// An object of another domain, or of none.
    OtherDomain,
    /// One of Windows' own groups, or nothing that can be selected at all.
    NotSelectable,
    /// The groups inside it go deeper, or are more, than is followed.
    NestedTooFar,
}

/// The groups inside a selected group.
#[derive(Debug, Clone)]
pub enum Tree {
    Whole(Vec<Group>),
    /// More than is followed. Part of it would look like people who left.
    TooFar,
}

/// One selection of one import.
#[derive(Debug, Clone)]
pub struct Hold {
    pub import: Uuid,
    pub selection: Selection,
}

/// One import of the desired state.
#[derive(Debug, Clone)]
pub struct ImportScope {
    pub import: Uuid,
    pub include: Vec<Selection>,
    pub exclude: Vec<Uuid>,
    pub motion: Motion,
    pub nesting: Nesting,
}

/// Whether an import's people may change in this cycle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Motion {
    Live,
    /// Paused: nobody joins, nobody leaves.
    Still,
}

/// Everything a cycle needs to know about who is in.
#[derive(Debug, Clone)]
pub struct Scope {
    pub imports: BTreeMap<Uuid, ImportScope>,
    pub holds: Vec<Hold>,
    located: HashMap<Uuid, Located>,
    /// What the file on this machine keeps back, in every import.
    barred: Barred,
    /// The groups inside a selected group, for imports that want them.
    nested: HashMap<Uuid, Tree>,
    /// What can be seen of all groups, where some are followed.
    outlook: Outlook,
}

/// One search, and the positions of the holds it stands for.
pub type ToRead = (Selection, Nesting, Vec<HoldIndex>);

impl Scope {
    /// The scope before anything is located.
    pub fn plan(desired: &DesiredState, now: DateTime<Utc>) -> Self {
        let mut imports = BTreeMap::new();
        let mut holds = Vec::new();
        for wanted in &desired.imports {
            let paused = wanted.pause.as_ref().is_some_and(|pause| pause.holds(now));
            let motion = if paused { Motion::Still } else { Motion::Live };
            for selection in &wanted.include {
                holds.push(Hold { import: wanted.import, selection: *selection });
            }
            let scope = ImportScope {
                import: wanted.import,
                include: wanted.include.clone(),
                exclude: wanted.exclude.clone(),
                motion,
                nesting: wanted.nesting,
            };
            imports.insert(wanted.import, scope);
        }
        // A row of the reading carries positions of two bytes; the protocol's limits (64 × 500) stay below.
        holds.truncate(usize::from(HoldIndex::MAX));
        Self {
            imports,
            holds,
            located: HashMap::new(),
            nested: HashMap::new(),
            barred: Barred::default(),
            outlook: Outlook::default(),
        }
    }

    /// The same, narrowed by the file on this machine.
    pub fn under(self, barred: Barred) -> Self {
        Self { barred, ..self }
    }

    pub fn barred(&self) -> &Barred {
        &self.barred
    }

    /// Every object that has to be found: selections with their kind, and excluded OUs.
    pub fn to_locate(&self) -> Vec<Selection> {
        let mut wanted: Vec<Selection> = self.holds.iter().map(|hold| hold.selection).collect();
        let excluded = self.imports.values().flat_map(|import| &import.exclude);
        wanted.extend(excluded.map(|guid| Selection { guid: *guid, kind: SelectionKind::Ou }));
        wanted.sort_unstable();
        wanted.dedup();
        wanted
    }

    pub fn set_located(&mut self, guid: Uuid, located: Located) {
        self.located.insert(guid, located);
    }

    pub fn located(&self, guid: Uuid) -> &Located {
        self.located.get(&guid).unwrap_or(&Located::Unavailable(Unavailable::Gone))
    }

    /// The selected groups whose inner groups an import wants.
    pub fn to_expand(&self) -> Vec<Group> {
        let nesting = self.imports.values().filter(|import| import.nesting == Nesting::Nested);
        let mut roots = BTreeMap::new();
        for selection in nesting.flat_map(|import| &import.include) {
            if let Located::Group(group) = self.located(selection.guid) {
                roots.insert(selection.guid, group.clone());
            }
        }
        roots.into_values().collect()
    }

    pub fn set_nested(&mut self, guid: Uuid, tree: Tree) {
        self.nested.insert(guid, tree);
    }

    fn inner(&self, guid: Uuid) -> &[Group] {
        match self.nested.get(&guid) {
            Some(Tree::Whole(groups)) => groups,
            Some(Tree::TooFar) | None => &[],
        }
    }

    pub fn set_outlook(&mut self, outlook: Outlook) {
        self.outlook = outlook;
    }

    pub fn outlook(&self) -> &Outlook {
        &self.outlook
    }

    /// Takes out of a record what names somebody in a place that is never read: their manager.
    pub fn conceal(&self, person: &mut Person) {
        let is_barred = |manager: &String| Dn::parse(manager).is_none_or(|dn| self.barred.holds(&dn));
        if !self.barred.is_empty() && person.manager.as_ref().is_some_and(is_barred) {
            person.manager = None;
        }
    }

    /// The groups that a selection stands for: itself, and those inside it where they are wanted.
    pub fn groups(&self, guid: Uuid, nesting: Nesting) -> Vec<&Group> {
        let Located::Group(group) = self.located(guid) else { return Vec::new() };
        let inner = match nesting {
            Nesting::Direct => &[],
            Nesting::Nested => self.inner(guid),
        };
        std::iter::once(group).chain(inner).collect()
    }

    /// Every group that is followed although nobody selected it.
    pub fn inner_groups(&self) -> impl Iterator<Item = &Group> {
        self.nested.keys().flat_map(|guid| self.inner(*guid))
    }

    /// Selections and excluded OUs that could not be found, in a fixed order.
    pub fn unavailable(&self) -> Vec<Uuid> {
        self.missing().into_keys().collect()
    }

    /// What some import cannot read, with the reason.
    fn missing(&self) -> BTreeMap<Uuid, Unavailable> {
        let mut missing = BTreeMap::new();
        for import in self.imports.values() {
            let included = import.include.iter().map(|held| (held.guid, import.nesting));
            let excluded = import.exclude.iter().map(|guid| (*guid, Nesting::Direct));
            for (guid, nesting) in included.chain(excluded) {
                missing.extend(self.why_unavailable(guid, nesting).map(|why| (guid, why)));
            }
        }
        missing
    }

    /// How many there are of each reason.
    pub fn reasons(&self) -> BTreeMap<Unavailable, usize> {
        let mut reasons = BTreeMap::new();
        for why in self.missing().into_values() {
            *reasons.entry(why).or_default() += 1;
        }
        reasons
    }

    /// Why an object cannot be read for an import that wants inner groups, or does not: groups that go too far are no
    /// matter to one that does not follow them.
    pub fn why_unavailable(&self, guid: Uuid, nesting: Nesting) -> Option<Unavailable> {
        match (self.located(guid), nesting, self.nested.get(&guid)) {
            (Located::Unavailable(why), _, _) => Some(*why),
            (Located::Group(_), Nesting::Nested, Some(Tree::TooFar)) => Some(Unavailable::NestedTooFar),
            (Located::Group(_), Nesting::Nested, Some(Tree::Whole(_)) | None)
            | (Located::Group(_), Nesting::Direct, _)
            | (Located::Ou(_), _, _) => None,
        }
    }

    /// Whether an import stands still: paused, or an excluded OU or a place of the local ceiling cannot be found (then
    /// nobody can say who is out).
    pub fn is_still(&self, import: &ImportScope) -> bool {
        match import.motion {
            Motion::Still => true,
            Motion::Live => {
                let is_lost = |guid: &Uuid| self.why_unavailable(*guid, Nesting::Direct).is_some();
                self.barred.is_uncertain() || import.exclude.iter().any(is_lost)
            }
        }
    }

    /// Whether a membership of the last snapshot stays as it was because it cannot be judged in this cycle.
    pub fn is_frozen(&self, import: Uuid, via: Uuid) -> bool {
        let Some(scope) = self.imports.get(&import) else { return false };
        let selected = scope.include.iter().any(|selection| selection.guid == via);
        self.is_still(scope) || (selected && self.why_unavailable(via, scope.nesting).is_some())
    }

    /// The selections to read, each once, with the positions of the holds it stands for.
    pub fn to_read(&self) -> Vec<ToRead> {
        let mut by_selection: BTreeMap<(Selection, Nesting), Vec<HoldIndex>> = BTreeMap::new();
        for (index, hold) in self.holds.iter().enumerate() {
            let Some(import) = self.imports.get(&hold.import).filter(|import| !self.is_still(import)) else { continue };
            let nesting = match hold.selection.kind {
                // Everything below an OU is in it anyway.
                SelectionKind::Ou => Nesting::Direct,
                SelectionKind::Group => import.nesting,
            };
            if let (true, Ok(index)) = (self.may_read(hold.selection.guid, nesting), HoldIndex::try_from(index)) {
                by_selection.entry((hold.selection, nesting)).or_default().push(index);
            }
        }
        by_selection.into_iter().map(|((selection, nesting), holds)| (selection, nesting, holds)).collect()
    }

    /// An OU inside a place of the local ceiling is not even searched.
    fn may_read(&self, selected: Uuid, nesting: Nesting) -> bool {
        match self.located(selected) {
            Located::Ou(dn) => !self.barred.holds(dn),
            Located::Group(_) => self.why_unavailable(selected, nesting).is_none(),
            Located::Unavailable(_) => false,
        }
    }

    /// Whether nobody at all is left out by where they lie.
    pub fn leaves_nobody_out(&self) -> bool {
        self.barred.is_empty() && self.imports.values().all(|import| import.exclude.is_empty())
    }

    /// Whether a place, or a person by name, is left out of the import that has this hold.
    pub fn is_left_out(&self, hold: HoldIndex, dn: &Dn) -> bool {
        let hold = self.holds.get(usize::from(hold));
        hold.is_none_or(|hold| self.excluded_by(hold.import, dn).is_some())
    }

    /// Whether groups decide about anybody.
    pub fn selects_groups(&self) -> bool {
        self.holds.iter().any(|hold| hold.selection.kind == SelectionKind::Group)
    }

    /// What leaves a person out of one import: the local ceiling, or the excluded OU that they lie under.
    pub fn excluded_by(&self, import: Uuid, dn: &Dn) -> Option<String> {
        let import = self.imports.get(&import)?;
        if self.barred.holds(dn) {
            return Some(LOCAL_CEILING.to_owned());
        }
        let excluded = import.exclude.iter().find(|guid| match self.located(**guid) {
            Located::Ou(excluded) => dn.is_at_or_under(excluded),
            Located::Group(_) | Located::Unavailable(_) => false,
        });
        excluded.map(Uuid::to_string)
    }

    /// The memberships that the reading found, merged with those that stand still.
    pub fn memberships(&self, holds: &[HoldIndex], before: &[InImport]) -> Vec<InImport> {
        let mut merged: BTreeMap<Uuid, Vec<Uuid>> = BTreeMap::new();
        for hold in holds.iter().filter_map(|index| self.holds.get(usize::from(*index))) {
            merged.entry(hold.import).or_default().push(hold.selection.guid);
        }
        for membership in before {
            let kept = membership.via.iter().filter(|via| self.is_frozen(membership.import, **via));
            let kept: Vec<Uuid> = kept.copied().collect();
            if !kept.is_empty() {
                merged.entry(membership.import).or_default().extend(kept);
            }
        }
        merged.into_iter().map(|(import, via)| in_import(import, via)).collect()
    }
}

impl Scope {
    /// The hash of a record under these memberships, if the reading worked it out for them.
    pub fn hash_under(&self, found: &FoundPerson, memberships: &[InImport]) -> Option<Hash> {
        found.hash.filter(|_| self.memberships(&found.holds, &[]) == memberships)
    }
}

fn in_import(import: Uuid, mut via: Vec<Uuid>) -> InImport {
    via.sort_unstable();
    via.dedup();
    InImport { import, via }
}

/// What a reading is made with. When it changes, the whole set is sent once more.
pub fn recipe(desired: &DesiredState, attributes: &AttributeList, never_read: &NeverRead, version: &str) -> Hash {
    let mut lines = vec![version.to_owned(), attributes.names().join(",")];
    lines.extend(never_read.texts().map(|place| format!("never {place}")));
    let mut imports: Vec<_> = desired.imports.iter().collect();
    imports.sort_by_key(|import| import.import);
    for import in imports {
        let mut include: Vec<_> = import.include.iter().map(|selection| selection.guid).collect();
        let mut exclude = import.exclude.clone();
        include.sort_unstable();
        exclude.sort_unstable();
        lines.push(format!("{} {include:?} {exclude:?} {:?}", import.import, import.nesting));
    }
    Hash::of(lines.join("\n").as_bytes())
}

#[cfg(test)]
pub mod fixtures {
    use super::*;
    use rollcall_protocol::desired::{DesiredImport, Role};

    pub fn id(number: u128) -> Uuid {
        Uuid::from_u128(number)
    }

    pub fn ou(number: u128) -> Selection {
        Selection { guid: id(number), kind: SelectionKind::Ou }
    }

    pub fn import(number: u128, include: &[Selection], exclude: &[u128]) -> DesiredImport {
        DesiredImport {
            import: id(number),
            pause: None,
            include: include.to_vec(),
            exclude: exclude.iter().map(|number| id(*number)).collect(),
            interval_minutes: 180,
            nesting: Nesting::Direct,
        }
    }

    pub fn desired(imports: Vec<DesiredImport>) -> DesiredState {
        DesiredState {
            cloud: id(1),
            agent: id(2),
            version: 1,
            issued_at: DateTime::UNIX_EPOCH,
            role: Role::Active,
            domain: None,
            pause: None,
            imports,
            commands: Vec::new(),
            update: None,
        }
    }

    /// A scope whose OUs are called after their numbers: `OU=21,DC=lab`.
    pub fn scope(imports: Vec<DesiredImport>) -> Scope {
        let mut scope = Scope::plan(&desired(imports), DateTime::UNIX_EPOCH);
        for selection in scope.to_locate() {
            let dn = Dn::parse(&format!("OU={},DC=lab", selection.guid.as_u128()));
            scope.set_located(selection.guid, dn.map_or(Located::Unavailable(Unavailable::Gone), Located::Ou));
        }
        scope
    }
}

#[cfg(test)]
mod tests {
    use super::fixtures::*;
    use super::*;
    use rollcall_protocol::desired::Pause;

    fn held(import_number: u128, via: &[u128]) -> InImport {
        InImport { import: id(import_number), via: via.iter().map(|number| id(*number)).collect() }
    }

    #[test]
    fn a_person_in_two_imports_keeps_both_with_their_reasons() {
        let scope = scope(vec![import(11, &[ou(21), ou(22)], &[]), import(12, &[ou(21)], &[])]);

        let memberships = scope.memberships(&[0, 1, 2], &[]);

        assert_eq!(memberships, vec![held(11, &[21, 22]), held(12, &[21])]);
        assert_eq!(scope.to_read().len(), 2);
    }

    #[test]
    fn people_of_a_selection_that_cannot_be_found_stay() {
        let mut scope = scope(vec![import(11, &[ou(21), ou(22)], &[])]);
        scope.set_located(id(21), Located::Unavailable(Unavailable::Gone));

        assert_eq!(scope.memberships(&[], &[held(11, &[21, 22])]), vec![held(11, &[21])]);
        assert_eq!(scope.unavailable(), vec![id(21)]);
    }

    #[test]
    fn people_of_a_paused_import_neither_join_nor_leave() {
        let mut paused = import(11, &[ou(21)], &[]);
        paused.pause = Some(Pause { until: None });
        let scope = scope(vec![paused]);

        assert!(scope.to_read().is_empty());
        assert_eq!(scope.memberships(&[], &[held(11, &[21])]), vec![held(11, &[21])]);
    }

    #[test]
    fn an_import_whose_excluded_ou_cannot_be_found_stands_still() {
        let mut scope = scope(vec![import(11, &[ou(21)], &[31])]);
        scope.set_located(id(31), Located::Unavailable(Unavailable::Gone));

        assert!(scope.to_read().is_empty());
    }

    #[test]
    fn a_manager_in_a_place_that_is_never_read_is_not_named() {
        let scope = scope(Vec::new()).under(Barred::of(&[("b", Some("OU=Board,DC=lab"))]));
        let concealed = |manager: &str| {
            let mut person = Person { manager: Some(manager.to_owned()), ..Person::default() };
            scope.conceal(&mut person);
            person.manager
        };

        assert_eq!(concealed("CN=Director,OU=Board,DC=lab"), None);
        assert_eq!(concealed("no name at all"), None);
        assert_eq!(concealed("CN=Lead,OU=Staff,DC=lab").as_deref(), Some("CN=Lead,OU=Staff,DC=lab"));
    }

    #[test]
    fn a_selection_that_was_taken_away_holds_nobody() {
        let scope = scope(vec![import(11, &[ou(21)], &[])]);

        assert_eq!(scope.memberships(&[], &[held(11, &[29]), held(12, &[21])]), vec![]);
    }

    #[test]
    fn the_recipe_changes_with_the_selection_and_not_with_its_order() {
        let all = AttributeList::without(&[]).unwrap();
        let one = recipe(&desired(vec![import(11, &[ou(21), ou(22)], &[])]), &all, &NeverRead::default(), "0.1.0");
        let same = recipe(&desired(vec![import(11, &[ou(22), ou(21)], &[])]), &all, &NeverRead::default(), "0.1.0");
        let other = recipe(&desired(vec![import(11, &[ou(21)], &[])]), &all, &NeverRead::default(), "0.1.0");

        assert_eq!(one, same);
        assert_ne!(one, other);
    }
}
