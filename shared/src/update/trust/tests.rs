//! What somebody between makers and agent could try, and that none of it is believed.

use super::*;
use crate::key::PrivateKey;
use crate::update::publish::{self, Lives, Signers, Written};
use chrono::TimeDelta;
use proptest::prelude::*;
use std::collections::BTreeMap;

type Files = BTreeMap<String, String>;

fn key(seed: u8) -> PrivateKey {
    PrivateKey::from_seed(&[seed; 32])
}

/// Three root keys, of which two must sign; one of each other role.
fn makers(from: u8) -> Signers {
    Signers {
        root: vec![key(from), key(from + 1), key(from + 2)],
        targets: vec![key(from + 3)],
        snapshot: vec![key(from + 4)],
        timestamp: vec![key(from + 5)],
    }
}

fn day(number: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(20_000 + number)
}

fn release(version: &str, platform: &str) -> Release {
    Release {
        version: version.parse().unwrap(),
        platform: Platform::new(platform),
        length: 7,
        sha256: Hash::of(version.as_bytes()),
        published_at: None,
    }
}

fn written(list: Vec<Written>) -> Files {
    list.into_iter().collect()
}

fn publication(number: u64, version: &str, signers: &Signers, at: DateTime<Utc>) -> Files {
    written(publish::releases(number, vec![release(version, "x86_64-linux")], signers, at, Lives::default()).unwrap())
}

fn pinned() -> String {
    publish::root(1, &makers(10), &[], day(365)).unwrap().1
}

fn file(files: &Files, end: &str) -> String {
    files.iter().find(|(name, _)| name.ends_with(end)).map(|(_, text)| text.clone()).unwrap_or_default()
}

/// Everything an agent does with one publication.
fn believe(files: &Files, known: Option<Remembered>, now: DateTime<Utc>) -> Result<Current, Refused> {
    let trust = Trust::begin(&pinned(), known)?;
    follow(trust, files, now)
}

fn follow(trust: Trust, files: &Files, now: DateTime<Utc>) -> Result<Current, Refused> {
    let at = trust.timestamp(&file(files, "timestamp.json"), now)?;
    let at = at.snapshot(&file(files, "snapshot.json"), now)?;
    at.targets(&file(files, "targets.json"), now)
}

#[test]
fn a_whole_and_fresh_publication_is_believed_and_remembered() {
    let current = believe(&publication(3, "1.2.0", &makers(10), day(0)), None, day(1)).unwrap();

    assert_eq!((current.remembered.timestamp, current.remembered.targets), (3, 3));
    let running = Version::new(1, 0, 0);
    let found = current.release(&Version::new(1, 2, 0), &Platform::new("x86_64-linux"), &running).unwrap();
    assert_eq!(found.sha256, Hash::of(b"1.2.0"));
}

#[test]
fn an_older_publication_is_never_believed_again() {
    let newer = believe(&publication(5, "1.2.0", &makers(10), day(0)), None, day(1)).unwrap();

    let rolled_back = believe(&publication(4, "1.1.0", &makers(10), day(0)), Some(newer.remembered), day(1));

    assert_eq!(rolled_back.unwrap_err(), Refused::Older { role: Role::Timestamp, known: 5, got: 4 });
}

#[test]
fn an_older_version_is_not_installed_although_it_is_signed() {
    let current = believe(&publication(1, "1.0.0", &makers(10), day(0)), None, day(1)).unwrap();

    let refused = current.release(&Version::new(1, 0, 0), &Platform::new("x86_64-linux"), &Version::new(1, 1, 0));

    assert_eq!(refused.unwrap_err().fault().code, "RC-1043");
}

#[test]
fn who_holds_the_news_back_does_not_keep_an_agent_in_the_past() {
    let old = publication(1, "1.0.0", &makers(10), day(0));

    assert!(believe(&old, None, day(29)).is_ok());
    assert_eq!(believe(&old, None, day(30)).unwrap_err(), Refused::Expired(Role::Timestamp));
    assert_eq!(believe(&old, None, day(400)).unwrap_err(), Refused::Expired(Role::Root));
}

#[test]
fn documents_of_two_publications_are_not_mixed() {
    let first = publication(1, "1.0.0", &makers(10), day(0));
    let second = publication(2, "1.1.0", &makers(10), day(0));
    let mut mixed = second.clone();
    mixed.remove(&crate::update::name::targets(2));
    mixed.insert(crate::update::name::targets(1), file(&first, "targets.json"));

    assert_eq!(believe(&mixed, None, day(1)).unwrap_err(), Refused::Mixed(Role::Targets));
}

#[test]
fn other_keys_sign_in_vain_and_so_does_the_right_key_in_another_role() {
    let foreign = publication(1, "1.0.0", &makers(40), day(0));
    let mut swapped = makers(10);
    std::mem::swap(&mut swapped.targets, &mut swapped.timestamp);

    let wrong = |role| Refused::Signatures { role, good: 0, needed: 1 };
    assert_eq!(believe(&foreign, None, day(1)).unwrap_err(), wrong(Role::Timestamp));
    let swapped = publication(1, "1.0.0", &swapped, day(0));
    assert_eq!(believe(&swapped, None, day(1)).unwrap_err(), wrong(Role::Timestamp));
}

#[test]
fn a_cut_and_an_endless_document_are_told_apart() {
    let whole = publication(1, "1.0.0", &makers(10), day(0));
    let name = crate::update::name::targets(1);
    let changed = |change: fn(&mut String)| {
        let mut files = whole.clone();
        change(files.get_mut(&name).unwrap());
        believe(&files, None, day(1)).unwrap_err()
    };

    assert_eq!(changed(|text| text.truncate(100)).fault().code, "RC-1046");
    assert_eq!(changed(|text| text.push_str(&" ".repeat(1000))).fault().code, "RC-1047");
    assert_eq!(changed(|text| text.replace_range(40..41, "!")).fault().code, "RC-1045");
}

#[test]
fn a_release_for_another_machine_is_no_release() {
    let current = believe(&publication(1, "1.0.0", &makers(10), day(0)), None, day(1)).unwrap();

    let refused = current.release(&Version::new(1, 0, 0), &Platform::new("aarch64-linux"), &Version::new(0, 9, 0));

    assert_eq!(refused.unwrap_err().fault().code, "RC-1049");
}

#[test]
fn new_root_keys_need_the_word_of_the_old_ones() {
    let (before, after) = (makers(10), makers(20));
    let good = publish::root(2, &after, &before.root, day(700)).unwrap().1;
    let unsigned = publish::root(2, &after, &[], day(700)).unwrap().1;
    let one_of_three = publish::root(2, &after, &before.root[..1], day(700)).unwrap().1;
    let too_far = publish::root(3, &after, &before.root, day(700)).unwrap().1;
    let trust = || Trust::begin(&pinned(), None).unwrap();

    let followed = trust().follow(&good).unwrap();

    assert!(follow(followed.clone(), &publication(1, "1.0.0", &after, day(0)), day(1)).is_ok());
    assert!(follow(followed, &publication(1, "1.0.0", &before, day(0)), day(1)).is_err(), "old keys are worth nothing");
    let fault = |text: &str| trust().follow(text).unwrap_err().fault().code;
    assert_eq!(fault(&unsigned), "RC-1042");
    assert_eq!(fault(&one_of_three), "RC-1042");
    assert_eq!(fault(&too_far), "RC-1043");
    assert_eq!(fault(&pinned()), "RC-1043");
}

#[test]
fn one_key_that_signs_twice_is_still_one() {
    let signers = makers(10);
    let twice = [&signers.root[0], &signers.root[0]];
    let root: Root = document::peek(&pinned()).unwrap();

    let refused = document::open::<Root>(&document::sign(&twice, &root).unwrap(), &root.root).unwrap_err();

    assert_eq!(refused, Refused::Signatures { role: Role::Root, good: 1, needed: 2 });
}

#[test]
fn absurd_numbers_of_a_thief_are_forgotten_with_his_keys() {
    let stolen = believe(&publication(u64::MAX, "9.0.0", &makers(10), day(0)), None, day(1)).unwrap();
    let mut after = makers(10);
    after.timestamp = vec![key(99)];
    let root = publish::root(2, &after, &makers(10).root, day(700)).unwrap().1;

    let recovered = Trust::begin(&pinned(), Some(stolen.remembered)).unwrap().follow(&root).unwrap();

    assert!(follow(recovered, &publication(2, "1.0.0", &after, day(1)), day(2)).is_ok());
}

#[test]
fn what_is_remembered_survives_a_new_program_only_if_it_is_newer_than_its_root() {
    let current = believe(&publication(7, "1.0.0", &makers(10), day(0)), None, day(1)).unwrap();
    let damaged = Remembered { root: "rubbish".into(), ..current.remembered.clone() };

    assert_eq!(Trust::begin(&pinned(), Some(current.remembered)).unwrap().remembered.timestamp, 7);
    assert_eq!(Trust::begin(&pinned(), Some(damaged)).unwrap().remembered.timestamp, 0);
}

#[test]
fn a_publication_that_names_nobody_as_threshold_believes_nobody() {
    let mut root: Root = document::peek(&pinned()).unwrap();
    root.timestamp.threshold = 0;
    let text = document::sign(&[&key(77)], &publish_stamp()).unwrap();

    assert!(document::open::<Timestamp>(&text, &root.timestamp).is_err());
}

fn publish_stamp() -> Timestamp {
    Timestamp { version: 1, expires: day(9), snapshot: Described::of(1, "x") }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Whatever is changed, cut, swapped or repeated between two publications: what is believed is one of them, whole.
    #[test]
    fn nothing_made_of_two_publications_is_believed_but_one_of_them(
        picks in proptest::array::uniform3(0_usize..2),
        flip in proptest::option::of((0_usize..3, 0_usize..100_000, 1_u8..255)),
        cut in proptest::option::of((0_usize..3, 0_usize..5_000)),
    ) {
        let both = [
            publication(1, "1.0.0", &makers(10), day(0)),
            publication(2, "1.1.0", &makers(10), day(0)),
        ];
        let ends = ["timestamp.json", "snapshot.json", "targets.json"];
        let mut texts: Vec<String> = (0..3).map(|at| file(&both[picks[at]], ends[at])).collect();
        let mut is_whole = picks[0] == picks[1] && picks[1] == picks[2];
        if let Some((at, place, by)) = flip {
            let mut bytes = texts[at].clone().into_bytes();
            let place = place % bytes.len();
            bytes[place] ^= by;
            if let Ok(text) = String::from_utf8(bytes) {
                texts[at] = text;
                is_whole = false;
            }
        }
        if let Some((at, length)) = cut && length < texts[at].len() && texts[at].is_char_boundary(length) {
            texts[at].truncate(length);
            is_whole = false;
        }
        let files: Files = ends.iter().map(|end| (*end).to_owned()).zip(texts).collect();
        prop_assert_eq!(believe(&files, None, day(1)).is_ok(), is_whole);
    }
}
