//! Writes an object as a search result entry, with the attributes that were asked for, cut into ranges where they are long.

use super::{
    attribute::Attr,
    entry::EntryId,
    forest::Forest,
    reading::Reading,
    view::View,
    wire::{
        answer::answer_tag,
        ber::{Writer, tag},
        request::Search,
    },
};
use std::fmt::Write;

/// The attributes of one search request.
#[derive(Debug)]
pub struct Selection {
    asked: Vec<Asked>,
    content: Content,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Content {
    Values,
    TypesOnly,
}

#[derive(Debug, Clone, Copy)]
struct Asked {
    attr: Attr,
    range: Option<Range>,
}

/// `range=0-1499`; no end means `*`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Range {
    start: usize,
    end: Option<usize>,
}

/// How names are written (control 1.2.840.113556.1.4.529).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameForm {
    Plain,
    /// `<GUID=…>;<SID=…>;DN`
    WithIds(IdForm),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdForm {
    Hex,
    Text,
}

/// Everything about a search that decides how its entries look.
#[derive(Debug)]
pub struct Style<'a> {
    pub selection: &'a Selection,
    pub view: &'a View,
    pub names: NameForm,
    pub max_values: usize,
}

impl Selection {
    pub fn new(search: &Search) -> Self {
        let content = if search.types_only { Content::TypesOnly } else { Content::Values };
        let everything = search.attributes.is_empty() || search.attributes.iter().any(|name| name == "*");
        let mut asked: Vec<Asked> = search.attributes.iter().filter_map(|name| Asked::parse(name)).collect();
        if everything {
            let missing = Attr::ALL.iter().filter(|attr| !asked.iter().any(|asked| asked.attr == **attr));
            let missing: Vec<Asked> = missing.map(|attr| Asked { attr: *attr, range: None }).collect();
            asked.extend(missing);
        }
        Self { asked, content }
    }

    /// A range that begins behind the last value is an error, unless the client says otherwise (control …1948).
    pub fn has_range_past_end(&self, forest: &Forest, id: EntryId) -> bool {
        self.asked.iter().any(|asked| {
            let start = asked.range.map_or(0, |range| range.start);
            start > 0 && start >= forest.read(id, asked.attr).len()
        })
    }
}

impl Asked {
    fn parse(text: &str) -> Option<Self> {
        let (name, options) = text.split_once(';').map_or((text, None), |(name, options)| (name, Some(options)));
        let range =
            options.and_then(|options| options.to_ascii_lowercase().strip_prefix("range=").and_then(parse_range));
        Some(Self { attr: Attr::find(name)?, range })
    }
}

fn parse_range(text: &str) -> Option<Range> {
    let (start, end) = text.split_once('-')?;
    let end = if end == "*" { None } else { Some(end.parse().ok()?) };
    Some(Range { start: start.parse().ok()?, end })
}

/// Appends one search result entry.
pub fn entry(writer: &mut Writer, message_id: i64, forest: &Forest, id: EntryId, style: &Style<'_>) {
    let message = writer.open(tag::SEQUENCE);
    writer.integer(tag::INTEGER, message_id);
    let entry = writer.open(answer_tag::ENTRY);
    writer.octets(tag::OCTETS, name(forest, id, style.names).as_bytes());
    let attributes = writer.open(tag::SEQUENCE);
    for asked in &style.selection.asked {
        if style.view.may_read(forest.entry(id), asked.attr) {
            attribute(writer, forest, id, *asked, style);
        }
    }
    writer.close(attributes);
    writer.close(entry);
    writer.close(message);
}

fn attribute(writer: &mut Writer, forest: &Forest, id: EntryId, asked: Asked, style: &Style<'_>) {
    let reading = forest.read(id, asked.attr);
    let count = reading.len();
    if count == 0 {
        return;
    }
    let whole = Slice { start: 0, end: count };
    match (asked.range, count > style.max_values) {
        (None, false) => partial(writer, asked.attr.name(), forest, &reading, whole, style),
        (None, true) => {
            // Microsoft documents the empty plain attribute beside the ranged one.
            partial(writer, asked.attr.name(), forest, &reading, Slice { start: 0, end: 0 }, style);
            ranged(writer, asked.attr, Range { start: 0, end: None }, forest, &reading, style);
        }
        (Some(range), _) => ranged(writer, asked.attr, range, forest, &reading, style),
    }
}

/// Which values of a reading to write.
#[derive(Clone, Copy)]
struct Slice {
    start: usize,
    end: usize,
}

fn ranged(writer: &mut Writer, attr: Attr, range: Range, forest: &Forest, reading: &Reading<'_>, style: &Style<'_>) {
    let count = reading.len();
    let most = range.start.saturating_add(style.max_values).min(count);
    let end = range.end.map_or(most, |end| end.saturating_add(1).min(most));
    let slice = Slice { start: range.start.min(count), end };
    let spelled = if end >= count {
        format!("{};range={}-*", attr.name(), range.start)
    } else {
        format!("{};range={}-{}", attr.name(), range.start, end.saturating_sub(1))
    };
    partial(writer, &spelled, forest, reading, slice, style);
}

fn partial(
    writer: &mut Writer,
    spelled: &str,
    forest: &Forest,
    reading: &Reading<'_>,
    slice: Slice,
    style: &Style<'_>,
) {
    let attribute = writer.open(tag::SEQUENCE);
    writer.octets(tag::OCTETS, spelled.as_bytes());
    let set = writer.open(tag::SET);
    match style.selection.content {
        Content::Values => values(writer, forest, reading, slice, style.names),
        Content::TypesOnly => {}
    }
    writer.close(set);
    writer.close(attribute);
}

fn values(writer: &mut Writer, forest: &Forest, reading: &Reading<'_>, slice: Slice, names: NameForm) {
    let range = slice.start..slice.end.max(slice.start);
    match reading {
        Reading::Stored(values) => {
            values.as_slice()[range].iter().for_each(|value| writer.octets(tag::OCTETS, value));
        }
        Reading::Text(text) if !range.is_empty() => writer.octets(tag::OCTETS, text.as_bytes()),
        Reading::Bytes(bytes) if !range.is_empty() => writer.octets(tag::OCTETS, bytes),
        Reading::None | Reading::Text(_) | Reading::Bytes(_) => {}
        Reading::Texts(texts) => texts[range].iter().for_each(|text| writer.octets(tag::OCTETS, text.as_bytes())),
        Reading::Links(links) => {
            for id in links.slice(range.start, range.end) {
                writer.octets(tag::OCTETS, name(forest, id, names).as_bytes());
            }
        }
    }
}

impl Reading<'_> {
    pub fn len(&self) -> usize {
        match self {
            Reading::None => 0,
            Reading::Stored(values) => values.as_slice().len(),
            Reading::Text(_) | Reading::Bytes(_) => 1,
            Reading::Links(links) => links.len(),
            Reading::Texts(texts) => texts.len(),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The name of an object as the client wants names written.
pub fn name(forest: &Forest, id: EntryId, form: NameForm) -> String {
    let dn = forest.dn(id);
    let NameForm::WithIds(form) = form else { return dn };
    let entry = forest.entry(id);
    let guid = match form {
        IdForm::Hex => hex(&entry.guid.to_bytes_le()),
        IdForm::Text => entry.guid.to_string(),
    };
    let sid = entry.sid().map(|sid| match form {
        IdForm::Hex => format!("<SID={}>;", hex(&sid.to_bytes())),
        IdForm::Text => format!("<SID={sid}>;"),
    });
    format!("<GUID={guid}>;{}{dn}", sid.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_with_and_without_an_end() {
        assert_eq!(Asked::parse("member;range=0-*").unwrap().range, Some(Range { start: 0, end: None }));
        assert_eq!(Asked::parse("Member;Range=5-9").unwrap().range, Some(Range { start: 5, end: Some(9) }));
        assert_eq!(Asked::parse("member").unwrap().range, None);
        assert!(Asked::parse("1.1").is_none());
    }
}
