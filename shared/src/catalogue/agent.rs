//! What can be wrong with an agent on its own machine (RC-1xxx).

faults! {
    SERVICE_NOT_RUNNING = "RC-1001", "Agent service not running", "The service RollcallAgent is installed but stopped.",
        ["Start the service RollcallAgent.", "Read the reason of its last stop in the event log, source Rollcall Agent."], event 101;
    AGENT_OUTDATED = "RC-1002", "Agent older than the minimum version", "The cloud no longer speaks this version's protocol.",
        ["Update the agent; the install page has the current version."], event 500;
    NOT_WRITABLE = "RC-1003", "Disk full or folder not writable", "The agent cannot write its data folder, so nothing may be read or sent.",
        ["Free space on the disk that holds the data folder.", "Give the account of the agent write permission on the folder."], event 240;
    SPOOL_REBUILT = "RC-1004", "Spool was damaged and rebuilt", "The agent's own store could not be read and was set aside.",
        ["Nothing: a full snapshot follows by itself.", "If it happens again, check the disk."], event 240;
    CLOCK_OFF = "RC-1005", "Clock is off", "This machine's clock differs from the cloud's by more than 15 minutes.",
        ["Set the clock, or repair time synchronisation (w32tm /resync on Windows)."], event 410;
    CONFIG_UNREADABLE = "RC-1006", "Configuration unreadable", "The configuration file has an unknown key, a wrong value, or cannot be opened.",
        ["Mend the line that is named.", "docs/operate/agent-configuration.md lists every key."];
    NO_AGENT = "RC-1007", "No agent installed", "No agent was enrolled for this customer yet.",
        ["Open the customer's install page and run one of its commands on a server in their network."];
    AGENT_SILENT = "RC-1008", "Agent is silent", "The agent has missed several check-ins in a row.",
        ["See that the machine is on and reaches the cloud over HTTPS.", "Run rollcall-agent check on it."], event 400;
    NOT_ENROLLED = "RC-1009", "Agent not enrolled", "This agent belongs to no customer yet.",
        ["Run rollcall-agent enroll --token with a token from the customer's install page."], event 401;
    ALREADY_ENROLLED = "RC-1010", "Agent already enrolled", "This installation has an identity already.",
        ["Keep it as it is, or remove its data folder first if it is really meant to start anew."];
    ALREADY_RUNNING = "RC-1011", "Another copy is running", "Another process of this agent holds its data folder.",
        ["Stop the other one, or let it do the work: sync now from the portal."];
    SECRET_FILE_OPEN = "RC-1012", "Secret file readable by others", "A file that holds a key or a password may be read by other accounts of this machine.",
        ["Restrict the file to the account of the agent (chmod 600 on Linux)."];
    DISK_LOW = "RC-1021", "Little disk space left", "The disk that holds the data folder is nearly full; a full one stops reading and sending.",
        ["Free space on that disk, or move data_dir to a larger one."], event 240;
    CEILING_LOST = "RC-1022", "Local ceiling names a place that is not there", "A place in privacy.never_read cannot be found, so nobody can say who is in it; every import stands still and nobody joins or leaves.",
        ["Write the place as it is now, or its objectGUID, which stays through renames.", "Remove the line if the place is gone for good."], event 310;
    LEDGER_ALTERED = "RC-1023", "Ledger does not match its signatures", "What the agent keeps as sent is not what it once signed: the file was changed or damaged.",
        ["Trust the cloud's copy: rollcall verify checks it.", "See who can write the data folder, and check the disk."], event 240;
    BUNDLE_FAILED = "RC-1024", "Bundle could not be made or sent", "The support bundle did not come to be, or did not arrive.",
        ["Run rollcall-agent bundle on the machine and send the file by hand."], event 410;
}
