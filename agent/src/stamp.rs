//! A text that stands in the program between a mark and zeros, so that it can be exchanged in the built file: a release
//! puts its makers' root there, a test turns one build into several versions that differ in nothing else.
//!
//! It proves nothing. What is installed is decided by the hash of the whole file, and what the file holds by its signature.

/// A place of fixed length.
#[derive(Debug)]
pub struct Stamp<const LENGTH: usize> {
    bytes: [u8; LENGTH],
    begin: usize,
}

impl<const LENGTH: usize> Stamp<LENGTH> {
    /// Mark, text, and zeros to the end.
    ///
    /// # Panics
    /// If the text is too long; in a `static`, where all stamps are, it then does not compile.
    pub const fn new(mark: &[u8], text: &[u8]) -> Self {
        let mut bytes = [0; LENGTH];
        let mut at = 0;
        while at < mark.len() {
            bytes[at] = mark[at];
            at += 1;
        }
        let mut letter = 0;
        while letter < text.len() {
            bytes[at + letter] = text[letter];
            letter += 1;
        }
        assert!(at + letter < LENGTH, "there is no zero after the text");
        Self { bytes, begin: mark.len() }
    }

    /// The text as it stands in the file; `None` when somebody put there what is none.
    pub fn text(&'static self) -> Option<&'static str> {
        // Read where it stands, not as the compiler remembers it.
        let here: &'static Self = std::hint::black_box(self);
        let text = here.bytes.get(here.begin..)?;
        let end = text.iter().position(|byte| *byte == 0)?;
        std::str::from_utf8(&text[..end]).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_stamped_is_read_up_to_the_first_zero() {
        static STAMP: Stamp<32> = Stamp::new(b"a-mark:", b"0.1.0");

        assert_eq!(STAMP.text(), Some("0.1.0"));
        assert_eq!(&STAMP.bytes[..14], b"a-mark:0.1.0\0\0");
    }

    #[test]
    fn a_place_without_an_end_or_without_a_text_holds_none() {
        static ENDLESS: Stamp<8> = Stamp { bytes: *b"m:123456", begin: 2 };
        static BINARY: Stamp<8> = Stamp { bytes: *b"m:\xff\xfe\0\0\0\0", begin: 2 };

        assert_eq!((ENDLESS.text(), BINARY.text()), (None, None));
    }
}
