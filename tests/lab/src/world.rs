//! The real programs on this machine: a cloud, its agents, and a client of the API, on free ports with folders of their
//! own.

mod program;
mod cloud;
mod agent;
mod api;

pub use agent::{Agent, AgentSetup, Binding, Kerberos, Tickets};
pub use api::{Api, Problem};
pub use cloud::{Cloud, CloudSetup, Database};
pub use program::{Finished, Program, ProgramError, find, finish, free_port};
