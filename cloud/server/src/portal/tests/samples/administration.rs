//! Samples of the pages about the MSP itself: settings, audit, system.

use chrono::TimeDelta;
use rollcall_protocol::catalogue;

use super::{
    cast::{ago, frame, now},
    draw,
};
use crate::portal::{
    audit::{AuditPage, AuditRow},
    person::Fact,
    settings::{KeyRow, Named, NewLink, OperatorRow, SessionRow, SettingsPage},
    system::{DeadJob, SystemPage},
    view::{Moment, Pager, Pill, Section, Tone},
};

pub fn all() -> Vec<(&'static str, String)> {
    vec![
        ("settings", draw(&settings())),
        (
            "settings_new_key",
            draw(&SettingsPage {
                new_key: Some("rck_EXAMPLEEXAMPLEEXAMPLEEXAMPLEEXAMPLE".into()),
                new_link: Some(NewLink {
                    to: "Joe Park".into(),
                    address: "https://rollcall.northwind.example/login/EXAMPLE".into(),
                    expires: ago(-60),
                }),
                ..settings()
            }),
        ),
        (
            "settings_helpdesk",
            draw(&SettingsPage { may_manage_keys: false, may_manage_operators: false, ..settings() }),
        ),
        ("audit", draw(&audit())),
        ("audit_none", draw(&AuditPage { rows: vec![], ..audit() })),
        ("system", draw(&system())),
        ("system_dead_job", draw(&busy_system())),
    ]
}

#[expect(clippy::too_many_lines, reason = "one table, read top to bottom")]
fn settings() -> SettingsPage {
    SettingsPage {
        frame: frame("Settings", Section::Settings),
        errors: vec![],
        new_key: None,
        new_link: None,
        may_manage_keys: true,
        keys: vec![KeyRow {
            id: "key_1".into(),
            name: "RMM script".into(),
            prefix: "rck_7Qm2".into(),
            role: "engineer".into(),
            reach: "all".into(),
            created: ago(60 * 24 * 9),
            by: "Ana Ortiz".into(),
            last_used: Some(ago(6)),
            state: Pill::new(Tone::Good, "Active"),
            can_revoke: true,
        }],
        customers: vec![Named { id: "cus_1".into(), name: "Contoso Legal LLP".into() }],
        may_manage_operators: true,
        operators: vec![
            OperatorRow {
                id: "opr_1".into(),
                name: "Ana Ortiz".into(),
                email: "ana@northwind.example".into(),
                role: "owner".into(),
                reach: "all".into(),
                state: Pill::new(Tone::Good, "Active"),
                can_link: false,
                can_disable: false,
            },
            OperatorRow {
                id: "opr_2".into(),
                name: "Joe Park".into(),
                email: "joe@northwind.example".into(),
                role: "helpdesk".into(),
                reach: "2 customers".into(),
                state: Pill::new(Tone::Info, "Invited"),
                can_link: true,
                can_disable: true,
            },
        ],
        sessions: vec![
            SessionRow {
                id: "a".into(),
                device: "Firefox on Windows".into(),
                ip: "203.0.113.7".into(),
                created: ago(90),
                seen: ago(0),
                is_this: true,
            },
            SessionRow {
                id: "b".into(),
                device: "Safari on iPhone".into(),
                ip: "198.51.100.20".into(),
                created: ago(4_000),
                seen: ago(800),
                is_this: false,
            },
        ],
    }
}

fn audit() -> AuditPage {
    let row =
        |minutes: i64, actor: &str, action: &str, customer: &str, object: &str, detail: &str, source: &str| AuditRow {
            at: Moment::exact(now() - TimeDelta::minutes(minutes)),
            actor: actor.into(),
            action: action.into(),
            customer: customer.into(),
            object: object.into(),
            detail: detail.into(),
            source: source.into(),
            ip: "203.0.113.7".into(),
        };
    AuditPage {
        frame: frame("Audit", Section::Audit),
        rows: vec![
            row(
                3,
                "Ana Ortiz",
                "sync_now",
                "Contoso Legal LLP",
                "cus_0191f2c4-7b1e-7c3a-9c55-0d8f6f1f4b21",
                "",
                "portal",
            ),
            row(
                50,
                "RMM script",
                "create_enrol_token",
                "Tailspin Toys",
                "tok_0191f2c4-7b1e-7c3a-9c55-0d8f6f1f4b21",
                "",
                "api",
            ),
            row(
                700,
                "Joe Park",
                "pause",
                "Müller & Söhne GmbH",
                "cus_0191f2c4-7b1e-7c3a-9c55-0d8f6f1f4b22",
                "before: running\nafter: paused, Server migration",
                "portal",
            ),
        ],
        pager: Pager::default(),
    }
}

fn busy_system() -> SystemPage {
    SystemPage {
        dead: vec![DeadJob {
            id: "job_0191".into(),
            kind: "send_mail".into(),
            since: ago(300),
            fault: &catalogue::MAIL_UNKNOWN,
            detail: Some("the program ended while it was sent".into()),
        }],
        outlived_restore: 3,
        ..system()
    }
}

fn system() -> SystemPage {
    SystemPage {
        frame: frame("System", Section::System),
        facts: vec![
            Fact::new("Version", "0.1.0"),
            Fact::new("Database", "SQLite"),
            Fact::new("Public address", "https://rollcall.northwind.example").mono(),
        ],
        work: vec![
            Fact::new("Jobs waiting", "0"),
            Fact::new("Oldest waits", "none"),
            Fact::new("Planned for later", "2, next 27 Nov, 09:14 UTC"),
            Fact::new("Given up", "0"),
        ],
        outlived_restore: 0,
        dead: vec![],
    }
}
