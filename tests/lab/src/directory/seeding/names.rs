//! What people are called: plain names, names in other scripts, and names that break careless code.

use rand::{RngExt, rngs::StdRng};

/// A name and its plain form for account names and mail addresses.
#[derive(Debug, Clone)]
pub struct FullName {
    pub given: String,
    pub surname: String,
    pub plain: String,
}

const GIVEN: &[&str] = &[
    "Ada", "Amina", "Anna", "Ben", "Björn", "Carla", "Chloé", "Dmitri", "Elif", "Emeka", "Eva", "Fatima", "Filip",
    "Grace", "Hannah", "Hugo", "Ines", "Ivan", "Jana", "João", "Kofi", "Lars", "Lena", "Łucja", "Mads", "Maja",
    "Marek", "Maria", "Mateo", "Mia", "Nils", "Noor", "Olga", "Omar", "Paula", "Pavel", "Priya", "Rosa", "Ruth",
    "Samir", "Sara", "Sören", "Tariq", "Tessa", "Tomás", "Vera", "Victor", "Wanda", "Yusuf", "Zoë",
];

const SURNAMES: &[&str] = &[
    "Abbott",
    "Adeyemi",
    "Almeida",
    "Andersen",
    "Bauer",
    "Becker",
    "Bianchi",
    "Castro",
    "Chen",
    "Costa",
    "Dahl",
    "Demir",
    "Dvořák",
    "Engel",
    "Fernández",
    "Fischer",
    "García",
    "Haddad",
    "Hansen",
    "Horváth",
    "Ivanov",
    "Jensen",
    "Kaya",
    "Keller",
    "Kowalski",
    "Kumar",
    "Larsen",
    "Lopes",
    "Martin",
    "Mäkinen",
    "Meyer",
    "Müller",
    "Nagy",
    "Novák",
    "Nowak",
    "Okafor",
    "Olsen",
    "Patel",
    "Pereira",
    "Petrov",
    "Rossi",
    "Santos",
    "Schmidt",
    "Silva",
    "Singh",
    "Søndergaard",
    "Tanaka",
    "Weber",
    "Wiśniewska",
    "Young",
];

/// Other scripts, and every character that a distinguished name, a filter or a spreadsheet takes for its own.
const ODD: &[(&str, &str, &str)] = &[
    ("太郎", "山田", "tyamada"),
    ("Иван", "Петров", "ipetrov"),
    ("Ελένη", "Παπαδοπούλου", "epapadopoulou"),
    ("محمد", "الخطيب", "malkhatib"),
    ("小明", "王", "xwang"),
    ("Hương", "Nguyễn", "hnguyen"),
    ("Siobhán", "O'Brien", "sobrien"),
    ("Robert \"Bob\"", "Smith, Jr.", "bsmith"),
    ("Anna (Temp)", "Doe*", "adoe"),
    ("#1", "Helpdesk", "helpdesk"),
    ("Plus+Minus", "Back\\slash", "plusminus"),
    ("Semi;Colon", "Less<More>", "semicolon"),
    ("Eq=uals", "Am&p", "equals"),
    ("=cmd()", "Sheet", "sheet"),
    ("Jean-Luc", "de la Tour d'Auvergne", "jdelatour"),
];

pub fn plain(chance: &mut StdRng) -> FullName {
    let given = GIVEN[chance.random_range(0..GIVEN.len())];
    let surname = SURNAMES[chance.random_range(0..SURNAMES.len())];
    let plain = given.chars().chain(surname.chars()).map(without_accent);
    let initial = plain.clone().next().unwrap_or('x');
    let rest: String = surname.chars().map(without_accent).collect();
    FullName {
        given: given.to_owned(),
        surname: surname.to_owned(),
        plain: format!("{initial}{rest}").to_ascii_lowercase(),
    }
}

pub fn odd(chance: &mut StdRng) -> FullName {
    let (given, surname, plain) = ODD[chance.random_range(0..ODD.len())];
    FullName { given: given.to_owned(), surname: surname.to_owned(), plain: plain.to_owned() }
}

fn without_accent(letter: char) -> char {
    match letter {
        'á' | 'ä' | 'ã' => 'a',
        'é' | 'ë' | 'ě' => 'e',
        'í' => 'i',
        'ö' | 'ø' | 'ó' => 'o',
        'ü' | 'ú' => 'u',
        'ř' => 'r',
        'ś' => 's',
        'Ł' | 'ł' => 'l',
        other if other.is_ascii_alphabetic() => other,
        _ => 'x',
    }
}
