//! People as an agent would read them.

use rollcall_domain::ids::ImportId;
use rollcall_protocol::{
    item::Item,
    person::{InImport, Person, PersonRecord, Status},
};
use uuid::Uuid;

/// Ana Bauer, in this import.
pub fn ana(import: ImportId) -> Person {
    person(1, "Ana Bauer", import)
}

pub fn person(number: u128, name: &str, import: ImportId) -> Person {
    let account = name.to_lowercase().replace(' ', ".");
    Person {
        guid: Uuid::from_u128(0xa000 + number),
        dn: format!("CN={name},OU=Staff,DC=contoso,DC=example"),
        mail: Some(format!("{account}@contoso.example")),
        user_principal_name: Some(format!("{account}@contoso.example")),
        account_name: account,
        display_name: Some(name.to_owned()),
        status: Status { enabled: true, ..Status::default() },
        imports: vec![InImport { import: import.uuid(), via: vec![Uuid::from_u128(0x0f)] }],
        ..Person::default()
    }
}

pub fn crowd(count: u128, import: ImportId) -> Vec<Person> {
    (1..=count).map(|number| person(number, &format!("Person {number:03}"), import)).collect()
}

pub fn present(record: &PersonRecord) -> Item {
    Item::Present(RawValue::from_string(record.json.clone()).unwrap())
}
