//! Writes where a page of a list ended into an address, and reads it back. Nobody needs to understand it.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::{Serialize, de::DeserializeOwned};

pub fn write(place: &impl Serialize) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(serde_json::to_vec(place).unwrap_or_default())
}

/// What cannot be read is the beginning of the list.
pub fn read<T: DeserializeOwned>(text: &str) -> Option<T> {
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(text).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_survives_the_address_and_noise_is_the_beginning() {
        let place = ("Søren & Co".to_owned(), 7);
        assert_eq!(read(&write(&place)), Some(place));
        assert_eq!(read::<(String, i32)>("%%%"), None);
        assert_eq!(read::<(String, i32)>("bnVsbA"), None);
    }
}
