//! What the directory says about itself (MS-ADTS 3.1.1.3.2): the one entry that may be read before a bind.

use super::{
    attribute::Attr,
    entry::EntryId,
    forest::Forest,
    sid::Sid,
    wire::{
        answer::answer_tag,
        ber::{Writer, tag},
        request::Search,
    },
};

const CONTROLS: &[&str] = &[
    "1.2.840.113556.1.4.319",
    "1.2.840.113556.1.4.801",
    "1.2.840.113556.1.4.417",
    "1.2.840.113556.1.4.529",
    "1.2.840.113556.1.4.1339",
    "1.2.840.113556.1.4.1948",
    "1.2.840.113556.1.4.2064",
];
const CAPABILITIES: &[&str] =
    &["1.2.840.113556.1.4.800", "1.2.840.113556.1.4.1670", "1.2.840.113556.1.4.1791", "1.2.840.113556.1.4.2237"];

/// Appends the rootDSE with the attributes that were asked for.
pub fn entry(writer: &mut Writer, message_id: i64, forest: &Forest, who: Option<EntryId>, search: &Search) {
    let message = writer.open(tag::SEQUENCE);
    writer.integer(tag::INTEGER, message_id);
    let entry = writer.open(answer_tag::ENTRY);
    writer.octets(tag::OCTETS, b"");
    let attributes = writer.open(tag::SEQUENCE);
    let all = search.attributes.is_empty() || search.attributes.iter().any(|name| name == "*" || name == "+");
    for (name, values) in facts(forest) {
        if all || search.attributes.iter().any(|asked| asked.eq_ignore_ascii_case(name)) {
            attribute(writer, name, values.iter().map(String::as_bytes));
        }
    }
    // Constructed per caller, and only on request.
    if search.attributes.iter().any(|asked| asked.eq_ignore_ascii_case("tokenGroups")) {
        let sids = who.map(|who| token_groups(forest, who)).unwrap_or_default();
        attribute(writer, "tokenGroups", sids.iter().map(Vec::as_slice));
    }
    writer.close(attributes);
    writer.close(entry);
    writer.close(message);
}

fn attribute<'a>(writer: &mut Writer, name: &str, values: impl Iterator<Item = &'a [u8]>) {
    let attribute = writer.open(tag::SEQUENCE);
    writer.octets(tag::OCTETS, name.as_bytes());
    let set = writer.open(tag::SET);
    values.for_each(|value| writer.octets(tag::OCTETS, value));
    writer.close(set);
    writer.close(attribute);
}

fn facts(forest: &Forest) -> Vec<(&'static str, Vec<String>)> {
    let domain = forest.dn(forest.landmarks.domain);
    let configuration = forest.dn(forest.landmarks.configuration);
    let schema = forest.schema_dn();
    let texts = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect();
    vec![
        ("currentTime", vec![current_time(forest.controller.clock_ahead)]),
        ("defaultNamingContext", vec![domain.clone()]),
        ("rootDomainNamingContext", vec![domain.clone()]),
        ("configurationNamingContext", vec![configuration.clone()]),
        ("schemaNamingContext", vec![schema.clone()]),
        ("namingContexts", vec![domain, configuration, schema]),
        ("dnsHostName", vec![forest.host_name()]),
        (
            "ldapServiceName",
            vec![format!("{}:{}$@{}", forest.domain_name, forest.controller.name, forest.domain_name.to_uppercase())],
        ),
        ("dsServiceName", vec![forest.dn(forest.landmarks.directory_service)]),
        ("serverName", vec![forest.server_dn()]),
        ("highestCommittedUSN", vec![forest.highest_usn().to_string()]),
        ("isSynchronized", texts(&["TRUE"])),
        ("isGlobalCatalogReady", texts(&["TRUE"])),
        ("supportedLDAPVersion", texts(&["3", "2"])),
        ("supportedControl", texts(CONTROLS)),
        ("supportedCapabilities", texts(CAPABILITIES)),
        ("supportedExtension", texts(&[super::wire::answer::START_TLS])),
        ("domainFunctionality", texts(&["7"])),
        ("forestFunctionality", texts(&["7"])),
        ("domainControllerFunctionality", texts(&["7"])),
    ]
}

/// The objects have a time of their own that repeats; the controller's clock is the machine's, or as far off as a test wants.
#[expect(clippy::disallowed_methods, reason = "a domain controller has a real clock")]
fn current_time(ahead: i64) -> String {
    let now = chrono::Utc::now().timestamp().saturating_add(ahead);
    super::reading::generalized_time(u64::try_from(now).unwrap_or_default())
}

/// The caller's own identifiers: its groups, however deep, and those that everyone who signed in has.
fn token_groups(forest: &Forest, who: EntryId) -> Vec<Vec<u8>> {
    let mut sids: Vec<Sid> =
        forest.all_groups_of(who).into_iter().filter_map(|group| forest.entry(group).sid()).collect();
    sids.extend(forest.entry(who).sid());
    sids.extend([Sid::new(1, [0]), Sid::new(5, [2]), Sid::new(5, [11]), Sid::new(5, [15]), Sid::builtin(545)]);
    sids.iter().map(Sid::to_bytes).collect()
}

/// The account a bind names: by distinguished name, `user@domain` or `DOMAIN\user`.
pub fn find_principal(forest: &Forest, name: &str) -> Option<EntryId> {
    if let Some((_, account)) = name.split_once('\\') {
        return forest.find_account(account);
    }
    if name.contains('=') {
        return forest.find_dn(name);
    }
    forest
        .ids()
        .find(|id| forest.entry(*id).text(Attr::PrincipalName).is_some_and(|own| own.eq_ignore_ascii_case(name)))
}
