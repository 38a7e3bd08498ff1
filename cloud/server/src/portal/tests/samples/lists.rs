//! Samples of the pages that list things of all customers.

use chrono::{NaiveDate, TimeDelta};
use rollcall_protocol::catalogue;

use super::{
    cast::{NAMES, ago, chips, frame, healthy, now, runs},
    draw,
};
use crate::portal::{
    agents::{AgentRow, AgentsPage},
    audit::{AuditPage, AuditRow},
    customers::{AddCustomerPage, CustomerRow, CustomersPage},
    dashboard::{DashboardPage, Need, Tile},
    delaying::UpcomingRow,
    people::{PeopleList, PeoplePage, PersonRow},
    person::Fact,
    runs::RunsPage,
    settings::{KeyRow, Named, NewLink, OperatorRow, SessionRow, SettingsPage},
    system::{DeadJob, SystemPage},
    updates::{FailureRow, Numbers, Offer, PinRow, RolloutView, UpdatesPage, VersionRow},
    view::{DayBars, FieldError, Link, Moment, Pager, Pill, Section, Step, StepState, Tone, Trouble, chart::Day},
};

pub fn all() -> Vec<(&'static str, String)> {
    vec![
        ("dashboard", draw(&dashboard())),
        ("dashboard_first", draw(&first_dashboard())),
        ("customers", draw(&customers())),
        ("customers_none", draw(&CustomersPage { total: 0, rows: vec![], pager: Pager::default(), ..customers() })),
        ("customers_no_match", draw(&CustomersPage { rows: vec![], q: "zzz".into(), ..customers() })),
        (
            "customer_add",
            draw(&AddCustomerPage {
                frame: frame("Add customer", Section::Customers),
                name: String::new(),
                errors: vec![],
            }),
        ),
        (
            "customer_add_wrong",
            draw(&AddCustomerPage {
                frame: frame("Add customer", Section::Customers),
                name: "  ".into(),
                errors: vec![FieldError::new("name", "A name has 1 to 120 characters.")],
            }),
        ),
        ("people", draw(&PeoplePage { frame: frame("People", Section::People), list: people_list(true) })),
        ("runs", draw(&runs_page())),
        ("runs_none", draw(&RunsPage { runs: vec![], held: vec![], held_total: 0, ..runs_page() })),
        ("agents", draw(&agents())),
        ("agents_none", draw(&AgentsPage { rows: vec![], ..agents() })),
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

pub fn tile(label: &'static str, value: &str, detail: &str, icon: &'static str, class: &'static str) -> Tile {
    Tile { label, value: value.into(), detail: detail.into(), icon, class, href: "/customers".into() }
}

fn dashboard() -> DashboardPage {
    let need = |customer: &str, tone, code: &str, title: &str, minutes, action: &str| Need {
        customer: customer.into(),
        customer_href: "/c/x".into(),
        trouble: Trouble {
            tone,
            code: code.into(),
            title: title.into(),
            detail: None,
            since: ago(minutes),
            action: Link::to(action, "/c/x/held"),
        },
    };
    DashboardPage {
        frame: frame("Dashboard", Section::Dashboard),
        summary: "38 customers, 35 healthy. Three things need you.".into(),
        checklist: vec![],
        checklist_done: 0,
        tiles: vec![
            tile("Healthy", "35", "of 38 customers", "circle-check", "good"),
            tile("Needs attention", "1", "failed or partial", "triangle-alert", "warn"),
            tile("Removals held", "14", "at 1 customer", "hand", "held"),
            tile("Agents offline", "1", "of 38 agents", "unplug", "bad"),
            tile("People", "9,207", "+12 this week", "users", "info"),
        ],
        needs: vec![
            need("Fabrikam Dental", Tone::Held, "RC-4003", "14 removals held for review", 48, "Review"),
            need("Wide World Importers", Tone::Bad, "RC-1008", "The agent is silent", 1_500, "Check the agent"),
            need("Müller & Söhne GmbH", Tone::Warn, "RC-2303", "Directory read incomplete", 65, "Read the run"),
        ],
        chart: DayBars { days: days() },
        runs: runs(),
        runs_of_all: true,
    }
}

fn days() -> Vec<Day> {
    let first = NaiveDate::from_ymd_opt(2026, 11, 4).unwrap();
    let counts = [3, 8, 2, 0, 0, 14, 22, 5, 6, 3, 0, 1, 40, 12];
    counts
        .iter()
        .enumerate()
        .map(|(index, count)| Day {
            date: first + TimeDelta::days(i64::try_from(index).unwrap()),
            added: *count / 2,
            changed: *count,
            gone: *count / 5,
            errors: u64::from(*count > 30),
        })
        .collect()
}

fn first_dashboard() -> DashboardPage {
    DashboardPage {
        summary: "Welcome. Five steps to the first synchronised customer.".into(),
        checklist: vec![
            Step::new(StepState::Done, "Sign in", "Your password is set."),
            Step::new(StepState::Doing, "Add your first customer", "One organisation you look after.")
                .with(Link::to("Add customer", "/customers/add").primary()),
            Step::new(StepState::Open, "Install the agent", "One line on one server of the customer."),
            Step::new(StepState::Open, "Choose who to import", "Organisational units or security groups."),
            Step::new(StepState::Open, "First sync", "Runs by itself once people are chosen."),
        ],
        checklist_done: 1,
        tiles: vec![],
        needs: vec![],
        chart: DayBars { days: vec![] },
        runs: vec![],
        ..dashboard()
    }
}

#[expect(clippy::too_many_lines, reason = "one table, read top to bottom")]
fn customers() -> CustomersPage {
    let row = |name: &str, slug: &str, state: Pill, reason: &str, agent: &str, sync, people, imports| CustomerRow {
        slug: slug.into(),
        name: name.into(),
        state,
        reason: reason.into(),
        agent: agent.into(),
        last_sync: sync,
        people,
        imports,
    };
    CustomersPage {
        frame: frame("Customers", Section::Customers),
        here: "/customers".into(),
        total: 38,
        q: String::new(),
        filter: String::new(),
        chips: chips(&["All", "Needs you", "Healthy", "Paused", "Never synced"]),
        rows: vec![
            row(
                "Adatum Logistics",
                "adatum-logistics",
                Pill::new(Tone::Warn, "Attention"),
                "Some records were set aside",
                "SRV-AD01",
                Some(ago(190)),
                2_310,
                3,
            ),
            row("Contoso Legal LLP", "contoso-legal", healthy(), "", "CL-DC02", Some(ago(12)), 412, 2),
            row(
                "Fabrikam Dental",
                "fabrikam-dental",
                Pill::new(Tone::Held, "Held"),
                "14 removals wait",
                "FAB-SRV",
                Some(ago(48)),
                61,
                1,
            ),
            row(
                "Müller & Söhne GmbH",
                "mueller-soehne-gmbh",
                Pill::new(Tone::Calm, "Paused").with_icon("circle-pause"),
                "Server migration",
                "MS-APP1",
                Some(ago(6_000)),
                88,
                1,
            ),
            row(
                "Tailspin Toys",
                "tailspin-toys",
                Pill::new(Tone::Info, "Never synced").with_icon("circle-dashed"),
                "No agent yet",
                "none",
                None,
                0,
                0,
            ),
            row(
                "Wide World Importers",
                "wide-world",
                Pill::new(Tone::Bad, "Agent offline").with_icon("unplug"),
                "Silent for 25 h",
                "WWI-FS01",
                Some(ago(1_500)),
                143,
                1,
            ),
        ],
        pager: Pager { first: Some("/customers".into()), next: Some("/customers?after=x".into()) },
    }
}

pub fn people_list(of_all: bool) -> PeopleList {
    let states = [
        Pill::new(Tone::Good, "Active"),
        Pill::new(Tone::Held, "Removal held"),
        Pill::new(Tone::Calm, "Disabled").with_icon("circle-pause"),
        Pill::new(Tone::Calm, "Departed").with_icon("user-minus"),
    ];
    let rows = NAMES
        .iter()
        .enumerate()
        .map(|(index, (name, account, mail, department))| PersonRow {
            href: format!("/c/contoso-legal/people/acc_{index}"),
            name: (*name).into(),
            title: if index % 2 == 0 { "Partner".into() } else { String::new() },
            customer: "Contoso Legal LLP".into(),
            customer_href: "/c/contoso-legal".into(),
            account: (*account).into(),
            mail: (*mail).into(),
            department: (*department).into(),
            state: states[index % states.len()].clone(),
            changed: ago(37 * (i64::try_from(index).unwrap() + 1)),
        })
        .collect();
    PeopleList {
        path: "/people".into(),
        q: String::new(),
        filter: String::new(),
        chips: chips(&["Present", "Removal held", "Departed", "All"]),
        csv: "/people.csv".into(),
        rows,
        of_all,
        empty_title: "Nobody here",
        empty_detail: "Nobody matches the search.",
        pager: Pager { first: None, next: Some("/people?after=x".into()) },
    }
}

fn runs_page() -> RunsPage {
    RunsPage {
        frame: frame("Runs", Section::Runs),
        here: "/runs".into(),
        held_total: 14,
        held: vec![Link::to("Review 14 at Fabrikam Dental", "/c/fabrikam-dental/held")],
        chips: chips(&["All", "Ok", "Partial", "Failed"]),
        runs: runs(),
        runs_of_all: true,
        pager: Pager { first: None, next: Some("/runs?after=x".into()) },
    }
}

fn agents() -> AgentsPage {
    let row =
        |host: &str, customer: &str, state: Pill, reason: &str, dc: &str, transport: &str, minutes: Option<i64>| {
            AgentRow {
                href: "/agents/agt_1".into(),
                host: host.into(),
                customer: customer.into(),
                customer_href: "/c/x".into(),
                state,
                reason: reason.into(),
                dc: dc.into(),
                transport: transport.into(),
                version: "0.1.0".into(),
                last_seen: minutes.map(ago),
            }
        };
    AgentsPage {
        frame: frame("Agents", Section::Agents),
        here: "/agents".into(),
        chips: chips(&["All", "Online", "Offline"]),
        rows: vec![
            row(
                "CL-DC02",
                "Contoso Legal LLP",
                Pill::new(Tone::Good, "Online"),
                "",
                "dc01.contoso.local",
                "LDAPS",
                Some(0),
            ),
            row(
                "MS-APP1",
                "Müller & Söhne GmbH",
                Pill::new(Tone::Warn, "Attention"),
                "RC-2103 LDAPS certificate not trusted",
                "dc.mueller.local",
                "",
                Some(0),
            ),
            row(
                "WWI-FS01",
                "Wide World Importers",
                Pill::new(Tone::Bad, "Offline").with_icon("unplug"),
                "",
                "wwi-dc1.wwi.local",
                "StartTLS",
                Some(1_500),
            ),
            row(
                "FAB-SRV",
                "Fabrikam Dental",
                Pill::new(Tone::Bad, "Quarantined"),
                "RC-3103 Two agents use one identity",
                "",
                "",
                None,
            ),
        ],
        pager: Pager::default(),
    }
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

pub fn of_updates() -> Vec<(&'static str, String)> {
    vec![("updates", draw(&updates())), ("updates_none", draw(&no_updates()))]
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
