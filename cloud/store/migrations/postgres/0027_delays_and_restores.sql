-- How many days after its publication a release reaches an MSP's agents (no row: at once), and which agents outlived a restore.
-- Twin of ../sqlite/0027_delays_and_restores.sql.
create table update_delays (
    msp_id uuid primary key references msps (msp_id),
    days bigint not null,
    set_by text not null,
    set_at timestamptz not null
);

alter table update_delays enable row level security;
alter table update_delays force row level security;
create policy tenant on update_delays using (msp_id = nullif(current_setting('app.msp_id', true), '')::uuid)
    with check (msp_id = nullif(current_setting('app.msp_id', true), '')::uuid);

-- When an agent was last noticed to know of numbers that this database does not: it was restored from a backup.
alter table agents add column outlived_restore_at timestamptz;
