//! The cloud: takes batches from agents, makes accounts of them, and shows them to the MSP.
//!
//! Read it in the order of the `mod` lines: configuration, what everything shares, then the way of a batch.
//! `ingest`, `apply`, `api` and `portal` do not know one another; they meet in the store and in `services`.

pub mod config;
pub mod start;
pub mod clock;
pub mod keys;
pub mod live;
pub mod installer;
pub mod releases;
pub mod admission;
pub mod readiness;
pub mod state;
pub mod setback;
pub mod orders;
pub mod reader;
pub mod mail;
pub mod services;
pub mod ingest;
pub mod jobs;
pub mod apply;
pub mod api;
pub mod portal;
pub mod http;
pub mod admin;
pub mod telemetry;
pub mod cli;

#[cfg(test)]
mod testing;
#[cfg(test)]
mod route_matrix;
#[cfg(test)]
mod two_directories;
#[cfg(test)]
mod under_pressure;
#[cfg(test)]
mod lock_order;
