//! Samples of the pages of one customer's people.

use chrono::TimeDelta;

use super::{
    cast::{NAMES, ago, head, now},
    customer_pages::of,
    draw,
    lists::people_list,
};
use crate::portal::{
    customer_head::{CustomerHead, Tab},
    held::{HeldImport, HeldPage, HeldRow},
    people::{CustomerPeoplePage, PeopleList},
    person::{Fact, FieldChange, HistoryLine, MembershipLine, PersonPage},
    view::{FieldError, Moment, Pill, Tone},
};

pub fn all() -> Vec<(&'static str, String)> {
    vec![
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
    ]
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
