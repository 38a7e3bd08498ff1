//! Decides what a customer may be called, in the portal and in its address.

use std::{fmt, str::FromStr};

/// The name is empty or too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a name has 1 to {} characters and no line breaks", CustomerName::MAX)]
pub struct NameError;

/// A customer's name as the MSP writes it, trimmed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustomerName(String);

impl CustomerName {
    pub const MAX: usize = 120;

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The word that stands for the customer in addresses; numbered by the caller when it is taken.
    pub fn slug(&self) -> Slug {
        let mut slug = String::new();
        for c in self.0.chars().flat_map(char::to_lowercase) {
            match c {
                'a'..='z' | '0'..='9' => slug.push(c),
                other => push_plain(&mut slug, other),
            }
        }
        let slug: String = slug.trim_matches('-').chars().take(Slug::MAX).collect();
        let slug = slug.trim_end_matches('-');
        Slug(if slug.is_empty() { "customer".to_owned() } else { slug.to_owned() })
    }
}

/// German and Nordic letters keep their usual plain spelling; everything else becomes one hyphen.
fn push_plain(slug: &mut String, c: char) {
    match c {
        'ä' | 'æ' => slug.push_str("ae"),
        'ö' | 'ø' => slug.push_str("oe"),
        'ü' => slug.push_str("ue"),
        'ß' => slug.push_str("ss"),
        'å' | 'á' | 'à' | 'â' | 'ã' => slug.push('a'),
        'é' | 'è' | 'ê' | 'ë' => slug.push('e'),
        'í' | 'ì' | 'î' | 'ï' => slug.push('i'),
        'ó' | 'ò' | 'ô' | 'õ' => slug.push('o'),
        'ú' | 'ù' | 'û' => slug.push('u'),
        'ç' => slug.push('c'),
        'ñ' => slug.push('n'),
        '\'' | '’' | '.' => {}
        _ if slug.ends_with('-') => {}
        _ => slug.push('-'),
    }
}

impl FromStr for CustomerName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let trimmed = text.trim();
        let fits = (1..=Self::MAX).contains(&trimmed.chars().count());
        if fits && !trimmed.chars().any(char::is_control) { Ok(Self(trimmed.to_owned())) } else { Err(NameError) }
    }
}

impl fmt::Display for CustomerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A customer's word in addresses: lower-case letters, digits and single hyphens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slug(String);

impl Slug {
    pub const MAX: usize = 48;

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn numbered(&self, number: u32) -> Slug {
        Slug(format!("{}-{number}", self.0))
    }
}

impl fmt::Display for Slug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slug_is_what_people_would_type() {
        let slug = |name: &str| name.parse::<CustomerName>().unwrap().slug().to_string();
        assert_eq!(slug("Müller & Söhne GmbH"), "mueller-soehne-gmbh");
        assert_eq!(slug("O'Brien, Inc."), "obrien-inc");
        assert_eq!(slug("  日本  "), "customer");
        assert_eq!(slug(&"ab ".repeat(40)).len(), Slug::MAX - 1);
    }

    #[test]
    fn an_empty_or_endless_name_is_refused() {
        assert_eq!("  ".parse::<CustomerName>(), Err(NameError));
        assert_eq!("a\nb".parse::<CustomerName>(), Err(NameError));
        assert_eq!("x".repeat(121).parse::<CustomerName>(), Err(NameError));
    }
}
