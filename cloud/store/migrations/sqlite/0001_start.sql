-- The tables of the first release. msp_id leads every key, so that a tenant can never meet another one
-- through a key, and so that the same schema can be distributed by msp_id.
-- Twin of ../postgres/0001_start.sql: same names, same order, other types.

create table msps (
    msp_id blob primary key,
    name text not null,
    created_at text not null,
    paused_at text,
    paused_until text,
    paused_reason text,
    paused_by text,
    -- The newest line of the audit chain; its row lock puts writers of the chain in a queue.
    audit_seq integer not null,
    audit_head blob not null
) strict, without rowid;

-- Resolves a presented secret (or sign-in name, or agent key id) to its tenant. Hashes only; no row-level security.
create table keyring (
    key_hash blob not null,
    kind text not null,
    msp_id blob not null,
    subject blob not null,
    expires_at text,
    primary key (key_hash, kind, msp_id)
) strict, without rowid;
create index keyring_by_subject on keyring (msp_id, subject);

-- Keys of the cloud itself, sealed by the master key. No tenant, no personal data.
create table cloud_keys (
    name text primary key,
    sealed blob not null,
    created_at text not null
) strict, without rowid;

-- Failed and successful sign-ins by hash of name or address, shared by all instances. No tenant is known yet.
create table login_attempts (
    id blob primary key,
    subject_hash blob not null,
    attempted_at text not null,
    outcome text not null
) strict, without rowid;
create index login_attempts_by_subject on login_attempts (subject_hash, attempted_at);

create table operators (
    msp_id blob not null references msps (msp_id),
    id blob not null,
    email text not null,
    name text not null,
    role text not null,
    all_customers integer not null,
    password_hash text,
    password_changed_at text,
    created_at text not null,
    disabled_at text,
    primary key (msp_id, id),
    unique (msp_id, email)
) strict, without rowid;

create table customers (
    msp_id blob not null references msps (msp_id),
    id blob not null,
    slug text not null,
    name text not null,
    created_at text not null,
    paused_at text,
    paused_until text,
    paused_reason text,
    paused_by text,
    archived_at text,
    primary key (msp_id, id),
    unique (msp_id, slug)
) strict, without rowid;
create index customers_by_name on customers (msp_id, name, id);

create table operator_customers (
    msp_id blob not null,
    operator_id blob not null,
    customer_id blob not null,
    primary key (msp_id, operator_id, customer_id),
    foreign key (msp_id, operator_id) references operators (msp_id, id),
    foreign key (msp_id, customer_id) references customers (msp_id, id)
) strict, without rowid;

create table sessions (
    msp_id blob not null,
    id_hash blob not null,
    operator_id blob not null,
    created_at text not null,
    seen_at text not null,
    expires_at text not null,
    ip text,
    user_agent text,
    mfa_at text,
    primary key (msp_id, id_hash),
    foreign key (msp_id, operator_id) references operators (msp_id, id)
) strict, without rowid;
create index sessions_by_operator on sessions (msp_id, operator_id);

create table signin_links (
    msp_id blob not null,
    token_hash blob not null,
    operator_id blob not null,
    created_at text not null,
    expires_at text not null,
    used_at text,
    primary key (msp_id, token_hash),
    foreign key (msp_id, operator_id) references operators (msp_id, id)
) strict, without rowid;

create table api_keys (
    msp_id blob not null references msps (msp_id),
    id blob not null,
    name text not null,
    prefix text not null,
    key_hash blob not null,
    role text not null,
    customer_id blob,
    created_by text not null,
    created_at text not null,
    expires_at text,
    last_used_at text,
    revoked_at text,
    primary key (msp_id, id),
    unique (msp_id, key_hash),
    foreign key (msp_id, customer_id) references customers (msp_id, id)
) strict, without rowid;

create table agents (
    msp_id blob not null,
    id blob not null,
    customer_id blob not null,
    directory_id blob,
    state text not null,
    hostname text not null,
    os text not null,
    version text not null,
    facts text not null,
    enrolled_at text not null,
    last_seen_at text,
    checkins integer not null,
    clock_skew_ms integer,
    -- What the agent should do: the number of the newest desired state, and the one it says it runs.
    desired_version integer not null,
    applied_version integer not null,
    -- The chain: epoch, its start value, and what the next batch must say.
    epoch integer not null,
    epoch_start blob not null,
    next_seq integer not null,
    head blob not null,
    -- Health as the agent last told it.
    queued integer not null,
    dc_host text,
    transport text,
    reason_code text,
    reason_detail text,
    reason_since text,
    report text,
    quarantined_at text,
    revoked_at text,
    primary key (msp_id, id),
    foreign key (msp_id, customer_id) references customers (msp_id, id)
) strict;
create index agents_by_customer on agents (msp_id, customer_id);

create table agent_keys (
    msp_id blob not null,
    -- SHA-256 of the public key.
    kid blob not null,
    agent_id blob not null,
    alg text not null,
    public_key blob not null,
    state text not null,
    created_at text not null,
    retired_at text,
    primary key (msp_id, kid),
    foreign key (msp_id, agent_id) references agents (msp_id, id)
) strict, without rowid;
create index agent_keys_by_agent on agent_keys (msp_id, agent_id);

create table enrol_tokens (
    msp_id blob not null,
    id blob not null,
    customer_id blob not null,
    token_hash blob not null,
    created_by text not null,
    created_at text not null,
    expires_at text not null,
    used_at text,
    agent_id blob,
    revoked_at text,
    primary key (msp_id, id),
    foreign key (msp_id, customer_id) references customers (msp_id, id)
) strict, without rowid;
create index enrol_tokens_by_customer on enrol_tokens (msp_id, customer_id);

create table request_nonces (
    msp_id blob not null,
    agent_id blob not null,
    jti blob not null,
    seen_at text not null,
    primary key (msp_id, agent_id, jti)
) strict, without rowid;
create index request_nonces_by_age on request_nonces (msp_id, agent_id, seen_at);

create table directories (
    msp_id blob not null,
    id blob not null,
    customer_id blob not null,
    -- The agent that reads it; others stand by.
    agent_id blob not null,
    -- The pin: objectGUID and SID of the domain's head.
    domain_guid blob not null,
    domain_sid text not null,
    dns_name text not null,
    pinned_at text not null,
    structure_at text,
    -- Of the last applied cycle: its agent, epoch and snapshot number, where it was read, and how many people.
    applied_agent_id blob,
    applied_epoch integer not null,
    snapshot integer not null,
    dc_host text,
    dc_ntds_guid blob,
    dc_invocation_id blob,
    dc_usn integer,
    people integer not null,
    people_seen integer not null,
    -- Over everybody the agent's snapshot holds, as the cloud has them.
    digest blob,
    read_at text,
    -- Set when count or digest differed: the agent must send everything.
    full_wanted_at text,
    primary key (msp_id, id),
    unique (msp_id, customer_id, domain_guid),
    foreign key (msp_id, customer_id) references customers (msp_id, id),
    foreign key (msp_id, agent_id) references agents (msp_id, id)
) strict, without rowid;

create table structure_nodes (
    msp_id blob not null,
    directory_id blob not null,
    guid blob not null,
    kind text not null,
    parent_guid blob,
    name text not null,
    dn text not null,
    -- An OU: people directly in it. A group: direct members that are people, and others that are not imported with it.
    people integer not null,
    others integer not null,
    -- Why it cannot be chosen; null = it can.
    blocked text,
    primary key (msp_id, directory_id, guid),
    foreign key (msp_id, directory_id) references directories (msp_id, id)
) strict, without rowid;

create table imports (
    msp_id blob not null,
    id blob not null,
    customer_id blob not null,
    directory_id blob not null,
    name text not null,
    selections text not null,
    excludes text not null,
    schedule text not null,
    removal_policy text not null,
    grace_days integer not null,
    version integer not null,
    created_at text not null,
    updated_at text not null,
    paused_at text,
    paused_until text,
    paused_reason text,
    paused_by text,
    deleted_at text,
    primary key (msp_id, id),
    foreign key (msp_id, customer_id) references customers (msp_id, id),
    foreign key (msp_id, directory_id) references directories (msp_id, id)
) strict, without rowid;
create index imports_by_customer on imports (msp_id, customer_id);
create index imports_by_directory on imports (msp_id, directory_id);

create table accounts (
    msp_id blob not null,
    id blob not null,
    customer_id blob not null,
    directory_id blob not null,
    object_guid blob not null,
    -- active: in at least one import; held: active, and a removal waits for a human; departed: in none.
    state text not null,
    display_name text not null,
    -- display_name folded to lower case: the order of the list.
    sort_name text not null,
    sam text not null,
    upn text,
    mail text,
    enabled integer not null,
    -- Everything a human may type to find the person, lower case, separated by line feeds.
    search text not null,
    person text not null,
    -- SHA-256 of the person's bytes as the agent last read them; null = the agent's snapshot does not hold them.
    reading_hash blob,
    first_seen_at text not null,
    changed_at text not null,
    departed_at text,
    primary key (msp_id, id),
    unique (msp_id, directory_id, object_guid),
    foreign key (msp_id, customer_id) references customers (msp_id, id),
    foreign key (msp_id, directory_id) references directories (msp_id, id)
) strict;
create index accounts_by_name on accounts (msp_id, customer_id, sort_name, id);
create index accounts_of_all_by_name on accounts (msp_id, sort_name, id);

create table memberships (
    msp_id blob not null,
    import_id blob not null,
    account_id blob not null,
    -- active, held, kept (a human decided the person stays), departed.
    state text not null,
    via text not null,
    since text not null,
    evidence text,
    run_id blob,
    primary key (msp_id, import_id, account_id),
    foreign key (msp_id, import_id) references imports (msp_id, id),
    foreign key (msp_id, account_id) references accounts (msp_id, id)
) strict, without rowid;
create index memberships_by_account on memberships (msp_id, account_id);
create index memberships_held on memberships (msp_id, import_id) where state = 'held';

create table runs (
    msp_id blob not null,
    id blob not null,
    customer_id blob not null,
    directory_id blob,
    agent_id blob not null,
    cycle blob,
    -- Why the cycle ran (schedule, sync_now, …), what it carried (full, delta) and how it ended.
    cause text not null,
    kind text not null,
    result text not null,
    reason_code text,
    reason_detail text,
    started_at text not null,
    received_at text not null,
    finished_at text not null,
    epoch integer not null,
    first_seq integer not null,
    last_seq integer not null,
    batches integer not null,
    bytes integer not null,
    people integer not null,
    added integer not null,
    updated integer not null,
    returned integer not null,
    departed integer not null,
    held integer not null,
    unchanged integer not null,
    set_aside integer not null,
    digest_agrees integer,
    dc_host text,
    primary key (msp_id, id),
    foreign key (msp_id, customer_id) references customers (msp_id, id),
    foreign key (msp_id, agent_id) references agents (msp_id, id)
) strict;
create index runs_by_customer on runs (msp_id, customer_id, id);

-- Records of a run that could not be applied, with their reason. They never stop the others.
create table set_aside (
    msp_id blob not null,
    run_id blob not null,
    line integer not null,
    object_guid blob,
    code text not null,
    detail text not null,
    primary key (msp_id, run_id, line),
    foreign key (msp_id, run_id) references runs (msp_id, id)
) strict, without rowid;

create table history (
    msp_id blob not null,
    account_id blob not null,
    id blob not null,
    run_id blob,
    import_id blob,
    at text not null,
    change text not null,
    before text,
    after text,
    evidence text,
    actor text,
    primary key (msp_id, account_id, id)
) strict;
create index history_by_run on history (msp_id, run_id);

-- Batches exactly as they came. Kept as proof; body may be thinned by retention, the JWS stays.
create table inbox (
    msp_id blob not null,
    agent_id blob not null,
    epoch integer not null,
    seq integer not null,
    cycle blob not null,
    part integer not null,
    parts integer not null,
    jws_hash blob not null,
    jws text not null,
    body blob not null,
    received_at text not null,
    applied_at text,
    run_id blob,
    poison_code text,
    poison_detail text,
    primary key (msp_id, agent_id, epoch, seq),
    foreign key (msp_id, agent_id) references agents (msp_id, id)
) strict;

-- Work to do. No row-level security: a worker first finds a tenant with due work. Ids only in payloads.
create table jobs (
    msp_id blob not null,
    id blob not null,
    kind text not null,
    -- Jobs with the same lane run one after another, oldest first.
    lane blob not null,
    payload text not null,
    state text not null,
    attempts integer not null,
    due_at text not null,
    lease_until text,
    -- Rises with every claim; a worker whose number is old can no longer finish the job.
    fence integer not null,
    last_error text,
    created_at text not null,
    primary key (msp_id, id)
) strict, without rowid;
create index jobs_due on jobs (state, due_at);
create index jobs_by_lane on jobs (msp_id, lane, id);

create table commands (
    msp_id blob not null,
    id blob not null,
    agent_id blob not null,
    kind text not null,
    payload text not null,
    created_by text not null,
    created_at text not null,
    done_at text,
    primary key (msp_id, id),
    foreign key (msp_id, agent_id) references agents (msp_id, id)
) strict, without rowid;
create index commands_open on commands (msp_id, agent_id) where done_at is null;

create table audit (
    msp_id blob not null references msps (msp_id),
    seq integer not null,
    at text not null,
    actor text not null,
    source text not null,
    ip text,
    action text not null,
    customer_id blob,
    object_id text,
    -- JSON as text: the hash covers the very bytes.
    before text,
    after text,
    prev blob not null,
    hash blob not null,
    primary key (msp_id, seq)
) strict;
create index audit_by_customer on audit (msp_id, customer_id, seq);

-- Answers to requests that carried an Idempotency-Key, to be given again for a day.
create table idempotency (
    msp_id blob not null references msps (msp_id),
    key_hash blob not null,
    -- SHA-256 of method, path and body: another request under the same key is refused.
    request_hash blob not null,
    begun_at text not null,
    -- Null while it runs.
    status integer,
    body blob,
    primary key (msp_id, key_hash)
) strict, without rowid;

create trigger audit_keeps_what_it_says before update on audit
begin
    select raise(abort, 'the audit log is append-only');
end;
create trigger audit_keeps_what_it_has before delete on audit
begin
    select raise(abort, 'the audit log is append-only');
end;
