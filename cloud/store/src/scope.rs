//! Who may ask: a scope is what a login session, a proven agent key, an enrolment token or a claimed job is given.
//! None of them can be made from an id.

use rollcall_domain::{
    ids::{AgentId, CustomerId, JobId, MspId},
    role::Reach,
};

/// Anything that names the tenant of a transaction.
pub trait Scope: sealed::Sealed + Send + Sync {
    fn msp(&self) -> MspId;
}

pub(crate) mod sealed {
    pub trait Sealed {}
}

/// Admits a type of this crate as a scope.
macro_rules! seal {
    ($name:ident) => {
        impl $crate::scope::sealed::Sealed for $name {}
    };
}
pub(crate) use seal;

macro_rules! scope {
    ($name:ident) => {
        seal!($name);

        impl Scope for $name {
            fn msp(&self) -> MspId {
                self.msp
            }
        }
    };
}

/// A whole tenant, as far as this operator or key reaches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MspScope {
    msp: MspId,
    reach: Reach,
}
scope!(MspScope);

impl MspScope {
    pub(crate) const fn new(msp: MspId, reach: Reach) -> Self {
        Self { msp, reach }
    }

    pub const fn reach(&self) -> &Reach {
        &self.reach
    }

    /// Less of the same: the customers that both this scope and the list contain.
    pub fn narrowed(&self, to: &[CustomerId]) -> Self {
        let within = to.iter().copied().filter(|customer| self.reach.covers(*customer)).collect();
        Self { msp: self.msp, reach: Reach::Chosen(within) }
    }
}

/// One customer of a tenant. Comes from `customers::find…`, so it exists and is within reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CustomerScope {
    msp: MspId,
    customer: CustomerId,
}
scope!(CustomerScope);

impl CustomerScope {
    pub(crate) const fn new(msp: MspId, customer: CustomerId) -> Self {
        Self { msp, customer }
    }

    pub const fn customer(&self) -> CustomerId {
        self.customer
    }
}

/// One agent that proved to hold its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AgentScope {
    msp: MspId,
    customer: CustomerId,
    agent: AgentId,
}
scope!(AgentScope);

impl AgentScope {
    pub(crate) const fn new(msp: MspId, customer: CustomerId, agent: AgentId) -> Self {
        Self { msp, customer, agent }
    }

    pub const fn agent(&self) -> AgentId {
        self.agent
    }

    pub const fn customer(&self) -> CustomerScope {
        CustomerScope { msp: self.msp, customer: self.customer }
    }
}

/// One claimed job. Its fence ends it when the lease went to another worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JobScope {
    msp: MspId,
    job: JobId,
    fence: i64,
}
scope!(JobScope);

impl JobScope {
    pub(crate) const fn new(msp: MspId, job: JobId, fence: i64) -> Self {
        Self { msp, job, fence }
    }

    pub const fn job(&self) -> JobId {
        self.job
    }

    pub(crate) const fn fence(&self) -> i64 {
        self.fence
    }
}
