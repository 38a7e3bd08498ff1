//! The scripts for Windows: what can be held of them without a Windows.

#![expect(clippy::unwrap_used, reason = "a test fails loudly")]

use rollcall_lab::powershell;
use std::fs;
use std::path::Path;

fn script(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../installer/windows");
    fs::read_to_string(folder.join(name)).unwrap()
}

#[test]
fn every_script_is_one_that_windows_powershell_takes() {
    for name in ["install.ps1", "rmm.ps1", "prove.ps1"] {
        assert_eq!(powershell::mistakes(&script(name)), Vec::<String>::new(), "{name}");
    }
}

#[test]
fn what_is_downloaded_is_checked_before_it_is_installed_and_leaves_nothing_behind() {
    let script = script("install.ps1");
    let steps = [
        "Tls12",
        "Invoke-WebRequest",
        "Get-FileHash",
        "Get-AuthenticodeSignature",
        "Start-Process msiexec",
        "Remove-Item",
    ];

    let places: Vec<usize> = steps.iter().map(|step| script.find(step).unwrap()).collect();

    assert!(places.is_sorted(), "{places:?}");
}

#[test]
fn the_token_is_on_no_command_line_of_the_scripts() {
    let [install, rmm] = ["install.ps1", "rmm.ps1"].map(script);

    let arguments = install.lines().find(|line| line.contains("$arguments = @(")).unwrap();
    assert!(arguments.contains("ENROLLTOKENFILE=") && !arguments.contains("$Token"), "{arguments}");
    // The script is called within the process, where nothing is logged as a command line.
    assert!(rmm.contains("& (Join-Path $PSScriptRoot 'install.ps1') @settings"), "{rmm}");
    let msi = script("rollcall-agent.wxs");
    assert!(msi.contains("--token-file &quot;[ENROLLTOKENFILE]&quot;"));
}

#[test]
fn every_variable_that_the_rmm_script_names_is_a_parameter_of_the_installation() {
    let (rmm, install) = (script("rmm.ps1"), script("install.ps1"));
    let given = rmm.split("$settings.").skip(1).map(|rest| rest.split(' ').next().unwrap());
    for parameter in given.chain(["Cloud", "Token", "Sha256"]) {
        assert!(install.contains(&format!("[string] ${parameter}")), "{parameter}");
    }
}

#[test]
fn everything_that_the_proving_script_proves_stands_in_the_list_of_what_needs_a_windows() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/operate/needs-a-windows-machine.md");
    let page = fs::read_to_string(page).unwrap();
    let proven = script("prove.ps1");
    let proven = proven
        .lines()
        .filter_map(|line| line.strip_prefix("Test-That 'W-"))
        .map(|rest| rest.split(' ').next().unwrap());
    for number in proven {
        assert!(page.contains(&format!("W-{number}")), "W-{number}");
    }
}
