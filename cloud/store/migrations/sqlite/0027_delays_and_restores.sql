-- How many days after its publication a release reaches an MSP's agents (no row: at once), and which agents outlived a restore.
-- Twin of ../postgres/0027_delays_and_restores.sql.
create table update_delays (
    msp_id blob primary key references msps (msp_id),
    days integer not null,
    set_by text not null,
    set_at text not null
) strict, without rowid;

-- When an agent was last noticed to know of numbers that this database does not: it was restored from a backup.
alter table agents add column outlived_restore_at text;
