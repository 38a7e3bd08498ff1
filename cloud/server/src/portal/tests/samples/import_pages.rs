//! Samples of the pages of one customer's imports.

use uuid::Uuid;

use super::{
    cast::{ago, head, healthy},
    customer_pages::of,
    draw,
};
use crate::portal::{
    customer_head::{CustomerHead, Tab},
    import_form::{DomainLink, ImportFormPage, Interval, ScopeCount},
    import_groups::GroupChoice,
    imports::{ImportCard, ImportsPage},
    tree::{Unit, grow},
    view::{FieldError, Pill, Tone},
};

pub fn all() -> Vec<(&'static str, String)> {
    vec![
        ("imports", draw(&imports())),
        ("imports_none", draw(&ImportsPage { imports: vec![], ..imports() })),
        ("imports_no_directory", draw(&ImportsPage { imports: vec![], has_directory: false, ..imports() })),
        ("import_form", draw(&import_form())),
        (
            "import_form_wrong",
            draw(&ImportFormPage {
                errors: vec![
                    FieldError::new("include", "Choose at least one unit or group."),
                    FieldError::new("name", "A name has 1 to 120 characters."),
                ],
                ..import_form()
            }),
        ),
        (
            "import_form_waiting",
            draw(&ImportFormPage {
                domains: vec![
                    DomainLink {
                        name: "contoso.example".into(),
                        href: "/c/x/imports/add?directory=1".into(),
                        is_here: true,
                    },
                    DomainLink {
                        name: "labs.example".into(),
                        href: "/c/x/imports/add?directory=2".into(),
                        is_here: false,
                    },
                ],
                tree: vec![],
                groups: vec![],
                structure_at: None,
                groups_left_out: 0,
                may_delete: false,
                ..import_form()
            }),
        ),
    ]
}

fn imports() -> ImportsPage {
    let card = |name: &str, held, is_paused| ImportCard {
        name: name.into(),
        href: "/c/contoso-legal/imports/imp_1".into(),
        state: if is_paused { Pill::new(Tone::Calm, "Paused").with_icon("circle-pause") } else { healthy() },
        is_paused,
        pause_note: if is_paused { "by Joe Park: server migration".into() } else { String::new() },
        people: 398,
        held,
        chosen: "Head office, Branches, Lawyers; without Service accounts".into(),
        schedule: "every 3 hours".into(),
        removal: "are deactivated, with all history".into(),
    };
    ImportsPage {
        frame: of("Imports"),
        customer: head(Tab::Imports, "Imports"),
        may_edit: true,
        has_directory: true,
        imports: vec![card("Everyone", 7, false), card("VPN users", 0, true)],
    }
}

fn units() -> Vec<Unit> {
    let unit = |id: u128, parent: u128, name: &str, people, marks: &str| Unit {
        guid: Uuid::from_u128(id),
        parent: (parent > 0).then(|| Uuid::from_u128(parent)),
        name: name.into(),
        people,
        why_not: marks.contains('b').then_some("built in"),
        chosen: marks.contains('c'),
        excluded: marks.contains('x'),
    };
    vec![
        unit(1, 0, "contoso.local", 0, ""),
        unit(2, 1, "Head office", 120, "c"),
        unit(3, 2, "Litigation", 48, ""),
        unit(4, 2, "Finance", 22, ""),
        unit(5, 2, "Service accounts", 17, "x"),
        unit(6, 1, "Branches", 4, ""),
        unit(7, 6, "Leeds", 81, ""),
        unit(8, 6, "Bristol", 62, ""),
        unit(9, 1, "Builtin", 0, "b"),
        unit(10, 1, "Users", 3, ""),
    ]
}

fn import_form() -> ImportFormPage {
    let group = |id: u128, name: &str, people, chosen, why_not, note: &str| GroupChoice {
        guid: Uuid::from_u128(id).to_string(),
        name: name.into(),
        people,
        chosen,
        why_not,
        note: note.into(),
    };
    ImportFormPage {
        frame: of("Edit Everyone"),
        customer: CustomerHead {
            between: vec![("Imports".into(), "/c/contoso-legal/imports".into())],
            ..head(Tab::Imports, "Edit “Everyone”")
        },
        action: "/c/contoso-legal/imports/imp_1".into(),
        domains: vec![],
        errors: vec![],
        structure_at: Some(ago(12)),
        tree: grow(&units()),
        group_q: String::new(),
        groups: vec![
            group(100, "Lawyers", 61, true, None, ""),
            group(101, "VPN users", 57, false, None, "3 members are groups and are not followed"),
            group(102, "Domain Admins", 4, false, Some("default group"), ""),
        ],
        groups_left_out: 12,
        hidden_groups: 1,
        name: "Everyone".into(),
        minutes: 180,
        intervals: [(60, "every hour"), (180, "every 3 hours"), (360, "every 6 hours")]
            .map(|(value, label)| Interval { value, label: label.into() })
            .into(),
        removal: "deactivate",
        nested: false,
        grace_days: "30".into(),
        may_delete: true,
        count: ScopeCount {
            people: "190".into(),
            sentence: "people in the chosen units, and up to 61 from 1 group".into(),
        },
        save_label: "Save import",
        version: 3,
    }
}
