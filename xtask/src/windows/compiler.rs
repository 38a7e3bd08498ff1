//! Decides which compiler makes programs for Windows: rustup's target where there is rustup, else Debian's, which carries
//! the library's sources.

use std::path::PathBuf;
use std::process::Command;

use super::{TARGET, target_folder};
use crate::shell::{self, Outcome};

/// What a program needs of Rust's own library; Debian's is built first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Library {
    Standard,
    /// With what runs tests.
    Testing,
}

/// Cargo with these words, for Windows.
pub fn cargo(words: &[&str], library: Library) -> Outcome<Command> {
    if shell::has("rustup") {
        shell::run(shell::command("rustup").args(["target", "add", TARGET]))?;
        let mut cargo = shell::cargo();
        cargo.args(words).args(["--target", TARGET]);
        return Ok(cargo);
    }
    let mut cargo = shell::command("/usr/bin/cargo");
    cargo.env("RUSTC", "/usr/bin/rustc").env("RUSTC_BOOTSTRAP", "1").env("CARGO_TARGET_DIR", folder()?);
    cargo.args(words).args(["--target", TARGET]).arg(match library {
        Library::Standard => "-Zbuild-std=std,panic_unwind",
        Library::Testing => "-Zbuild-std=std,panic_unwind,test",
    });
    Ok(cargo)
}

/// Where the results lie. Debian's compiler has its own folder: the two would throw away each other's work.
pub fn folder() -> Outcome<PathBuf> {
    let target = target_folder()?;
    Ok(if shell::has("rustup") { target } else { target.join("debian-std") })
}
