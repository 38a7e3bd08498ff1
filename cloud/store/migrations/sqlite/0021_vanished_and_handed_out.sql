-- Attributes that vanished from many people at once in a whole reading, and which desired state an agent was handed.
-- Twin of ../postgres/0021_vanished_and_handed_out.sql.

create table attribute_losses (
    msp_id blob not null,
    directory_id blob not null,
    import_id blob not null,
    -- As LDAP spells it.
    attribute text not null,
    -- People who lost it, of how many of the import.
    people integer not null,
    of_people integer not null,
    since text not null,
    primary key (msp_id, directory_id, import_id, attribute),
    foreign key (msp_id, directory_id) references directories (msp_id, id),
    foreign key (msp_id, import_id) references imports (msp_id, id)
) strict, without rowid;

-- A human's word that an attribute was cleared on purpose. It holds for one whole reading.
create table clearing_consents (
    msp_id blob not null,
    directory_id blob not null,
    attribute text not null,
    given_by text not null,
    given_at text not null,
    primary key (msp_id, directory_id, attribute),
    foreign key (msp_id, directory_id) references directories (msp_id, id)
) strict, without rowid;

-- The newest desired state that was given out, whether or not the agent has said since that it runs it.
alter table agents add column handed_version integer not null default 0;
alter table agents add column handed_at text;
-- The desired state that carries an order first: one in a state not handed out yet is not doubled.
alter table commands add column first_in integer not null default 0;
