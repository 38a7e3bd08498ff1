//! The link to the cloud: outbound HTTPS, signed requests, and answers that are understood or count for nothing.

pub mod backoff;
pub mod gaps;
pub mod system_proxy;
pub mod script_memory;
pub mod way_out;
pub mod http;
pub mod link;
mod diagnosis;
pub mod enrol;
pub mod checkin;
pub mod push;
pub mod bundle;
pub mod leave;
pub mod rotate;
