//! Samples of the pages of one customer as a whole.

use super::{
    cast::{ago, frame, head, healthy, runs, told},
    draw,
    lists::tile,
};
use crate::{
    portal::{
        customer::{AgentLine, CustomerPage, ImportLine, LastSync},
        customer_head::{CustomerHead, Tab},
        install::{InstallPage, MsiLink, NewToken, TokenRow},
        pause::PausePage,
        view::{Frame, Link, Pill, Section, Step, StepState, Tone, Trouble},
    },
    services::installing::Way,
};

pub fn all() -> Vec<(&'static str, String)> {
    vec![
        ("customer", draw(&customer())),
        ("customer_new", draw(&new_customer())),
        ("customer_troubled", draw(&troubled())),
        ("install", draw(&install())),
        ("install_token", draw(&with_token())),
        ("install_done", draw(&InstallPage { steps: steps(4), live_title: "Ready", ..install() })),
        ("pause", draw(&pause())),
    ]
}

pub fn of(page: &str) -> Frame {
    frame(&format!("{page} – Contoso Legal LLP"), Section::Customers)
}

pub fn trouble(tone: Tone, code: &str, title: &str, detail: &str, action: &str) -> Trouble {
    Trouble {
        tone,
        code: code.into(),
        title: title.into(),
        detail: Some(detail.into()),
        since: ago(48),
        action: Link::to(action, "/c/contoso-legal/held"),
    }
}

fn customer() -> CustomerPage {
    CustomerPage {
        frame: told(frame("Contoso Legal LLP", Section::Customers)),
        customer: head(Tab::Overview, "Contoso Legal LLP"),
        can_sync: true,
        last_sync: Some(LastSync { at: ago(12), sentence: "2 people added, 1 changed.".into() }),
        next_sync: Some(ago(-168)),
        not_yet: "",
        running: None,
        troubles: vec![],
        progress: vec![],
        tiles: vec![
            tile("People", "412", "in 2 imports", "users", "info"),
            tile("Added", "14", "in 30 days", "user-plus", "good"),
            tile("Changed", "61", "in 30 days", "user-pen", "info"),
            tile("Departed", "5", "in 30 days", "user-minus", "calm"),
        ],
        imports: vec![
            ImportLine {
                name: "Everyone".into(),
                href: "#".into(),
                schedule: "every 3 hours".into(),
                chosen: "3 units, 1 left out".into(),
                people: 398,
                state: healthy(),
            },
            ImportLine {
                name: "VPN users".into(),
                href: "#".into(),
                schedule: "every hour".into(),
                chosen: "1 group".into(),
                people: 57,
                state: Pill::new(Tone::Calm, "Paused").with_icon("circle-pause"),
            },
        ],
        imports_why_empty: "",
        agents: vec![AgentLine {
            host: "CL-DC02".into(),
            href: "#".into(),
            detail: "LDAPS to dc01.contoso.local · version 0.1.0".into(),
            last_seen: Some(ago(0)),
            state: Pill::new(Tone::Good, "Online"),
        }],
        runs: runs(),
        runs_of_all: false,
    }
}

fn new_customer() -> CustomerPage {
    let never = Pill::new(Tone::Info, "Never synced").with_icon("circle-dashed");
    CustomerPage {
        customer: CustomerHead { state: never, people: 0, ..head(Tab::Overview, "Contoso Legal LLP") },
        can_sync: false,
        last_sync: None,
        next_sync: None,
        not_yet: "No agent has been installed yet.",
        progress: vec![
            Step::new(StepState::Doing, "Install the agent", "One line on one domain-joined server.")
                .with(Link::to("Install", "#").primary()),
            Step::new(StepState::Open, "Choose who to import", "When the agent has read the structure."),
            Step::new(StepState::Open, "First sync", "Runs by itself."),
        ],
        tiles: vec![],
        imports: vec![],
        imports_why_empty: "When the agent has reached the directory, choose who comes over.",
        agents: vec![],
        runs: vec![],
        ..customer()
    }
}

fn troubled() -> CustomerPage {
    CustomerPage {
        customer: CustomerHead {
            state: Pill::new(Tone::Held, "Held"),
            held: 14,
            ..head(Tab::Overview, "Contoso Legal LLP")
        },
        running: Some("reading, 1,204 people so far".into()),
        troubles: vec![
            trouble(Tone::Held, "RC-4003", "14 removals held for review", "Additions and changes go on.", "Review"),
            trouble(Tone::Bad, "RC-1008", "The agent is silent", "No contact for 25 hours.", "Check the agent"),
        ],
        ..customer()
    }
}

fn steps(done: usize) -> Vec<Step> {
    let texts = [
        ("Token made", "Valid for 58 more minutes."),
        ("Agent enrolled", "CL-DC02, Windows Server 2022."),
        ("Directory reached", "LDAPS to dc01.contoso.local."),
        ("People seen", "412 people in 19 units."),
    ];
    texts
        .iter()
        .enumerate()
        .map(|(index, (what, detail))| {
            let state = match index.cmp(&done) {
                std::cmp::Ordering::Less => StepState::Done,
                std::cmp::Ordering::Equal => StepState::Doing,
                std::cmp::Ordering::Greater => StepState::Open,
            };
            Step::new(state, *what, if state == StepState::Open { "" } else { detail })
        })
        .collect()
}

fn install() -> InstallPage {
    InstallPage {
        frame: of("Agent"),
        customer: head(Tab::Agent, "Agent"),
        token: None,
        ways: vec![],
        may_install: true,
        msi: Some(MsiLink {
            size: "5.4 MB".into(),
            sha256: "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed".into(),
        }),
        open_tokens: vec![],
        live_title: "Waiting for the agent",
        steps: steps(0),
        trouble: None,
        public_host: "rollcall.northwind.example:443".into(),
        agents: vec![],
    }
}

fn with_token() -> InstallPage {
    let way = |label, command: &str, hint| Way { label, command: command.into(), hint };
    InstallPage {
        token: Some(NewToken { expires: ago(-58) }),
        ways: vec![
            way(
                "msiexec",
                "msiexec /i rollcall-agent-x64.msi /qn /norestart ENROLLTOKEN=eyJhbGciOiJFZERTQSJ9.EXAMPLE /l*v %TEMP%\\rollcall-msi.log",
                "In an elevated command prompt.",
            ),
            way(
                "PowerShell",
                "$t = 'eyJhbGciOiJFZERTQSJ9.EXAMPLE'\nInvoke-WebRequest …",
                "Downloads, checks the hash, installs.",
            ),
            way("RMM script", "set ROLLCALL_TOKEN=…", "Exit codes: 0 ok, 1 failed, 3010 restart needed."),
            way(
                "Linux",
                "rollcall-agent enroll --token eyJhbGciOiJFZERTQSJ9.EXAMPLE",
                "On a host that reaches a domain controller.",
            ),
        ],
        steps: steps(1),
        open_tokens: vec![TokenRow {
            id: "tok_1".into(),
            created: ago(2),
            by: "Ana Ortiz".into(),
            state: Pill::new(Tone::Info, "Open"),
            note: "ends in 58 min".into(),
            can_revoke: true,
        }],
        ..install()
    }
}

fn pause() -> PausePage {
    PausePage {
        meaning: crate::portal::pause::meaning(crate::portal::pause::Subject::Customer),
        frame: of("Pause"),
        customer: head(Tab::Overview, "Pause"),
        what: "Contoso Legal LLP".into(),
        action: "/c/contoso-legal/pause".into(),
        back: "/c/contoso-legal".into(),
        reason: String::new(),
        errors: vec![],
    }
}
