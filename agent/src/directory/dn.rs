//! Decides when two distinguished names are the same and which lies under which (RFC 4514).
//!
//! Active Directory compares names without case; comparing the texts is a known class of bugs. Everything that must
//! last is keyed by GUID: names are only used inside one reading.

use std::fmt;

/// A distinguished name: the text as the server wrote it, and the same folded for comparison. What it takes in memory is
/// a small multiple of its text, whatever that looks like.
#[derive(Debug, Clone)]
pub struct Dn {
    text: String,
    /// `attribute=value` and a zero for each level, the deepest first.
    folded: String,
    levels: Box<[Level]>,
}

/// Where a level begins.
#[derive(Debug, Clone, Copy)]
struct Level {
    text: u32,
    folded: u32,
}

/// More than any directory nests: a name that goes on and on is none.
const MOST_LEVELS: usize = 128;

impl Dn {
    /// Reads a name; `None` if it is not one.
    pub fn parse(text: &str) -> Option<Self> {
        let mut folded = String::with_capacity(text.len() + 1);
        let mut levels = Vec::new();
        let mut at = 0;
        for part in split_unescaped(text, ',') {
            if levels.len() == MOST_LEVELS {
                return None;
            }
            levels.push(Level { text: u32::try_from(at).ok()?, folded: u32::try_from(folded.len()).ok()? });
            at += part.len() + 1;
            fold_level(part, &mut folded)?;
        }
        Some(Self { text: text.to_owned(), folded, levels: levels.into() })
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The text of the name above this one.
    pub fn parent(&self) -> Option<&str> {
        self.text.get(self.levels.get(1)?.text as usize..)
    }

    /// The value of the deepest level, unescaped.
    pub fn leaf(&self) -> String {
        let part = split_unescaped(&self.text, ',').next().unwrap_or_default();
        unescape(part.split_once('=').map_or("", |(_, value)| value)).unwrap_or_default()
    }

    /// Whether this is `other` or lies anywhere below it.
    pub fn is_at_or_under(&self, other: &Self) -> bool {
        let below = self.folded.strip_suffix(&other.folded);
        below.is_some_and(|below| below.is_empty() || below.ends_with(END))
    }

    /// Whether this lies in a child domain of `head`: domains alone carry `DC` directly below one.
    pub fn is_in_another_domain_below(&self, head: &Self) -> bool {
        let below = self.levels.len().checked_sub(head.levels.len() + 1).and_then(|at| self.key_from(at));
        self.is_at_or_under(head) && below.is_some_and(|key| key.starts_with("dc="))
    }

    /// One text per name, however it was written: for maps inside one reading.
    pub fn key(&self) -> &str {
        &self.folded
    }

    /// The keys of all names above this one, the nearest first.
    pub fn keys_above(&self) -> impl Iterator<Item = &str> {
        (1..self.levels.len()).filter_map(|at| self.key_from(at))
    }

    fn key_from(&self, level: usize) -> Option<&str> {
        self.folded.get(self.levels.get(level)?.folded as usize..)
    }
}

/// The text of the name above, without taking the rest of the name apart. `None` if it is no name.
pub fn parent_of(text: &str) -> Option<&str> {
    let first = split_unescaped(text, ',').next()?;
    first.contains('=').then(|| text.get(first.len() + 1..).unwrap_or_default())
}

impl PartialEq for Dn {
    fn eq(&self, other: &Self) -> bool {
        self.folded == other.folded
    }
}

impl Eq for Dn {}

impl fmt::Display for Dn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn split_unescaped(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let mut escaped = false;
    text.split(move |c: char| {
        let splits = c == separator && !escaped;
        escaped = c == '\\' && !escaped;
        splits
    })
}

/// Ends each level of a key. It cannot occur inside a value that came from Active Directory, so two names cannot run into
/// one key; a name that has it is none.
const END: char = '\0';

/// A level with several `+` parts keeps them in a fixed order, since the order carries no meaning.
fn fold_level(part: &str, to: &mut String) -> Option<()> {
    let mut pairs = Vec::new();
    for pair in split_unescaped(part, '+') {
        let (attribute, value) = pair.split_once('=')?;
        pairs.push((attribute.trim().to_lowercase(), fold(&unescape(value)?)));
    }
    pairs.sort();
    let (attributes, values): (Vec<_>, Vec<_>) = pairs.into_iter().unzip();
    let begin = to.len();
    to.push_str(&attributes.join("+"));
    to.push('=');
    to.push_str(&values.join("+"));
    if to.get(begin..)?.contains(END) {
        return None;
    }
    to.push(END);
    Some(())
}

fn fold(value: &str) -> String {
    value.chars().flat_map(char::to_lowercase).collect()
}

/// Undoes `\,` and `\0A`; blanks at the ends count only when they are escaped.
fn unescape(value: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(value.len());
    let mut keep = 0;
    let mut rest = value.trim_start_matches(' ').as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte == b'\\' {
            let (literal, after) = escaped(rest)?;
            bytes.push(literal);
            keep = bytes.len();
            rest = after;
        } else {
            bytes.push(byte);
            keep = if byte == b' ' { keep } else { bytes.len() };
        }
    }
    bytes.truncate(keep);
    String::from_utf8(bytes).ok()
}

fn escaped(rest: &[u8]) -> Option<(u8, &[u8])> {
    // `from_str_radix` would also take `+B`, which is an escaped plus sign before a B.
    let pair = rest.get(..2).filter(|pair| pair.iter().all(u8::is_ascii_hexdigit));
    let hex = pair.and_then(|pair| std::str::from_utf8(pair).ok());
    if let Some(byte) = hex.and_then(|pair| u8::from_str_radix(pair, 16).ok()) {
        return Some((byte, rest.get(2..).unwrap_or_default()));
    }
    rest.split_first().map(|(&byte, after)| (byte, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dn(text: &str) -> Dn {
        Dn::parse(text).unwrap()
    }

    #[test]
    fn case_and_spelling_of_escapes_do_not_matter() {
        assert_eq!(dn("CN=Müller\\, Änne,OU=Staff,DC=lab"), dn("cn=mÜLLER\\2c äNNE,ou=staff,dc=LAB"));
        assert_eq!(dn("CN=Müller\\, Änne,OU=Staff,DC=lab").key(), dn("cn=mÜLLER\\2C äNNE,ou=staff,dc=LAB").key());
    }

    #[test]
    fn a_comma_in_a_name_is_not_a_level() {
        let ana = dn("CN=Silva\\, Ana,OU=Staff,DC=lab");

        assert_eq!(ana.parent(), Some("OU=Staff,DC=lab"));
        assert_eq!(ana.leaf(), "Silva, Ana");
    }

    #[test]
    fn a_longer_name_with_the_same_ending_letters_is_not_underneath() {
        assert!(dn("CN=a,OU=Staff,DC=lab").is_at_or_under(&dn("OU=staff,DC=lab")));
        assert!(dn("OU=staff,DC=lab").is_at_or_under(&dn("OU=Staff,DC=lab")));
        assert!(!dn("CN=a,OU=OtherStaff,DC=lab").is_at_or_under(&dn("OU=Staff,DC=lab")));
    }

    #[test]
    fn case_22_replication_twins_and_odd_names_are_read() {
        let twin = dn("CN=Ana Silva\\0ACNF:1b6c,OU=Staff,DC=lab");
        let odd = dn("CN=\\#1 \\\"best\\\" \\+ 漢字\\ ,OU=a\\\\b,DC=lab");

        assert_eq!(twin.leaf(), "Ana Silva\nCNF:1b6c");
        assert_eq!(odd.leaf(), "#1 \"best\" + 漢字 ");
        assert_eq!(odd.parent(), Some("OU=a\\\\b,DC=lab"));
    }

    #[test]
    fn an_escaped_sign_before_a_hex_digit_is_the_sign() {
        assert_eq!(dn("CN=A\\+B \\,C,DC=lab").leaf(), "A+B ,C");
    }

    #[test]
    fn what_has_no_equals_sign_is_no_name() {
        assert!(Dn::parse("somebody").is_none());
        assert!(Dn::parse("CN=\\").is_none());
    }

    #[test]
    fn a_name_takes_little_more_memory_than_its_text_and_has_an_end() {
        for text in ["a=,".repeat(MOST_LEVELS - 1) + "a=", "CN=".to_owned() + &"x".repeat(100_000)] {
            let name = dn(&text);
            let held = name.text.capacity() + name.folded.capacity() + size_of_val(&*name.levels);
            assert!(held <= text.len() * 6, "{held} bytes for {}", text.len());
        }
        assert!(Dn::parse(&("a=,".repeat(MOST_LEVELS) + "a=")).is_none());
    }

    #[test]
    fn nobody_makes_two_names_run_into_one() {
        assert!(Dn::parse("CN=a\\00ou=b,DC=lab").is_none());
        assert_ne!(dn("CN=a\\,OU=b,DC=lab"), dn("CN=a,OU=b,DC=lab"));
        assert!(!dn("CN=x\\,OU=b,DC=lab").is_at_or_under(&dn("OU=b,DC=lab")));
    }

    #[test]
    fn the_names_above_are_told_from_the_nearest_on() {
        let ana = dn("CN=Ana,OU=Staff,DC=Lab,DC=example");

        let above: Vec<&str> = ana.keys_above().collect();

        assert_eq!(
            above,
            [dn("OU=staff,DC=lab,DC=example").key(), dn("dc=lab,dc=example").key(), dn("DC=EXAMPLE").key()]
        );
    }

    /// As RFC 4514 2.4 writes a value.
    fn escape(value: &str) -> String {
        let last = value.chars().count() - 1;
        let escape = |(at, sign): (usize, char)| match sign {
            '"' | '+' | ',' | ';' | '<' | '>' | '\\' | '=' => format!("\\{sign}"),
            ' ' if at == 0 || at == last => "\\ ".to_owned(),
            '#' if at == 0 => "\\#".to_owned(),
            other => other.to_string(),
        };
        value.chars().enumerate().map(escape).collect()
    }

    proptest::proptest! {
        #[test]
        fn any_value_survives_escaping(value in "[^\u{0}]{1,24}") {
            let escaped = escape(&value);
            let name = dn(&format!("CN={escaped},OU=Staff,DC=lab"));
            proptest::prop_assert_eq!(name.leaf(), value);
            proptest::prop_assert_eq!(name.parent(), Some("OU=Staff,DC=lab"));
            proptest::prop_assert_eq!(parent_of(name.as_str()), name.parent());
        }
    }
}
