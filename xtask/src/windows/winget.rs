//! Writes the three files of a winget manifest from the templates in `installer/winget`.

use super::write as write_file;
use crate::shell::{self, Outcome};
use std::fs;
use std::path::Path;

const FILES: [&str; 3] = ["Rollcall.Agent.yaml", "Rollcall.Agent.installer.yaml", "Rollcall.Agent.locale.en-US.yaml"];

/// Fills the places `@NAME@` of each template.
pub fn write(out: &Path, places: &[(&str, &str)]) -> Outcome {
    let folder = out.join("winget");
    fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    for name in FILES {
        let template = shell::root().join("installer/winget").join(name);
        let text = fs::read_to_string(&template).map_err(|error| format!("{}: {error}", template.display()))?;
        let fill = |text: String, (place, value): &(&str, &str)| text.replace(&format!("@{place}@"), value);
        let text = places.iter().fold(text, fill);
        if text.contains('@') {
            return Err(format!("{} has a place that nobody fills", template.display()));
        }
        write_file(&folder.join(name), &text)?;
    }
    Ok(())
}
