//! Rollouts: how far one version has gone among the agents of one platform.

use chrono::{DateTime, Utc};
use rollcall_domain::rollout::{PRESENT_WITHIN, Progress, Ring, RolloutState, Wait};

use crate::{Result, Tx, WriteTx};

#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Rollout {
    pub version: String,
    pub platform: String,
    #[sqlx(try_from = "String")]
    pub ring: Ring,
    pub ring_since: DateTime<Utc>,
    pub cutoff: i64,
    #[sqlx(try_from = "String")]
    pub state: RolloutState,
    pub reason: Option<String>,
    /// A word of `Wait`.
    pub wait: Option<String>,
    pub begun_at: DateTime<Utc>,
    pub looked_at: DateTime<Utc>,
    pub present_since: DateTime<Utc>,
}

impl Rollout {
    /// In its first ring, up to this place.
    pub fn begin(version: &str, platform: &str, cutoff: i64, now: DateTime<Utc>) -> Self {
        Self {
            version: version.to_owned(),
            platform: platform.to_owned(),
            ring: Ring::First,
            ring_since: now,
            cutoff,
            state: RolloutState::Running,
            reason: None,
            wait: None,
            begun_at: now,
            looked_at: now,
            present_since: now,
        }
    }

    pub const fn progress(&self) -> Progress {
        Progress { ring: self.ring, ring_since: self.ring_since, present_since: self.present_since }
    }

    /// What a running one waited for when it was last looked at.
    pub fn wait(&self) -> Option<Wait> {
        self.wait.as_deref().and_then(|word| word.parse().ok())
    }

    pub fn waiting_for(self, wait: Option<Wait>) -> Self {
        Self { wait: wait.map(|wait| wait.as_str().to_owned()), ..self }
    }
}

macro_rules! columns {
    () => {
        "version, platform, ring, ring_since, cutoff, state, reason, wait, begun_at, looked_at, present_since"
    };
}

pub async fn find(tx: &mut Tx, version: &str, platform: &str) -> Result<Option<Rollout>> {
    fetch_optional!(
        tx,
        Rollout,
        concat!("select ", columns!(), " from rollouts where msp_id = $1 and version = $2 and platform = $3"),
        version,
        platform,
    )
}

/// Newest first.
pub async fn list(tx: &mut Tx) -> Result<Vec<Rollout>> {
    fetch_all!(
        tx,
        Rollout,
        concat!("select ", columns!(), " from rollouts where msp_id = $1 order by begun_at desc, platform limit 20")
    )
}

/// Of all platforms.
pub async fn list_of_version(tx: &mut Tx, version: &str) -> Result<Vec<Rollout>> {
    fetch_all!(
        tx,
        Rollout,
        concat!("select ", columns!(), " from rollouts where msp_id = $1 and version = $2 order by platform limit 20"),
        version,
    )
}

/// A version that was begun on one platform.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Begun {
    pub version: String,
    pub platform: String,
}

/// Newest first.
pub async fn list_begun(tx: &mut Tx) -> Result<Vec<Begun>> {
    fetch_all!(
        tx,
        Begun,
        "select version, platform from rollouts where msp_id = $1 order by begun_at desc, platform limit 1000"
    )
}

/// False if somebody else began it meanwhile.
pub async fn insert(tx: &mut WriteTx, rollout: &Rollout) -> Result<bool> {
    let changed = execute!(
        tx,
        "insert into rollouts
             (msp_id, version, platform, ring, ring_since, cutoff, state, reason, wait, begun_at, looked_at, present_since)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
         on conflict (msp_id, version, platform) do nothing",
        rollout.version.as_str(),
        rollout.platform.as_str(),
        rollout.ring.as_str(),
        rollout.ring_since,
        rollout.cutoff,
        rollout.state.as_str(),
        rollout.reason.as_deref(),
        rollout.wait.as_deref(),
        rollout.begun_at,
        rollout.looked_at,
        rollout.present_since,
    )?;
    Ok(changed.any())
}

/// Takes the look at a running rollout that is due, and its row until this transaction ends; `None` when somebody else
/// looked since `before`, or it does not run.
pub async fn take_look(
    tx: &mut WriteTx,
    version: &str,
    platform: &str,
    before: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<Option<Rollout>> {
    fetch_optional!(
        tx,
        Rollout,
        concat!(
            "update rollouts
             set present_since = case when looked_at < $6 then $5 else present_since end, looked_at = $5
             where msp_id = $1 and version = $2 and platform = $3 and state = 'running' and looked_at <= $4
             returning ",
            columns!()
        ),
        version,
        platform,
        before,
        now,
        now - PRESENT_WITHIN,
    )
}

/// What was decided about it, by whoever holds its row.
pub async fn save(tx: &mut WriteTx, rollout: &Rollout) -> Result<()> {
    execute!(
        tx,
        "update rollouts
         set ring = $4, ring_since = $5, cutoff = $6, state = $7, reason = $8, wait = $9
         where msp_id = $1 and version = $2 and platform = $3",
        rollout.version.as_str(),
        rollout.platform.as_str(),
        rollout.ring.as_str(),
        rollout.ring_since,
        rollout.cutoff,
        rollout.state.as_str(),
        rollout.reason.as_deref(),
        rollout.wait.as_deref(),
    )?
    .exactly(1)
}

/// From one state into another; false if it is no longer in the first one.
pub async fn change_state(
    tx: &mut WriteTx,
    before: &Rollout,
    state: RolloutState,
    reason: Option<&str>,
) -> Result<bool> {
    let changed = execute!(
        tx,
        "update rollouts set state = $5, reason = $6, wait = null
         where msp_id = $1 and version = $2 and platform = $3 and state = $4",
        before.version.as_str(),
        before.platform.as_str(),
        before.state.as_str(),
        state.as_str(),
        reason,
    )?;
    Ok(changed.any())
}

/// Another version is the newest now: what still ran of this platform ends. Answers which versions did.
pub async fn replace_others(tx: &mut WriteTx, version: &str, platform: &str) -> Result<Vec<String>> {
    let ended: Vec<(String,)> = fetch_all!(
        tx,
        (String,),
        "update rollouts set state = 'replaced', reason = $4, wait = null
         where msp_id = $1 and platform = $3 and version <> $2 and state = 'running'
         returning version",
        version,
        platform,
        format!("{version} is the newest now"),
    )?;
    Ok(ended.into_iter().map(|(version,)| version).collect())
}
