//! The people, customers and times of the samples.

use chrono::{DateTime, TimeDelta, Utc};

use crate::portal::{
    customer_head::{Access, CustomerHead, Tab},
    runs::{Chip, RunRow},
    view::{Frame, Moment, Notice, Pill, Section, Tone},
};

pub fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_795_000_000, 0).unwrap()
}

pub fn ago(minutes: i64) -> Moment {
    Moment::new(now() - TimeDelta::minutes(minutes), now())
}

pub fn frame(title: &str, section: Section) -> Frame {
    Frame {
        title: title.into(),
        section,
        msp: "Northwind Managed IT".into(),
        operator: "Ana Ortiz".into(),
        role: "owner".into(),
        waiting: 14,
        notice: None,
        live: Some("/events".into()),
        refresh_without_script: Some(15),
    }
}

pub fn told(frame: Frame) -> Frame {
    let notice =
        Notice { tone: Tone::Good, title: "Sync requested", detail: "The agent starts within about a second." };
    Frame { notice: Some(notice), ..frame }
}

pub fn healthy() -> Pill {
    Pill::new(Tone::Good, "Healthy")
}

pub fn head(tab: Tab, heading: &str) -> CustomerHead {
    CustomerHead {
        slug: "contoso-legal".into(),
        name: "Contoso Legal LLP".into(),
        state: healthy(),
        is_paused: false,
        access: Access::Act,
        people: 412,
        held: 0,
        tab,
        heading: heading.into(),
        between: vec![],
    }
}

pub fn chips(labels: &[&str]) -> Vec<Chip> {
    labels
        .iter()
        .enumerate()
        .map(|(index, label)| Chip { label: (*label).into(), href: format!("?state={index}"), here: index == 0 })
        .collect()
}

/// Names as they come: long, short, with quotes, from right to left, and one that tries to be markup.
pub const NAMES: [(&str, &str, &str, &str); 9] = [
    ("Ada Fischer", "a.fischer", "ada.fischer@contoso.example", "Litigation"),
    ("Björn Åkesson", "b.akesson", "bjorn.akesson@contoso.example", "Finance"),
    ("Siobhán O’Brien", "s.obrien", "siobhan.obrien@contoso.example", "Office management"),
    ("ليلى حداد", "l.haddad", "layla.haddad@contoso.example", "Family law"),
    ("田中 花子", "h.tanaka", "", "Tax"),
    ("<script>alert(1)</script> & \"Co\"", "x\"y'z", "a&b@contoso.example", "<b>"),
    (
        "Maximiliane-Alexandra Freifrau von und zu Hohenlohe-Waldenburg-Schillingsfürst",
        "maximiliane.hohenlohe-waldenburg",
        "maximiliane-alexandra.von-und-zu-hohenlohe-waldenburg@legal.contoso.example",
        "Mergers & acquisitions, cross-border",
    ),
    ("Jo Li", "j.li", "jo.li@contoso.example", ""),
    ("Tom Baker", "t.baker", "tom.baker@contoso.example", "IT"),
];

pub fn runs() -> Vec<RunRow> {
    let run = |minutes, customer: &str, result: Pill, cause: &str, counts: [i64; 5], took: &str| RunRow {
        href: format!("/c/contoso-legal/runs/run_{minutes}"),
        at: ago(minutes),
        customer: customer.into(),
        customer_href: "/c/contoso-legal".into(),
        result,
        cause: cause.into(),
        added: counts[0],
        changed: counts[1],
        departed: counts[2],
        held: counts[3],
        people: counts[4],
        took: took.into(),
    };
    let ok = || Pill::new(Tone::Good, "Ok");
    vec![
        run(12, "Contoso Legal LLP", ok(), "schedule", [2, 1, 0, 0, 412], "1.2 s"),
        run(48, "Fabrikam Dental", Pill::new(Tone::Held, "Held"), "sync now", [0, 3, 0, 14, 61], "0.4 s"),
        run(65, "Müller & Söhne GmbH", Pill::new(Tone::Bad, "Failed"), "schedule", [0, 0, 0, 0, 0], "30 s"),
        run(190, "Adatum Logistics", Pill::new(Tone::Warn, "Partial"), "schedule", [1, 40, 2, 0, 2_310], "6.8 s"),
        run(192, "Contoso Legal LLP", ok(), "schedule", [0, 0, 0, 0, 410], "1.1 s"),
        run(372, "Contoso Legal LLP", ok(), "new selection", [410, 0, 0, 0, 410], "2.9 s"),
    ]
}
