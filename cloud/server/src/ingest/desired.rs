//! Builds the desired state of one agent from the tables, and signs it.

use chrono::{DateTime, Utc};
use rollcall_domain::{
    agent::AgentState,
    ids::DirectoryId,
    import::{Nesting as StoredNesting, Schedule, SelectionKind as StoredKind},
    pause,
};
use rollcall_protocol::{
    answer::Refusal,
    checkin::{CheckinRequest, Kind},
    desired::{Command, DesiredImport, DesiredState, Nesting, Order, Pause, Role, Selection, SelectionKind},
    directory::DomainPin,
    limits,
};
use rollcall_store::{
    AgentScope, Tx,
    agents::{self, Agent},
    commands, customers, directories, imports,
    imports::Import,
    msps,
};

use super::{refuse::Refused, standing, updating, verify::protocol};
use crate::state::AppState;

/// The signed document, if the agent's is older. That it was given is written down before it leaves: whoever asks for a
/// sync from then on means another one than it may carry. To a question beside the service it is shown, and not given.
pub async fn document_if_newer(
    state: &AppState,
    scope: &AgentScope,
    request: &CheckinRequest,
) -> Result<Option<String>, Refused> {
    let mut tx = state.db.read(scope).await?;
    let agent = agents::get(&mut tx, scope).await?;
    // Whoever was revoked or stopped while it waited is told so, and nothing else.
    standing::check(state, scope, agent.state)?;
    if protocol(agent.desired_version) <= request.desired_version {
        return Ok(None);
    }
    let document = build(&mut tx, state, scope, &agent).await?;
    drop(tx);
    // One that is longer than an agent may take is not signed either; `services::imports` keeps it from coming to that.
    let signed = document.sign(&state.cloud.key).map_err(|error| {
        tracing::error!(%error, agent = %agent.id, "a desired state could not be signed");
        Refusal::Unavailable { retry_after_seconds: 60 }
    })?;
    match request.kind {
        Kind::Report => {
            let mut tx = state.db.write(scope).await?;
            agents::record_handed(&mut tx, scope, agent.desired_version, state.now()).await?;
            tx.commit().await?;
        }
        Kind::Question => {}
    }
    Ok(Some(signed))
}

async fn build(tx: &mut Tx, state: &AppState, scope: &AgentScope, agent: &Agent) -> Result<DesiredState, Refused> {
    let now = state.now();
    let msp = msps::get(tx).await?.pause.set();
    let customer = customers::get(tx, &scope.customer()).await?.pause.set();
    let pause = pause::in_force(msp.iter().chain(&customer), now).map(|pause| Pause { until: pause.until });
    let directory = agent.directory_id.map(DirectoryId::from);
    let (domain, imports) = match directory {
        Some(id) => (find_domain(tx, scope, id).await?, list_imports(tx, id, now).await?),
        None => (None, Vec::new()),
    };
    Ok(DesiredState {
        cloud: state.cloud.id,
        agent: scope.agent().uuid(),
        version: protocol(agent.desired_version),
        issued_at: now,
        role: if agent.state == AgentState::Standby { Role::Standby } else { Role::Active },
        domain,
        pause,
        imports,
        commands: list_commands(tx, scope).await?,
        update: updating::find_wanted(tx, scope, agent).await?,
    })
}

async fn find_domain(tx: &mut Tx, scope: &AgentScope, id: DirectoryId) -> Result<Option<DomainPin>, Refused> {
    let directory = directories::find(tx, &scope.customer(), id).await?;
    Ok(directory.map(|directory| DomainPin {
        guid: directory.domain_guid,
        sid: directory.domain_sid,
        dns_name: directory.dns_name,
    }))
}

async fn list_imports(tx: &mut Tx, directory: DirectoryId, now: DateTime<Utc>) -> Result<Vec<DesiredImport>, Refused> {
    let living = imports::list_living_of_directory(tx, directory).await?;
    if living.len() > limits::IMPORTS {
        // One that is left out would be one that an operator took away, and its people would leave.
        tracing::error!(%directory, imports = living.len(), "more imports than a desired state carries");
        return Err(Refusal::Unavailable { retry_after_seconds: 60 }.into());
    }
    Ok(living.iter().map(|import| desired_import(import, now)).collect())
}

fn desired_import(import: &Import, now: DateTime<Utc>) -> DesiredImport {
    let Schedule::Interval { minutes } = import.schedule.0;
    let include = import.selections.iter().map(|selection| Selection {
        guid: selection.guid,
        kind: match selection.kind {
            StoredKind::Ou => SelectionKind::Ou,
            StoredKind::Group => SelectionKind::Group,
        },
    });
    let pause = import.pause.set().filter(|pause| pause.holds(now));
    DesiredImport {
        import: import.id.uuid(),
        pause: pause.map(|pause| Pause { until: pause.until }),
        include: include.collect(),
        exclude: import.excludes.0.clone(),
        interval_minutes: minutes,
        nesting: match import.nesting {
            StoredNesting::Direct => Nesting::Direct,
            StoredNesting::Nested => Nesting::Nested,
        },
    }
}

/// A command this version cannot spell is left out; it stays open and is seen in the portal.
async fn list_commands(tx: &mut Tx, scope: &AgentScope) -> Result<Vec<Command>, Refused> {
    let open = commands::list_open(tx, scope.agent()).await?;
    let spell = |command: commands::Command| {
        let order: Order = serde_json::from_value(command.payload.0).ok().filter(|order| *order != Order::Unknown)?;
        Some(Command { id: command.id.uuid(), order })
    };
    Ok(open.into_iter().filter_map(spell).collect())
}
