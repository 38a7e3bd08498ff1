//! Decides how a secret rests on the disk: sealed by DPAPI on Windows, as it is in a private file elsewhere.
//!
//! Either form is text that can be told apart, so that a file can be read whichever way it was written.

use std::io;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

#[cfg(windows)]
mod windows;

const SEALED: &str = "dpapi:";

/// The form for the disk.
pub fn seal(secret: &[u8]) -> io::Result<String> {
    #[cfg(windows)]
    return Ok(format!("{SEALED}{}", URL_SAFE_NO_PAD.encode(windows::protect(secret)?)));
    #[cfg(not(windows))]
    return Ok(URL_SAFE_NO_PAD.encode(secret));
}

/// What was sealed. An error when it was sealed on another machine, or changed.
pub fn open(text: &str) -> io::Result<Zeroizing<Vec<u8>>> {
    let damaged = |_| io::Error::from(io::ErrorKind::InvalidData);
    match text.strip_prefix(SEALED) {
        None => Ok(Zeroizing::new(URL_SAFE_NO_PAD.decode(text).map_err(damaged)?)),
        Some(sealed) => unseal(&URL_SAFE_NO_PAD.decode(sealed).map_err(damaged)?),
    }
}

#[cfg(windows)]
fn unseal(sealed: &[u8]) -> io::Result<Zeroizing<Vec<u8>>> {
    windows::unprotect(sealed)
}

#[cfg(not(windows))]
fn unseal(_sealed: &[u8]) -> io::Result<Zeroizing<Vec<u8>>> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "sealed by Windows"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sealed_here_opens_here() {
        let sealed = seal(b"a secret").unwrap();

        assert_eq!(open(&sealed).unwrap().as_slice(), b"a secret");
        assert_eq!(sealed.starts_with(SEALED), cfg!(windows));
    }

    #[test]
    fn what_another_machine_sealed_is_an_error_and_no_secret() {
        assert!(open("dpapi:AQAAANCMnd8BFdERjHoAwE").is_err());
        assert!(open("not base64!").is_err());
    }
}
