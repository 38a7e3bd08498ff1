//! What stands around every signed-in page: title, menu, who is signed in, and the notice of the last action.

use super::Tone;

/// The places of the menu, in its order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Section {
    Dashboard,
    Customers,
    People,
    Runs,
    Agents,
    Audit,
    Settings,
    System,
}

impl Section {
    const ALL: [Self; 8] = [
        Self::Dashboard,
        Self::Customers,
        Self::People,
        Self::Runs,
        Self::Agents,
        Self::Audit,
        Self::Settings,
        Self::System,
    ];

    fn face(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Dashboard => ("/", "Dashboard", "layout-dashboard"),
            Self::Customers => ("/customers", "Customers", "building-2"),
            Self::People => ("/people", "People", "users"),
            Self::Runs => ("/runs", "Runs", "refresh-cw"),
            Self::Agents => ("/agents", "Agents", "server"),
            Self::Audit => ("/audit", "Audit", "scroll-text"),
            Self::Settings => ("/settings", "Settings", "settings"),
            Self::System => ("/system", "System", "activity"),
        }
    }
}

/// Words for what the last action did. Only fixed texts: nothing from an address is ever echoed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Notice {
    pub tone: Tone,
    pub title: &'static str,
    pub detail: &'static str,
}

#[derive(Debug, Clone)]
pub struct MenuItem {
    pub href: &'static str,
    pub label: &'static str,
    pub icon: &'static str,
    pub here: bool,
    pub count: u64,
}

#[derive(Debug, Clone)]
pub struct Frame {
    pub title: String,
    pub section: Section,
    pub msp: String,
    pub operator: String,
    pub role: String,
    /// Held removals and other things that wait for a person; shown beside Runs.
    pub waiting: u64,
    pub notice: Option<Notice>,
    /// Address of the event stream that says when this page is out of date.
    pub live: Option<String>,
    /// Where script is off, the page asks again after this many seconds.
    pub refresh_without_script: Option<u32>,
}

impl Frame {
    pub fn menu(&self) -> Vec<MenuItem> {
        Section::ALL.map(|section| self.menu_item(section)).into()
    }

    fn menu_item(&self, section: Section) -> MenuItem {
        let (href, label, icon) = section.face();
        let count = if section == Section::Runs { self.waiting } else { 0 };
        MenuItem { href, label, icon, here: section == self.section, count }
    }
}
