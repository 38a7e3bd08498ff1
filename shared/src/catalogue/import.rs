//! What can be wrong with an import and its runs (RC-4xxx).

faults! {
    SCOPE_EMPTY = "RC-4001", "Selection is empty", "The selection holds nobody; if it held people before, their removal is held.",
        ["Check the selected OUs and groups, the excludes, and the account's read permission."], event 310;
    SCOPE_GONE = "RC-4002", "Selected OU or group missing or unreadable", "A selected object was deleted or can no longer be read; its people stay.",
        ["Choose the selection again, or give the read permission back."], event 310;
    REMOVALS_HELD = "RC-4003", "Removals held for review", "More people would leave than may leave at once without a human.",
        ["Review the list: approve, or reject.", "Newcomers and changes were applied."], event 220;
    RUN_OVERDUE = "RC-4004", "Run passed its deadline", "A step of the run did not end in time.",
        ["Sync again; the step that stalled is named."], event 230;
    PREVIEW_STALE = "RC-4005", "Preview is out of date", "The directory or the settings changed since the preview.",
        ["Preview again."];
    PAUSED = "RC-4006", "Paused", "An operator paused it.",
        ["Resume when the reason has gone."];
    NO_IMPORT = "RC-4007", "No import set up", "The agent is there, but nobody chose yet whom to import.",
        ["Choose OUs or groups on the customer's imports page."];
    FIRST_SYNC_PENDING = "RC-4008", "Waiting for the first sync", "The import is set up; its first complete reading has not arrived yet.",
        ["Wait a minute, or look at the agent's page for what it is doing."];
    SET_DIFFERS = "RC-4010", "Agent and cloud disagree on the set", "Count or digest after the cycle differ.",
        ["Nothing where a full snapshot was ordered: it settles it.", "Where the run says that the full snapshot did not, run rollcall-agent bundle on the agent's machine; support needs it."];
    RECORD_SET_ASIDE = "RC-4011", "A record could not be read", "One record of the batch was set aside; the others were applied.",
        ["Look at the record in the directory: the run names it."];
    APPLY_FAILED = "RC-4012", "Run could not be applied", "Applying a reading failed again and again. Nothing of it counts; if it was to blame itself, it is set aside and the agent sends a whole one.",
        ["Wait for the next run: if it is well, nothing was lost.", "Where the database was away, try the job again on the system page.", "If the next run fails as well, look for the job's id in the log of the server; support needs those lines."];
    NOT_SELECTABLE = "RC-4013", "Selected object cannot be imported", "The selected object is one of Windows' own groups, or neither an organisational unit nor a security group.",
        ["Choose the selection again; its people stay until then."], event 310;
    NESTED_TOO_FAR = "RC-4014", "Groups nested too deep", "A selected group holds groups more than ten levels deep, or more than 500 of them.",
        ["Select the inner groups themselves, or switch inner groups off.", "Its people stay until then."], event 310;
    UNREAD = "RC-4015", "Directory without an agent", "The agent that read this directory was revoked or left, and none has taken its place.",
        ["Let a stopped agent of this customer go on, or install one."];
    OVERDUE = "RC-4016", "Reading overdue", "The agent is heard of, but no reading of the directory has come for more than a day.",
        ["Look at the agent's page for what it is doing.", "Run rollcall-agent check on its machine."];
}
