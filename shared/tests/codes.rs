//! Holds the help page of the codes: every fault has its section, in the catalogue's own words.

#![expect(clippy::unwrap_used, reason = "a test fails loudly")]

use rollcall_protocol::catalogue;
use std::fmt::Write as _;
use std::path::Path;

fn page() -> String {
    let mut text = String::from(
        "# Codes\n\nEverything that can be wrong has a code; it is the same in the portal, the API, the agent's terminal and the event log.\n",
    );
    for fault in catalogue::all() {
        write!(text, "\n<a id=\"{}\"></a>\n\n## {fault}\n\n{}\n", fault.code.to_lowercase(), fault.cause).unwrap();
        for step in fault.fix {
            write!(text, "\n- {step}").unwrap();
        }
        if let Some(event) = fault.event {
            write!(text, "\n\nWindows event id {event}.").unwrap();
        }
        text.push('\n');
    }
    text
}

// proves: Truetask-29
#[test]
fn every_code_has_its_section_in_the_help() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("docs/help/codes.md");
    let kept = std::fs::read_to_string(&file).unwrap_or_default();
    if kept != page() {
        std::fs::write(file.with_added_extension("new"), page()).unwrap();
        panic!("docs/help/codes.md is behind the catalogue; docs/help/codes.md.new is what it should be");
    }
}
