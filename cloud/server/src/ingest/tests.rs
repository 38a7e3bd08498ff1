//! What agents are answered.
