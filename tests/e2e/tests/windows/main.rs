//! The agent on a Windows (Wine): its installer, its service, its updates.

#![expect(clippy::unwrap_used, reason = "a test fails loudly")]

mod site;
mod installing;
mod updating;
mod stopper;
mod stopping;
mod describing;
mod inside;
