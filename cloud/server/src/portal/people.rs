//! The people of one customer or of all: searched, filtered and paged by the server.

use askama::Template;

use super::{
    customer::CustomerHead,
    runs::Chip,
    view::{Frame, Moment, Pager, Pill},
};

#[derive(Debug, Clone)]
pub struct PersonRow {
    pub href: String,
    pub name: String,
    pub title: String,
    pub customer: String,
    pub customer_href: String,
    pub account: String,
    pub mail: String,
    pub department: String,
    pub state: Pill,
    pub changed: Moment,
}

#[derive(Debug, Clone)]
pub struct PeopleList {
    pub path: String,
    pub q: String,
    pub filter: String,
    pub chips: Vec<Chip>,
    pub csv: String,
    pub rows: Vec<PersonRow>,
    pub of_all: bool,
    pub empty_title: &'static str,
    pub empty_detail: &'static str,
    pub pager: Pager,
}

#[derive(Debug, Template)]
#[template(path = "people.html")]
pub struct PeoplePage {
    pub frame: Frame,
    pub list: PeopleList,
}

#[derive(Debug, Template)]
#[template(path = "people_of_customer.html")]
pub struct CustomerPeoplePage {
    pub frame: Frame,
    pub customer: CustomerHead,
    pub list: PeopleList,
}
