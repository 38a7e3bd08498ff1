//! What Windows shows of the program: in the Explorer, in the task manager, and to inventories.

use crate::site::{build, with_version};
use goblin::pe::PE;
use goblin::pe::resource::VersionField;
use std::fs;

// proves: R-15
#[tokio::test]
async fn the_program_says_who_made_it_which_version_it_is_and_asks_for_no_rights() {
    let folder = tempfile::tempdir().unwrap();
    let msi = build(folder.path(), &with_version("0.1.0")).await;

    let program = fs::read(msi.with_file_name("rollcall-agent.exe")).unwrap();

    let program = PE::parse(&program).unwrap();
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
    // Signed, though only by a test certificate.
    assert!(!program.certificates.is_empty());
}
