//! Packs named texts into a zip that every system opens.

use std::io::{Cursor, Write};

use chrono::{DateTime, Datelike, Timelike, Utc};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime as ZipTime, ZipWriter};

pub fn zip(files: &[(&str, String)], at: DateTime<Utc>) -> zip::result::ZipResult<Vec<u8>> {
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .last_modified_time(zip_time(at))
        .unix_permissions(0o600);
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, text) in files {
        writer.start_file(*name, options)?;
        writer.write_all(text.as_bytes())?;
    }
    Ok(writer.finish()?.into_inner())
}

/// The form counts from 1980; a clock before that is as good as none.
fn zip_time(at: DateTime<Utc>) -> ZipTime {
    let part = |number: u32| u8::try_from(number).unwrap_or_default();
    let year = u16::try_from(at.year()).unwrap_or(1980);
    let time = ZipTime::from_date_and_time(
        year,
        part(at.month()),
        part(at.day()),
        part(at.hour()),
        part(at.minute()),
        part(at.second()),
    );
    time.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    #[test]
    fn what_is_packed_is_read_again_and_the_same_makes_the_same() {
        let at = DateTime::from_timestamp(1_760_000_000, 0).unwrap();
        let files = [("a.txt", "first\n".repeat(100)), ("b.json", "{}".to_owned())];

        let packed = zip(&files, at).unwrap();

        assert_eq!(zip(&files, at).unwrap(), packed);
        let mut archive = zip::ZipArchive::new(Cursor::new(packed)).unwrap();
        let mut text = String::new();
        archive.by_name("a.txt").unwrap().read_to_string(&mut text).unwrap();
        assert_eq!((archive.len(), text), (2, "first\n".repeat(100)));
    }
}
