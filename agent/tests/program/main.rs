//! The agent's program as it is installed: enrolled, run, killed and asked, against a scripted directory and a stand-in
//! for the cloud that answers over HTTP as the protocol says, or as a test wants.

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test fails loudly")]

mod cloud;
mod home;
mod enrolment;
mod commands;
mod checks;
mod shown;
mod bundles;
mod bad_input;
mod leaving;
mod service;
mod restarts;
mod answers;
mod crashes;
mod spool;
mod outage;
mod rotation;
mod inspector;
mod proxies;
mod secrets;
