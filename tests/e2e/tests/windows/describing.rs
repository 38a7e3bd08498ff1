//! What Windows shows of the program: in the Explorer, in the task manager, and to inventories.

use crate::site::{build, with_version};
use goblin::pe::PE;
use goblin::pe::resource::{RT_GROUP_ICON, VersionField};
use std::fs;
use std::process::Command;

/// In the portal it is `cloud/server/assets/icon.svg`.
const ICON: &[u8] = include_bytes!("../../../../agent/windows.ico");

/// The pictures of an `.ico`: behind six bytes one entry of sixteen for each, which ends with its length and its place.
fn images(icon: &[u8]) -> Vec<&[u8]> {
    let number = |at: usize| u32::from_le_bytes(icon[at..at + 4].try_into().unwrap()) as usize;
    let count = usize::from(u16::from_le_bytes([icon[4], icon[5]]));
    let places = (0..count).map(|index| (number(6 + 16 * index + 8), number(6 + 16 * index + 12)));
    places.map(|(length, at)| &icon[at..at + length]).collect()
}

// proves: R-15
#[tokio::test]
async fn the_program_says_who_made_it_which_version_it_is_and_asks_for_no_rights() {
    let folder = tempfile::tempdir().unwrap();
    let msi = build(folder.path(), &with_version("0.1.0")).await;

    let bytes = fs::read(msi.with_file_name("rollcall-agent.exe")).unwrap();

    let program = PE::parse(&bytes).unwrap();
    let resources = program.resource_data.unwrap();
    let told = resources.version_info.unwrap();
    let number = told.fixed_info.unwrap();
    let number = VersionField::from_ms_ls(number.file_version_ms, number.file_version_ls);
    assert_eq!(number.to_string(), concat!(env!("CARGO_PKG_VERSION"), ".0"));
    let text = told.string_info;
    assert_eq!(text.company_name().as_deref(), Some("Rollcall"));
    assert_eq!(text.product_name().as_deref(), Some("Rollcall Agent"));
    assert_eq!(text.file_description().as_deref(), Some("Rollcall Agent"));
    assert_eq!(text.original_filename().as_deref(), Some("rollcall-agent.exe"));
    assert_eq!(text.product_version().as_deref(), Some(env!("CARGO_PKG_VERSION")));
    // To the byte: Windows starts nothing whose manifest it cannot read, and Wine does not look.
    let manifest = resources.manifest_data.unwrap().data;
    assert_eq!(manifest, include_bytes!("../../../../agent/windows.manifest"));
    assert!(resources.entries().flatten().any(|entry| entry.name_or_id == u32::from(RT_GROUP_ICON)));
    for image in images(ICON) {
        assert!(bytes.windows(image.len()).any(|found| found == image));
    }
    let stored = Command::new("msiinfo").arg("extract").arg(&msi).arg("Icon.Rollcall.ico").output().unwrap();
    assert_eq!(stored.stdout, ICON, "Apps and Features shows the same");
    // Signed, though only by a test certificate.
    assert!(!program.certificates.is_empty());
}
