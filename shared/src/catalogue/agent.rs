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
        ["Restrict the file to the account of the agent (chmod 600 on Linux).", "A key that others could read may be copied: ask for a new one on the agent's page, and give the account of the directory a new password."];
    DISK_LOW = "RC-1021", "Little disk space left", "The disk that holds the data folder is nearly full; a full one stops reading and sending.",
        ["Free space on that disk, or move data_dir to a larger one."], event 240;
    CEILING_LOST = "RC-1022", "Local ceiling names a place that is not there", "A place in privacy.never_read cannot be found, so nobody can say who is in it; every import stands still and nobody joins or leaves.",
        ["Write the place as it is now, or its objectGUID, which stays through renames.", "Remove the line if the place is gone for good."], event 310;
    LEDGER_ALTERED = "RC-1023", "Ledger does not match its signatures", "What the agent keeps as sent is not what it once signed: the file was changed or damaged.",
        ["Trust the cloud's copy: it is kept as it came, with its signatures.", "See who can write the data folder, and check the disk."], event 240;
    BUNDLE_FAILED = "RC-1024", "Bundle could not be made or sent", "The support bundle did not come to be, or did not arrive.",
        ["Run rollcall-agent bundle on the machine and send the file by hand."], event 410;
    UPDATE_UNAVAILABLE = "RC-1040", "Update cannot be fetched", "The cloud offered a version but does not hand out its files.",
        ["Look at Updates in the portal: the release folder of the cloud may be incomplete.", "Nothing on this machine: it tries again by itself."], event 500;
    UPDATE_UNREADABLE = "RC-1041", "Update information unreadable", "A document about updates is not of the expected form.",
        ["Nothing was installed.", "Publish the release again; a proxy that changes answers may be the cause."], event 500;
    UPDATE_SIGNATURE = "RC-1042", "Update not signed by its makers", "A document about updates lacks the signatures it needs.",
        ["Nothing was installed. Find out who put these files into the release folder.", "If the signing keys were changed, publish every root document in between."], event 500;
    UPDATE_OLDER = "RC-1043", "Update information older than known", "Documents that were replaced long ago came again, or an older version was offered.",
        ["Nothing was installed. See that the release folder holds the newest publication, not a restored one."], event 500;
    UPDATE_EXPIRED = "RC-1044", "Update information expired", "Nobody has confirmed lately that these releases are current.",
        ["Publish again, or fetch the newest publication into the release folder.", "Check this machine's clock."], event 500;
    UPDATE_MIXED = "RC-1045", "Update information does not fit together", "Documents of different publications were mixed.",
        ["Nothing was installed. Copy the publication again as a whole, timestamp.json last."], event 500;
    UPDATE_TRUNCATED = "RC-1046", "Update cut short", "A file of the update is shorter than was signed.",
        ["Nothing was installed; it tries again by itself.", "If it stays, copy the file into the release folder again."], event 500;
    UPDATE_TOO_LONG = "RC-1047", "Update longer than signed", "A file of the update goes on beyond its signed length.",
        ["Nothing was installed. Find out what stands between this machine and the cloud."], event 500;
    UPDATE_ALTERED = "RC-1048", "Update altered", "A file of the update is not the one that was signed.",
        ["Nothing was installed.", "Copy the file into the release folder again; if it stays, find out who changed it."], event 500;
    UPDATE_NOT_FOR_THIS = "RC-1049", "No such release for this machine", "The signed list has no release of this version for this kind of machine.",
        ["Publish the release for this platform, or pin the customer to the version it has."], event 500;
    UPDATE_TAKEN_BACK = "RC-1050", "Update taken back", "A new version ended early or never reached the cloud, so the version before it runs again.",
        ["Nothing: the agent works with the version before.", "Read the log of this machine around the time of the update, and send it to support."], event 500;
    UPDATE_TEST_KEYS = "RC-1051", "Updates are off in this build", "This program was built with the public test keys, so it takes no updates.",
        ["Install a released version."], event 500;
    VERSION_DAMAGED = "RC-1052", "Installed update damaged", "The program of an installed update is not the one that was verified any more.",
        ["Nothing: the version before runs, and the update is fetched once more; damaged a second time, it is fetched a day later.", "If it happens again, see whether a virus scanner takes the program away, and check the disk."], event 500;
}
