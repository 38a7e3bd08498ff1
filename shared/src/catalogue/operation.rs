//! What can be wrong with the cloud's own operation (RC-8xxx and RC-9xxx).

faults! {
    VARIABLE_UNKNOWN = "RC-8001", "Unknown configuration variable", "An environment variable begins with ROLLCALL_ but has no meaning.",
        ["Mend its name: the nearest known one is shown.", "docs/operate/configuration.md lists them all."];
    VARIABLE_INVALID = "RC-8002", "Configuration value invalid", "An environment variable holds something it cannot.",
        ["Mend the value that is named."];
    DATA_FOLDER = "RC-8003", "Data folder not writable", "The folder for the database and keys cannot be made or written.",
        ["Give the account of the server write permission, or set ROLLCALL_DATA_DIR."];
    PORT_IN_USE = "RC-8004", "Address in use", "Another program listens on the address.",
        ["Stop the other program, or choose another address in ROLLCALL_LISTEN or ROLLCALL_ADMIN_LISTEN."];
    DATABASE_UNREACHABLE = "RC-8005", "Database not reachable", "The database does not answer, or refuses the sign-in.",
        ["Check ROLLCALL_DATABASE_URL and that the database runs."];
    DATABASE_ROLE = "RC-8006", "Database role too powerful", "The role could bypass row-level security, so tenants would not be walled off.",
        ["Use a role that is neither superuser nor BYPASSRLS."];
    MASTER_KEY = "RC-8007", "Master key missing or wrong", "The keys in the database were sealed with another master key.",
        ["Set ROLLCALL_MASTER_KEY or ROLLCALL_MASTER_KEY_FILE to the key this database was made with."];
    SCHEMA = "RC-8008", "Database schema does not fit", "The schema is newer than this program, or a migration failed.",
        ["Run rollcall migrate with this version, or use the newer program."];
    TLS_FILES = "RC-8009", "TLS certificate or key unusable", "The files of ROLLCALL_TLS_CERT and ROLLCALL_TLS_KEY cannot be read or do not belong together.",
        ["Check both files; PEM is expected."];
    NOT_INITIALISED = "RC-8010", "No MSP yet", "The database holds no MSP, so nobody could sign in.",
        ["Run rollcall init --msp NAME --owner MAIL."];
    ALREADY_INITIALISED = "RC-8011", "MSP exists already", "An MSP of this name was made before, with another owner.",
        ["Choose another name, or name its owner to get a fresh sign-in link."];
    DATA_FOLDER_IN_USE = "RC-8012", "Data folder in use", "Another rollcall serve works on the same SQLite database.",
        ["End the other one.", "For several programs over one database use PostgreSQL."];
    DATABASE_BUSY = "RC-8013", "Database busy", "Nothing was changed: another large change is being written, or all connections are in use.",
        ["Try again in a minute.", "If it happens often on SQLite: use PostgreSQL."];
    DATABASE_UNWRITABLE = "RC-8014", "Database cannot be written", "Nothing was changed: the disk under the database is full, read-only or broken.",
        ["Make room on the disk of the database, or mend it; nothing need be restarted.", "Agents keep what was not taken, and send it again."];
    RELEASES = "RC-8020", "Release folder unusable", "The folder of ROLLCALL_RELEASES_DIR holds no publication that can be believed.",
        ["Copy the newest publication into it again, timestamp.json last.", "Where it has expired, run cargo xtask release confirm, or fetch the newest one."];
    UNEXPECTED = "RC-9001", "Unexpected error", "Something failed that should not.",
        ["Try again; if it stays, send the trace id to support."];
}
