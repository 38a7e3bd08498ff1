//! Samples of the pages of one customer.

use chrono::TimeDelta;
use uuid::Uuid;

use super::{
    cast::{NAMES, ago, chips, frame, head, healthy, now, runs, told},
    draw,
    lists::{people_list, tile},
};
use crate::portal::{
    agent::{AgentPage, BundleShelf, Lost},
    bundles::BundleLine,
    ceiling::{CeilingView, PlaceLine},
    customer::{AgentLine, CustomerPage, ImportLine, LastSync},
    customer_head::{CustomerHead, Tab},
    held::{HeldImport, HeldPage, HeldRow},
    import_form::{DomainLink, ImportFormPage, Interval, ScopeCount},
    import_groups::GroupChoice,
    imports::{ImportCard, ImportsPage},
    install::{InstallPage, MsiLink, NewToken, TokenRow},
    pause::PausePage,
    people::{CustomerPeoplePage, PeopleList},
    person::{Fact, FieldChange, HistoryLine, MembershipLine, PersonPage},
    run::{AsideGroup, AsideLine, ChangeRow, RunPage},
    runs::CustomerRunsPage,
    tree::{Unit, grow},
    view::{FieldError, Frame, Link, Moment, Pager, Pill, Section, Step, StepState, Tone, Trouble},
};
use crate::services::installing::Way;

#[expect(clippy::too_many_lines, reason = "one table, read top to bottom")]
pub fn all() -> Vec<(&'static str, String)> {
    vec![
        ("customer_updates", draw(&customer_updates())),
        ("customer", draw(&customer())),
        ("customer_new", draw(&new_customer())),
        ("customer_troubled", draw(&troubled())),
        ("install", draw(&install())),
        ("install_token", draw(&with_token())),
        ("install_done", draw(&InstallPage { steps: steps(4), live_title: "Ready", ..install() })),
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
        ("pause", draw(&pause())),
        (
            "people_of_customer",
            draw(&CustomerPeoplePage {
                frame: of("People"),
                customer: head(Tab::People, "People"),
                list: people_list(false),
            }),
        ),
        (
            "people_of_customer_none",
            draw(&CustomerPeoplePage {
                frame: of("People"),
                customer: head(Tab::People, "People"),
                list: PeopleList { rows: vec![], ..people_list(false) },
            }),
        ),
        ("person", draw(&person())),
        ("person_departed", draw(&departed())),
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
        ("held", draw(&held())),
        ("held_none", draw(&HeldPage { imports: vec![], ..held() })),
        (
            "held_wrong_count",
            draw(&HeldPage {
                errors: vec![FieldError::new("count-1", "Type 7, the number of people in the list.")],
                ..held()
            }),
        ),
        ("held_helpdesk", draw(&HeldPage { may_decide: false, ..held() })),
        ("agent", draw(&agent())),
        (
            "agent_troubled",
            draw(&AgentPage {
                troubles: vec![trouble(
                    Tone::Warn,
                    "RC-2103",
                    "LDAPS certificate not trusted by this server",
                    "Import the issuing CA into Local Computer\\Trusted Root, or set ldap.ca_file.",
                    "Read how",
                )],
                ..agent()
            }),
        ),
        ("agent_ceiling_and_bundles", draw(&AgentPage { ceiling: Some(ceiling()), bundles: Some(shelf()), ..agent() })),
        ("agent_for_helpdesk", draw(&AgentPage { ceiling: None, bundles: None, may_revoke: false, ..agent() })),
        ("agent_quarantined", draw(&AgentPage { may_release: true, may_rotate: false, ..agent() })),
        (
            "agent_clearing",
            draw(&AgentPage {
                clearings: vec![Lost {
                    attribute: "mail".into(),
                    tick: "mail:240:0191".into(),
                    sentence: "240 of 300 people of Staff lost it".into(),
                }],
                may_accept: true,
                ..agent()
            }),
        ),
    ]
}

fn of(page: &str) -> Frame {
    frame(&format!("{page} – Contoso Legal LLP"), Section::Customers)
}

fn trouble(tone: Tone, code: &str, title: &str, detail: &str, action: &str) -> Trouble {
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

fn line(minutes: i64, what: &str, tone: Tone, icon: &'static str, why: &str) -> HistoryLine {
    HistoryLine {
        at: Moment::exact(now() - TimeDelta::minutes(minutes)),
        what: what.into(),
        tone,
        icon,
        by: String::new(),
        run: Some("/c/contoso-legal/runs/run_1".into()),
        why: why.into(),
        fields: vec![],
    }
}

fn person() -> PersonPage {
    let change = |label: &str, before: &str, after: &str| FieldChange {
        label: label.into(),
        before: before.into(),
        after: after.into(),
    };
    let changed = HistoryLine {
        fields: vec![
            change("Surname", "Fischer", "Fischer-Lang"),
            change("E-mail", "", "ada.fischer-lang@contoso.example"),
            change("Department", "Finance", "Litigation"),
        ],
        ..line(12, "Changed", Tone::Info, "user-pen", "")
    };
    PersonPage {
        frame: of("Ada Fischer-Lang"),
        customer: CustomerHead {
            between: vec![("People".into(), "/c/contoso-legal/people".into())],
            ..head(Tab::People, "Ada Fischer-Lang")
        },
        state: Pill::new(Tone::Good, "Active"),
        troubles: vec![],
        facts: vec![
            Fact::new("Account", "a.fischer"),
            Fact::new("Sign-in name", "a.fischer@contoso.example"),
            Fact::new("E-mail", "ada.fischer-lang@contoso.example"),
            Fact::new("Title", "Partner"),
            Fact::new("Phone", ""),
            Fact::new("Place", "CN=Ada Fischer-Lang,OU=Litigation,OU=Head office,DC=contoso,DC=local").mono(),
            Fact::new("objectGUID", "6f2c0e3a-4b57-4a8e-9a43-2b7a0d3a6f11").mono(),
        ],
        memberships: vec![
            MembershipLine {
                import: "Everyone".into(),
                href: "#".into(),
                why: "because of the unit Head office".into(),
                state: Pill::new(Tone::Good, "Active"),
            },
            MembershipLine {
                import: "VPN users".into(),
                href: "#".into(),
                why: "left the group on 3 Nov 2026".into(),
                state: Pill::new(Tone::Calm, "Departed").with_icon("user-minus"),
            },
        ],
        history: vec![
            changed,
            line(9_000, "Left VPN users", Tone::Calm, "user-minus", "Left the group VPN users."),
            line(40_000, "Joined", Tone::Good, "user-plus", "First seen in Everyone."),
        ],
        history_goes_on: true,
    }
}

fn departed() -> PersonPage {
    PersonPage {
        state: Pill::new(Tone::Calm, "Departed").with_icon("user-minus"),
        memberships: vec![],
        history: vec![],
        history_goes_on: false,
        ..person()
    }
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

fn held() -> HeldPage {
    let rows = NAMES
        .iter()
        .take(7)
        .map(|(name, account, ..)| HeldRow {
            href: "#".into(),
            name: (*name).into(),
            account: (*account).into(),
            evidence: "moved to OU=Leavers,DC=contoso,DC=local".into(),
            since: ago(48),
        })
        .collect();
    HeldPage {
        frame: of("Held removals"),
        customer: CustomerHead { held: 7, ..head(Tab::Held, "Held removals") },
        errors: vec![],
        imports: vec![HeldImport {
            id: "imp_1".into(),
            name: "Everyone".into(),
            why: "7 of 61 people would leave at once, more than 10 %".into(),
            cause: "All 7 were moved out of the chosen units. Was a unit reorganised?".into(),
            since: ago(48),
            list: "abc".into(),
            rows,
        }],
        may_decide: true,
    }
}

fn agent() -> AgentPage {
    AgentPage {
        frame: of("CL-DC02"),
        customer: CustomerHead {
            between: vec![("Agent".into(), "/c/contoso-legal/agent".into())],
            ..head(Tab::Agent, "CL-DC02")
        },
        here: "/c/contoso-legal/agent/agt_1".into(),
        host: "CL-DC02".into(),
        state: Pill::new(Tone::Good, "Online"),
        troubles: vec![],
        health: vec![
            Fact::new("Domain controller", "dc01.contoso.local"),
            Fact::new("Transport", "LDAPS"),
            Fact::new("Clock", "0.2 s behind"),
            Fact::new("Waiting to be sent", "0 batches"),
        ],
        last_seen: Some(ago(0)),
        retired: None,
        outlived_restore: Some(ago(90)),
        identity: vec![
            Fact::new("Version", "0.1.0"),
            Fact::new("System", "Windows Server 2022 21H2"),
            Fact::new("Key", "SHA256 9C:21:44:0B:AE:71:5D:E2:90:11:3F:08:6C:2A:B7:7F").mono(),
            Fact::new("Id", "agt_0191f2c4-7b1e-7c3a-9c55-0d8f6f1f4b21").mono(),
        ],
        enrolled: ago(60 * 24 * 40),
        ceiling: Some(CeilingView::default()),
        bundles: Some(BundleShelf { lines: vec![], is_awaited: false, may_ask: true }),
        may_revoke: true,
        clearings: vec![],
        may_accept: false,
        may_rotate: true,
        may_release: false,
    }
}

fn ceiling() -> CeilingView {
    let place = |place: &str, is_lost| PlaceLine { place: place.into(), is_lost };
    CeilingView {
        withheld: vec!["mobile".into(), "manager".into()],
        places: vec![place("OU=Board,DC=contoso,DC=local", false), place("OU=Founders,DC=contoso,DC=local", true)],
        effect: "12 people are left out by it.".into(),
    }
}

fn shelf() -> BundleShelf {
    let line = BundleLine {
        href: "/agents/agt_1/bundles/bun_1".into(),
        received: ago(3),
        expires: ago(-60 * 24 * 7),
        size: "9 KiB".into(),
        sha256: "9c21440bae715de29011".repeat(3) + "08f6",
    };
    BundleShelf { lines: vec![line], is_awaited: true, may_ask: true }
}

fn customer_updates() -> crate::portal::pinning::PinningPage {
    crate::portal::pinning::PinningPage {
        frame: frame("Updates – Contoso Legal LLP", Section::Customers),
        customer: head(Tab::Agent, "Updates"),
        errors: vec![],
        agents: vec![crate::portal::pinning::AgentRow {
            host: "CL-DC02".into(),
            href: "#".into(),
            version: "1.2.8".into(),
            update: Some((
                Pill::new(Tone::Bad, "Went back from 1.3.0").with_icon("history"),
                "RC-1050 version 1.3.0: it ended by itself each time it was started".into(),
            )),
        }],
        pinned: Some(("1.2.8".into(), "Ana Ortiz".into(), ago(4_000))),
        upcoming: vec![crate::portal::delaying::UpcomingRow {
            version: "1.4.2".into(),
            platform: "x86_64-windows".into(),
            day: "24 Nov 2026".into(),
            published: ago(7_200),
        }],
        versions: vec!["1.2.8".into(), "1.3.0".into()],
        may_manage: true,
    }
}
