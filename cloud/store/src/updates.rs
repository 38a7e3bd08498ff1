//! Updates of agents: how far a version has gone, what became of each agent's update, pins of customers, the hours and the delay.

pub mod rollouts;
pub mod asked;
pub mod pins;
pub mod window;
pub mod delay;
