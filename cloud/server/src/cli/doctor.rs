//! `rollcall doctor`: every check in order, each with its result; the exit status says whether all is well.

use std::process::ExitCode;

use rollcall_protocol::catalogue;
use rollcall_store::db::Tables;

use super::{open, say};
use crate::{
    clock::{Clock, Entropy},
    config::Config,
    start::StartError,
};

pub async fn run(config: &Config, clock: Clock, entropy: Entropy) -> ExitCode {
    say("Configuration in force:");
    for (name, value) in config.redacted() {
        say(&format!("  {name} = {value}"));
    }
    say("");
    let mut failed = false;
    let mut tell = |what: &str, outcome: Result<(), StartError>| match outcome {
        Ok(()) => say(&format!("[ OK ] {what}")),
        Err(error) => {
            failed = true;
            say(&error.to_string());
        }
    };
    tell("Data folder can be written", open::make_data_folder(config));
    let db = match open::open_database(config).await {
        Ok(db) => {
            tell("Database answers, and its role cannot see past the wall between tenants", Ok(()));
            Some(db)
        }
        Err(error) => {
            tell("", Err(error));
            None
        }
    };
    if let Some(db) = db {
        match db.tables().await {
            Tables::Current => {
                tell("Tables are of this version", Ok(()));
                let opened = open::load_identity(config, &db, &clock, &entropy).await;
                tell("Master key opens the cloud's keys", opened.map(|_| ()));
            }
            Tables::Older => {
                tell("Tables are of an older version; rollcall migrate or the next start brings them up", Ok(()));
            }
            Tables::Newer => {
                tell("", Err(StartError::new(&catalogue::SCHEMA, "a newer version has been here")));
            }
        }
        db.close().await;
    }
    tell("Address is free or ours", check_port(config).await);
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// In use is right while the server runs; what answers there must then be Rollcall, which `/version` tells.
async fn check_port(config: &Config) -> Result<(), StartError> {
    match crate::http::open(config.listen, config.tls.as_ref()).await {
        Ok(_) => Ok(()),
        Err(error) => match tokio::net::TcpStream::connect(config.listen).await {
            Ok(_) => Ok(()),
            Err(_) => Err(error),
        },
    }
}
