-- Updates of the agents: how far a version has gone, what became of each agent's update, and what an MSP says about it.
-- Twin of ../sqlite/0020_updates.sql.

-- One row per version that was ever begun.
create table rollouts (
    msp_id uuid not null references msps (msp_id),
    version text not null,
    ring text not null,
    ring_since timestamptz not null,
    -- Agents up to this place belong to the ring.
    cutoff bigint not null,
    state text not null,
    reason text,
    forgiven bigint not null,
    begun_at timestamptz not null,
    -- When it was last decided about.
    looked_at timestamptz not null,
    primary key (msp_id, version)
);

create table agent_updates (
    msp_id uuid not null,
    agent_id uuid not null,
    version text not null,
    state text not null,
    offered_at timestamptz not null,
    settled_at timestamptz,
    detail text,
    primary key (msp_id, agent_id, version),
    foreign key (msp_id, agent_id) references agents (msp_id, id)
);
create index agent_updates_by_version on agent_updates (msp_id, version, state);

create table update_pins (
    msp_id uuid not null,
    customer_id uuid not null,
    version text not null,
    pinned_by text not null,
    pinned_at timestamptz not null,
    primary key (msp_id, customer_id),
    foreign key (msp_id, customer_id) references customers (msp_id, id)
);

create table update_windows (
    msp_id uuid primary key references msps (msp_id),
    -- Minutes of the day, in UTC.
    from_minute bigint not null,
    to_minute bigint not null,
    set_by text not null,
    set_at timestamptz not null
);

do $$
declare
    name text;
begin
    foreach name in array array['rollouts', 'agent_updates', 'update_pins', 'update_windows']
    loop
        execute format('alter table %I enable row level security', name);
        execute format('alter table %I force row level security', name);
        execute format(
            'create policy tenant on %I using (msp_id = nullif(current_setting(''app.msp_id'', true), '''')::uuid) '
            'with check (msp_id = nullif(current_setting(''app.msp_id'', true), '''')::uuid)', name);
    end loop;
end $$;
