//! The portal: pages for people, drawn by the server.
//!
//! Every page has one representation; live parts ask for the same address and take their own region out of it. Every
//! control is a real link or form first, so everything works without script.

pub mod assets;
pub mod view;
pub mod sign_in;
pub mod refusal;
pub mod dashboard;
pub mod customers;
pub mod customer;
pub mod install;
pub mod imports;
pub mod tree;
pub mod import_form;
pub mod pause;
pub mod people;
pub mod person;
pub mod runs;
pub mod run;
pub mod held;
pub mod agents;
pub mod agent;
pub mod settings;
pub mod audit;
pub mod system;

#[cfg(test)]
mod samples;
#[cfg(test)]
mod html_lint;
