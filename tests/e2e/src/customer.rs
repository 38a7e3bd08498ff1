//! One customer of the cloud with an enrolled agent, driven by the API and the agent's command line.

use crate::picture::Picture;
use rollcall_lab::witness;
use rollcall_lab::world::{Agent, AgentSetup, Api, Cloud, Problem, ProgramError};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use uuid::Uuid;

/// Something that should have happened did not.
#[derive(Debug, thiserror::Error)]
pub enum Missing {
    #[error(transparent)]
    Program(#[from] ProgramError),
    #[error(transparent)]
    Api(#[from] Problem),
    #[error("{what} did not happen within {within:?}; last seen: {last}")]
    Late { what: String, within: Duration, last: String },
    #[error("the agent ended with {code:?}:\n{said}")]
    Agent { code: Option<i32>, said: String },
    #[error("the cloud's answer lacks {0}")]
    Field(&'static str),
}

/// Generous: the tests of a whole workspace share two cores.
const PATIENCE: Duration = Duration::from_mins(2);

#[derive(Debug)]
pub struct Customer {
    pub id: String,
    pub api: Api,
    pub agent: Agent,
}

impl Customer {
    /// Makes the customer and enrols an agent for it; nothing was read yet.
    pub async fn install(cloud: &Cloud, name: &str, setup: &AgentSetup) -> Result<Self, Missing> {
        let api = cloud.api();
        let id = field(&api.post("/customers", &json!({"name": name})).await?, "id")?;
        let agent = Agent::prepare(setup)?;
        let customer = Self { id, api, agent };
        let token = customer.token().await?;
        let done = customer.agent.enrol(&token).await?;
        if done.code != Some(0) {
            return Err(Missing::Agent { code: done.code, said: done.stdout + &done.stderr });
        }
        Ok(customer)
    }

    /// Enrols another agent for the same customer: another machine, and mostly another domain.
    pub async fn join(&self, setup: &AgentSetup) -> Result<Self, Missing> {
        let joined = Self { id: self.id.clone(), api: self.api.clone(), agent: Agent::prepare(setup)? };
        let done = joined.agent.enrol(&self.token().await?).await?;
        if done.code != Some(0) {
            return Err(Missing::Agent { code: done.code, said: done.stdout + &done.stderr });
        }
        Ok(joined)
    }

    pub async fn token(&self) -> Result<String, Missing> {
        let token = field(&self.api.post(&format!("/customers/{}/enrol-tokens", self.id), &json!({})).await?, "token")?;
        witness::secret("an enrolment token", &token);
        Ok(token)
    }

    /// One cycle from the command line, and its own run at the cloud. A cycle that an earlier process left in the spool
    /// goes out first and has a run of its own.
    pub async fn sync(&self) -> Result<Value, Missing> {
        let done = self.agent.sync().await?;
        // 10: it went well, and something waits for a human.
        if !matches!(done.code, Some(0 | 10)) {
            return Err(Missing::Agent { code: done.code, said: done.stdout + &done.stderr });
        }
        let summary: Value = serde_json::from_str(&done.stdout).map_err(|_| Missing::Field("a summary"))?;
        let cycle = field(&summary, "cycle")?;
        self.until("the run of the cycle", async || {
            Ok(self.runs().await?.into_iter().find(|run| run["cycle"].as_str() == Some(&cycle)))
        })
        .await
    }

    /// One cycle that must fail; what the agent said.
    pub async fn sync_fails(&self) -> Result<String, Missing> {
        let done = self.agent.sync().await?;
        let said = done.stdout + &done.stderr;
        if done.code == Some(0) { Err(Missing::Agent { code: done.code, said }) } else { Ok(said) }
    }

    /// The directory the agent has shown.
    pub async fn directory(&self) -> Result<String, Missing> {
        self.until("the agent's directory", async || {
            let found = self.api.list(&format!("/customers/{}/directories", self.id)).await?;
            Ok(found.first().and_then(|directory| directory["id"].as_str()).map(str::to_owned))
        })
        .await
    }

    /// Sets an import up; `include` is pairs of kind (`ou`, `group`) and objectGUID.
    pub async fn import(&self, name: &str, include: &[(&str, Uuid)], exclude: &[Uuid]) -> Result<String, Missing> {
        let directory = self.directory().await?;
        self.import_of(&directory, name, include, exclude).await
    }

    /// The same, of one directory of several.
    pub async fn import_of(
        &self,
        directory: &str,
        name: &str,
        include: &[(&str, Uuid)],
        exclude: &[Uuid],
    ) -> Result<String, Missing> {
        let include: Vec<Value> = include.iter().map(|(kind, guid)| json!({"guid": guid, "kind": kind})).collect();
        let request = json!({"name": name, "directory_id": directory, "include": include, "exclude": exclude});
        field(&self.api.post(&format!("/customers/{}/imports", self.id), &request).await?, "id")
    }

    /// Newest first.
    pub async fn runs(&self) -> Result<Vec<Value>, Problem> {
        self.api.list(&format!("/customers/{}/runs", self.id)).await
    }

    /// Everybody the cloud knows of, departed people too.
    pub async fn picture(&self) -> Result<Picture, Problem> {
        let path = format!("/customers/{}/accounts", self.id);
        let mut accounts = self.api.list(&path).await?;
        accounts.extend(self.api.list(&format!("{path}?state=departed")).await?);
        Ok(Picture::of(&accounts))
    }

    /// Looks again and again until there is something to see.
    pub async fn until<T>(
        &self,
        what: &str,
        mut look: impl AsyncFnMut() -> Result<Option<T>, Problem>,
    ) -> Result<T, Missing> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let last = match look().await {
                Ok(Some(found)) => return Ok(found),
                Ok(None) => "nothing".to_owned(),
                // A cloud that is being killed does not answer for a moment.
                Err(problem) if problem.status == 0 => problem.to_string(),
                Err(problem) => return Err(problem.into()),
            };
            if Instant::now() > deadline {
                return Err(Missing::Late { what: what.to_owned(), within: PATIENCE, last });
            }
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
    }
}

fn field(value: &Value, name: &'static str) -> Result<String, Missing> {
    value[name].as_str().map(str::to_owned).ok_or(Missing::Field(name))
}
