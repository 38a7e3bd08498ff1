-- How many lines of the audit log tell of a token beside its use: a token that is tried again and again fills no log.
alter table enrol_tokens add column traces integer not null default 0;
