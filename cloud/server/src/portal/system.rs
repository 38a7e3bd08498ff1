//! The installation itself: version, database, work in the queue, and jobs that were given up.

use askama::Template;

use super::{
    person::Fact,
    view::{Frame, Moment},
};

#[derive(Debug, Clone)]
pub struct DeadJob {
    pub id: String,
    pub kind: String,
    pub since: Moment,
    pub error: String,
}

#[derive(Debug, Template)]
#[template(path = "system.html")]
pub struct SystemPage {
    pub frame: Frame,
    pub facts: Vec<Fact>,
    pub work: Vec<Fact>,
    pub dead: Vec<DeadJob>,
}
