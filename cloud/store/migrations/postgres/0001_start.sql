-- The tables of the first release. msp_id leads every key, so that a tenant can never meet another one
-- through a key, and so that the same schema can be distributed by msp_id.
-- Twin of ../sqlite/0001_start.sql: same names, same order, other types.

create table msps (
    msp_id uuid primary key,
    name text not null,
    created_at timestamptz not null,
    paused_at timestamptz,
    paused_until timestamptz,
    paused_reason text,
    paused_by text,
    -- The newest line of the audit chain; its row lock puts writers of the chain in a queue.
    audit_seq bigint not null,
    audit_head bytea not null
);

-- Resolves a presented secret (or sign-in name, or agent key id) to its tenant. Hashes only; no row-level security.
create table keyring (
    key_hash bytea not null,
    kind text not null,
    msp_id uuid not null,
    subject uuid not null,
    expires_at timestamptz,
    primary key (key_hash, kind, msp_id)
);
create index keyring_by_subject on keyring (msp_id, subject);

-- Keys of the cloud itself, sealed by the master key. No tenant, no personal data.
create table cloud_keys (
    name text primary key,
    sealed bytea not null,
    created_at timestamptz not null
);

-- Failed and successful sign-ins by hash of name or address, shared by all instances. No tenant is known yet.
create table login_attempts (
    id uuid primary key,
    subject_hash bytea not null,
    attempted_at timestamptz not null,
    outcome text not null
);
create index login_attempts_by_subject on login_attempts (subject_hash, attempted_at);

create table operators (
    msp_id uuid not null references msps (msp_id),
    id uuid not null,
    email text not null,
    name text not null,
    role text not null,
    all_customers boolean not null,
    password_hash text,
    password_changed_at timestamptz,
    created_at timestamptz not null,
    disabled_at timestamptz,
    primary key (msp_id, id),
    unique (msp_id, email)
);

create table customers (
    msp_id uuid not null references msps (msp_id),
    id uuid not null,
    slug text not null,
    name text not null,
    created_at timestamptz not null,
    paused_at timestamptz,
    paused_until timestamptz,
    paused_reason text,
    paused_by text,
    archived_at timestamptz,
    primary key (msp_id, id),
    unique (msp_id, slug)
);
create index customers_by_name on customers (msp_id, name, id);

create table operator_customers (
    msp_id uuid not null,
    operator_id uuid not null,
    customer_id uuid not null,
    primary key (msp_id, operator_id, customer_id),
    foreign key (msp_id, operator_id) references operators (msp_id, id),
    foreign key (msp_id, customer_id) references customers (msp_id, id)
);

create table sessions (
    msp_id uuid not null,
    id_hash bytea not null,
    operator_id uuid not null,
    created_at timestamptz not null,
    seen_at timestamptz not null,
    expires_at timestamptz not null,
    ip text,
    user_agent text,
    mfa_at timestamptz,
    primary key (msp_id, id_hash),
    foreign key (msp_id, operator_id) references operators (msp_id, id)
);
create index sessions_by_operator on sessions (msp_id, operator_id);

create table signin_links (
    msp_id uuid not null,
    token_hash bytea not null,
    operator_id uuid not null,
    created_at timestamptz not null,
    expires_at timestamptz not null,
    used_at timestamptz,
    primary key (msp_id, token_hash),
    foreign key (msp_id, operator_id) references operators (msp_id, id)
);

create table api_keys (
    msp_id uuid not null references msps (msp_id),
    id uuid not null,
    name text not null,
    prefix text not null,
    key_hash bytea not null,
    role text not null,
    customer_id uuid,
    created_by text not null,
    created_at timestamptz not null,
    expires_at timestamptz,
    last_used_at timestamptz,
    revoked_at timestamptz,
    primary key (msp_id, id),
    unique (msp_id, key_hash),
    foreign key (msp_id, customer_id) references customers (msp_id, id)
);

create table agents (
    msp_id uuid not null,
    id uuid not null,
    customer_id uuid not null,
    directory_id uuid,
    state text not null,
    hostname text not null,
    os text not null,
    version text not null,
    facts jsonb not null,
    enrolled_at timestamptz not null,
    last_seen_at timestamptz,
    checkins bigint not null,
    clock_skew_ms bigint,
    -- What the agent should do: the number of the newest desired state, and the one it says it runs.
    desired_version bigint not null,
    applied_version bigint not null,
    -- The chain: epoch, its start value, and what the next batch must say.
    epoch bigint not null,
    epoch_start bytea not null,
    next_seq bigint not null,
    head bytea not null,
    -- Health as the agent last told it.
    queued bigint not null,
    dc_host text,
    transport text,
    reason_code text,
    reason_detail text,
    reason_since timestamptz,
    report jsonb,
    quarantined_at timestamptz,
    revoked_at timestamptz,
    primary key (msp_id, id),
    foreign key (msp_id, customer_id) references customers (msp_id, id)
);
create index agents_by_customer on agents (msp_id, customer_id);

create table agent_keys (
    msp_id uuid not null,
    -- SHA-256 of the public key.
    kid bytea not null,
    agent_id uuid not null,
    alg text not null,
    public_key bytea not null,
    state text not null,
    created_at timestamptz not null,
    retired_at timestamptz,
    primary key (msp_id, kid),
    foreign key (msp_id, agent_id) references agents (msp_id, id)
);
create index agent_keys_by_agent on agent_keys (msp_id, agent_id);

create table enrol_tokens (
    msp_id uuid not null,
    id uuid not null,
    customer_id uuid not null,
    token_hash bytea not null,
    created_by text not null,
    created_at timestamptz not null,
    expires_at timestamptz not null,
    used_at timestamptz,
    agent_id uuid,
    revoked_at timestamptz,
    primary key (msp_id, id),
    foreign key (msp_id, customer_id) references customers (msp_id, id)
);
create index enrol_tokens_by_customer on enrol_tokens (msp_id, customer_id);

create table request_nonces (
    msp_id uuid not null,
    agent_id uuid not null,
    jti uuid not null,
    seen_at timestamptz not null,
    primary key (msp_id, agent_id, jti)
);
create index request_nonces_by_age on request_nonces (msp_id, agent_id, seen_at);

create table directories (
    msp_id uuid not null,
    id uuid not null,
    customer_id uuid not null,
    -- The agent that reads it; others stand by.
    agent_id uuid not null,
    -- The pin: objectGUID and SID of the domain's head.
    domain_guid uuid not null,
    domain_sid text not null,
    dns_name text not null,
    pinned_at timestamptz not null,
    structure_at timestamptz,
    -- Of the last applied cycle: its agent, epoch and snapshot number, where it was read, and how many people.
    applied_agent_id uuid,
    applied_epoch bigint not null,
    snapshot bigint not null,
    dc_host text,
    dc_ntds_guid uuid,
    dc_invocation_id uuid,
    dc_usn bigint,
    people bigint not null,
    people_seen bigint not null,
    -- Over everybody the agent's snapshot holds, as the cloud has them.
    digest bytea,
    read_at timestamptz,
    -- Set when count or digest differed: the agent must send everything.
    full_wanted_at timestamptz,
    primary key (msp_id, id),
    unique (msp_id, customer_id, domain_guid),
    foreign key (msp_id, customer_id) references customers (msp_id, id),
    foreign key (msp_id, agent_id) references agents (msp_id, id)
);

create table structure_nodes (
    msp_id uuid not null,
    directory_id uuid not null,
    guid uuid not null,
    kind text not null,
    parent_guid uuid,
    name text not null,
    dn text not null,
    -- An OU: people directly in it. A group: direct members that are people, and others that are not imported with it.
    people bigint not null,
    others bigint not null,
    -- Why it cannot be chosen; null = it can.
    blocked text,
    primary key (msp_id, directory_id, guid),
    foreign key (msp_id, directory_id) references directories (msp_id, id)
);

create table imports (
    msp_id uuid not null,
    id uuid not null,
    customer_id uuid not null,
    directory_id uuid not null,
    name text not null,
    selections jsonb not null,
    excludes jsonb not null,
    schedule jsonb not null,
    removal_policy text not null,
    grace_days bigint not null,
    version bigint not null,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    paused_at timestamptz,
    paused_until timestamptz,
    paused_reason text,
    paused_by text,
    deleted_at timestamptz,
    primary key (msp_id, id),
    foreign key (msp_id, customer_id) references customers (msp_id, id),
    foreign key (msp_id, directory_id) references directories (msp_id, id)
);
create index imports_by_customer on imports (msp_id, customer_id);
create index imports_by_directory on imports (msp_id, directory_id);

create table accounts (
    msp_id uuid not null,
    id uuid not null,
    customer_id uuid not null,
    directory_id uuid not null,
    object_guid uuid not null,
    -- active: in at least one import; held: active, and a removal waits for a human; departed: in none.
    state text not null,
    display_name text not null,
    -- display_name folded to lower case: the order of the list.
    sort_name text not null,
    sam text not null,
    upn text,
    mail text,
    enabled boolean not null,
    -- Everything a human may type to find the person, lower case, separated by line feeds.
    search text not null,
    person jsonb not null,
    -- SHA-256 of the person's bytes as the agent last read them; null = the agent's snapshot does not hold them.
    reading_hash bytea,
    first_seen_at timestamptz not null,
    changed_at timestamptz not null,
    departed_at timestamptz,
    primary key (msp_id, id),
    unique (msp_id, directory_id, object_guid),
    foreign key (msp_id, customer_id) references customers (msp_id, id),
    foreign key (msp_id, directory_id) references directories (msp_id, id)
);
create index accounts_by_name on accounts (msp_id, customer_id, sort_name, id);
create index accounts_of_all_by_name on accounts (msp_id, sort_name, id);

create table memberships (
    msp_id uuid not null,
    import_id uuid not null,
    account_id uuid not null,
    -- active, held, kept (a human decided the person stays), departed.
    state text not null,
    via jsonb not null,
    since timestamptz not null,
    evidence jsonb,
    run_id uuid,
    primary key (msp_id, import_id, account_id),
    foreign key (msp_id, import_id) references imports (msp_id, id),
    foreign key (msp_id, account_id) references accounts (msp_id, id)
);
create index memberships_by_account on memberships (msp_id, account_id);
create index memberships_held on memberships (msp_id, import_id) where state = 'held';

create table runs (
    msp_id uuid not null,
    id uuid not null,
    customer_id uuid not null,
    directory_id uuid,
    agent_id uuid not null,
    cycle uuid,
    -- Why the cycle ran (schedule, sync_now, …), what it carried (full, delta) and how it ended.
    cause text not null,
    kind text not null,
    result text not null,
    reason_code text,
    reason_detail text,
    started_at timestamptz not null,
    received_at timestamptz not null,
    finished_at timestamptz not null,
    epoch bigint not null,
    first_seq bigint not null,
    last_seq bigint not null,
    batches bigint not null,
    bytes bigint not null,
    people bigint not null,
    added bigint not null,
    updated bigint not null,
    returned bigint not null,
    departed bigint not null,
    held bigint not null,
    unchanged bigint not null,
    set_aside bigint not null,
    digest_agrees boolean,
    dc_host text,
    primary key (msp_id, id),
    foreign key (msp_id, customer_id) references customers (msp_id, id),
    foreign key (msp_id, agent_id) references agents (msp_id, id)
);
create index runs_by_customer on runs (msp_id, customer_id, id);

-- Records of a run that could not be applied, with their reason. They never stop the others.
create table set_aside (
    msp_id uuid not null,
    run_id uuid not null,
    line bigint not null,
    object_guid uuid,
    code text not null,
    detail text not null,
    primary key (msp_id, run_id, line),
    foreign key (msp_id, run_id) references runs (msp_id, id)
);

create table history (
    msp_id uuid not null,
    account_id uuid not null,
    id uuid not null,
    run_id uuid,
    import_id uuid,
    at timestamptz not null,
    change text not null,
    before jsonb,
    after jsonb,
    evidence jsonb,
    actor text,
    primary key (msp_id, account_id, id)
);
create index history_by_run on history (msp_id, run_id);

-- Batches exactly as they came. Kept as proof; body may be thinned by retention, the JWS stays.
create table inbox (
    msp_id uuid not null,
    agent_id uuid not null,
    epoch bigint not null,
    seq bigint not null,
    cycle uuid not null,
    part bigint not null,
    parts bigint not null,
    jws_hash bytea not null,
    jws text not null,
    body bytea not null,
    received_at timestamptz not null,
    applied_at timestamptz,
    run_id uuid,
    poison_code text,
    poison_detail text,
    primary key (msp_id, agent_id, epoch, seq),
    foreign key (msp_id, agent_id) references agents (msp_id, id)
);

-- Work to do. No row-level security: a worker first finds a tenant with due work. Ids only in payloads.
create table jobs (
    msp_id uuid not null,
    id uuid not null,
    kind text not null,
    -- Jobs with the same lane run one after another, oldest first.
    lane uuid not null,
    payload jsonb not null,
    state text not null,
    attempts bigint not null,
    due_at timestamptz not null,
    lease_until timestamptz,
    -- Rises with every claim; a worker whose number is old can no longer finish the job.
    fence bigint not null,
    last_error text,
    created_at timestamptz not null,
    primary key (msp_id, id)
);
create index jobs_due on jobs (state, due_at);
create index jobs_by_lane on jobs (msp_id, lane, id);

create table commands (
    msp_id uuid not null,
    id uuid not null,
    agent_id uuid not null,
    kind text not null,
    payload jsonb not null,
    created_by text not null,
    created_at timestamptz not null,
    done_at timestamptz,
    primary key (msp_id, id),
    foreign key (msp_id, agent_id) references agents (msp_id, id)
);
create index commands_open on commands (msp_id, agent_id) where done_at is null;

create table audit (
    msp_id uuid not null references msps (msp_id),
    seq bigint not null,
    at timestamptz not null,
    actor text not null,
    source text not null,
    ip text,
    action text not null,
    customer_id uuid,
    object_id text,
    -- JSON as text: the hash covers the very bytes.
    before text,
    after text,
    prev bytea not null,
    hash bytea not null,
    primary key (msp_id, seq)
);
create index audit_by_customer on audit (msp_id, customer_id, seq);

-- Answers to requests that carried an Idempotency-Key, to be given again for a day.
create table idempotency (
    msp_id uuid not null references msps (msp_id),
    key_hash bytea not null,
    -- SHA-256 of method, path and body: another request under the same key is refused.
    request_hash bytea not null,
    begun_at timestamptz not null,
    -- Null while it runs.
    status bigint,
    body bytea,
    primary key (msp_id, key_hash)
);

-- The wall: every table with a tenant shows and takes rows of the tenant of this transaction only. Forced, so that the
-- owner is bound too; without a tenant setting nothing is visible (a comparison with null is never true).
do $$
declare
    name text;
begin
    foreach name in array array[
            'msps', 'operators', 'customers', 'operator_customers', 'sessions', 'signin_links',
            'api_keys', 'agents', 'agent_keys', 'enrol_tokens', 'request_nonces', 'directories',
            'structure_nodes', 'imports', 'accounts', 'memberships', 'runs', 'set_aside', 'history',
            'inbox', 'commands', 'audit', 'idempotency']
    loop
        execute format('alter table %I enable row level security', name);
        execute format('alter table %I force row level security', name);
        execute format(
            'create policy tenant on %I using (msp_id = nullif(current_setting(''app.msp_id'', true), '''')::uuid) '
            'with check (msp_id = nullif(current_setting(''app.msp_id'', true), '''')::uuid)', name);
    end loop;
end $$;

create function audit_is_append_only() returns trigger language plpgsql as $$
begin
    raise exception 'the audit log is append-only';
end $$;
create trigger audit_keeps before update or delete on audit for each row execute function audit_is_append_only();
