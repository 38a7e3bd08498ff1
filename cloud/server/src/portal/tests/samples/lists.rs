//! Samples of the pages that list things of all customers.

use chrono::{NaiveDate, TimeDelta};

use super::{
    cast::{NAMES, ago, chips, frame, healthy, runs},
    draw,
};
use crate::portal::{
    agents::{AgentRow, AgentsPage},
    customers::{AddCustomerPage, CustomerRow, CustomersPage},
    dashboard::{DashboardPage, Need, Tile},
    people::{PeopleList, PeoplePage, PersonRow},
    runs::RunsPage,
    view::{DayBars, FieldError, Link, Pager, Pill, Section, Step, StepState, Tone, Trouble, chart::Day},
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
