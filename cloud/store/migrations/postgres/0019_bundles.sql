-- Support bundles as the agents sent them, signed; kept for a week.
create table bundles (
    msp_id uuid not null,
    id uuid not null,
    agent_id uuid not null,
    -- The order it answers: one bundle for one order.
    command_id uuid not null,
    received_at timestamptz not null,
    expires_at timestamptz not null,
    size bigint not null,
    sha256 bytea not null,
    jws text not null,
    body bytea not null,
    primary key (msp_id, id),
    unique (msp_id, agent_id, command_id),
    foreign key (msp_id, agent_id) references agents (msp_id, id)
);

alter table bundles enable row level security;
alter table bundles force row level security;
create policy tenant on bundles
    using (msp_id = nullif(current_setting('app.msp_id', true), '')::uuid)
    with check (msp_id = nullif(current_setting('app.msp_id', true), '')::uuid);
