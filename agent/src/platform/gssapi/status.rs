//! Decides what an error of MIT Kerberos means for the person who must mend it.

use super::super::kerberos::{Damage, KerberosFault, Service};

/// The calling and routine errors of a major status (RFC 2744 3.9.1); the rest is information.
const ERRORS: u32 = 0xffff_0000;

const NO_CREDENTIALS: u32 = 7 << 16;
const CREDENTIALS_EXPIRED: u32 = 11 << 16;
const CONTEXT_EXPIRED: u32 = 12 << 16;

const DUPLICATE_TOKEN: u32 = 1 << 1;
const OLD_TOKEN: u32 = 1 << 2;

/// Whether a call of the handshake failed.
pub fn is_error(major: u32) -> bool {
    major & ERRORS != 0
}

/// Minor status values of the krb5 mechanism are the codes of its error table.
const TABLE: i32 = -1_765_328_384;
const NAME_EXPIRED: i32 = TABLE + 1;
const CLIENT_UNKNOWN: i32 = TABLE + 6;
const SERVICE_UNKNOWN: i32 = TABLE + 7;
const CLIENT_REVOKED: i32 = TABLE + 18;
const KEY_EXPIRED: i32 = TABLE + 23;
const PREAUTH_FAILED: i32 = TABLE + 24;
const BAD_INTEGRITY: i32 = TABLE + 31;
const TICKET_EXPIRED: i32 = TABLE + 32;
const SKEW: i32 = TABLE + 37;
const MODIFIED: i32 = TABLE + 41;
const WRONG_REALM: i32 = TABLE + 68;
const CACHE_NOT_FOUND: i32 = TABLE + 141;
const REPLY_SKEW: i32 = TABLE + 147;
const REALM_UNKNOWN: i32 = TABLE + 154;
const KDC_UNREACHABLE: i32 = TABLE + 156;
const KEYTAB_ENTRY_MISSING: i32 = TABLE + 181;
const CACHE_FILE_FORBIDDEN: i32 = TABLE + 194;
const CACHE_FILE_MISSING: i32 = TABLE + 195;
const REALM_UNRESOLVED: i32 = TABLE + 220;

/// What a failed step of the handshake means.
pub fn handshake_fault(stage: &'static str, major: u32, minor: u32, service: &Service) -> KerberosFault {
    // The library hands the signed codes of its tables out as unsigned numbers.
    let minor = minor.cast_signed();
    match minor {
        SERVICE_UNKNOWN | WRONG_REALM | MODIFIED => KerberosFault::ServiceUnknown(service.principal()),
        CLIENT_UNKNOWN | PREAUTH_FAILED | BAD_INTEGRITY => KerberosFault::Refused,
        CLIENT_REVOKED | NAME_EXPIRED => KerberosFault::Revoked,
        KEY_EXPIRED => KerberosFault::KeyExpired,
        TICKET_EXPIRED => KerberosFault::TicketExpired,
        SKEW | REPLY_SKEW => KerberosFault::ClockSkew,
        REALM_UNKNOWN | KDC_UNREACHABLE | REALM_UNRESOLVED => KerberosFault::NoKeyServer(service.realm.clone()),
        CACHE_NOT_FOUND | KEYTAB_ENTRY_MISSING | CACHE_FILE_FORBIDDEN | CACHE_FILE_MISSING => KerberosFault::NoTicket,
        _ => match major & ERRORS {
            NO_CREDENTIALS => KerberosFault::NoTicket,
            CREDENTIALS_EXPIRED | CONTEXT_EXPIRED => KerberosFault::TicketExpired,
            _ => KerberosFault::Other { stage, major, minor },
        },
    }
}

/// What a buffer that cannot be unwrapped has gone through. Information about order is an error for us.
pub fn unwrap_fault(major: u32) -> KerberosFault {
    KerberosFault::Disturbed(if is_error(major) {
        Damage::Changed
    } else if major & (DUPLICATE_TOKEN | OLD_TOKEN) != 0 {
        Damage::Repeated
    } else {
        Damage::Missing
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(major: u32, minor: i32) -> KerberosFault {
        handshake_fault("asking", major, minor.cast_unsigned(), &Service::ldap("dc1.lab.example", None))
    }

    #[test]
    fn the_commonest_faults_are_told_apart() {
        let failure = 13 << 16;

        assert_eq!(
            fault(failure, -1_765_328_377),
            KerberosFault::ServiceUnknown("ldap/dc1.lab.example@LAB.EXAMPLE".into())
        );
        assert_eq!(fault(failure, -1_765_328_347), KerberosFault::ClockSkew);
        assert_eq!(fault(failure, -1_765_328_352), KerberosFault::TicketExpired);
        assert_eq!(fault(failure, -1_765_328_360), KerberosFault::Refused);
        assert_eq!(fault(failure, -1_765_328_366), KerberosFault::Revoked);
        assert_eq!(fault(failure, -1_765_328_228), KerberosFault::NoKeyServer("LAB.EXAMPLE".into()));
        assert_eq!(fault(failure, -1_765_328_189), KerberosFault::NoTicket);
        assert_eq!(fault(NO_CREDENTIALS, 0), KerberosFault::NoTicket);
    }

    #[test]
    fn buffers_out_of_order_are_errors_although_the_library_only_informs() {
        assert_eq!(unwrap_fault(DUPLICATE_TOKEN), KerberosFault::Disturbed(Damage::Repeated));
        assert_eq!(unwrap_fault(1 << 4), KerberosFault::Disturbed(Damage::Missing));
        assert_eq!(unwrap_fault(6 << 16), KerberosFault::Disturbed(Damage::Changed));
    }
}
