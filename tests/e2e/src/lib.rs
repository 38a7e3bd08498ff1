//! What every journey needs: a customer with an agent, the picture the cloud has, and the picture it should have.

mod customer;
mod picture;
mod scope;
mod windows;

pub use customer::{Customer, Missing};
pub use picture::{Picture, Seen};
pub use scope::{SambaScope, ScriptedScope};
pub use windows::{Broken, WindowsSite};
