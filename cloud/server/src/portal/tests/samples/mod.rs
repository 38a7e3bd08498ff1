//! Pages in the states a person can meet them in, drawn without a store: for the lint, the size check and the pictures.

mod cast;
mod lists;
mod administration;
mod updates;
mod customer_pages;
mod import_pages;
mod person_pages;
mod run_pages;
mod agent_pages;

use askama::Template;

use crate::portal::{
    codes::CodesPage,
    refusal::DeadEndPage,
    sign_in::{FirstPasswordPage, SignInPage},
    view::{FieldError, Link, Notice, Tone},
};

/// Every sample by its name.
pub fn all() -> Vec<(String, String)> {
    let mut pages = alone();
    pages.extend(lists::all());
    pages.extend(administration::all());
    pages.extend(updates::all());
    pages.extend(customer_pages::all());
    pages.extend(import_pages::all());
    pages.extend(person_pages::all());
    pages.extend(run_pages::all());
    pages.extend(agent_pages::all());
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
        code: "RC-7010",
        title: "Sign-in link used or expired",
        detail: "A sign-in link works once, for a limited time.".into(),
        fix: "Ask for a new one.",
        action: Link::to("Go to sign-in", "/login"),
    };
    vec![
        ("sign_in", draw(&SignInPage { notice: None, email: String::new(), next: "/".into() })),
        (
            "sign_in_wrong",
            draw(&SignInPage { notice: Some(wrong), email: "ana@northwind.example".into(), next: "/".into() }),
        ),
        ("first_password", draw(&first)),
        ("first_password_short", draw(&short)),
        ("link_gone", draw(&gone)),
        ("codes", draw(&CodesPage::of_catalogue())),
    ]
}
