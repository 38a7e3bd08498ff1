//! The only place that knows which operating system it runs on, and the only place where `unsafe` may stand.

pub mod private_file;
pub mod domain_controller;
