//! Decides what each role of an operator (or API key) may do.

use crate::{ids::CustomerId, words::words};

words! {
    pub enum Role {
        Owner = "owner",
        Admin = "admin",
        Engineer = "engineer",
        Helpdesk = "helpdesk",
        Auditor = "auditor",
    }
}

words! {
    /// Everything a person or key can ask for, as one decision each.
    pub enum Act {
        ViewCustomers = "view_customers",
        ViewAudit = "view_audit",
        ViewSystem = "view_system",
        CreateCustomer = "create_customer",
        EditCustomer = "edit_customer",
        InstallAgent = "install_agent",
        EditImport = "edit_import",
        SyncNow = "sync_now",
        Pause = "pause",
        DecideHeldRemovals = "decide_held_removals",
        RevokeAgent = "revoke_agent",
        ManageUpdates = "manage_updates",
        /// To begin again what was given up: a mail that may have left leaves once more.
        RetryJobs = "retry_jobs",
        ManageOperators = "manage_operators",
        ManageApiKeys = "manage_api_keys",
    }
}

/// Which customers an operator or key reaches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    All,
    Chosen(Vec<CustomerId>),
}

impl Reach {
    pub fn covers(&self, customer: CustomerId) -> bool {
        match self {
            Reach::All => true,
            Reach::Chosen(chosen) => chosen.contains(&customer),
        }
    }
}

impl Role {
    /// Whether this role may do this act at all. Which customers it may do it to is `Reach`.
    pub const fn may(self, act: Act) -> bool {
        match self {
            Role::Owner => true,
            Role::Admin => !matches!(act, Act::ManageOperators),
            Role::Engineer => matches!(
                act,
                Act::ViewCustomers
                    | Act::CreateCustomer
                    | Act::EditCustomer
                    | Act::InstallAgent
                    | Act::EditImport
                    | Act::SyncNow
                    | Act::Pause
                    | Act::DecideHeldRemovals
            ),
            Role::Helpdesk => matches!(act, Act::ViewCustomers | Act::SyncNow),
            Role::Auditor => matches!(act, Act::ViewCustomers | Act::ViewAudit),
        }
    }

    /// The lowest role that may do it, for the sentence "needs the role …".
    pub fn needed_for(act: Act) -> Role {
        [Role::Helpdesk, Role::Auditor, Role::Engineer, Role::Admin]
            .into_iter()
            .find(|role| role.may(act))
            .unwrap_or(Role::Owner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_owner_may_do_everything() {
        for act in Act::ALL {
            assert!(Role::Owner.may(*act), "{act}");
        }
        assert!(!Role::Admin.may(Act::ManageOperators));
    }

    #[test]
    fn whoever_is_told_by_mail_may_have_a_mail_sent_again() {
        for role in Role::ALL {
            assert_eq!(role.may(Act::RetryJobs), role.may(Act::ManageUpdates), "{role}");
        }
    }

    #[test]
    fn an_auditor_changes_nothing() {
        let allowed: Vec<_> = Act::ALL.iter().filter(|act| Role::Auditor.may(**act)).collect();
        assert_eq!(allowed, [&Act::ViewCustomers, &Act::ViewAudit]);
    }
}
