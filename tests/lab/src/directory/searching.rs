//! Finds the objects that a search asks for, or says why there are none.

use super::{
    entry::EntryId,
    filter::Test,
    forest::Forest,
    sid::Sid,
    view::View,
    wire::{
        answer::{Code, Outcome},
        request::{Scope, Search},
    },
};
use uuid::Uuid;

/// The objects a search finds, in the order of the tree, and the other contexts a client might look into.
#[derive(Debug)]
pub struct Found {
    pub ids: Vec<EntryId>,
    pub references: Vec<String>,
}

/// Whether the answer may point to other naming contexts (control 1.2.840.113556.1.4.1339 says no).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Domain {
    WithReferences,
    Only,
}

pub fn find(forest: &Forest, search: &Search, view: &View, domain: Domain) -> Result<Found, Outcome> {
    let base = resolve(forest, &search.base, view)?;
    let test = Test::compile(&search.filter, forest);
    let candidates = match search.scope {
        Scope::Base => vec![base],
        Scope::OneLevel => forest.entry(base).children.iter().copied().collect(),
        Scope::Subtree => {
            let below = forest.subtree(base);
            match test.candidates(forest.index()) {
                Some(few) => only(forest, below, &few),
                None => below,
            }
        }
    };
    let visible = |id: &EntryId| view.shows(forest.entry(*id)) && test.matches(forest, *id, view);
    let ids = candidates.into_iter().filter(visible).collect();
    let at_root = base == forest.landmarks.domain && search.scope == Scope::Subtree;
    let references = if at_root && domain == Domain::WithReferences { references(forest) } else { Vec::new() };
    Ok(Found { ids, references })
}

/// The order of the tree stays.
fn only(forest: &Forest, below: Vec<EntryId>, few: &[EntryId]) -> Vec<EntryId> {
    let mut is_one = vec![false; forest.ids().len()];
    for id in few {
        is_one[id.0 as usize] = true;
    }
    below.into_iter().filter(|id| is_one[id.0 as usize]).collect()
}

/// What a domain controller adds to a subtree search at the root of its domain.
fn references(forest: &Forest) -> Vec<String> {
    let (name, dn) = (&forest.domain_name, forest.dn(forest.landmarks.domain));
    vec![
        format!("ldap://ForestDnsZones.{name}/DC=ForestDnsZones,{dn}"),
        format!("ldap://DomainDnsZones.{name}/DC=DomainDnsZones,{dn}"),
        format!("ldap://{name}/CN=Configuration,{dn}"),
    ]
}

/// The object a base names: by distinguished name, `<GUID=…>`, `<SID=…>` or `<WKGUID=…,DN>` (MS-ADTS 3.1.1.3.1.2.4).
pub fn resolve(forest: &Forest, base: &str, view: &View) -> Result<EntryId, Outcome> {
    let inner = base.strip_prefix('<').and_then(|rest| rest.strip_suffix('>'));
    let found = match inner {
        Some(inner) => alternative(forest, inner)?,
        None if !looks_like_name(base) => return Err(invalid_name()),
        None if !forest.covers(base) => return Err(elsewhere(base)),
        None => forest.find_dn(base),
    };
    found.filter(|id| view.shows(forest.entry(*id))).ok_or_else(|| no_such_object(forest))
}

fn alternative(forest: &Forest, inner: &str) -> Result<Option<EntryId>, Outcome> {
    let (kind, value) = inner.split_once('=').ok_or_else(invalid_name)?;
    match kind.to_ascii_uppercase().as_str() {
        "GUID" => Ok(parse_guid(value).and_then(|guid| forest.find_guid(guid))),
        "SID" => {
            let sid = value.parse::<Sid>().ok().or_else(|| unhex(value).and_then(|bytes| Sid::from_bytes(&bytes)));
            Ok(sid.and_then(|sid| forest.find_sid(&sid)))
        }
        "WKGUID" => {
            let wanted = value.split(',').next().unwrap_or_default().to_ascii_uppercase();
            Ok(forest.well_known().into_iter().find(|(guid, _)| *guid == wanted).map(|(_, id)| id))
        }
        _ => Err(invalid_name()),
    }
}

/// With dashes a GUID is text; without them it is the sixteen bytes of objectGUID in hex.
fn parse_guid(text: &str) -> Option<Uuid> {
    if text.contains('-') {
        return Uuid::parse_str(text).ok();
    }
    let bytes: [u8; 16] = unhex(text)?.try_into().ok()?;
    Some(Uuid::from_bytes_le(bytes))
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.is_ascii() || text.len() % 2 == 1 {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok()).collect()
}

fn looks_like_name(base: &str) -> bool {
    super::dn::parse(base).is_some()
}

fn invalid_name() -> Outcome {
    Outcome::new(
        Code::INVALID_DN,
        "0000208F: NameErr: DSID-03100232, problem 2006 (BAD_NAME), data 8350, best match of:\n\t''\n",
    )
}

fn no_such_object(forest: &Forest) -> Outcome {
    let matched = forest.dn(forest.landmarks.domain);
    let message =
        format!("0000208D: NameErr: DSID-0310028B, problem 2001 (NO_OBJECT), data 0, best match of:\n\t'{matched}'\n");
    Outcome { matched, ..Outcome::new(Code::NO_SUCH_OBJECT, message) }
}

/// A name outside the domain: an error that points elsewhere, never an empty result.
pub fn elsewhere(base: &str) -> Outcome {
    let host = super::dn::parse(base)
        .unwrap_or_default()
        .iter()
        .filter(|step| step.kind == "DC")
        .map(|step| step.value.clone())
        .collect::<Vec<_>>()
        .join(".");
    Outcome {
        referral: Some(format!("ldap://{host}/{base}")),
        ..Outcome::new(Code::REFERRAL, "0000202B: RefErr: DSID-0310082F, data 0, 1 access points\n")
    }
}
