//! Adds to a built MSI what wixl cannot say, by SQL on its tables.

use crate::shell::{self, Outcome};
use std::path::Path;

/// What may be set on the command line by an operator, also when Windows asks for elevation in between.
const PROPERTIES: &str =
    "WIX_UPGRADE_DETECTED;WIX_DOWNGRADE_DETECTED;ENROLLTOKEN;CLOUDURL;PROXY;SERVICEACCOUNT;FOUNDACCOUNT;KEEPDATA";

/// A deferred action of the system (3090) whose command line is kept out of logs (8192).
const HIDDEN_ACTION: u32 = 3090 + 8192;

pub fn complete(msi: &Path) -> Outcome {
    let statements = [
        format!("UPDATE `Property` SET `Value` = '{PROPERTIES}' WHERE `Property` = 'SecureCustomProperties'"),
        format!("UPDATE `CustomAction` SET `Type` = {HIDDEN_ACTION} WHERE `Action` = 'Prepare'"),
        // wixl puts what comes before an action it adds itself at the very beginning, where Windows runs no deferred action.
        // Here the service has ended, so nothing holds the folder, and the program that empties it is still there.
        "UPDATE `InstallExecuteSequence` SET `Sequence` = 3450 WHERE `Action` = 'Clear'".to_owned(),
        // The old version goes before the new one comes, within the same transaction: a failure brings it back.
        "UPDATE `InstallExecuteSequence` SET `Sequence` = 1501 WHERE `Action` = 'RemoveExistingProducts'".to_owned(),
        // A gMSA stays, since Windows knows its password. That of another account nobody tells us; it has to be given anew.
        set_property("KeepAccount", "SERVICEACCOUNT", "[FOUNDACCOUNT]"),
        in_sequence("KeepAccount", "NOT SERVICEACCOUNT AND FOUNDACCOUNT >> \"$\"", 1001),
        set_property("OwnAccount", "SERVICEACCOUNT", r"NT SERVICE\RollcallAgent"),
        in_sequence("OwnAccount", "NOT SERVICEACCOUNT", 1002),
        // The version that goes is told first by its own program; where there is none, nothing is lost.
        "INSERT INTO `CustomAction` (`Action`, `Type`, `Source`, `Target`) VALUES ('Announce', 98, 'INSTALLDIR', \
         '\"[INSTALLDIR]rollcall-agent.exe\" setup upgrade')"
            .to_owned(),
        in_sequence("Announce", "WIX_UPGRADE_DETECTED", 1450),
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

fn set_property(action: &str, property: &str, value: &str) -> String {
    format!(
        "INSERT INTO `CustomAction` (`Action`, `Type`, `Source`, `Target`) VALUES ('{action}', 51, '{property}', '{value}')"
    )
}

fn in_sequence(action: &str, condition: &str, at: u32) -> String {
    format!(
        "INSERT INTO `InstallExecuteSequence` (`Action`, `Condition`, `Sequence`) VALUES ('{action}', '{condition}', {at})"
    )
}

/// msibuild succeeds also when a statement changed no row.
fn check(msi: &Path) -> Outcome {
    let expected = [
        ("Property", format!("SecureCustomProperties\t{PROPERTIES}")),
        ("CustomAction", format!("Prepare\t{HIDDEN_ACTION}\t")),
        ("InstallExecuteSequence", "RemoveExistingProducts\t\t1501".to_owned()),
        ("LaunchCondition", "VersionNT64\t".to_owned()),
        ("InstallExecuteSequence", "Announce\tWIX_UPGRADE_DETECTED\t1450".to_owned()),
        ("InstallExecuteSequence", "KeepAccount\tNOT SERVICEACCOUNT AND FOUNDACCOUNT >> \"$\"\t1001".to_owned()),
        ("CustomAction", "KeepAccount\t51\tSERVICEACCOUNT\t[FOUNDACCOUNT]".to_owned()),
        ("CustomAction", "OwnAccount\t51\tSERVICEACCOUNT\tNT SERVICE\\RollcallAgent".to_owned()),
        ("CustomAction", "Announce\t98\tINSTALLDIR\t".to_owned()),
        ("Property", "MsiHiddenProperties\tENROLLTOKEN;".to_owned()),
    ];
    for (table, row) in expected {
        if !read(msi, table)?.contains(&row) {
            return Err(format!("the MSI's table {table} lacks {row:?}"));
        }
    }
    check_order(&read(msi, "InstallExecuteSequence")?)
}

/// The steps of an installation and a removal in the order they must have; the deferred ones lie within the transaction.
const ORDER: [&str; 12] = [
    "InstallInitialize",
    "RemoveExistingProducts",
    "StopServices",
    "DeleteServices",
    "Clear",
    "RemoveFiles",
    "InstallFiles",
    "InstallServices",
    "Withdraw",
    "Prepare",
    "StartServices",
    "InstallFinalize",
];

fn check_order(table: &str) -> Outcome {
    let place = |action: &str| -> Outcome<u32> {
        let row = table.lines().find(|row| row.split('\t').next() == Some(action));
        let number = row.and_then(|row| row.trim_end().rsplit('\t').next()?.parse().ok());
        number.ok_or_else(|| format!("the MSI has no place for {action}"))
    };
    let places: Vec<u32> = ORDER.into_iter().map(place).collect::<Outcome<_>>()?;
    if places.is_sorted() { Ok(()) } else { Err(format!("the MSI's steps are out of order: {ORDER:?} at {places:?}")) }
}

pub fn product_code(msi: &Path) -> Outcome<String> {
    let table = read(msi, "Property")?;
    let code = table.lines().find_map(|line| line.strip_prefix("ProductCode\t"));
    code.map(|code| code.trim().to_owned()).ok_or_else(|| "the MSI has no product code".to_owned())
}

fn read(msi: &Path, table: &str) -> Outcome<String> {
    shell::output(shell::command("msiinfo").arg("export").arg(msi).arg(table))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(clear: u32) -> String {
        let row = |(at, action): (u32, &str)| format!("{action}\tsome condition\t{at}\r\n");
        let others = ORDER.into_iter().filter(|action| *action != "Clear");
        (10..).step_by(10).zip(others).chain([(clear, "Clear")]).map(row).collect()
    }

    #[test]
    fn the_folder_is_emptied_after_the_service_has_ended_and_before_the_program_goes() {
        assert_eq!(check_order(&table(45)), Ok(()));
    }

    #[test]
    fn a_step_outside_of_its_place_or_without_one_is_told() {
        for wrong in [1, 25, 55, 1000] {
            assert!(check_order(&table(wrong)).is_err(), "{wrong}");
        }
        assert!(check_order("Clear\t\t45\n").is_err());
    }
}
