//! The list of customers with their states, and the form that adds one.

use askama::Template;

use super::{
    runs::Chip,
    view::{FieldError, Frame, Moment, Pager, Pill},
};

#[derive(Debug, Clone)]
pub struct CustomerRow {
    pub slug: String,
    pub name: String,
    pub state: Pill,
    pub reason: String,
    pub agent: String,
    pub last_sync: Option<Moment>,
    pub people: i64,
    pub imports: i64,
}

#[derive(Debug, Template)]
#[template(path = "customers.html")]
pub struct CustomersPage {
    pub frame: Frame,
    pub here: String,
    pub total: i64,
    pub q: String,
    pub filter: String,
    pub chips: Vec<Chip>,
    pub rows: Vec<CustomerRow>,
    pub pager: Pager,
}

#[derive(Debug, Template)]
#[template(path = "customer_add.html")]
pub struct AddCustomerPage {
    pub frame: Frame,
    pub name: String,
    pub errors: Vec<FieldError>,
}
