//! Decides how an error of a file is told to people: by its kind, and by what Rust has no kind for.

use std::io;

/// Windows: somebody holds the file open, or a part of it locked. Most often it is a virus scanner or a backup.
const HELD: [i32; 2] = [32, 33];

pub fn of(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(number) if cfg!(windows) && HELD.contains(&number) => "another program holds it".to_owned(),
        Some(_) | None => error.kind().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_somebody_holds_is_told_as_such_on_windows() {
        let told = of(&io::Error::from_raw_os_error(32));

        assert_eq!(told == "another program holds it", cfg!(windows));
        assert_eq!(of(&io::ErrorKind::StorageFull.into()), io::ErrorKind::StorageFull.to_string());
    }
}
