//! Samples of the pages of one customer's runs.

use super::{
    cast::{NAMES, chips, head, runs},
    customer_pages::{of, trouble},
    draw,
    lists::tile,
};
use crate::portal::{
    customer_head::{CustomerHead, Tab},
    person::Fact,
    run::{AsideGroup, AsideLine, ChangeRow, RunPage},
    runs::CustomerRunsPage,
    view::{Pager, Pill, Step, StepState, Tone},
};

pub fn all() -> Vec<(&'static str, String)> {
    vec![
        (
            "runs_of_customer",
            draw(&CustomerRunsPage {
                frame: of("Runs"),
                customer: head(Tab::Runs, "Runs"),
                here: "/c/contoso-legal/runs".into(),
                chips: chips(&["All", "Ok", "Partial", "Failed"]),
                runs: runs(),
                runs_of_all: false,
                pager: Pager::default(),
            }),
        ),
        ("run", draw(&run())),
        ("run_failed", draw(&failed_run())),
    ]
}

fn run() -> RunPage {
    let row = |index: usize, what: Pill, detail: &str| ChangeRow {
        href: "/c/contoso-legal/people/acc_1".into(),
        name: NAMES[index].0.into(),
        what,
        detail: detail.into(),
    };
    RunPage {
        frame: of("Run"),
        customer: CustomerHead {
            between: vec![("Runs".into(), "/c/contoso-legal/runs".into())],
            ..head(Tab::Runs, "Run of 18 Nov 2026, 09:14")
        },
        result: Pill::new(Tone::Warn, "Partial"),
        troubles: vec![],
        tiles: vec![
            tile("People read", "412", "", "users", "info"),
            tile("Added", "2", "", "user-plus", "good"),
            tile("Changed", "1", "", "user-pen", "info"),
            tile("Departed", "1", "", "user-minus", "calm"),
            tile("Held", "0", "", "hand", "held"),
            tile("Set aside", "2", "", "triangle-alert", "warn"),
        ],
        changes: vec![
            row(0, Pill::new(Tone::Info, "Changed"), "Surname, E-mail, Department"),
            row(3, Pill::new(Tone::Good, "Joined"), ""),
            row(6, Pill::new(Tone::Good, "Returned"), "after 12 days"),
            row(8, Pill::new(Tone::Calm, "Departed"), "deleted in the directory"),
        ],
        no_changes_title: "",
        no_changes_detail: "",
        pager: Pager::default(),
        set_aside: vec![AsideGroup {
            code: "RC-7001".into(),
            title: "Record could not be read",
            lines: vec![
                AsideLine {
                    line: 18,
                    guid: "6f2c0e3a-4b57-4a8e-9a43-2b7a0d3a6f11".into(),
                    detail: "mail is longer than 320 characters".into(),
                },
                AsideLine { line: 44, guid: String::new(), detail: "no objectGUID".into() },
            ],
        }],
        steps: vec![
            Step::new(StepState::Done, "Read", "412 people on dc01.contoso.local in 0.9 s"),
            Step::new(StepState::Done, "Sent", "1 batch, 3.1 KB, number 41"),
            Step::new(StepState::Done, "Signature verified", "key 9C:21:…:7F"),
            Step::new(StepState::Done, "Applied", "in 0.02 s"),
            Step::new(StepState::Done, "Compared", "count and digest agree"),
        ],
        facts: vec![
            Fact::new("Run", "run_0191f2c4-7b1e-7c3a-9c55-0d8f6f1f4b21").mono(),
            Fact::new("Why", "schedule"),
            Fact::new("Kind", "changes only"),
        ],
    }
}

fn failed_run() -> RunPage {
    RunPage {
        result: Pill::new(Tone::Bad, "Failed"),
        troubles: vec![trouble(
            Tone::Bad,
            "RC-2303",
            "Directory read incomplete",
            "The server closed the connection on page 2 of 3. Nothing was removed.",
            "Check the agent",
        )],
        tiles: vec![],
        changes: vec![],
        no_changes_title: "Nothing was changed",
        no_changes_detail: "An incomplete reading changes nobody.",
        set_aside: vec![],
        steps: vec![Step::new(StepState::Failed, "Read", "stopped on page 2"), Step::new(StepState::Open, "Sent", "")],
        ..run()
    }
}
