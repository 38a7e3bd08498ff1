//! All SQL of the cloud, once per query, on SQLite and PostgreSQL.
//!
//! Read it in the order of the `mod` lines: how a database is opened, what a transaction is, who may have one, then one
//! file per noun. Every query of a tenant runs in a transaction of that tenant: `Db::read` and `Db::write` ask for a
//! scope, and only a login session, a proven agent key, an enrolment token or a claimed job mints one.

pub mod error;
#[macro_use]
pub mod tx;
pub mod dialect;
pub mod db;
pub mod scope;
pub mod live;
pub mod keyring;
pub mod cloud_keys;
pub mod msps;
pub mod audit;
pub mod login_attempts;
pub mod operators;
pub mod signin_links;
pub mod sessions;
pub mod api_keys;
pub mod customers;
pub mod enrol_tokens;
pub mod agents;
pub mod agent_keys;
pub mod restores;
pub mod nonces;
pub mod directories;
pub mod structure;
pub mod imports;
pub mod commands;
pub mod bundles;
pub mod updates;
pub mod mails;
pub mod inbox;
pub mod jobs;
pub mod accounts;
pub mod memberships;
pub mod losses;
pub mod runs;
pub mod history;
pub mod owners;
pub mod across;
pub mod work;
pub mod idempotency;
pub mod over;
#[cfg(any(test, feature = "testing"))]
pub mod testing;

pub use db::Db;
pub use error::StoreError;
pub use scope::{AgentScope, CustomerScope, JobScope, MspScope, Scope};
pub use sqlx::types::Json;
pub use tx::{Tx, WriteTx};

pub type Result<T, E = StoreError> = std::result::Result<T, E>;
