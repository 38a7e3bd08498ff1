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
        /// The token; it works once. "-" reads it from standard input, where no list of processes shows it
        #[arg(long)]
        token: String,
    },
    /// Run until stopped, in a terminal
    Run,
    /// What `run` starts when a newer version was fetched; ends when its standard input closes
    #[command(hide = true)]
    Work {
        /// The launcher is a service: nobody reads standard error
        #[arg(long)]
        for_service: bool,
    },
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
    /// Print exactly what left this network: the cycles, or the items of one
    Show {
        /// A cycle's id or how it begins, "last", or "all": prints every item as it was sent
        cycle: Option<String>,
        /// List no more than the newest cycles
        #[arg(long, default_value_t = 100)]
        last: u32,
    },
    /// End this agent for good: tell the cloud, and wipe its key and everything it kept
    Unenroll {
        /// Wipe although the cloud cannot be told; retire the agent in the portal then
        #[arg(long)]
        even_unheard: bool,
    },
    /// Make a zip for support: checks, configuration, state and log, without secrets and without people
    Bundle {
        /// Where to write it; the current folder otherwise
        #[arg(long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
}

#[derive(Debug, Subcommand)]
pub enum Step {
    /// Prepare the data folder and the service
    Install {
        #[arg(long)]
        token: Option<String>,
        /// In its place: a file with the token, deleted once it is kept
        #[arg(long)]
        token_file: Option<String>,
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
