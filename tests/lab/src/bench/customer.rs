//! One customer of the measured cloud: an agent, enrolled, and an import of one OU.

use super::BenchError;
use super::measured::{self, Measured};
use crate::world::{Agent, AgentSetup, Binding, Cloud};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};
use uuid::Uuid;

#[derive(Debug)]
pub struct Customer {
    pub agent: Agent,
    pub id: String,
}

/// Large readings on a busy machine need minutes.
const PATIENCE: Duration = Duration::from_mins(10);

impl Customer {
    /// Makes the customer, enrols an agent, lets it show its directory, and chooses one OU. Nobody has been read yet.
    pub async fn install(cloud: &Cloud, name: &str, binding: &Binding, ou: Uuid) -> Result<Self, BenchError> {
        let api = cloud.api();
        let made = api.post("/customers", &json!({"name": name})).await?;
        let id = text(&made, "id");
        let token = api.post(&format!("/customers/{id}/enrol-tokens"), &json!({})).await?;
        let mut setup = AgentSetup::new(binding.clone());
        setup.patience_seconds = 60;
        let agent = Agent::prepare(&setup)?;
        let done = agent.enrol(&text(&token, "token")).await?;
        if done.code != Some(0) {
            let said = done.stdout + &done.stderr;
            return Err(BenchError::Failed { program: "rollcall-agent enroll".into(), code: done.code, said });
        }
        let customer = Self { agent, id };
        measured::measure(&mut customer.sync_command()?)?;
        let directory = customer.wait(cloud, "directories", "its directory being shown", |_| true).await?;
        let include = json!([{"guid": ou, "kind": "ou"}]);
        let import = json!({"name": "Staff", "directory_id": directory["id"], "include": include, "exclude": []});
        api.post(&format!("/customers/{}/imports", customer.id), &import).await?;
        Ok(customer)
    }

    /// One cycle by hand, pushed to the end.
    pub fn sync_command(&self) -> Result<Command, BenchError> {
        let mut command = Command::new(crate::world::find("rollcall-agent")?);
        command.env_clear().arg("--config").arg(self.agent.folder().join("agent.toml")).args(["sync", "--json"]);
        Ok(command)
    }

    /// Runs it and says besides how long its cycle took: from turning to the directory until everything lay signed in the
    /// spool. The agent notes both before it begins to push.
    pub fn sync(&self) -> Result<(Measured, Duration), BenchError> {
        let run = measured::measure(&mut self.sync_command()?)?;
        let note = self.agent.folder().join("data/last-cycle.json");
        let noted: DateTime<Utc> = fs::metadata(&note)?.modified()?.into();
        let told: Value = serde_json::from_slice(&fs::read(note)?).map_err(std::io::Error::from)?;
        let began = DateTime::parse_from_rfc3339(&text(&told, "started_at")).ok();
        Ok((run, began.and_then(|began| (noted - began.to_utc()).to_std().ok()).unwrap_or(run.wall)))
    }

    /// The newest run of the cloud once it holds this many people and is not the `earlier` one.
    pub async fn wait_for_run(&self, cloud: &Cloud, people: u64, earlier: &Value) -> Result<Value, BenchError> {
        let is_it = |run: &Value| run["counts"]["people"].as_u64() == Some(people) && run["id"] != earlier["id"];
        self.wait(cloud, "runs", "the cloud's run", is_it).await
    }

    async fn wait(
        &self,
        cloud: &Cloud,
        list: &str,
        what: &'static str,
        is_it: impl Fn(&Value) -> bool,
    ) -> Result<Value, BenchError> {
        let (api, deadline) = (cloud.api(), Instant::now() + PATIENCE);
        while Instant::now() < deadline {
            let page = match api.get(&format!("/customers/{}/{list}?limit=20", self.id)).await {
                Ok(page) => page,
                // A cloud that is busy with a large cycle says so; what it costs is what is being measured.
                Err(problem) if problem.status == 503 => Value::Null,
                Err(problem) => return Err(problem.into()),
            };
            if let Some(found) = page["data"].as_array().and_then(|items| items.iter().find(|item| is_it(item))) {
                return Ok(found.clone());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Err(BenchError::TooLate(what))
    }
}

fn text(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap_or_default().to_owned()
}
