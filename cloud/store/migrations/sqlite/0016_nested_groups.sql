-- Whose members a chosen group brings: its own ('direct'), or those of the groups inside it too ('nested').
alter table imports add column nesting text not null default 'direct';

-- Of a group's others: groups, computers and service accounts, members from other domains.
alter table structure_nodes add column nested integer not null default 0;
alter table structure_nodes add column computers integer not null default 0;
alter table structure_nodes add column foreigners integer not null default 0;
