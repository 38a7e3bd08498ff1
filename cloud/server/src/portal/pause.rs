//! The form that pauses a customer or one import: with a reason, and an end if wanted.

use askama::Template;

use super::{
    customer::CustomerHead,
    view::{FieldError, Frame},
};

#[derive(Debug, Template)]
#[template(path = "pause.html")]
pub struct PausePage {
    pub frame: Frame,
    pub customer: CustomerHead,
    pub what: String,
    pub action: String,
    pub back: String,
    pub reason: String,
    pub errors: Vec<FieldError>,
}
