//! Distinguished names (RFC 4514): escapes one relative name, and takes a whole name apart.

/// One step of a name: `OU` and `Legal, Risk`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelativeName {
    pub kind: String,
    pub value: String,
}

impl RelativeName {
    pub fn new(kind: &str, value: &str) -> Self {
        Self { kind: kind.to_ascii_uppercase(), value: value.to_owned() }
    }

    /// Names that differ only in case are the same name.
    pub fn key(&self) -> String {
        format!("{}={}", self.kind, self.value.to_lowercase())
    }

    pub fn write(&self, out: &mut String) {
        out.push_str(&self.kind);
        out.push('=');
        escape(&self.value, out);
    }
}

/// Escapes as a domain controller does: the special characters by a backslash, control characters in hex.
fn escape(value: &str, out: &mut String) {
    let last = value.chars().count().saturating_sub(1);
    for (at, character) in value.chars().enumerate() {
        match character {
            ',' | '+' | '"' | '\\' | '<' | '>' | ';' | '=' => out.extend(['\\', character]),
            '#' if at == 0 => out.push_str("\\#"),
            ' ' if at == 0 || at == last => out.push_str("\\ "),
            '\n' => out.push_str("\\0A"),
            '\r' => out.push_str("\\0D"),
            '\0' => out.push_str("\\00"),
            _ => out.push(character),
        }
    }
}

/// Takes a name apart, innermost step first; `None` if it is not one.
pub fn parse(name: &str) -> Option<Vec<RelativeName>> {
    if name.trim().is_empty() {
        return Some(Vec::new());
    }
    split(name).into_iter().map(step).collect()
}

/// Cuts at commas (and semicolons) that no backslash protects.
fn split(name: &str) -> Vec<&str> {
    let mut steps = Vec::new();
    let (mut start, mut escaped) = (0, false);
    for (at, character) in name.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            ',' | ';' => {
                steps.push(&name[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    steps.push(&name[start..]);
    steps
}

fn step(text: &str) -> Option<RelativeName> {
    let (kind, value) = text.split_once('=')?;
    Some(RelativeName { kind: kind.trim().to_ascii_uppercase(), value: unescape(trim(value))? })
}

/// Blanks around a value do not count, but an escaped blank at its end does.
fn trim(value: &str) -> &str {
    let value = value.trim_start_matches(' ');
    let trimmed = value.trim_end_matches(' ');
    let backslashes = trimmed.len() - trimmed.trim_end_matches('\\').len();
    if backslashes % 2 == 1 { value.get(..=trimmed.len()).unwrap_or(trimmed) } else { trimmed }
}

fn unescape(value: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        rest = tail;
        if first != b'\\' {
            bytes.push(first);
            continue;
        }
        let hex = tail
            .get(..2)
            .filter(|pair| pair.iter().all(u8::is_ascii_hexdigit))
            .and_then(|pair| std::str::from_utf8(pair).ok());
        if let Some(byte) = hex.and_then(|pair| u8::from_str_radix(pair, 16).ok()) {
            bytes.push(byte);
            rest = &tail[2..];
        } else {
            bytes.push(*tail.first()?);
            rest = &tail[1..];
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_back_as_they_went() {
        for value in ["Legal, Risk", "#1 \"best\"", " padded ", "a+b=c", "back\\slash", "山田 太郎", "x\n0ADEL:1"] {
            let mut text = String::new();
            RelativeName::new("CN", value).write(&mut text);
            assert_eq!(parse(&text).unwrap(), [RelativeName::new("cn", value)], "{text}");
        }
    }

    #[test]
    fn a_name_is_cut_at_bare_commas_only() {
        let steps = parse("CN=Doe\\, Jane,OU=R\\26D , DC=example").unwrap();
        let values: Vec<_> = steps.iter().map(|step| step.value.as_str()).collect();
        assert_eq!(values, ["Doe, Jane", "R&D", "example"]);
    }

    #[test]
    fn what_is_no_name_is_refused() {
        assert_eq!(parse("not a name"), None);
        assert_eq!(parse("CN=broken\\"), None);
    }
}
