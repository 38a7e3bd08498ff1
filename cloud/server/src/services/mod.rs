//! What an operator or an API key can do: one function per act, called by portal and API alike.
//!
//! Each asks first whether the role may, finds the object within reach, then writes change and audit line in one
//! transaction. What an operator may not reach is "not found", never "forbidden".

pub mod who;
pub mod reach;
pub mod passwords;
pub mod sign_in;
pub mod operators;
pub mod api_keys;
pub mod installing;
pub mod customers;
pub mod tokens;
pub mod imports;
pub mod pauses;
pub mod agents;
pub mod clearings;
pub mod bundles;
pub mod told;
pub mod switched;
pub mod updates;
pub mod rollouts;
pub mod held;
pub mod jobs;

pub use who::{ServiceError, Who};
