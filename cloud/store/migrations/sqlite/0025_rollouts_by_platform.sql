-- Each platform has rings of its own, forgiveness belongs to the agent that failed, and a rollout says what it waits for.
-- Twin of ../postgres/0025_rollouts_by_platform.sql.

alter table agents add column platform text;

-- When a person said that the others go on although this one failed.
alter table agent_updates add column forgiven_at text;

alter table rollouts rename to rollouts_of_all;

-- One row per version and platform that was ever begun.
create table rollouts (
    msp_id blob not null references msps (msp_id),
    version text not null,
    platform text not null,
    ring text not null,
    ring_since text not null,
    -- Agents up to this place belong to the ring.
    cutoff integer not null,
    state text not null,
    reason text,
    -- What a running one waits for, as of the last look.
    wait text,
    begun_at text not null,
    looked_at text not null,
    -- Since when looks follow each other without a gap: silence before it is the cloud's own.
    present_since text not null,
    primary key (msp_id, version, platform)
) strict, without rowid;

insert into rollouts
    (msp_id, version, platform, ring, ring_since, cutoff, state, reason, begun_at, looked_at, present_since)
select r.msp_id, r.version, p.platform, r.ring, r.ring_since, r.cutoff, r.state, r.reason, r.begun_at, r.looked_at, r.looked_at
from rollouts_of_all r
cross join (select 'x86_64-windows' as platform union all select 'x86_64-linux') p;

drop table rollouts_of_all;
