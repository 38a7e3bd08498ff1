//! Decides what Windows shows of the program: who made it, which version it is, how it looks, and that it asks for no rights.

use std::io;

/// It takes the rights of whoever starts it. As a file, because Windows starts nothing whose manifest has a blank before
/// its first line.
const MANIFEST: &str = "windows.manifest";

/// The portal's mark, in four sizes.
const ICON: &str = "windows.ico";

const AMERICAN_ENGLISH: u16 = 0x0409;

#[expect(clippy::disallowed_methods, reason = "cargo tells a build script by the environment alone what it builds for")]
fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed={MANIFEST}");
    println!("cargo::rerun-if-changed={ICON}");
    if std::env::var("CARGO_CFG_TARGET_OS").is_ok_and(|system| system == "windows") { describe() } else { Ok(()) }
}

/// Number and description come from the package.
fn describe() -> io::Result<()> {
    let mut resource = winresource::WindowsResource::new();
    resource.set_language(AMERICAN_ENGLISH).set_manifest_file(MANIFEST).set_icon(ICON);
    let told = [
        ("CompanyName", "Rollcall"),
        ("ProductName", "Rollcall Agent"),
        ("FileDescription", "Rollcall Agent"),
        ("InternalName", "rollcall-agent"),
        ("OriginalFilename", "rollcall-agent.exe"),
        ("LegalCopyright", "Apache-2.0"),
    ];
    for (name, value) in told {
        resource.set(name, value);
    }
    resource.compile_for("rollcall-agent")
}
