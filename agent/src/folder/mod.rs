//! What lies in the data folder beside the spool: who may write there, what the next start should know, what an enrolment
//! leaves behind, and how all of it goes.

pub mod lock;
pub mod kept;
pub mod instructions;
pub mod attempt;
pub mod pending;
pub mod erasure;
