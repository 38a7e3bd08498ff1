-- Attributes that vanished from many people at once in a whole reading, and which desired state an agent was handed.
-- Twin of ../sqlite/0021_vanished_and_handed_out.sql.

create table attribute_losses (
    msp_id uuid not null,
    directory_id uuid not null,
    import_id uuid not null,
    -- As LDAP spells it.
    attribute text not null,
    -- People who lost it, of how many of the import.
    people bigint not null,
    of_people bigint not null,
    since timestamptz not null,
    primary key (msp_id, directory_id, import_id, attribute),
    foreign key (msp_id, directory_id) references directories (msp_id, id),
    foreign key (msp_id, import_id) references imports (msp_id, id)
);

-- A human's word that an attribute was cleared on purpose. It holds for one whole reading.
create table clearing_consents (
    msp_id uuid not null,
    directory_id uuid not null,
    attribute text not null,
    given_by text not null,
    given_at timestamptz not null,
    primary key (msp_id, directory_id, attribute),
    foreign key (msp_id, directory_id) references directories (msp_id, id)
);

-- The newest desired state that was given out, whether or not the agent has said since that it runs it.
alter table agents add column handed_version bigint not null default 0;
alter table agents add column handed_at timestamptz;
-- The desired state that carries an order first: one in a state not handed out yet is not doubled.
alter table commands add column first_in bigint not null default 0;

do $$
declare
    walled text;
begin
    foreach walled in array array['attribute_losses', 'clearing_consents'] loop
        execute format('alter table %I enable row level security', walled);
        execute format('alter table %I force row level security', walled);
        execute format(
            'create policy tenant on %I
                using (msp_id = nullif(current_setting(''app.msp_id'', true), '''')::uuid)
                with check (msp_id = nullif(current_setting(''app.msp_id'', true), '''')::uuid)',
            walled);
    end loop;
end $$;
