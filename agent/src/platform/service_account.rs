//! Decides whether the account that the service runs as has to be named in the folder's access list beside the service.
//!
//! The service's own identity opens the folder under every account, and is enough. An account that somebody chose for this
//! service, such as a gMSA, is named as well: what it made in the folder is ours, and it gets in also where the setting
//! that puts the service's identity into its token was refused.

/// The account to look up, as the system takes it; `None` where the service's own identity says all.
#[cfg(any(windows, test))]
pub fn chosen(start_name: &str) -> Option<&str> {
    let name = start_name.trim();
    let (domain, _) = name.split_once('\\').unwrap_or_default();
    // Accounts that other services share must not get in, and the virtual account is the service's own identity.
    let is_of_the_system = ["NT AUTHORITY", "NT SERVICE"].iter().any(|own| domain.eq_ignore_ascii_case(own));
    match name {
        "" => None,
        _ if is_of_the_system || name.eq_ignore_ascii_case("LocalSystem") => None,
        // The service manager's word for "of this machine".
        _ => Some(name.strip_prefix(r".\").unwrap_or(name)),
    }
}

/// The SID of the account that the service is set to run as, if it is one to name and the system knows it.
#[cfg(windows)]
pub fn sid() -> Option<String> {
    let name = super::service::start_name()?;
    let found = windows::sid_of_user(chosen(&name)?);
    if found.is_none() {
        tracing::warn!(
            "the account of the service is not known to this machine; the folder is open to the service alone"
        );
    }
    found
}

#[cfg(windows)]
mod windows {
    #![expect(unsafe_code, reason = "calls into advapi32")]

    use std::ptr;

    use windows_sys::Win32::Foundation::LocalFree;
    use windows_sys::Win32::Security::Authorization::ConvertSidToStringSidW;
    use windows_sys::Win32::Security::{LookupAccountNameW, SECURITY_MAX_SID_SIZE, SidTypeComputer, SidTypeUser};

    use crate::platform::wide;

    /// Longer than any name of a domain.
    const DOMAIN: usize = 256;

    /// A group of that name is nobody that a service runs as.
    pub fn sid_of_user(name: &str) -> Option<String> {
        let name = wide::of(name);
        // Eight-byte words, since a SID is read by the word.
        let mut sid = [0_u64; (SECURITY_MAX_SID_SIZE as usize).div_ceil(8)];
        let mut domain = [0_u16; DOMAIN];
        let mut sid_size = u32::try_from(size_of_val(&sid)).ok()?;
        let mut domain_size = u32::try_from(domain.len()).ok()?;
        let mut kind = 0;
        // SAFETY: the name ends with a zero; both buffers are as long as is told, and outlive the call.
        let done = unsafe {
            LookupAccountNameW(
                ptr::null(),
                name.as_ptr(),
                sid.as_mut_ptr().cast(),
                &raw mut sid_size,
                domain.as_mut_ptr(),
                &raw mut domain_size,
                &raw mut kind,
            )
        };
        if done == 0 || ![SidTypeUser, SidTypeComputer].contains(&kind) {
            return None;
        }
        let mut text = ptr::null_mut();
        // SAFETY: the system has just written a SID there; what it hands out is read, and freed once.
        unsafe {
            if ConvertSidToStringSidW(sid.as_mut_ptr().cast(), &raw mut text) == 0 {
                return None;
            }
            let told = wide::read(text);
            LocalFree(text.cast());
            Some(told)
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn a_user_is_found_by_name_and_a_group_or_a_stranger_is_not() {
            #[expect(clippy::disallowed_methods, reason = "who runs the tests is told by the environment alone")]
            let own = std::env::var("USERNAME").unwrap();

            assert!(sid_of_user(&own).unwrap().starts_with("S-1-5-21-"));
            assert_eq!(sid_of_user("Everyone"), None);
            assert_eq!(sid_of_user(r"NOWHERE\gmsa-rollcall$"), None);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chosen_account_is_named_and_one_that_others_share_is_not() {
        assert_eq!(chosen(r"LAB\gmsa-rollcall$"), Some(r"LAB\gmsa-rollcall$"));
        assert_eq!(chosen("svc-rollcall@lab.example"), Some("svc-rollcall@lab.example"));
        assert_eq!(chosen(r".\rollcall"), Some("rollcall"));

        for shared in ["LocalSystem", "localsystem", r"NT AUTHORITY\NetworkService", r"nt authority\system", ""] {
            assert_eq!(chosen(shared), None, "{shared}");
        }
        assert_eq!(chosen(r"NT SERVICE\RollcallAgent"), None);
    }
}
