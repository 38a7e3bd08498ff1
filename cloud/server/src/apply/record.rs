//! Decides how a person of the directory is shown, sorted and found.

use rollcall_protocol::person::Person;

/// The columns that lists and searches need.
#[derive(Debug, PartialEq, Eq)]
pub struct Shown {
    pub display_name: String,
    pub sort_name: String,
    pub search: String,
}

pub fn decide_shown(person: &Person) -> Shown {
    let display_name = decide_display_name(person);
    let parts = [
        Some(display_name.as_str()),
        person.given_name.as_deref(),
        person.surname.as_deref(),
        Some(person.account_name.as_str()),
        person.user_principal_name.as_deref(),
        person.mail.as_deref(),
        person.department.as_deref(),
    ];
    let mut search = String::new();
    for part in parts.into_iter().flatten().filter(|part| !part.is_empty()) {
        if !search.is_empty() {
            search.push('\n');
        }
        search.extend(part.chars().flat_map(char::to_lowercase));
    }
    Shown { sort_name: display_name.to_lowercase(), display_name, search }
}

/// The display name; without one the two names; without those the account's.
fn decide_display_name(person: &Person) -> String {
    let told = person.display_name.as_deref().map(str::trim).unwrap_or_default();
    if !told.is_empty() {
        return told.to_owned();
    }
    let names = [person.given_name.as_deref(), person.surname.as_deref()];
    let both = names.into_iter().flatten().map(str::trim).filter(|name| !name.is_empty()).collect::<Vec<_>>().join(" ");
    if both.is_empty() { person.account_name.clone() } else { both }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_without_a_display_name_is_shown_by_the_best_there_is() {
        let bare = Person { account_name: "abauer".into(), ..Person::default() };
        assert_eq!(decide_shown(&bare).display_name, "abauer");
        let named = Person { given_name: Some("Ana".into()), surname: Some("Bauer".into()), ..bare };
        assert_eq!(decide_shown(&named).display_name, "Ana Bauer");
        let blank = Person { display_name: Some("  ".into()), ..named };
        assert_eq!(decide_shown(&blank).display_name, "Ana Bauer");
    }

    #[test]
    fn a_person_is_found_by_any_name_in_any_case() {
        let person = Person {
            account_name: "ABauer".into(),
            display_name: Some("Bäuer, ANA".into()),
            mail: Some("Ana@Contoso.example".into()),
            ..Person::default()
        };
        assert_eq!(decide_shown(&person).search, "bäuer, ana\nabauer\nana@contoso.example");
    }
}
