//! Decides what can be written on the command line.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use super::output::Form;

/// Reads one Active Directory domain, read-only, and pushes signed change batches to the Rollcall cloud.
#[derive(Debug, Parser)]
#[command(name = "rollcall-agent", version = crate::version::text())]
pub struct Arguments {
    /// Configuration file
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Print JSON
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make this machine an agent with a one-time token from the portal
    Enroll {
        /// The token; it works once
        #[arg(long)]
        token: String,
    },
    /// Run until stopped, in a terminal
    Run,
    /// What `run` starts when a newer version was fetched; ends when its standard input closes
    #[command(hide = true)]
    Work,
    /// Run under the system's service manager; waits until this machine is enrolled
    Service,
    /// The installer's own steps
    #[command(hide = true)]
    Setup {
        #[command(subcommand)]
        step: Step,
    },
    /// Read the directory once and send what changed
    Sync {
        /// Read and decide everything, send and keep nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// Test everything the agent needs, with a fix for whatever fails
    Check,
    /// Show the enrolment, the last cycle and what waits
    Status,
    /// Print exactly what left this network
    Show {
        /// Only the newest batches
        #[arg(long, default_value_t = 1000)]
        last: u32,
    },
}

#[derive(Debug, Subcommand)]
pub enum Step {
    /// Prepare the data folder and the service
    Install {
        #[arg(long)]
        token: Option<String>,
        #[arg(long)]
        cloud_url: Option<String>,
        #[arg(long)]
        proxy: Option<String>,
    },
    /// Forget the token of an installation that failed
    Withdraw,
    /// Announce that a newer version takes over, so that this one takes nothing away
    Upgrade,
    /// Take away everything the agent kept
    Remove,
}

impl Arguments {
    pub fn form(&self) -> Form {
        if self.json { Form::Json } else { Form::Text }
    }
}
