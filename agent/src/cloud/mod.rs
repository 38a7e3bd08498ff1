//! The link to the cloud: outbound HTTPS, signed requests, and answers that are understood or count for nothing.

pub mod backoff;
pub mod link;
pub mod enrol;
pub mod checkin;
pub mod push;
pub mod rotate;
