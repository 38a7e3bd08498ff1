//! The agent's readings against the scripted directory: what it sends must equal what is there, and no trouble of the
//! directory may remove anybody.

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test fails loudly")]

mod site;
mod readings;
mod together;
mod unsent;
mod damage;
mod mangled;
mod departures;
mod appearances;
mod ceiling;
mod withheld;
mod hidden_links;
mod floods;
mod troubles;
mod refusals;
mod controllers;
mod cases;
mod nested;
mod selections;
mod samba;
