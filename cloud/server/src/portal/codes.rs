//! The help page of all codes: what each means, why it happens and what mends it. For everybody, signed in or not.

use askama::Template;
use axum::response::Response;
use rollcall_protocol::catalogue;

use super::{answer::page, pages::Pages};

pub fn routes() -> Pages {
    Pages::new().get("/docs/codes", show)
}

#[derive(Debug)]
pub struct Explained {
    pub id: String,
    pub code: &'static str,
    pub title: &'static str,
    pub cause: &'static str,
    pub fix: &'static [&'static str],
    pub event: Option<u16>,
}

#[derive(Debug, Template)]
#[template(path = "codes.html")]
pub struct CodesPage {
    pub faults: Vec<Explained>,
}

impl CodesPage {
    pub fn of_catalogue() -> Self {
        let explained = |fault: &'static catalogue::Fault| Explained {
            id: fault.code.to_lowercase(),
            code: fault.code,
            title: fault.title,
            cause: fault.cause,
            fix: fault.fix,
            event: fault.event,
        };
        Self { faults: catalogue::all().map(explained).collect() }
    }
}

async fn show() -> Response {
    page(&CodesPage::of_catalogue())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_its_place_where_problems_point_to() {
        let html = CodesPage::of_catalogue().render().unwrap();
        for fault in catalogue::all() {
            let (path, anchor) = fault.help_path().split_once('#').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
            assert_eq!(path, "/docs/codes");
            assert!(html.contains(&format!("id=\"{anchor}\"")), "{anchor}");
        }
    }
}
