//! Asks the system's own locator for a domain controller. It knows the site of this machine, which DNS alone does not.

/// Full DNS name of a controller of this domain. `None` when the locator knows none, or where there is no locator.
/// May take several seconds.
#[cfg(not(windows))]
pub fn find(_domain: &str) -> Option<String> {
    None
}

/// Full DNS name of a controller of this domain. `None` when the locator knows none, or where there is no locator.
/// May take several seconds.
#[cfg(windows)]
pub fn find(domain: &str) -> Option<String> {
    use windows_sys::Win32::NetworkManagement::NetManagement::NetApiBufferFree;
    use windows_sys::Win32::Networking::ActiveDirectory::{
        DOMAIN_CONTROLLER_INFOW, DS_DIRECTORY_SERVICE_REQUIRED, DS_IS_DNS_NAME, DS_RETURN_DNS_NAME, DsGetDcNameW,
    };

    let domain: Vec<u16> = domain.encode_utf16().chain([0]).collect();
    let mut info: *mut DOMAIN_CONTROLLER_INFOW = std::ptr::null_mut();
    let flags = DS_DIRECTORY_SERVICE_REQUIRED | DS_IS_DNS_NAME | DS_RETURN_DNS_NAME;
    // SAFETY: the name ends with a zero and outlives the call, the null pointers mean "not given", and `info` is a
    // valid place for the one pointer that the call writes.
    let result = unsafe {
        DsGetDcNameW(std::ptr::null(), domain.as_ptr(), std::ptr::null(), std::ptr::null(), flags, &raw mut info)
    };
    if result != 0 || info.is_null() {
        return None;
    }
    // SAFETY: after success `info` points to a structure whose name is a string that ends with a zero; it is read
    // before it is freed.
    let name = unsafe { wide_text((*info).DomainControllerName) };
    // SAFETY: the buffer was allocated by the call above and is freed once.
    unsafe { NetApiBufferFree(info.cast()) };
    bare(&name)
}

/// # Safety
/// `text` is null or points to UTF-16 that ends with a zero.
#[cfg(windows)]
unsafe fn wide_text(text: *const u16) -> String {
    if text.is_null() {
        return String::new();
    }
    let mut length = 0;
    // SAFETY: by the promise of the caller every unit up to the zero may be read.
    while unsafe { *text.add(length) } != 0 {
        length += 1;
    }
    // SAFETY: these units were just read.
    String::from_utf16_lossy(unsafe { std::slice::from_raw_parts(text, length) })
}

/// `\\dc1.lab.example` or `\\dc1.lab.example.` → `dc1.lab.example`; an address or a NetBIOS name is in no certificate.
#[cfg(any(windows, test))]
fn bare(name: &str) -> Option<String> {
    let name = name.trim_start_matches('\\').trim_end_matches('.');
    let is_name = name.contains('.') && name.parse::<std::net::IpAddr>().is_err();
    is_name.then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_full_name_is_taken_from_the_locator() {
        assert_eq!(bare("\\\\dc1.lab.example."), Some("dc1.lab.example".to_owned()));
        assert_eq!(bare("\\\\192.0.2.10"), None);
        assert_eq!(bare("\\\\DC1"), None);
    }
}
