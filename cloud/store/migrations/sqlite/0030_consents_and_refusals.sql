-- A human's word that an attribute was cleared on purpose is of one import and of as many people as were seen. A word that
-- was given before and not yet used up is asked for once more. Twin of ../postgres/0030_consents_and_refusals.sql.
drop table clearing_consents;
create table clearing_consents (
    msp_id blob not null,
    directory_id blob not null,
    import_id blob not null,
    -- As LDAP spells it.
    attribute text not null,
    at_most integer not null,
    given_by text not null,
    given_at text not null,
    primary key (msp_id, directory_id, import_id, attribute),
    foreign key (msp_id, directory_id) references directories (msp_id, id),
    foreign key (msp_id, import_id) references imports (msp_id, id)
) strict, without rowid;

-- Lines of the audit log about attempts with a token that opens nothing any more; `traces` counts what was fetched with it.
alter table enrol_tokens add column refusals integer not null default 0;
