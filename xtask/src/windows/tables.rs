//! Adds to a built MSI what wixl cannot say, by SQL on its tables.

use crate::shell::{self, Outcome};
use std::path::Path;

/// What may be set on the command line by an operator, also when Windows asks for elevation in between.
const PROPERTIES: &str =
    "WIX_UPGRADE_DETECTED;WIX_DOWNGRADE_DETECTED;ENROLLTOKEN;CLOUDURL;PROXY;SERVICEACCOUNT;KEEPDATA";

/// A deferred action of the system (3090) whose command line is kept out of logs (8192).
const HIDDEN_ACTION: u32 = 3090 + 8192;

pub fn complete(msi: &Path) -> Outcome {
    let statements = [
        format!("UPDATE `Property` SET `Value` = '{PROPERTIES}' WHERE `Property` = 'SecureCustomProperties'"),
        format!("UPDATE `CustomAction` SET `Type` = {HIDDEN_ACTION} WHERE `Action` = 'Prepare'"),
        // The old version goes before the new one comes, within the same transaction: a failure brings it back.
        "UPDATE `InstallExecuteSequence` SET `Sequence` = 1501 WHERE `Action` = 'RemoveExistingProducts'".to_owned(),
        // The version that goes is told first by its own program; where there is none, nothing is lost.
        "INSERT INTO `CustomAction` (`Action`, `Type`, `Source`, `Target`) VALUES ('Announce', 98, 'INSTALLDIR', \
         '\"[INSTALLDIR]rollcall-agent.exe\" setup upgrade')"
            .to_owned(),
        "INSERT INTO `InstallExecuteSequence` (`Action`, `Condition`, `Sequence`) VALUES ('Announce', \
         'WIX_UPGRADE_DETECTED', 1450)"
            .to_owned(),
        "INSERT INTO `LaunchCondition` (`Condition`, `Description`) VALUES ('VersionNT64', 'The Rollcall Agent needs a \
         64-bit Windows Server 2016 or later.')"
            .to_owned(),
    ];
    let mut msibuild = shell::command("msibuild");
    msibuild.arg(msi);
    for statement in &statements {
        msibuild.args(["-q", statement]);
    }
    shell::run(&mut msibuild)?;
    check(msi)
}

/// msibuild succeeds also when a statement changed no row.
fn check(msi: &Path) -> Outcome {
    let expected = [
        ("Property", format!("SecureCustomProperties\t{PROPERTIES}")),
        ("CustomAction", format!("Prepare\t{HIDDEN_ACTION}\t")),
        ("InstallExecuteSequence", "RemoveExistingProducts\t\t1501".to_owned()),
        ("LaunchCondition", "VersionNT64\t".to_owned()),
        ("InstallExecuteSequence", "Announce\tWIX_UPGRADE_DETECTED\t1450".to_owned()),
        ("CustomAction", "Announce\t98\tINSTALLDIR\t".to_owned()),
        ("Property", "MsiHiddenProperties\tENROLLTOKEN;".to_owned()),
    ];
    for (table, row) in expected {
        if !read(msi, table)?.contains(&row) {
            return Err(format!("the MSI's table {table} lacks {row:?}"));
        }
    }
    Ok(())
}

pub fn product_code(msi: &Path) -> Outcome<String> {
    let table = read(msi, "Property")?;
    let code = table.lines().find_map(|line| line.strip_prefix("ProductCode\t"));
    code.map(|code| code.trim().to_owned()).ok_or_else(|| "the MSI has no product code".to_owned())
}

fn read(msi: &Path, table: &str) -> Outcome<String> {
    shell::output(shell::command("msiinfo").arg("export").arg(msi).arg(table))
}
