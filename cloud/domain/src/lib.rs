//! The nouns of the product and its pure decisions. No SQL, no HTTP, no clock, no randomness.

pub mod ids;
pub mod words;
pub mod role;
pub mod pause;
pub mod customer;
pub mod agent;
pub mod rollout;
pub mod import;
pub mod account;
pub mod membership;
pub mod run;
pub mod job;
pub mod health;
pub mod heard;
