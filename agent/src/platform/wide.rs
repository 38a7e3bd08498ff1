//! Text as Windows takes it: UTF-16 with a zero at the end.

use std::ffi::OsStr;
use std::os::windows::ffi::OsStrExt;

pub fn of(text: impl AsRef<OsStr>) -> Vec<u16> {
    text.as_ref().encode_wide().chain(std::iter::once(0)).collect()
}

/// # Safety
/// `text` is null or points to UTF-16 that ends with a zero.
#[expect(unsafe_code, reason = "reads text that Windows wrote; the caller promises that it did")]
pub unsafe fn read(text: *const u16) -> String {
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
