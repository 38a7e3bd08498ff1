-- Mail on its way: a row first, and only then a mail. Twin of ../postgres/0022_mails.sql.
create table mails (
    msp_id blob not null references msps (msp_id),
    id blob not null,
    -- What it tells and of what: nobody is told of one thing twice.
    kind text not null,
    about text not null,
    recipient text not null,
    subject text not null,
    body_text text not null,
    body_html text not null,
    created_at text not null,
    -- Set before it leaves, and taken back where the relay said no. Alone: nobody knows whether it arrived.
    tried_at text,
    sent_at text,
    primary key (msp_id, id),
    unique (msp_id, kind, about, recipient)
) strict, without rowid;
