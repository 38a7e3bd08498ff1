//! Text as Windows takes it: UTF-16 with a zero at the end.

use std::ffi::OsStr;
use std::os::windows::ffi::OsStrExt;

pub fn of(text: impl AsRef<OsStr>) -> Vec<u16> {
    text.as_ref().encode_wide().chain(std::iter::once(0)).collect()
}
