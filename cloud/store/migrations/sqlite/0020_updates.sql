-- Updates of the agents: how far a version has gone, what became of each agent's update, and what an MSP says about it.
-- Twin of ../postgres/0020_updates.sql.

-- One row per version that was ever begun.
create table rollouts (
    msp_id blob not null references msps (msp_id),
    version text not null,
    ring text not null,
    ring_since text not null,
    -- Agents up to this place belong to the ring.
    cutoff integer not null,
    state text not null,
    reason text,
    forgiven integer not null,
    begun_at text not null,
    -- When it was last decided about.
    looked_at text not null,
    primary key (msp_id, version)
) strict, without rowid;

create table agent_updates (
    msp_id blob not null,
    agent_id blob not null,
    version text not null,
    state text not null,
    offered_at text not null,
    settled_at text,
    detail text,
    primary key (msp_id, agent_id, version),
    foreign key (msp_id, agent_id) references agents (msp_id, id)
) strict, without rowid;
create index agent_updates_by_version on agent_updates (msp_id, version, state);

create table update_pins (
    msp_id blob not null,
    customer_id blob not null,
    version text not null,
    pinned_by text not null,
    pinned_at text not null,
    primary key (msp_id, customer_id),
    foreign key (msp_id, customer_id) references customers (msp_id, id)
) strict, without rowid;

create table update_windows (
    msp_id blob primary key references msps (msp_id),
    -- Minutes of the day, in UTC.
    from_minute integer not null,
    to_minute integer not null,
    set_by text not null,
    set_at text not null
) strict, without rowid;
