//! Every limit that agent and cloud hold each other to. Sizes in bytes unless a name says otherwise.

use std::time::Duration;

/// Largest body of any agent request, as sent. Larger: 413, nothing stored.
pub const BODY_COMPRESSED: usize = 4 * 1024 * 1024;
/// Largest body after inflating. The writer closes a part well before it.
pub const BODY_INFLATED: usize = 32 * 1024 * 1024;
/// Where the writer closes a part, so that one more item still fits under [`BODY_COMPRESSED`] even if nothing of it can be
/// compressed.
pub const PART_TARGET: usize = 3 * 1024 * 1024 + 512 * 1024;
/// Inflated bytes per compressed byte, granted once [`RATIO_FREE`] bytes are out. Directory data packs 8 to 25 times.
pub const RATIO: usize = 200;
/// Inflated bytes that no ratio is asked of: a few equal records pack very well.
pub const RATIO_FREE: usize = 512 * 1024;
/// Base-2 logarithm of the largest zstd window the reader grants (4 MiB).
pub const WINDOW_LOG: u32 = 22;
/// Items of one batch.
pub const ITEMS: u32 = 10_000;
/// One item's JSON text.
pub const ITEM: usize = 256 * 1024;
/// One JSON string inside an item, as it stands in the text.
pub const STRING: usize = 64 * 1024;
/// Nesting of arrays and objects inside an item.
pub const DEPTH: usize = 8;
/// One compact JWS in an `Authorization` header, or an enrolment token.
pub const JWS: usize = 16 * 1024;
/// The compact JWS of a desired state, which travels in a body.
pub const DESIRED: usize = 4 * 1024 * 1024;
/// Highest number of a desired state that an agent may bring to a cloud which knows a lower one. A cloud that gives a new one
/// every second needs 130 years for these.
pub const DESIRED_VERSION: u64 = 1 << 32;
/// Highest epoch that an agent may bring to a cloud which knows a lower one: no honest agent counts as far as this.
pub const EPOCH: u64 = u32::MAX as u64;
/// Parts of one cycle.
pub const PARTS: u32 = 1_000;
/// Parts of one agent that wait at the cloud to be applied, beside the cycle that it is sending; beyond it, or beyond the
/// bytes, the agent keeps them.
pub const WAITING_PARTS: u32 = 2 * PARTS;
pub const WAITING_BYTES: i64 = 256 * 1024 * 1024;
/// All parts of one cycle. It is applied when it is whole, so the largest directory must fit: of a packed record 150 bytes
/// are ordinary.
pub const CYCLE_BYTES: i64 = 512 * 1024 * 1024;
const _: () = assert!(DIRECTORY_PEOPLE * 200 <= CYCLE_BYTES.unsigned_abs());
/// Imports of one directory.
pub const IMPORTS: usize = 64;
/// Selections and excludes of one import, each.
pub const SELECTIONS: usize = 500;
/// Selections and excludes of all imports of one directory together: as many as fit into one [`DESIRED`] beside the
/// commands. The cloud holds to it where an import is saved.
pub const PLACES: usize = 20_000;
/// Selections that a batch names as unavailable; it counts the others. It is signed in one [`JWS`].
pub const UNAVAILABLE_TOLD: usize = 100;
/// GUIDs in one `confirm` command.
pub const CONFIRM: usize = 5_000;
/// A support bundle, packed.
pub const BUNDLE: usize = 2 * 1024 * 1024;
/// Places in the local ceiling, and attributes in it, each.
pub const CEILING: usize = 200;
/// Attributes in one `accept_clearing` command.
pub const CLEARED_ATTRIBUTES: usize = 64;
/// Groups inside groups that are followed, counted from the selected one.
pub const NESTING_DEPTH: usize = 10;
/// Groups that one selected group may hold in all.
pub const NESTED_GROUPS: usize = 500;
/// User objects of one directory. Beyond it a server is taken for one that never ends.
pub const DIRECTORY_PEOPLE: u64 = 2_000_000;
/// Other objects of one directory: units and groups, and what else is in groups.
pub const DIRECTORY_OBJECTS: u64 = 500_000;
/// Memory for the names of places and groups that one reading of a directory keeps: half a million of ordinary length.
pub const DIRECTORY_NAMES: usize = 192 * 1024 * 1024;
/// Members of one group.
pub const MEMBERS: usize = 1_000_000;
/// How often one agent may ask for something, one request after another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    /// As fast as it can, after a rest.
    pub at_once: u32,
    /// From then on, and what it earns while it rests.
    pub each_minute: u32,
}

/// Check-ins. An agent that reads or pushes tells of it every 300 ms at most, and needs minutes for the longest push.
pub const CHECKINS: Allowance = Allowance { at_once: 1_000, each_minute: 60 };
/// Batches: a whole cycle of the largest directory, after days without a cloud, as fast as the line carries it.
pub const BATCHES: Allowance = Allowance { at_once: PARTS, each_minute: 60 };
/// Files about updates: all changes of keys that an agent follows at once, and what comes after them.
pub const FETCHES: Allowance = Allowance { at_once: 300, each_minute: 12 };
/// New keys, bundles and farewells.
pub const RARE_REQUESTS: Allowance = Allowance { at_once: 30, each_minute: 6 };

/// Body of an enrolment, a check-in or a key rotation.
pub const MESSAGE: usize = 256 * 1024;

/// How far a request's `iat` may lie from the cloud's clock. Batches are exempt: their freshness is seq and prev.
pub const SKEW: Duration = Duration::from_mins(15);
/// Longest wait of a check-in before the cloud answers that nothing is new.
pub const LONG_POLL: Duration = Duration::from_secs(55);
/// Life of an enrolment token unless the operator chooses another.
pub const TOKEN_LIFE_DEFAULT: Duration = Duration::from_hours(1);
/// Longest life of an enrolment token.
pub const TOKEN_LIFE_MAX: Duration = Duration::from_hours(7 * 24);
/// Shortest interval between two scheduled cycles, in minutes.
pub const INTERVAL_MIN_MINUTES: u32 = 15;
/// Longest interval between two scheduled cycles, in minutes.
pub const INTERVAL_MAX_MINUTES: u32 = 24 * 60;
/// Interval between two scheduled cycles unless the import says otherwise, in minutes.
pub const INTERVAL_DEFAULT_MINUTES: u32 = 180;

/// One signed document about updates.
pub const UPDATE_DOCUMENT: usize = 256 * 1024;
/// Signatures of one document about updates.
pub const UPDATE_SIGNATURES: usize = 16;
/// Changes of the keys that sign updates which an agent follows at once.
pub const UPDATE_ROOTS: usize = 256;
/// One agent's program.
pub const UPDATE_FILE: u64 = 64 * 1024 * 1024;
