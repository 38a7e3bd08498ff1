//! The lab: everything the product is tested against, and the programs under test themselves.

pub mod world;
