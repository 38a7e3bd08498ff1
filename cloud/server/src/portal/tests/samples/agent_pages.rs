//! Samples of the pages of one customer's agent.

use super::{
    cast::{ago, head},
    customer_pages::{of, trouble},
    draw,
};
use crate::portal::{
    agent::{AgentPage, BundleShelf, Lost},
    bundles::BundleLine,
    ceiling::{CeilingView, PlaceLine},
    customer_head::{CustomerHead, Tab},
    person::Fact,
    view::{Pill, Tone},
};

pub fn all() -> Vec<(&'static str, String)> {
    vec![
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
