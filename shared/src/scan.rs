//! Decides, without parsing, whether a JSON text is too deep or holds too long a string to be parsed at all.

use crate::limits;

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TooMuch {
    #[error("nested deeper than {} levels", limits::DEPTH)]
    Depth,
    #[error("holds a string longer than {} bytes", limits::STRING)]
    String,
    /// PostgreSQL stores no NUL in a text, so nobody may send one.
    #[error("holding a NUL character")]
    Nul,
}

/// Looks at structure only: a text that is no JSON passes and fails in the parser.
pub fn check(json: &[u8]) -> Result<(), TooMuch> {
    let mut depth = 0_usize;
    let mut string: Option<usize> = None;
    let mut escaped = false;
    for (at, &byte) in json.iter().enumerate() {
        match string {
            Some(length) if !escaped && byte == b'"' => {
                debug_assert!(length <= limits::STRING);
                string = None;
            }
            Some(length) => {
                if length == limits::STRING {
                    return Err(TooMuch::String);
                }
                if escaped && json.get(at..at + 5) == Some(b"u0000") {
                    return Err(TooMuch::Nul);
                }
                string = Some(length + 1);
                escaped = !escaped && byte == b'\\';
            }
            None => match byte {
                b'"' => string = Some(0),
                b'{' | b'[' => {
                    depth += 1;
                    if depth > limits::DEPTH {
                        return Err(TooMuch::Depth);
                    }
                }
                b'}' | b']' => depth = depth.saturating_sub(1),
                _ => {}
            },
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_is_counted_outside_strings_and_refused_one_past_the_limit() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert_eq!(check(nested(limits::DEPTH).as_bytes()), Ok(()));
        assert_eq!(check(nested(limits::DEPTH + 1).as_bytes()), Err(TooMuch::Depth));
        assert_eq!(check(format!(r#"["{}"]"#, "[".repeat(100)).as_bytes()), Ok(()));
        assert_eq!(check(format!(r#"["\"{}"]"#, "[".repeat(100)).as_bytes()), Ok(()));
    }

    #[test]
    fn an_escaped_nul_is_refused_and_its_spelling_in_plain_text_is_not() {
        assert_eq!(check(br#"{"dn":"CN=\\u0000"}"#), Ok(()));
        assert_eq!(check(br#"{"dn":"CN=\u0000"}"#), Err(TooMuch::Nul));
        assert_eq!(check(br#"{"dn":"CN=\\\u0000"}"#), Err(TooMuch::Nul));
    }

    #[test]
    fn a_string_may_be_as_long_as_the_limit_and_no_longer() {
        let string = |length: usize| format!(r#""{}""#, "x".repeat(length));
        assert_eq!(check(string(limits::STRING).as_bytes()), Ok(()));
        assert_eq!(check(string(limits::STRING + 1).as_bytes()), Err(TooMuch::String));
    }
}
