//! Pages in the states a person can meet them in, drawn without a store: for the lint, the size check and the pictures.

mod cast;
mod lists;
mod customer_pages;

use askama::Template;

use super::{
    refusal::{DeadEndPage, RefusedPage},
    sign_in::{FirstPasswordPage, SignInPage},
    view::{FieldError, Link, Notice, Section, Tone},
};
use cast::frame;

/// Every sample by its name.
pub fn all() -> Vec<(String, String)> {
    let mut pages = alone();
    pages.extend(lists::all());
    pages.extend(customer_pages::all());
    pages.into_iter().map(|(name, html)| (name.to_owned(), html)).collect()
}

fn draw(page: &impl Template) -> String {
    page.render().unwrap()
}

fn alone() -> Vec<(&'static str, String)> {
    let wrong = Notice { tone: Tone::Bad, title: "E-mail address or password is wrong", detail: "" };
    let first = FirstPasswordPage {
        name: "Ana Ortiz".into(),
        msp: "Northwind Managed IT".into(),
        email: "ana@northwind.example".into(),
        token: "t".into(),
        errors: vec![],
    };
    let short = FirstPasswordPage {
        errors: vec![FieldError::new("password", "Use at least 12 characters.")],
        name: "Ana Ortiz".into(),
        ..FirstPasswordPage {
            msp: "Northwind Managed IT".into(),
            email: "ana@northwind.example".into(),
            token: "t".into(),
            name: String::new(),
            errors: vec![],
        }
    };
    let gone = DeadEndPage {
        code: "RC-7008",
        title: "This sign-in link no longer works",
        detail: "It was used already, or its time is over. Ask an owner of your organisation for a new one.",
        action: Link::to("Go to sign-in", "/login"),
    };
    let missing = RefusedPage {
        frame: frame("Not found", Section::Customers),
        icon: "search",
        code: "RC-7009",
        heading: "There is no such page",
        detail: "It may have been removed, or it belongs to somebody else.",
        action: Link::to("Go to the dashboard", "/"),
    };
    vec![
        ("sign_in", draw(&SignInPage { notice: None, email: String::new(), next: "/".into() })),
        ("sign_in_wrong", draw(&SignInPage { notice: Some(wrong), email: "ana@northwind.example".into(), next: "/".into() })),
        ("first_password", draw(&first)),
        ("first_password_short", draw(&short)),
        ("link_gone", draw(&gone)),
        ("not_found", draw(&missing)),
    ]
}
