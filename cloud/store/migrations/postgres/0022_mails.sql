-- Mail on its way: a row first, and only then a mail. Twin of ../sqlite/0022_mails.sql.
create table mails (
    msp_id uuid not null references msps (msp_id),
    id uuid not null,
    -- What it tells and of what: nobody is told of one thing twice.
    kind text not null,
    about text not null,
    recipient text not null,
    subject text not null,
    body_text text not null,
    body_html text not null,
    created_at timestamptz not null,
    -- Set before it leaves, and taken back where the relay said no. Alone: nobody knows whether it arrived.
    tried_at timestamptz,
    sent_at timestamptz,
    primary key (msp_id, id),
    unique (msp_id, kind, about, recipient)
);

alter table mails enable row level security;
alter table mails force row level security;
create policy tenant on mails
    using (msp_id = nullif(current_setting('app.msp_id', true), '')::uuid)
    with check (msp_id = nullif(current_setting('app.msp_id', true), '')::uuid);
