//! What an enrolled agent that lies cannot do: empty an import without a human, leave its domain, or stop the cloud.

use chrono::TimeDelta;
use rollcall_domain::{account::AccountState, ids::ImportId, run::RunResult};
use rollcall_protocol::{
    answer::{Answer, Refusal},
    batch::CycleKind,
    body::{self, Body},
    checkin::{Clearing, EpochWish},
    directory::DomainPin,
    evidence::{Departure, Evidence, Stance},
    item::Item,
    limits, path,
    person::{InImport, Person, PersonRecord},
    structure::OrgUnit,
};
use rollcall_store::directories;
use uuid::Uuid;

use crate::{
    services::held::{self, Decision, Seen, Which},
    testing::{
        TestAgent, TestCloud,
        agent::{ask, to_request},
        crowd,
        people::present,
        person, stories,
    },
};

stories! { every_attack_on_apply_fails_on_postgres: [
    a_held_removal_is_not_carried_out_by_saying_it_again_in_small_cycles,
    a_crowd_is_not_removed_in_slices,
    a_person_kept_by_a_human_is_not_removed_by_saying_it_again,
    the_rest_of_an_import_does_not_leave_behind_a_hold,
    a_batch_of_another_domain_is_refused_and_leaves_no_trace,
    a_person_who_names_an_import_twice_stops_nobody,
    a_nul_character_anywhere_stops_nobody,
    a_nul_character_in_claims_or_check_in_is_malformed,
    a_record_that_an_engine_cannot_store_stops_nobody,
    parts_that_never_become_whole_do_not_block_what_follows,
    a_million_bad_records_are_counted_and_a_thousand_told,
    a_full_snapshot_of_nobody_removes_nobody,
    departures_for_imports_of_others_change_nothing,
    imports_that_nobody_made_are_not_kept_in_mind,
    a_person_of_no_import_that_there_is_is_set_aside,
    a_reading_of_the_domain_of_another_agent_orders_nothing_of_that_one,
] }

async fn set_up(cloud: &TestCloud, people: u128) -> (TestAgent, ImportId) {
    let mut agent = TestAgent::enrol(cloud, 1).await;
    let import = cloud.import(Uuid::from_u128(0x0f)).await;
    agent.sync(cloud, crowd(people, import), &Evidence::Deleted).await;
    (agent, import)
}

fn departed(number: u128, import: ImportId) -> Item {
    Item::Departed(Departure {
        guid: Uuid::from_u128(0xa000 + number),
        import: import.uuid(),
        evidence: Evidence::Deleted,
        stance: Stance::Apply,
    })
}

async fn send(cloud: &TestCloud, agent: &mut TestAgent, items: Vec<Item>) {
    let base = agent.snapshot;
    agent.snapshot += 1;
    let sealed = agent.seal(cloud, CycleKind::Delta, base, &[items]);
    let answer = agent.push(cloud, &sealed[0]).await;
    assert!(matches!(answer, Answer::Accepted(_)), "{answer:?}");
    cloud.work().await;
}

async fn a_held_removal_is_not_carried_out_by_saying_it_again_in_small_cycles(cloud: TestCloud) {
    let (mut agent, import) = set_up(&cloud, 40).await;
    send(&cloud, &mut agent, (1..=20).map(|number| departed(number, import)).collect()).await;
    assert_eq!(cloud.held(import).await.len(), 20);

    for number in 1..=20 {
        send(&cloud, &mut agent, vec![departed(number, import)]).await;
    }

    assert_eq!(cloud.held(import).await.len(), 20, "only a human ends a hold");
    assert_eq!(cloud.list(None).await.len(), 40);
}

// proves: R-4
async fn a_crowd_is_not_removed_in_slices(cloud: TestCloud) {
    let (mut agent, import) = set_up(&cloud, 40).await;
    for first in (1..=28).step_by(3) {
        let slice = (first..first + 3).map(|number| departed(number, import)).collect();
        send(&cloud, &mut agent, slice).await;
    }
    assert_eq!(cloud.list(None).await.len(), 40 - 18, "half of them at most, within a day");
    assert_eq!(cloud.held(import).await.len(), 12, "a human decides about the others");

    // Another day, another few; what is held stays held.
    cloud.pass(TimeDelta::days(1));
    send(&cloud, &mut agent, vec![departed(40, import)]).await;
    assert_eq!(cloud.list(None).await.len(), 40 - 19);
    assert_eq!(cloud.held(import).await.len(), 12);
}

async fn the_rest_of_an_import_does_not_leave_behind_a_hold(cloud: TestCloud) {
    let (mut agent, import) = set_up(&cloud, 20).await;
    send(&cloud, &mut agent, (1..=18).map(|number| departed(number, import)).collect()).await;

    send(&cloud, &mut agent, (19..=20).map(|number| departed(number, import)).collect()).await;

    assert_eq!(cloud.held(import).await.len(), 20, "nobody would be left, so a human decides");
}

async fn a_person_kept_by_a_human_is_not_removed_by_saying_it_again(cloud: TestCloud) {
    let (mut agent, import) = set_up(&cloud, 40).await;
    send(&cloud, &mut agent, (1..=20).map(|number| departed(number, import)).collect()).await;
    let which = Which::OfImport(import);
    held::decide(&cloud.state, &cloud.who, cloud.customer, which, &[Seen::Count(20)], Decision::Reject).await.unwrap();

    send(&cloud, &mut agent, vec![departed(1, import)]).await;

    assert_eq!(cloud.list(None).await.len(), 40);
}

async fn a_batch_of_another_domain_is_refused_and_leaves_no_trace(cloud: TestCloud) {
    let (mut agent, import) = set_up(&cloud, 5).await;
    let own = agent.domain.clone();

    for domain in 1..=3 {
        agent.domain.guid = Uuid::from_u128(0xbad0 + domain);
        agent.snapshot += 1;
        let sealed = agent.seal(&cloud, CycleKind::Full, 0, &[vec![]]);
        agent.push(&cloud, &sealed[0]).await;
        cloud.work().await;
        assert_eq!(cloud.runs().await[0].result, RunResult::Failed);
    }

    let mut tx = cloud.db().read(&cloud.scope).await.unwrap();
    let directories = directories::list(&mut tx, &cloud.scope).await.unwrap();
    drop(tx);
    assert_eq!(directories.len(), 1, "no directory was made for it");
    agent.domain = own;
    let all = crowd(6, import);
    for part in agent.read_full(&cloud, all, 1) {
        agent.push(&cloud, &part).await;
    }
    cloud.work().await;
    assert_eq!(cloud.list(None).await.len(), 6, "the agent still belongs to its own domain");
}

async fn a_person_who_names_an_import_twice_stops_nobody(cloud: TestCloud) {
    let (mut agent, import) = set_up(&cloud, 5).await;

    let mut all = crowd(7, import);
    let twice = all[5].imports[0].clone();
    all[5].imports.push(twice);
    agent.sync(&cloud, all, &Evidence::Deleted).await;

    assert_eq!(cloud.list(None).await.len(), 7);
}

async fn a_nul_character_anywhere_stops_nobody(cloud: TestCloud) {
    let (mut agent, import) = set_up(&cloud, 5).await;
    let evil = Departure {
        guid: Uuid::from_u128(0xa001),
        import: import.uuid(),
        evidence: Evidence::LeftScope { dn: "CN=x\0y".into() },
        stance: Stance::Apply,
    };
    let ou = OrgUnit {
        guid: Uuid::from_u128(1),
        parent: None,
        dn: "OU=\0".into(),
        name: "\0".into(),
        people: 1,
        blocked: None,
    };
    let newcomer = PersonRecord::write(person(6, "Person 006", import)).unwrap();

    send(&cloud, &mut agent, vec![Item::Departed(evil), Item::Ou(ou), present(&newcomer)]).await;

    assert_eq!(cloud.list(None).await.len(), 6, "the newcomer came in");
    assert_eq!(cloud.runs().await[0].counts.set_aside, 2);
}

async fn a_record_that_an_engine_cannot_store_stops_nobody(cloud: TestCloud) {
    let (mut agent, import) = set_up(&cloud, 5).await;
    let good = PersonRecord::write(person(6, "Person 006", import)).unwrap();
    let unknown_fields = [
        r#""x":"\ud800""#.to_owned(),
        r#""x":["\udc00\ud800"]"#.to_owned(),
        r#""\ud800":1"#.to_owned(),
        r#""x":1e400000"#.to_owned(),
        r#""x":1e-400000"#.to_owned(),
        format!(r#""x":0.{}1"#, "0".repeat(20_000)),
    ];
    let mut bad: Vec<PersonRecord> = unknown_fields.iter().map(|field| with_field(&good, field)).collect();
    let long: String = (0..3_000_u32).filter_map(|at| char::from_u32(0x4e00 + at * 7_919 % 20_000)).collect();
    bad.push(PersonRecord::write(person(6, &long, import)).unwrap());
    let nameless =
        Person { display_name: None, given_name: Some(long.clone()), surname: Some(long), ..good.person.clone() };
    bad.push(PersonRecord::write(nameless).unwrap());

    for (number, bad) in (7_u128..).zip(&bad) {
        let newcomer = PersonRecord::write(person(number, "Newcomer", import)).unwrap();
        send(&cloud, &mut agent, vec![present(bad), present(&newcomer)]).await;
        let run = &cloud.runs().await[0];
        assert_eq!((run.counts.added, run.counts.set_aside), (1, 1), "{number}");
        assert_eq!(run.reason_code.as_deref(), Some("RC-4011"));
    }
    assert_eq!(cloud.list(None).await.len(), 5 + bad.len(), "every newcomer came in");
}

/// The same record with one more field.
fn with_field(record: &PersonRecord, field: &str) -> PersonRecord {
    let json = format!("{{{field},{}", record.json.strip_prefix('{').unwrap());
    PersonRecord { json, person: record.person.clone() }
}

async fn a_nul_character_in_claims_or_check_in_is_malformed(cloud: TestCloud) {
    let (mut agent, _) = set_up(&cloud, 5).await;

    let request = agent.checkin_request(&cloud, EpochWish::Keep, |request| request.status.host = "S\0".into());
    let answer = ask::<rollcall_protocol::checkin::CheckinResponse>(&cloud, request).await;
    assert_eq!(answer, Answer::Refused(Refusal::Malformed));

    let sound = agent.domain.clone();
    agent.domain.dns_name = "contoso\0.example".into();
    assert_eq!(push_nothing(&cloud, &mut agent).await, Answer::Refused(Refusal::Malformed));
    agent.domain = sound;
    agent.lost = vec![Clearing { attribute: "mail\0".into(), people: 4, of: 5, import: None }];
    assert_eq!(push_nothing(&cloud, &mut agent).await, Answer::Refused(Refusal::Malformed));
}

async fn push_nothing(cloud: &TestCloud, agent: &mut TestAgent) -> Answer<rollcall_protocol::answer::Receipt> {
    let base = agent.snapshot;
    agent.snapshot += 1;
    let sealed = agent.seal(cloud, CycleKind::Delta, base, &[vec![]]);
    let request = to_request(path::BATCHES, &sealed[0].jws, sealed[0].body.clone());
    ask(cloud, request).await
}

async fn parts_that_never_become_whole_do_not_block_what_follows(cloud: TestCloud) {
    let (mut agent, import) = set_up(&cloud, 5).await;
    agent.snapshot += 1;
    let head = agent.head;
    let sealed = agent.seal(&cloud, CycleKind::Full, 0, &[vec![], vec![], vec![]]);
    agent.push(&cloud, &sealed[0]).await;
    agent.head = head.then(rollcall_protocol::hash::Hash::of(sealed[0].jws.as_bytes()));

    for part in agent.read_full(&cloud, crowd(6, import), 1) {
        let answer = agent.push(&cloud, &part).await;
        assert!(matches!(answer, Answer::Accepted(_)), "{answer:?}");
    }
    cloud.work().await;

    assert_eq!(cloud.list(None).await.len(), 6, "what was acknowledged is applied");
    let results: Vec<RunResult> = cloud.runs().await.iter().take(2).map(|run| run.result).collect();
    assert!(results.contains(&RunResult::Failed), "the broken cycle is told");
}

async fn a_million_bad_records_are_counted_and_a_thousand_told(cloud: TestCloud) {
    let (mut agent, _) = set_up(&cloud, 5).await;
    let text = "1\n".repeat(limits::ITEMS as usize);
    let bytes = zstd_of(&text);
    let bodies = (0..20).map(|_| Body { bytes: bytes.clone(), items: limits::ITEMS }).collect();
    let base = agent.snapshot;
    agent.snapshot += 1;
    for part in agent.seal_bodies(&cloud, CycleKind::Delta, base, bodies) {
        agent.push(&cloud, &part).await;
    }
    cloud.work().await;

    let run = &cloud.runs().await[0];
    assert_eq!(run.counts.set_aside, 20 * i64::from(limits::ITEMS));
}

/// Through the protocol's own writer, line by line.
fn zstd_of(text: &str) -> Vec<u8> {
    let mut writer = body::Writer::new().unwrap();
    for line in text.lines() {
        writer.push(line).unwrap();
    }
    writer.finish().unwrap().bytes
}

async fn a_full_snapshot_of_nobody_removes_nobody(cloud: TestCloud) {
    let (mut agent, _) = set_up(&cloud, 5).await;

    for part in agent.read_full(&cloud, vec![], 1) {
        agent.push(&cloud, &part).await;
    }
    cloud.work().await;

    assert_eq!(cloud.list(None).await.len(), 5);
}

async fn departures_for_imports_of_others_change_nothing(cloud: TestCloud) {
    let (mut agent, _) = set_up(&cloud, 5).await;
    let foreign = ImportId::from(Uuid::from_u128(0xdead));

    send(&cloud, &mut agent, (1..=3).map(|number| departed(number, foreign)).collect()).await;

    assert_eq!(cloud.list(None).await.len(), 5);
    assert_eq!(cloud.runs().await[0].counts.departed, 0);
}

async fn read_whole(cloud: &TestCloud, agent: &mut TestAgent, people: Vec<Person>) {
    for part in agent.read_full(cloud, people, 1) {
        let answer = agent.push(cloud, &part).await;
        assert!(matches!(answer, Answer::Accepted(_)), "{answer:?}");
    }
    cloud.work().await;
}

fn within(imports: impl IntoIterator<Item = Uuid>) -> Vec<InImport> {
    imports.into_iter().map(|import| InImport { import, via: vec![] }).collect()
}

async fn imports_that_nobody_made_are_not_kept_in_mind(cloud: TestCloud) {
    let (mut agent, import) = set_up(&cloud, 20).await;
    let invented = |count: u128| within((1..=count).map(|number| Uuid::from_u128(0xbad_0000 + number)));
    let liar = |person: Person, count| Person { imports: [person.imports, invented(count)].concat(), ..person };

    let most = limits::IMPORTS as u128;
    let without_mail = |person: Person| Person { mail: None, ..liar(person, most - 1) };
    read_whole(&cloud, &mut agent, crowd(20, import).into_iter().map(without_mail).collect()).await;
    let run = &cloud.runs().await[0];
    assert_eq!(
        (run.result, run.counts.people),
        (RunResult::Partial, 20),
        "what they lost is noted of true imports alone"
    );

    read_whole(&cloud, &mut agent, crowd(20, import).into_iter().map(|person| liar(person, most)).collect()).await;
    let run = &cloud.runs().await[0];
    assert_eq!(run.counts.set_aside, 20, "a record of more imports than a directory may have is none");
    assert_eq!(cloud.list(None).await.len(), 20);
}

async fn a_person_of_no_import_that_there_is_is_set_aside(cloud: TestCloud) {
    let (mut agent, import) = set_up(&cloud, 5).await;
    let stranger = Person { imports: within([Uuid::from_u128(0xbad)]), ..person(6, "Person 006", import) };
    let everybody = || [crowd(5, import), vec![stranger.clone()]].concat();

    for _ in 0..2 {
        read_whole(&cloud, &mut agent, everybody()).await;
        let counts = cloud.runs().await[0].counts;
        assert_eq!((counts.added, counts.returned, counts.set_aside), (0, 0, 1));
    }
    let everybody_ever = cloud.list(Some(AccountState::Departed)).await.len() + cloud.list(None).await.len();
    assert_eq!(everybody_ever, 5, "nobody was made of the stranger");
}

async fn a_reading_of_the_domain_of_another_agent_orders_nothing_of_that_one(cloud: TestCloud) {
    let (mut agent, _) = set_up(&cloud, 5).await;
    let mut rogue = TestAgent::enrol_unheard(&cloud, 2).await;
    let foreign = std::mem::replace(
        &mut rogue.domain,
        DomainPin { guid: Uuid::from_u128(0xd1), sid: "S-1-5-21-4-5-6".into(), dns_name: "fabrikam.example".into() },
    );
    rogue.check_in(&cloud).await;

    rogue.domain = foreign;
    read_whole(&cloud, &mut rogue, vec![]).await;

    let run = &cloud.runs().await[0];
    assert_eq!((run.result, run.reason_code.as_deref()), (RunResult::Failed, Some("RC-2302")));
    let mut tx = cloud.db().read(&cloud.scope).await.unwrap();
    let wanted = directories::list(&mut tx, &cloud.scope).await.unwrap();
    assert!(wanted.iter().all(|directory| directory.full_wanted_at.is_none()), "{wanted:?}");
    drop(tx);
    assert!(agent.check_in(&cloud).await.is_none_or(|desired| desired.commands.is_empty()));
}
