//! What the portal and the API both do: each act checks the role, changes the row, writes the audit line and tells the
//! agents, in one transaction.

pub mod refusal;
pub mod passwords;
pub mod sign_in;
pub mod caller;
pub mod journal;
pub mod operators;
pub mod api_keys;
pub mod customers;
pub mod enrol_tokens;
pub mod installing;
pub mod agents;
pub mod imports;
pub mod held;
