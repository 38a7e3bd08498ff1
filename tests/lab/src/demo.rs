//! The whole product on this machine: a directory for each customer, a cloud, real agents, and a check of the result.

mod domain;
mod site;
mod journey;
mod report;

pub use domain::Kind;
pub use report::Report;

use crate::authority::AuthorityError;
use crate::directory::DirectoryError;
use crate::samba::SambaError;
use crate::world::{Cloud, CloudSetup, Database, Problem, ProgramError};
use site::Site;
use std::time::Instant;

/// What to run.
#[derive(Debug, Clone)]
pub struct Options {
    pub directory: Kind,
    pub database: Database,
    /// User objects of each customer's directory.
    pub users: usize,
    pub customers: usize,
    /// Port of the portal; 0 takes a free one.
    pub port: u16,
}

#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    #[error(transparent)]
    Program(#[from] ProgramError),
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    #[error(transparent)]
    Samba(#[from] SambaError),
    #[error(transparent)]
    Api(#[from] Problem),
    #[error("the agent of {customer} could not enrol:\n{said}")]
    Enrolment { customer: String, said: String },
    #[error("{customer}: {what} did not happen within {seconds} s; the agent said:\n{said}")]
    TooLate { customer: String, what: String, seconds: u64, said: String },
    #[error("{customer}: the cloud differs from the directory: {difference}")]
    Differs { customer: String, difference: String },
    #[error("{0}")]
    Io(#[from] std::io::Error),
}

/// Everything that runs; it ends when this is dropped.
#[derive(Debug)]
pub struct Demo {
    pub cloud: Cloud,
    sites: Vec<Site>,
    pub report: Report,
}

const CUSTOMERS: [&str; 6] = [
    "Alder & Finch Architects",
    "Brightwater Dental",
    "Corvus Logistics",
    "Dunmore Legal",
    "Eastgate Foods",
    "Fjord Instruments",
];

/// Runs the journey to its end for every customer: install, choose, first sync, a sync without change, comparison.
pub async fn run(options: &Options) -> Result<Demo, DemoError> {
    let started = Instant::now();
    let setup = CloudSetup { port: options.port, database: options.database.clone(), ..CloudSetup::default() };
    let cloud = Cloud::start(&setup).await?;
    let mut report = Report::default();
    let mut sites = Vec::new();
    for number in 0..options.customers {
        let name = CUSTOMERS.get(number).map_or_else(|| format!("Customer {}", number + 1), |name| (*name).to_owned());
        let mut site = Site::open(&name, options.directory, number, options.users)?;
        journey::install(&cloud, &mut site).await?;
        report.add(&journey::import(&cloud, &mut site).await?);
        sites.push(site);
    }
    report.finish(&cloud, &sites, started.elapsed())?;
    Ok(Demo { cloud, sites, report })
}

impl Demo {
    /// True as long as every agent runs.
    pub fn is_alive(&mut self) -> bool {
        self.sites.iter_mut().all(|site| site.agent.is_running())
    }
}
