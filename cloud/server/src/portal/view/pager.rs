//! Keyset paging: a way to the next page and back to the first, with the filters kept in the address.

#[derive(Debug, Clone, Default)]
pub struct Pager {
    pub first: Option<String>,
    pub next: Option<String>,
}

impl Pager {
    /// `base` is the address with its filters but without `after`, where this page begins. More follow it if its rows are
    /// as many as `limit` allows; `cursor` says where one of them stands.
    pub fn of<T>(base: &Query, after: &str, rows: &[T], limit: i64, cursor: impl FnOnce(&T) -> String) -> Self {
        let is_full = i64::try_from(rows.len()).is_ok_and(|count| count >= limit);
        let next = rows.last().filter(|_| is_full).map(cursor);
        Self {
            first: (!after.is_empty()).then(|| base.address()),
            next: next.map(|cursor| base.with("after", &cursor).address()),
        }
    }
}

/// An address under construction; every value is percent-encoded.
#[derive(Debug, Clone)]
pub struct Query {
    path: String,
    pairs: Vec<(String, String)>,
}

impl Query {
    pub fn new(path: impl Into<String>) -> Self {
        Self { path: path.into(), pairs: Vec::new() }
    }

    /// Sets one value; an empty one takes it away.
    pub fn with(&self, key: &str, value: &str) -> Self {
        let mut pairs: Vec<_> = self.pairs.iter().filter(|(k, _)| k != key).cloned().collect();
        if !value.is_empty() {
            pairs.push((key.to_owned(), value.to_owned()));
        }
        Self { path: self.path.clone(), pairs }
    }

    pub fn address(&self) -> String {
        let pairs: Vec<String> = self.pairs.iter().map(|(k, v)| format!("{k}={}", percent_encode(v))).collect();
        if pairs.is_empty() { self.path.clone() } else { format!("{}?{}", self.path, pairs.join("&")) }
    }
}

/// RFC 3986: everything but the unreserved characters.
fn percent_encode(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_keeps_its_filters_and_encodes_what_was_typed() {
        let people = Query::new("/people").with("q", "Søren & \"Co\"").with("state", "held").with("state", "");

        let pager = Pager::of(&people, "abc", &["x+y"], 1, ToString::to_string);

        assert_eq!(pager.first.as_deref(), Some("/people?q=S%C3%B8ren%20%26%20%22Co%22"));
        assert_eq!(pager.next.as_deref(), Some("/people?q=S%C3%B8ren%20%26%20%22Co%22&after=x%2By"));
    }

    #[test]
    fn a_page_that_is_not_full_is_the_last_and_one_without_a_beginning_the_first() {
        let pager = Pager::of(&Query::new("/people"), "", &["x"], 2, ToString::to_string);

        assert_eq!((pager.first, pager.next), (None, None));
    }
}
