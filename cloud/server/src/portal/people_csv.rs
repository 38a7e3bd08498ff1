//! The list of people as CSV: the same filter as the page, all of it, column by column as declared here.

use std::fmt::Write as _;

use axum::{
    extract::{Path, Query, State},
    http::{HeaderValue, header},
    response::{IntoResponse as _, Response},
};
use rollcall_domain::role::Act;
use rollcall_protocol::person::Person;
use rollcall_store::{
    accounts::{self, Listed},
    across,
};

use super::{
    answer::PageError,
    guard::{SignedIn, require},
    pages::Pages,
    people::Asked,
};
use crate::{services::reach, state::AppState};

pub fn routes() -> Pages {
    Pages::new().get("/people.csv", export_all).get("/c/{slug}/people.csv", export_of_customer)
}

const HEAD: &str =
    "customer,name,account,sign_in_name,email,title,department,state,enabled,changed_at,object_guid,id\r\n";
/// Rows read at a time.
const CHUNK: i64 = 5_000;
/// More are fetched through the API.
const LONGEST: usize = 100_000;

async fn export_all(
    State(state): State<AppState>,
    signed: SignedIn,
    Query(asked): Query<Asked>,
) -> Result<Response, PageError> {
    require(&signed, Act::ViewCustomers)?;
    let mut tx = state.db.read(&signed.who.scope).await?;
    let mut text = HEAD.to_owned();
    let mut wanted = accounts::Page { after: None, ..asked.wanted(CHUNK) };
    for _ in 0..LONGEST / 5_000 {
        let found = across::list_people(&mut tx, &signed.who.scope, &wanted).await?;
        wanted.after = found.last().map(|of| (of.row.sort_name.clone(), of.row.id));
        let is_last = i64::try_from(found.len()).is_ok_and(|count| count < CHUNK);
        for of in &found {
            write_row(&mut text, &of.customer_name, &of.row);
        }
        if is_last {
            break;
        }
    }
    Ok(file("people.csv", text))
}

async fn export_of_customer(
    State(state): State<AppState>,
    signed: SignedIn,
    Path(slug): Path<String>,
    Query(asked): Query<Asked>,
) -> Result<Response, PageError> {
    let (scope, customer) = reach::customer_by_slug(&state, &signed.who, &slug).await?;
    let mut tx = state.db.read(&scope).await?;
    let mut text = HEAD.to_owned();
    let mut wanted = accounts::Page { after: None, ..asked.wanted(CHUNK) };
    for _ in 0..LONGEST / 5_000 {
        let found = accounts::list(&mut tx, &scope, &wanted).await?;
        wanted.after = found.last().map(|row| (row.sort_name.clone(), row.id));
        let is_last = i64::try_from(found.len()).is_ok_and(|count| count < CHUNK);
        for row in &found {
            write_row(&mut text, &customer.name, row);
        }
        if is_last {
            break;
        }
    }
    Ok(file(&format!("people-{slug}.csv"), text))
}

fn file(name: &str, text: String) -> Response {
    let mut response = text.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/csv; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Ok(value) = HeaderValue::from_str(&format!("attachment; filename=\"{name}\"")) {
        headers.insert(header::CONTENT_DISPOSITION, value);
    }
    response
}

fn write_row(text: &mut String, customer: &str, row: &Listed) {
    let person: Person = serde_json::from_str(row.person.0.get()).unwrap_or_default();
    let enabled = if row.enabled { "yes" } else { "no" };
    let guid = row.object_guid.to_string();
    let (changed, id) = (row.changed_at.to_rfc3339(), row.id.to_string());
    let cells = [
        customer,
        &row.display_name,
        &row.sam,
        row.upn.as_deref().unwrap_or_default(),
        row.mail.as_deref().unwrap_or_default(),
        person.title.as_deref().unwrap_or_default(),
        person.department.as_deref().unwrap_or_default(),
        row.state.as_str(),
        enabled,
        &changed,
        &guid,
        &id,
    ];
    let line: Vec<String> = cells.into_iter().map(cell).collect();
    // Writing to a String cannot fail.
    let _ = write!(text, "{}\r\n", line.join(","));
}

/// RFC 4180, and nothing that a spreadsheet would run as a formula.
fn cell(text: &str) -> String {
    let guard = if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { "'" } else { "" };
    if guard.is_empty() && !text.contains([',', '"', '\n', '\r']) {
        return text.to_owned();
    }
    format!("\"{guard}{}\"", text.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_a_formula_stays_a_name() {
        assert_eq!(cell("=HYPERLINK(\"http://x\")"), "\"'=HYPERLINK(\"\"http://x\"\")\"");
        assert_eq!(cell("@sum"), "\"'@sum\"");
        assert_eq!(cell("O'Brien, Ann"), "\"O'Brien, Ann\"");
        assert_eq!(cell("Jo Li"), "Jo Li");
    }
}
