//! `rollcall serve`: opens everything, serves until told to end, and then lets what is under way end.

use std::sync::Arc;
use std::time::Duration;

use rollcall_protocol::catalogue;
use rollcall_store::Db;
use tokio::signal::unix::{SignalKind, signal};

use super::{Role, open};
use crate::{
    admin,
    admission::{Pace, Room},
    clock::{Clock, Entropy},
    config::Config,
    http,
    installer::Shelf,
    jobs,
    live::Hub,
    mail::Postman,
    releases::{Looks, Releases},
    start::StartError,
    state::{AppState, Shutdown, ShutdownSwitch},
    telemetry,
};

pub async fn run(config: &Config, roles: &[Role], clock: Clock, entropy: Entropy) -> Result<(), StartError> {
    let db = open::open_database(config).await?;
    // Before anything is changed: a server that runs keeps the tables it knows.
    let alone = open::claim_folder(config)?;
    open::migrate_alone(&db, &alone).await?;
    let cloud = open::load_identity(config, &db, &clock, &entropy).await?;
    let metrics = telemetry::start_metrics()?;
    let door = http::open(config.listen, config.tls.as_ref()).await?;
    let admin_door = http::open(config.admin_listen, None).await?;
    let (switch, shutdown) = Shutdown::new();
    let scheme = if config.tls.is_some() { "https" } else { "http" };
    let public_url = config.public_url.clone().unwrap_or_else(|| format!("{scheme}://{}", door.address()));
    let state = AppState {
        db: db.clone(),
        clock,
        entropy,
        cloud,
        hub: Hub::default(),
        releases: Releases::of(config.releases_dir.clone()),
        looks: Looks::default(),
        pace: Pace::default(),
        room: Room::default(),
        public_url: public_url.into(),
        settings: Arc::from(config.redacted()),
        installer: Shelf::new(&config.installer_dir),
        shutdown,
        readiness: Arc::default(),
        postman: Postman::of(config.smtp.as_ref())?,
    };
    tokio::spawn(state.hub.clone().run(db.live().subscribe()));
    tokio::spawn(relay(state.clone()));
    tokio::spawn(throw_on_signal(switch)?);
    tracing::info!(listen = %door.address(), admin = %admin_door.address(), url = %state.public_url,
        database = db.engine_name(), "serving");
    let admin = admin::router(state.clone(), metrics);
    tokio::join!(serve_web(door, roles, &state), http::serve(admin_door, admin, &state), work(roles, &state),);
    db.close().await;
    drop(alone);
    tracing::info!("ended");
    Ok(())
}

async fn serve_web(door: http::Door, roles: &[Role], state: &AppState) {
    if roles.contains(&Role::Web) {
        http::serve(door, http::app(state.clone()), state).await;
    }
}

async fn work(roles: &[Role], state: &AppState) {
    if roles.contains(&Role::Worker) {
        jobs::run_workers(state.clone()).await;
    }
}

/// A broken line to the database's notifications is mended; until then waiting ends by time-out.
async fn relay(state: AppState) {
    loop {
        let error = Db::relay_events(&state.db).await;
        tracing::warn!(?error, "notifications of the database are away");
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

fn throw_on_signal(switch: ShutdownSwitch) -> Result<impl Future<Output = ()>, StartError> {
    let listen =
        |kind| signal(kind).map_err(|error| StartError::new(&catalogue::UNEXPECTED, format!("signals: {error}")));
    let (mut terminate, mut interrupt) = (listen(SignalKind::terminate())?, listen(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("ending");
        switch.throw();
        // Held until the process ends: a dropped switch would say the same, but by accident.
        std::future::pending::<()>().await;
    })
}
