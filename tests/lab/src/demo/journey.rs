//! What an operator does for one customer, by the API: install the agent, choose whom to import, look at the result.

use super::domain::Expected;
use super::{DemoError, Site};
use crate::world::{Api, Cloud, Problem};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use uuid::Uuid;

/// A step that takes longer than this is stuck. Large directories on a busy machine need minutes.
const STEP: Duration = Duration::from_mins(10);

/// What the first sync and the one after it cost.
#[derive(Debug, Clone, Default)]
pub struct Figures {
    pub in_scope: usize,
    pub accounts: usize,
    pub verified: usize,
    pub first_sync: Duration,
    pub first_run: Value,
    pub no_change: Duration,
    pub no_change_run: Value,
}

/// Makes the customer, enrols the agent with a fresh token and starts it.
pub async fn install(cloud: &Cloud, site: &mut Site) -> Result<(), DemoError> {
    let api = cloud.api();
    let customer = api.post("/customers", &json!({"name": site.name})).await?;
    site.customer = text(&customer, "id");
    let token = api.post(&format!("/customers/{}/enrol-tokens", site.customer), &json!({})).await?;
    let done = site.agent.enrol(&text(&token, "token")).await?;
    if done.code != Some(0) {
        return Err(DemoError::Enrolment { customer: site.name.clone(), said: done.stdout + &done.stderr });
    }
    site.agent.run()?;
    Ok(())
}

/// Sets the import up as soon as the agent has shown its directory, then follows it to the end.
pub async fn import(cloud: &Cloud, site: &mut Site) -> Result<Figures, DemoError> {
    let api = cloud.api();
    let directory = wait(site, "the agent shows its directory", async |site| directory_of(&api, site).await).await?;
    let earlier = newest_run(&api, site).await?;
    let started = Instant::now();
    api.post(&format!("/customers/{}/imports", site.customer), &site.import_request(&directory)?).await?;
    let expected = site.domain.in_scope()?;
    let first_run = wait(site, "the first sync ends", async |site| {
        let run = newest_run(&api, site).await?;
        Ok(run.filter(|run| {
            Some(run) != earlier.as_ref() && run["counts"]["people"].as_u64() == Some(expected.len() as u64)
        }))
    })
    .await?;
    let first_sync = started.elapsed();
    let started = Instant::now();
    api.post(&format!("/customers/{}/sync", site.customer), &json!({})).await?;
    let no_change_run = wait(site, "the next sync ends", async |site| {
        Ok(newest_run(&api, site).await?.filter(|run| run["id"] != first_run["id"]))
    })
    .await?;
    let no_change = started.elapsed();
    let accounts = api.list(&format!("/customers/{}/accounts", site.customer)).await?;
    let verified = compare(&site.name, &expected, &accounts)?;
    let (in_scope, accounts) = (expected.len(), accounts.len());
    Ok(Figures { in_scope, accounts, verified, first_sync, first_run, no_change, no_change_run })
}

async fn directory_of(api: &Api, site: &Site) -> Result<Option<Value>, Problem> {
    let directories = api.list(&format!("/customers/{}/directories", site.customer)).await?;
    let Some(id) = directories.first().map(|directory| directory["id"].clone()) else { return Ok(None) };
    let structure = api.get(&format!("/directories/{}/structure", id.as_str().unwrap_or_default())).await?;
    let is_there = structure["ous"].as_array().is_some_and(|ous| !ous.is_empty());
    Ok(is_there.then_some(id))
}

/// The newest run that ended well.
async fn newest_run(api: &Api, site: &Site) -> Result<Option<Value>, Problem> {
    let runs = api.get(&format!("/customers/{}/runs?limit=20", site.customer)).await?;
    let good = |run: &&Value| matches!(run["result"].as_str(), Some("ok" | "partial"));
    Ok(runs["data"].as_array().and_then(|runs| runs.iter().find(good)).cloned())
}

async fn wait<T>(
    site: &mut Site,
    what: &str,
    mut look: impl AsyncFnMut(&Site) -> Result<Option<T>, Problem>,
) -> Result<T, DemoError> {
    let deadline = Instant::now() + STEP;
    loop {
        if let Some(found) = look(site).await? {
            return Ok(found);
        }
        if Instant::now() > deadline || !site.agent.is_running() {
            let (customer, said) = (site.name.clone(), site.agent.said());
            return Err(DemoError::TooLate { customer, what: what.to_owned(), seconds: STEP.as_secs(), said });
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Counts the accounts that equal their person; any other difference is an error.
fn compare(customer: &str, expected: &BTreeMap<Uuid, Expected>, accounts: &[Value]) -> Result<usize, DemoError> {
    let differs = |difference| DemoError::Differs { customer: customer.to_owned(), difference };
    let by_guid: BTreeMap<&str, &Value> =
        accounts.iter().filter_map(|account| Some((account["object_guid"].as_str()?, account))).collect();
    if by_guid.len() != accounts.len() {
        return Err(differs("a person stands there twice".to_owned()));
    }
    for (guid, person) in expected {
        let account = by_guid.get(guid.to_string().as_str());
        let account = account.ok_or_else(|| differs(format!("{} is missing", person.account_name)))?;
        let is_same = account["account_name"].as_str() == Some(person.account_name.as_str())
            && account["mail"].as_str() == person.mail.as_deref()
            && account["enabled"].as_bool() == Some(person.is_enabled)
            && account["dn"].as_str() == Some(person.dn.as_str());
        if !is_same {
            return Err(differs(format!("{person:?} is {account}")));
        }
    }
    if by_guid.len() == expected.len() {
        Ok(expected.len())
    } else {
        Err(differs("there is somebody too many".to_owned()))
    }
}

fn text(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expected() -> BTreeMap<Uuid, Expected> {
        let person = |name: &str| Expected {
            account_name: name.into(),
            mail: None,
            is_enabled: true,
            dn: format!("CN={name},DC=lab,DC=example"),
        };
        BTreeMap::from([(Uuid::from_u128(1), person("ana")), (Uuid::from_u128(2), person("ben"))])
    }

    fn account(guid: u128, name: &str) -> Value {
        let dn = format!("CN={name},DC=lab,DC=example");
        json!({"object_guid": Uuid::from_u128(guid), "account_name": name, "enabled": true, "dn": dn})
    }

    #[test]
    fn the_demo_fails_unless_everybody_is_there_once_and_as_they_are() {
        let (ana, ben) = (account(1, "ana"), account(2, "ben"));
        let verdict = |accounts: &[Value]| compare("Alder", &expected(), accounts).ok();
        assert_eq!(verdict(&[ana.clone(), ben.clone()]), Some(2));
        assert_eq!(verdict(std::slice::from_ref(&ana)), None, "somebody is missing");
        assert_eq!(verdict(&[ana.clone(), ben.clone(), account(3, "cem")]), None, "somebody is too many");
        assert_eq!(verdict(&[ana.clone(), ben, ana.clone()]), None, "somebody stands there twice");
        assert_eq!(verdict(&[ana, account(2, "bea")]), None, "somebody is another");
    }
}
