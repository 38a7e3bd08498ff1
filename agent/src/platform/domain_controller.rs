//! Asks the system's own locator for a domain controller. It knows the site of this machine, which DNS alone does not.

#![cfg_attr(windows, expect(unsafe_code, reason = "calls the locator of netapi32; every block says why it is sound"))]

/// What the locator said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Located {
    /// Full DNS name of a controller.
    Controller(String),
    /// It knows none, with its own number for why: 1355 where the machine is in no domain that trusts this one.
    NoneKnown { error: u32 },
    /// It named a controller in a way that stands in no certificate.
    Unusable(String),
    /// It said nothing in time.
    Silent,
    /// This system has no locator.
    NoLocator,
}

impl Located {
    /// The controller, if there is one to use.
    pub fn host(&self) -> Option<&str> {
        match self {
            Self::Controller(host) => Some(host),
            Self::NoneKnown { .. } | Self::Unusable(_) | Self::Silent | Self::NoLocator => None,
        }
    }
}

/// Whether the locator may answer with what it found before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Search {
    /// It keeps an answer for a quarter of an hour and longer.
    Remembered,
    /// What it remembers did not work.
    Anew,
}

/// A controller of this domain that holds everything: a read-only one may lack attributes. May take several seconds.
#[cfg(not(windows))]
pub fn find(_domain: &str, _search: Search) -> Located {
    Located::NoLocator
}

/// A controller of this domain that holds everything: a read-only one may lack attributes. May take several seconds.
#[cfg(windows)]
pub fn find(domain: &str, search: Search) -> Located {
    use super::wide;
    use windows_sys::Win32::NetworkManagement::NetManagement::NetApiBufferFree;
    use windows_sys::Win32::Networking::ActiveDirectory::{
        DOMAIN_CONTROLLER_INFOW, DS_DIRECTORY_SERVICE_REQUIRED, DS_FORCE_REDISCOVERY, DS_IS_DNS_NAME,
        DS_RETURN_DNS_NAME, DS_WRITABLE_REQUIRED, DsGetDcNameW,
    };

    let domain = wide::of(domain);
    let mut info: *mut DOMAIN_CONTROLLER_INFOW = std::ptr::null_mut();
    let what = DS_DIRECTORY_SERVICE_REQUIRED | DS_WRITABLE_REQUIRED | DS_IS_DNS_NAME | DS_RETURN_DNS_NAME;
    let flags = match search {
        Search::Remembered => what,
        Search::Anew => what | DS_FORCE_REDISCOVERY,
    };
    // SAFETY: the name ends with a zero and outlives the call, the null pointers mean "not given", and `info` is a
    // valid place for the one pointer that the call writes.
    let error = unsafe {
        DsGetDcNameW(std::ptr::null(), domain.as_ptr(), std::ptr::null(), std::ptr::null(), flags, &raw mut info)
    };
    if error != 0 || info.is_null() {
        return Located::NoneKnown { error };
    }
    // SAFETY: after success `info` points to a structure whose name is a string that ends with a zero; it is read
    // before it is freed.
    let name = unsafe { wide::read((*info).DomainControllerName) };
    // SAFETY: the buffer was allocated by the call above and is freed once.
    unsafe { NetApiBufferFree(info.cast()) };
    named(&name)
}

/// `\\dc1.lab.example` or `\\dc1.lab.example.` → `dc1.lab.example`; an address or a NetBIOS name is in no certificate.
#[cfg(any(windows, test))]
fn named(name: &str) -> Located {
    let name = name.trim_start_matches('\\').trim_end_matches('.').to_owned();
    let is_full = name.contains('.') && name.parse::<std::net::IpAddr>().is_err();
    if is_full { Located::Controller(name) } else { Located::Unusable(name) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_full_name_is_taken_from_the_locator() {
        assert_eq!(named("\\\\dc1.lab.example.").host(), Some("dc1.lab.example"));
        assert_eq!(named("\\\\192.0.2.10"), Located::Unusable("192.0.2.10".to_owned()));
        assert_eq!(named("\\\\DC1"), Located::Unusable("DC1".to_owned()));
    }
}
