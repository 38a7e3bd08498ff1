//! DPAPI with the machine's key: what it seals opens on this Windows installation alone. Who may read the sealed text
//! is decided by the folder's access list.

#![expect(unsafe_code, reason = "calls into crypt32")]

use std::io;
use std::ptr;

use windows_sys::Win32::Foundation::LocalFree;
use windows_sys::Win32::Security::Cryptography::{
    CRYPT_INTEGER_BLOB, CRYPTPROTECT_LOCAL_MACHINE, CRYPTPROTECT_UI_FORBIDDEN, CryptProtectData, CryptUnprotectData,
};
use zeroize::{Zeroize, Zeroizing};

/// No secret: it keeps other programs that ask DPAPI to open whatever they find from opening this by accident.
const PURPOSE: &[u8] = b"rollcall-agent secret v1";

pub fn protect(secret: &[u8]) -> io::Result<Vec<u8>> {
    let (input, purpose) = (blob(secret)?, blob(PURPOSE)?);
    let flags = CRYPTPROTECT_LOCAL_MACHINE | CRYPTPROTECT_UI_FORBIDDEN;
    let mut output = empty();
    // SAFETY: the blobs point to slices that outlive the call; `output` is filled by the system, freed by `take`.
    let done = unsafe {
        CryptProtectData(
            &raw const input,
            ptr::null(),
            &raw const purpose,
            ptr::null(),
            ptr::null(),
            flags,
            &raw mut output,
        )
    };
    if done == 0 { Err(io::Error::last_os_error()) } else { Ok(take(output).to_vec()) }
}

pub fn unprotect(sealed: &[u8]) -> io::Result<Zeroizing<Vec<u8>>> {
    let (input, purpose) = (blob(sealed)?, blob(PURPOSE)?);
    let mut output = empty();
    // SAFETY: as above.
    let done = unsafe {
        CryptUnprotectData(
            &raw const input,
            ptr::null_mut(),
            &raw const purpose,
            ptr::null(),
            ptr::null(),
            CRYPTPROTECT_UI_FORBIDDEN,
            &raw mut output,
        )
    };
    if done == 0 { Err(io::Error::last_os_error()) } else { Ok(take(output)) }
}

/// DPAPI reads these bytes only, whatever the pointer's type says.
fn blob(bytes: &[u8]) -> io::Result<CRYPT_INTEGER_BLOB> {
    let length = u32::try_from(bytes.len()).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    Ok(CRYPT_INTEGER_BLOB { cbData: length, pbData: bytes.as_ptr().cast_mut() })
}

fn empty() -> CRYPT_INTEGER_BLOB {
    CRYPT_INTEGER_BLOB { cbData: 0, pbData: ptr::null_mut() }
}

/// Copies the system's answer, wipes it and gives it back.
fn take(blob: CRYPT_INTEGER_BLOB) -> Zeroizing<Vec<u8>> {
    // SAFETY: after success the system owns `cbData` initialised bytes at `pbData`, allocated with LocalAlloc.
    unsafe {
        let bytes = std::slice::from_raw_parts_mut(blob.pbData, blob.cbData as usize);
        let copy = Zeroizing::new(bytes.to_vec());
        bytes.zeroize();
        LocalFree(blob.pbData.cast());
        copy
    }
}
