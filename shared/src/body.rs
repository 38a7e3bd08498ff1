//! A batch's body: NDJSON under zstd. Writing closes a part in time; reading trusts nothing but the caps.

use crate::item::Item;
use crate::{limits, scan};
use std::io::{self, BufRead as _, BufReader, Read, Write as _};

/// Why a body is set aside whole. Its signature held, so this is a broken agent, never a passing fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Poison {
    #[error("the body is not zstd, or is cut off")]
    NotZstd,
    #[error("the body inflates past {} bytes", limits::BODY_INFLATED)]
    Inflated,
    #[error("the body inflates more than {} times", limits::RATIO)]
    Ratio,
    #[error("an item is longer than {} bytes", limits::ITEM)]
    ItemTooLong,
    #[error("more than {} items", limits::ITEMS)]
    TooManyItems,
    #[error("the cycle tells more departures or structure than any directory has")]
    TooMuchToHold,
    #[error("the last item has no end")]
    Unterminated,
}

/// Why one item of a sound body is set aside; the others go on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadItem {
    #[error("the item is {0}")]
    TooMuch(#[from] scan::TooMuch),
    #[error("the item is not of a known form (line {line}, column {column})")]
    Form { line: usize, column: usize },
}

/// Packs items until the part is full.
pub struct Writer {
    zstd: zstd::Encoder<'static, Vec<u8>>,
    items: u32,
    inflated: usize,
}

/// True when a part of so many items and bytes takes no more.
pub const fn is_full(items: u32, inflated: usize) -> bool {
    items >= limits::ITEMS || inflated >= limits::PART_TARGET
}

/// A finished body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Body {
    pub bytes: Vec<u8>,
    pub items: u32,
}

impl Writer {
    pub fn new() -> io::Result<Self> {
        let mut zstd = zstd::Encoder::new(Vec::new(), 1)?;
        zstd.window_log(limits::WINDOW_LOG)?;
        Ok(Self { zstd, items: 0, inflated: 0 })
    }

    /// `json` must be one JSON text without a line break, as `serde_json::to_string` writes it.
    pub fn push(&mut self, json: &str) -> io::Result<()> {
        debug_assert!(!json.contains('\n'));
        self.zstd.write_all(json.as_bytes())?;
        self.zstd.write_all(b"\n")?;
        self.items += 1;
        self.inflated += json.len() + 1;
        Ok(())
    }

    /// Items one a line, each with its end: what [`Writer::push`] writes of them.
    pub fn push_lines(&mut self, lines: &[u8], items: u32) -> io::Result<()> {
        self.zstd.write_all(lines)?;
        self.items += items;
        self.inflated += lines.len();
        Ok(())
    }

    /// True when the next item belongs into the next part.
    pub const fn is_full(&self) -> bool {
        is_full(self.items, self.inflated)
    }

    pub const fn items(&self) -> u32 {
        self.items
    }

    pub fn finish(self) -> io::Result<Body> {
        Ok(Body { bytes: self.zstd.finish()?, items: self.items })
    }
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Writer").field("items", &self.items).field("inflated", &self.inflated).finish_non_exhaustive()
    }
}

/// Reads the items of a body one by one. Memory stays at one item and the zstd window, whatever the body says.
///
/// Only for bodies whose signature holds: nothing unsigned is ever inflated.
pub struct Reader<'a> {
    lines: BufReader<Capped<zstd::Decoder<'static, BufReader<&'a [u8]>>>>,
    line: Vec<u8>,
    items: u32,
}

impl<'a> Reader<'a> {
    pub fn new(body: &'a [u8]) -> Result<Self, Poison> {
        let mut zstd = zstd::Decoder::new(body).map_err(|_| Poison::NotZstd)?;
        zstd.window_log_max(limits::WINDOW_LOG).map_err(|_| Poison::NotZstd)?;
        let lines = BufReader::new(Capped { inner: zstd, compressed: body.len(), inflated: 0, broken: None });
        Ok(Self { lines, line: Vec::new(), items: 0 })
    }

    /// The next item; `None` at a clean end.
    pub fn next_item(&mut self) -> Result<Option<Result<Item, BadItem>>, Poison> {
        Ok(self.next_text()?.map(parse))
    }

    /// The next item as it stands; `None` at a clean end.
    pub fn next_text(&mut self) -> Result<Option<&[u8]>, Poison> {
        if !self.fill_line()? {
            return Ok(None);
        }
        if self.items == limits::ITEMS {
            return Err(Poison::TooManyItems);
        }
        self.items += 1;
        Ok(Some(&self.line))
    }

    fn fill_line(&mut self) -> Result<bool, Poison> {
        self.line.clear();
        let cap = limits::ITEM as u64 + 1;
        let read = self.lines.by_ref().take(cap).read_until(b'\n', &mut self.line);
        if read.is_err() {
            return Err(self.lines.get_ref().broken.unwrap_or(Poison::NotZstd));
        }
        match self.line.pop() {
            None => Ok(false),
            Some(b'\n') => Ok(true),
            Some(_) if self.line.len() >= limits::ITEM => Err(Poison::ItemTooLong),
            Some(_) => Err(Poison::Unterminated),
        }
    }
}

impl std::fmt::Debug for Reader<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reader").field("items", &self.items).finish_non_exhaustive()
    }
}

fn parse(line: &[u8]) -> Result<Item, BadItem> {
    scan::check(line)?;
    serde_json::from_slice(line).map_err(|error| BadItem::Form { line: error.line(), column: error.column() })
}

/// Counts what comes out of the decompressor and stops it at the caps.
struct Capped<R> {
    inner: R,
    compressed: usize,
    inflated: usize,
    broken: Option<Poison>,
}

impl<R: Read> Read for Capped<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.inflated += read;
        let poison = if self.inflated > limits::BODY_INFLATED {
            Poison::Inflated
        } else if self.inflated > limits::RATIO_FREE && self.inflated / limits::RATIO > self.compressed {
            Poison::Ratio
        } else {
            return Ok(read);
        };
        self.broken = Some(poison);
        Err(io::Error::other(poison))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::{Departure, Evidence, Stance};
    use proptest::prelude::*;
    use uuid::Uuid;

    fn item(number: u128) -> String {
        let departure = Departure {
            guid: Uuid::from_u128(number),
            import: Uuid::from_u128(1),
            evidence: Evidence::Deleted,
            stance: Stance::Apply,
        };
        serde_json::to_string(&Item::Departed(departure)).unwrap()
    }

    fn read_all(bytes: &[u8]) -> Result<(usize, usize), Poison> {
        let mut reader = Reader::new(bytes)?;
        let (mut good, mut bad) = (0, 0);
        while let Some(item) = reader.next_item()? {
            match item {
                Ok(_) => good += 1,
                Err(_) => bad += 1,
            }
        }
        Ok((good, bad))
    }

    fn packed(lines: &[&str]) -> Vec<u8> {
        let mut writer = Writer::new().unwrap();
        for line in lines {
            writer.push(line).unwrap();
        }
        writer.finish().unwrap().bytes
    }

    #[test]
    fn what_was_packed_is_read_again() {
        let (a, b) = (item(1), item(2));
        assert_eq!(read_all(&packed(&[&a, &b])), Ok((2, 0)));
        assert_eq!(read_all(&packed(&[])), Ok((0, 0)));
    }

    #[test]
    fn one_bad_record_does_not_stop_the_others() {
        let deep = format!(r#"{{"present":{}{}}}"#, "[".repeat(20), "]".repeat(20));
        let (a, b) = (item(1), item(2));
        assert_eq!(read_all(&packed(&[&a, "{", &deep, r#"{"unknown":1}"#, &b])), Ok((2, 3)));
    }

    #[test]
    fn a_full_part_of_texts_that_do_not_compress_is_no_larger_than_the_cloud_takes() {
        let mut noise = 1_u64;
        let mut text = || -> String {
            let letter = |_| {
                noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                char::from(u8::try_from(35 + (noise >> 33) % 57).unwrap())
            };
            (0..1_000).map(letter).collect()
        };
        let mut writer = Writer::new().unwrap();
        while !writer.is_full() {
            writer.push(&text()).unwrap();
        }
        writer.push(&"x".repeat(limits::ITEM)).unwrap();

        let body = writer.finish().unwrap();

        assert!(body.bytes.len() <= limits::BODY_COMPRESSED, "{}", body.bytes.len());
        const { assert!(limits::PART_TARGET + limits::ITEM + limits::BODY_COMPRESSED / 16 <= limits::BODY_COMPRESSED) };
    }

    #[test]
    fn a_bomb_is_refused_by_its_ratio_before_it_fills_memory() {
        let zeros = vec![b' '; 64 * 1024 * 1024];
        let bomb = zstd::encode_all(zeros.as_slice(), 3).unwrap();
        assert!(bomb.len() < 16 * 1024);
        // Without a line break it is one endless item; with line breaks the ratio stops it.
        assert_eq!(read_all(&bomb), Err(Poison::ItemTooLong));
        let lines = "\n".repeat(64 * 1024 * 1024);
        let bomb = zstd::encode_all(lines.as_bytes(), 3).unwrap();
        assert!(matches!(read_all(&bomb), Err(Poison::Ratio | Poison::TooManyItems)));
    }

    #[test]
    fn a_body_that_asks_for_a_larger_window_is_refused() {
        let mut zstd = zstd::Encoder::new(Vec::new(), 1).unwrap();
        zstd.window_log(limits::WINDOW_LOG + 2).unwrap();
        zstd.write_all(&vec![b'\n'; 1024 * 1024]).unwrap();
        assert_eq!(read_all(&zstd.finish().unwrap()), Err(Poison::NotZstd));
    }

    #[test]
    fn a_body_that_is_cut_is_never_a_shorter_body() {
        let lines: Vec<String> = (0..200).map(item).collect();
        let body = packed(&lines.iter().map(String::as_str).collect::<Vec<_>>());
        for length in 0..body.len() {
            assert!(read_all(&body[..length]).is_err(), "cut at {length} of {}", body.len());
        }
    }

    #[test]
    fn an_item_at_the_limit_passes_and_one_past_it_does_not() {
        let exactly = |length: usize| " ".repeat(length);
        assert_eq!(read_all(&packed(&[&exactly(limits::ITEM)])), Ok((0, 1)));
        assert_eq!(read_all(&packed(&[&exactly(limits::ITEM + 1)])), Err(Poison::ItemTooLong));
    }

    #[test]
    fn one_item_more_than_the_limit_poisons_the_body() {
        let mut text = "1\n".repeat(limits::ITEMS as usize);
        assert_eq!(read_all(&zstd::encode_all(text.as_bytes(), 1).unwrap()), Ok((0, limits::ITEMS as usize)));
        text.push_str("1\n");
        assert_eq!(read_all(&zstd::encode_all(text.as_bytes(), 1).unwrap()), Err(Poison::TooManyItems));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..2_000)) {
            let _ = read_all(&bytes);
        }
    }
}
