-- Each platform has rings of its own, forgiveness belongs to the agent that failed, and a rollout says what it waits for.
-- Twin of ../sqlite/0025_rollouts_by_platform.sql.

alter table agents add column platform text;

-- When a person said that the others go on although this one failed.
alter table agent_updates add column forgiven_at timestamptz;

alter table rollouts rename to rollouts_of_all;
alter index rollouts_pkey rename to rollouts_of_all_pkey;
-- The wall has no tenant to show here, and the table goes at the end.
alter table rollouts_of_all no force row level security;

-- One row per version and platform that was ever begun.
create table rollouts (
    msp_id uuid not null references msps (msp_id),
    version text not null,
    platform text not null,
    ring text not null,
    ring_since timestamptz not null,
    -- Agents up to this place belong to the ring.
    cutoff bigint not null,
    state text not null,
    reason text,
    -- What a running one waits for, as of the last look.
    wait text,
    begun_at timestamptz not null,
    looked_at timestamptz not null,
    -- Since when looks follow each other without a gap: silence before it is the cloud's own.
    present_since timestamptz not null,
    primary key (msp_id, version, platform)
);

insert into rollouts
    (msp_id, version, platform, ring, ring_since, cutoff, state, reason, begun_at, looked_at, present_since)
select r.msp_id, r.version, p.platform, r.ring, r.ring_since, r.cutoff, r.state, r.reason, r.begun_at, r.looked_at, r.looked_at
from rollouts_of_all r
cross join (select 'x86_64-windows' as platform union all select 'x86_64-linux') p;

drop table rollouts_of_all;

alter table rollouts enable row level security;
alter table rollouts force row level security;
create policy tenant on rollouts using (msp_id = nullif(current_setting('app.msp_id', true), '')::uuid)
    with check (msp_id = nullif(current_setting('app.msp_id', true), '')::uuid);
