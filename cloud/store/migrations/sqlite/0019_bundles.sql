-- Support bundles as the agents sent them, signed; kept for a week.
create table bundles (
    msp_id blob not null,
    id blob not null,
    agent_id blob not null,
    -- The order it answers: one bundle for one order.
    command_id blob not null,
    received_at text not null,
    expires_at text not null,
    size integer not null,
    sha256 blob not null,
    jws text not null,
    body blob not null,
    primary key (msp_id, id),
    unique (msp_id, agent_id, command_id),
    foreign key (msp_id, agent_id) references agents (msp_id, id)
) strict;
