//! The cloud.

pub mod portal;
