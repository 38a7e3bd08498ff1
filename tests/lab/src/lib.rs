//! The lab: real and scripted counterparts to test the product against. It imports none of the product's crates.

pub mod authority;
pub mod directory;
