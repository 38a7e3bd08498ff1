//! Says which fault it is that the directory could not be read, or that what was read could not be kept.

use rollcall_protocol::catalogue::{self, Fault};

use crate::cycle::CycleError;
use crate::cycle::concern::Concern;
use crate::diagnostic::Diagnostic;
use crate::directory::bind::BindRefused;
use crate::directory::connect::ConnectError;
use crate::directory::domain::NotOurs;
use crate::directory::gate::ConnectionEnd;
use crate::directory::reader::Incomplete;
use crate::directory::tls::TlsRefused;
use crate::exit::Exit;
use crate::platform::kerberos::KerberosFault;
use crate::spool::SpoolError;

impl From<&CycleError> for Diagnostic {
    fn from(error: &CycleError) -> Self {
        match error {
            CycleError::Connect(error) => error.into(),
            CycleError::NotOurs(error) => error.into(),
            CycleError::Incomplete(error) => error.into(),
            CycleError::Spool(error) => error.into(),
            CycleError::Packing(error) => Self::unexpected(error),
            CycleError::Signing(error) => Self::unexpected(error),
            CycleError::Deadline(_) => Self::new(catalogue::RUN_OVERDUE, error, Exit::DirectoryUnreachable),
            CycleError::Unsent | CycleError::NoPlace => {
                Self::new(catalogue::CLOUD_UNREACHABLE, error, Exit::CloudUnreachable)
            }
        }
    }
}

impl From<&Concern> for Diagnostic {
    fn from(concern: &Concern) -> Self {
        let fault = match concern {
            Concern::SelectionGone { .. } => catalogue::SCOPE_GONE,
            Concern::SelectionElsewhere { .. } => catalogue::OUTSIDE_DOMAIN,
            Concern::NotSelectable { .. } => catalogue::NOT_SELECTABLE,
            Concern::NestedTooFar { .. } => catalogue::NESTED_TOO_FAR,
            Concern::AttributeLost { .. } => catalogue::ATTRIBUTE_LOST,
            Concern::Withheld { .. } => catalogue::PEOPLE_UNREADABLE,
            Concern::GroupUnseen { .. } => catalogue::GROUP_UNSEEN,
            Concern::GroupSilent { .. } => catalogue::GROUP_UNREADABLE,
            Concern::OtherAccount { .. } => catalogue::OTHER_ACCOUNT,
            Concern::GroupsUnlisted { .. } => catalogue::GROUP_UNLISTED,
        };
        Self::new(fault, concern, Exit::Attention)
    }
}

impl From<&ConnectError> for Diagnostic {
    fn from(error: &ConnectError) -> Self {
        let fault = match error {
            ConnectError::NameUnknown { .. } => catalogue::NO_DC_FOUND,
            ConnectError::ForeignController { .. } => catalogue::FOREIGN_CONTROLLER,
            ConnectError::Unreachable { .. } => catalogue::DC_UNREACHABLE,
            ConnectError::TimedOut { .. } => catalogue::DC_TIMEOUT,
            ConnectError::Tls(refused) => return refused.into(),
            ConnectError::StartTlsRefused(_) => catalogue::TLS_REFUSED,
            ConnectError::Bind(refused) => bind_fault(refused),
            ConnectError::Kerberos(fault) => kerberos_fault(fault),
            ConnectError::Ended(end) => end_fault(end),
            ConnectError::NoMethod => catalogue::CONFIG_UNREADABLE,
            ConnectError::EveryMethod { decisive, .. } => {
                return Self { detail: error.to_string(), ..decisive.as_ref().into() };
            }
        };
        Self::new(fault, error, Exit::DirectoryUnreachable)
    }
}

fn bind_fault(refused: &BindRefused) -> Fault {
    match refused {
        BindRefused::Locked => catalogue::BIND_LOCKED,
        BindRefused::DisabledOrExpired => catalogue::BIND_DISABLED,
        BindRefused::PasswordExpired => catalogue::BIND_PASSWORD_EXPIRED,
        BindRefused::SigningDemanded => catalogue::SIGNING_REQUIRED,
        BindRefused::ChannelBindingDemanded => catalogue::CHANNEL_BINDING_REQUIRED,
        BindRefused::EmptyPassword
        | BindRefused::NameOrPassword
        | BindRefused::NotHereOrNow
        | BindRefused::Other(_) => catalogue::BIND_REFUSED,
        BindRefused::NotNow(_) => catalogue::BIND_NOT_NOW,
    }
}

fn kerberos_fault(fault: &KerberosFault) -> Fault {
    match fault {
        KerberosFault::LibraryMissing(_) => catalogue::KERBEROS_MISSING,
        KerberosFault::NoTicket => catalogue::NO_TICKET,
        KerberosFault::TicketExpired => catalogue::TICKET_EXPIRED,
        KerberosFault::ClockSkew => catalogue::KERBEROS_CLOCK,
        KerberosFault::ServiceUnknown(_) => catalogue::SERVICE_UNKNOWN,
        KerberosFault::NoKeyServer(_) => catalogue::NO_KEY_SERVER,
        KerberosFault::Refused | KerberosFault::Other { .. } => catalogue::KERBEROS_REFUSED,
        KerberosFault::Revoked => catalogue::BIND_DISABLED,
        KerberosFault::KeyExpired => catalogue::BIND_PASSWORD_EXPIRED,
        KerberosFault::NotGranted(_) => catalogue::SEALING_REFUSED,
        KerberosFault::Disturbed(_) => catalogue::SEAL_BROKEN,
    }
}

fn end_fault(end: &ConnectionEnd) -> Fault {
    match end {
        ConnectionEnd::Kerberos(fault) => kerberos_fault(fault),
        ConnectionEnd::Malformed(_) => catalogue::MALFORMED_ANSWER,
        ConnectionEnd::Closed
        | ConnectionEnd::ClosedInsideMessage
        | ConnectionEnd::Disconnected
        | ConnectionEnd::Stalled(_)
        | ConnectionEnd::Broken(_) => catalogue::READ_INCOMPLETE,
    }
}

impl From<&TlsRefused> for Diagnostic {
    fn from(refused: &TlsRefused) -> Self {
        let fault = match refused {
            TlsRefused::Untrusted { .. } => catalogue::CERT_UNTRUSTED,
            TlsRefused::OtherName { .. } | TlsRefused::NotAName { .. } => catalogue::CERT_NAME,
            TlsRefused::Expired { .. } => catalogue::CERT_EXPIRED,
            TlsRefused::CaFile { .. } => catalogue::CONFIG_UNREADABLE,
            TlsRefused::Handshake { .. } => catalogue::TLS_REFUSED,
        };
        Self::new(fault, refused, Exit::DirectoryUnreachable)
    }
}

impl From<&NotOurs> for Diagnostic {
    fn from(error: &NotOurs) -> Self {
        let fault = match error {
            NotOurs::NoDomainController(_) => catalogue::NOT_A_DIRECTORY,
            NotOurs::NotSynchronised => catalogue::READ_INCOMPLETE,
            NotOurs::Anonymous => catalogue::BIND_ANONYMOUS,
            NotOurs::OtherDomain { .. } => catalogue::OTHER_DOMAIN,
            NotOurs::Incomplete(incomplete) => return incomplete.into(),
        };
        Self::new(fault, error, Exit::DirectoryUnreachable)
    }
}

impl From<&Incomplete> for Diagnostic {
    fn from(error: &Incomplete) -> Self {
        let fault = match error {
            Incomplete::Referral => catalogue::OUTSIDE_DOMAIN,
            Incomplete::Contradiction => catalogue::GROUP_UNREADABLE,
            Incomplete::ReadRightMissing { .. } => catalogue::PEOPLE_UNREADABLE,
            Incomplete::ConnectionLost { end, .. } => end_fault(end),
            Incomplete::Store(_) => catalogue::NOT_WRITABLE,
            Incomplete::Damaged(_) => catalogue::SPOOL_REBUILT,
            Incomplete::Result { .. }
            | Incomplete::Silent { .. }
            | Incomplete::UnreadableEntry { .. }
            | Incomplete::UnreadablePageControl { .. }
            | Incomplete::TooManyPages(_)
            | Incomplete::TooMany { .. }
            | Incomplete::ChangedMeanwhile => catalogue::READ_INCOMPLETE,
        };
        Self::new(fault, error, Exit::DirectoryUnreachable)
    }
}

impl From<&SpoolError> for Diagnostic {
    fn from(error: &SpoolError) -> Self {
        let fault = match error {
            SpoolError::Unwritable(_) => catalogue::NOT_WRITABLE,
            SpoolError::Damaged(_) | SpoolError::Unreadable | SpoolError::Gone => catalogue::SPOOL_REBUILT,
        };
        Self::new(fault, error, Exit::Failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_password_is_told_with_code_cause_and_fix_and_never_retried() {
        let error = CycleError::Connect(ConnectError::Bind(BindRefused::NameOrPassword));

        let told = Diagnostic::from(&error);

        assert_eq!(told.fault.code, "RC-2201");
        assert!(told.must_not_be_retried());
        assert!(told.to_string().contains("Fix:"));
    }

    #[test]
    fn only_who_judged_the_account_is_not_asked_again_soon() {
        let told = |error: ConnectError| {
            let told = Diagnostic::from(&CycleError::Connect(error));
            (told.fault.code, told.must_not_be_retried())
        };

        assert_eq!(told(BindRefused::Locked.into()), ("RC-2202", true));
        assert_eq!(told(KerberosFault::Refused.into()), ("RC-2207", true));
        assert_eq!(told(BindRefused::NotNow(51).into()), ("RC-2113", false));
        assert_eq!(told(KerberosFault::ClockSkew.into()), ("RC-2208", false));
        assert_eq!(told(KerberosFault::TicketExpired.into()), ("RC-2211", false));
        assert_eq!(told(KerberosFault::NoTicket.into()), ("RC-2210", false));
    }

    #[test]
    fn a_cut_connection_is_an_incomplete_reading_and_may_be_tried_again() {
        let lost = Incomplete::ConnectionLost { page: 2, end: ConnectionEnd::Closed };

        let told = Diagnostic::from(&CycleError::Incomplete(lost));

        assert_eq!((told.fault.code, told.must_not_be_retried()), ("RC-2303", false));
    }
}
