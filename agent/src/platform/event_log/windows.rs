//! `ReportEventW`, and nothing more.

#![expect(unsafe_code, reason = "calls into advapi32")]

use std::ptr;

use windows_sys::Win32::Foundation::HANDLE;
use windows_sys::Win32::System::EventLog::{
    DeregisterEventSource, EVENTLOG_ERROR_TYPE, EVENTLOG_INFORMATION_TYPE, EVENTLOG_WARNING_TYPE, RegisterEventSourceW,
    ReportEventW,
};

use super::Kind;
use crate::platform::wide;

/// Windows refuses strings above 31,839 characters.
const LONGEST: usize = 30_000;

#[derive(Debug)]
pub struct Source(HANDLE);

// SAFETY: an event source's handle may be used by any thread; the system serialises the writes.
unsafe impl Send for Source {}
// SAFETY: as above.
unsafe impl Sync for Source {}

impl Source {
    pub fn register(name: &str) -> Option<Self> {
        let name = wide::of(name);
        // SAFETY: the name ends with a zero; the handle is given back when dropped.
        let handle = unsafe { RegisterEventSourceW(ptr::null(), name.as_ptr()) };
        (!handle.is_null()).then_some(Self(handle))
    }

    pub fn report(&self, kind: Kind, id: u16, text: &str) {
        let kind = match kind {
            Kind::Error => EVENTLOG_ERROR_TYPE,
            Kind::Warning => EVENTLOG_WARNING_TYPE,
            Kind::Information => EVENTLOG_INFORMATION_TYPE,
        };
        let text: String = text.chars().filter(|letter| *letter != '\0').take(LONGEST).collect();
        let text = wide::of(text);
        let strings = [text.as_ptr()];
        // SAFETY: one string that ends with a zero, no binary data; all outlive the call.
        unsafe {
            ReportEventW(self.0, kind, 0, u32::from(id), ptr::null_mut(), 1, 0, strings.as_ptr(), ptr::null());
        }
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        // SAFETY: the handle came from RegisterEventSourceW and is not used afterwards.
        unsafe {
            DeregisterEventSource(self.0);
        }
    }
}
