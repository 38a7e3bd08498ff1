//! What Rollcall knows of every vendor's API; the clients themselves come one folder a vendor.

pub mod verdict;
