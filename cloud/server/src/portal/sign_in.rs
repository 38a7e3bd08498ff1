//! Signing in: with a password, or the first time with a one-time link that sets it.

use askama::Template;

use super::view::{FieldError, Notice};

#[derive(Debug, Template)]
#[template(path = "sign_in.html")]
pub struct SignInPage {
    pub notice: Option<Notice>,
    pub email: String,
    pub next: String,
}

#[derive(Debug, Template)]
#[template(path = "first_password.html")]
pub struct FirstPasswordPage {
    pub name: String,
    pub msp: String,
    pub email: String,
    pub token: String,
    pub errors: Vec<FieldError>,
}
