//! When an update is believed: the roles and rules of The Update Framework (TUF 1.0), over this protocol's signatures.
//!
//! Four roles sign four documents. The root says which keys the roles have, the targets which releases there are, the
//! snapshot which targets go with it, and the timestamp that this snapshot is still the current one. Nothing here reads
//! or writes: whoever fetches the documents hands them in, in that order.

pub mod refused;
pub mod role;
pub mod metadata;
pub mod document;
pub mod trust;
pub mod arriving;
pub mod report;
pub mod publish;
pub mod name;

pub use refused::Refused;
pub use semver::Version;
