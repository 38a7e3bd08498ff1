//! Samples of the pages about new versions of the agent.

use super::{
    cast::{ago, frame, head},
    draw,
};
use crate::portal::{
    customer_head::Tab,
    delaying::UpcomingRow,
    pinning::{self, PinningPage},
    updates::{FailureRow, Numbers, Offer, PinRow, RolloutView, UpdatesPage, VersionRow},
    view::{Pill, Section, Tone},
};

pub fn all() -> Vec<(&'static str, String)> {
    vec![
        ("updates", draw(&updates())),
        ("updates_none", draw(&no_updates())),
        ("customer_updates", draw(&customer_updates())),
    ]
}

fn upcoming() -> UpcomingRow {
    UpcomingRow {
        version: "1.4.2".into(),
        platform: "x86_64-windows".into(),
        day: "24 Nov 2026".into(),
        published: ago(7_200),
    }
}

fn updates() -> UpdatesPage {
    UpdatesPage {
        frame: frame("Updates", Section::Agents),
        errors: vec![],
        offer: Offer {
            tone: Tone::Good,
            title: "Newest release 1.3.0".into(),
            detail: "Signed and current until 20 Dec 2026.".into(),
        },
        rollouts: vec![
            RolloutView {
                version: "1.3.0".into(),
                platform: "x86_64-windows".into(),
                state: Pill::new(Tone::Info, "Running").with_icon("refresh-cw"),
                ring: "10 % of the agents",
                since: ago(180),
                why: Some("Agents run it. More are asked when each of them has done so for a day.".into()),
                numbers: Some(Numbers { asked: 21, updated: 20, taken_back: 1, silent: 0, left_behind: 0 }),
                can_pause: true,
                can_resume: false,
            },
            RolloutView {
                version: "1.2.9".into(),
                platform: "x86_64-windows".into(),
                state: Pill::new(Tone::Bad, "Stopped by itself"),
                ring: "1 % of the agents, at least one",
                since: ago(9_000),
                why: Some("1 of 2 agents went back or fell silent".into()),
                numbers: None,
                can_pause: false,
                can_resume: false,
            },
        ],
        upcoming: vec![upcoming()],
        delay_days: 7,
        most_delay_days: 30,
        window: Some(("22:00".into(), "05:00".into())),
        versions: vec![
            VersionRow { version: "1.2.8".into(), agents: 188 },
            VersionRow { version: "1.3.0".into(), agents: 20 },
        ],
        failures: vec![FailureRow {
            host: "CL-DC02".into(),
            href: "#".into(),
            version: "1.3.0".into(),
            state: Pill::new(Tone::Bad, "Went back").with_icon("history"),
            detail: "RC-1050 version 1.3.0: it did not reach the cloud in time".into(),
            at: Some(ago(35)),
        }],
        pins: vec![PinRow {
            customer: "Contoso Legal LLP".into(),
            href: "#".into(),
            version: "1.2.8".into(),
            by: "Ana Ortiz".into(),
            at: ago(4_000),
        }],
        may_manage: true,
    }
}

fn no_updates() -> UpdatesPage {
    UpdatesPage {
        offer: Offer {
            tone: Tone::Calm,
            title: "No releases here".into(),
            detail: "This cloud has no release folder; agents are updated by other means.".into(),
        },
        rollouts: vec![],
        upcoming: vec![],
        delay_days: 0,
        window: None,
        versions: vec![],
        failures: vec![],
        pins: vec![],
        may_manage: false,
        ..updates()
    }
}

fn customer_updates() -> PinningPage {
    PinningPage {
        frame: frame("Updates – Contoso Legal LLP", Section::Customers),
        customer: head(Tab::Agent, "Updates"),
        errors: vec![],
        agents: vec![pinning::AgentRow {
            host: "CL-DC02".into(),
            href: "#".into(),
            version: "1.2.8".into(),
            update: Some((
                Pill::new(Tone::Bad, "Went back from 1.3.0").with_icon("history"),
                "RC-1050 version 1.3.0: it ended by itself each time it was started".into(),
            )),
        }],
        pinned: Some(("1.2.8".into(), "Ana Ortiz".into(), ago(4_000))),
        upcoming: vec![upcoming()],
        versions: vec!["1.2.8".into(), "1.3.0".into()],
        may_manage: true,
    }
}
