//! Builds a whole synthetic domain from a size and a seed; the same two numbers always give the same domain.

mod builtin;
mod company;
pub(crate) mod names;
mod people;

use super::forest::{Forest, ForestError};
use rand::{SeedableRng, rngs::StdRng};
use uuid::Uuid;

/// How big a domain and what it is called.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Ordinary user objects: disabled ones, ones without mail and service accounts are among them, default accounts are not.
    pub users: usize,
    pub seed: u64,
    pub domain_name: String,
    pub controller_name: String,
}

impl Plan {
    pub fn new(users: usize, seed: u64) -> Self {
        Self { users, seed, domain_name: "lab.example".to_owned(), controller_name: "dc1".to_owned() }
    }

    pub fn named(self, domain_name: &str) -> Self {
        Self { domain_name: domain_name.to_owned(), ..self }
    }
}

/// The account that the agent binds with.
pub const SERVICE_ACCOUNT: &str = "svc-rollcall";

/// A domain with everything in it that a small company's has.
pub fn grow(plan: &Plan) -> Result<Forest, ForestError> {
    let mut forest = Forest::new(&plan.domain_name, &plan.controller_name, plan.seed);
    let mut chance = StdRng::seed_from_u64(plan.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(1));
    let defaults = builtin::build(&mut forest)?;
    let company = company::build(&mut forest)?;
    company::add_service_account(&mut forest, &company, SERVICE_ACCOUNT)?;
    people::build(&mut forest, &company, &defaults, plan.users, &mut chance)?;
    company::add_devices(&mut forest, &company, &defaults, plan.users)?;
    Ok(forest)
}

/// The password of the service account of this seed.
pub fn service_password(plan: &Plan) -> String {
    format!("Lab-{}", Uuid::from_u128(u128::from(plan.seed) * 0x9e37_79b9_7f4a_7c15_f39c + 7).simple())
}
