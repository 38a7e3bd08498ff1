//! The only place that knows which operating system it runs on, and the only place where `unsafe` may stand.

pub mod reason;
pub mod private_file;
pub mod domain_controller;
pub mod system_proxy;
pub mod kerberos;
#[cfg(not(windows))]
mod gssapi;
#[cfg(windows)]
mod sspi;
mod service_account;
pub mod acl;
pub mod secret;
pub mod event_log;
pub mod service;
#[cfg(windows)]
mod wide;
