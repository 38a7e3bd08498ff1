//! `rollcall doctor`: every check in order, each with its result; the exit status says whether all is well.

use std::process::ExitCode;

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
        tell("Tables are of this version", open::migrate(&db).await);
        tell("Master key opens the cloud's keys", open::load_identity(config, &db, &clock, &entropy).await.map(|_| ()));
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
