//! Reads one Active Directory domain, and can do nothing else with it.
//!
//! In the order of the `mod` lines: how bytes are checked, how a connection comes to be, what an entry is, when a search
//! counts, and what is read with it.

pub mod ber;
pub mod gate;
pub mod tls;
pub mod bind;
pub mod sasl;
pub mod sealed;
pub mod channel_binding;
pub mod method;
pub mod connect;
pub mod sid;
pub mod values;
pub mod dn;
pub mod entry;
pub mod filter;
pub mod request;
pub mod answer;
pub mod conversation;
pub mod reader;
pub mod room;
pub mod domain;
pub mod names;
pub mod broken;
pub mod access;
pub mod controllers;
pub mod people;
pub mod ceiling;
pub mod group;
pub mod census;
pub mod structure;
