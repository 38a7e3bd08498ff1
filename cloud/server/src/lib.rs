//! The cloud.

pub mod config;
pub mod start;
pub mod clock;
pub mod keys;
pub mod live;
pub mod state;
pub mod services;
pub mod api;
pub mod portal;
