//! Opens what every command needs: data folder, database, keys.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use rollcall_protocol::catalogue;
use rollcall_store::{
    Db, StoreError,
    db::{Place, PoolSize, Tables},
};

use crate::{
    clock::{Clock, Entropy},
    config::Config,
    keys::{CloudIdentity, MasterKey},
    start::StartError,
};

const CONNECTIONS: PoolSize = PoolSize(16);

pub fn make_data_folder(config: &Config) -> Result<(), StartError> {
    let unwritable = |error: std::io::Error| {
        StartError::new(&catalogue::DATA_FOLDER, format!("{}: {error}", config.data_dir.display()))
    };
    let mut folder = fs::DirBuilder::new();
    folder.recursive(true);
    // People's data and keys: nobody else on this machine reads a folder that we made.
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut folder, 0o700);
    folder.create(&config.data_dir).map_err(unwritable)?;
    let probe = config.data_dir.join(".writable");
    fs::write(&probe, b"").and_then(|()| fs::remove_file(&probe)).map_err(unwritable)
}

pub async fn open_database(config: &Config) -> Result<Db, StartError> {
    match &config.database {
        Place::Sqlite { file } => {
            make_data_folder(config)?;
            make_private(file).map_err(|error| {
                StartError::new(&catalogue::DATABASE_UNREACHABLE, format!("{}: {error}", config.database.describe()))
            })?;
        }
        Place::Postgres(_) => {}
    }
    let db = Db::open(&config.database, CONNECTIONS).await.map_err(|error| {
        StartError::new(&catalogue::DATABASE_UNREACHABLE, format!("{}: {error}", config.database.describe()))
    })?;
    db.check_wall().await.map_err(|error| {
        if matches!(error, StoreError::RoleBypassesWall) {
            StartError::new(&catalogue::DATABASE_ROLE, config.database.describe())
        } else {
            StartError::new(&catalogue::DATABASE_UNREACHABLE, error.to_string())
        }
    })?;
    Ok(db)
}

/// Held for as long as a server works on a SQLite database: two would not hear each other's news, and each would take the
/// other's running jobs for left-overs.
#[derive(Debug)]
pub struct Alone {
    _file: Option<fs::File>,
}

pub fn claim_folder(config: &Config) -> Result<Alone, StartError> {
    match &config.database {
        Place::Postgres(_) => Ok(Alone { _file: None }),
        Place::Sqlite { .. } => {
            let path = config.data_dir.join("serve.lock");
            let shown = path.display();
            let file = fs::File::create(&path)
                .map_err(|error| StartError::new(&catalogue::DATA_FOLDER, format!("{shown}: {error}")))?;
            match file.try_lock() {
                Ok(()) => Ok(Alone { _file: Some(file) }),
                Err(fs::TryLockError::WouldBlock) => {
                    Err(StartError::new(&catalogue::DATA_FOLDER_IN_USE, config.database.describe()))
                }
                Err(fs::TryLockError::Error(error)) => {
                    Err(StartError::new(&catalogue::DATA_FOLDER, format!("{shown}: {error}")))
                }
            }
        }
    }
}

/// SQLite gives its journal files the mode of the database file, so that is made first, for its owner only.
fn make_private(file: &Path) -> std::io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(file).map(drop)
}

/// Beside a server that runs this is nothing to do, or refused.
pub async fn migrate(config: &Config, db: &Db) -> Result<(), StartError> {
    match db.tables().await {
        Tables::Current => Ok(()),
        Tables::Older | Tables::Newer => migrate_alone(db, &claim_folder(config)?).await,
    }
}

/// On SQLite nobody else works on the tables meanwhile; on PostgreSQL the servers of two versions take turns.
pub async fn migrate_alone(db: &Db, _alone: &Alone) -> Result<(), StartError> {
    db.migrate().await.map_err(|error| StartError::new(&catalogue::SCHEMA, error.to_string()))
}

pub async fn load_identity(
    config: &Config,
    db: &Db,
    clock: &Clock,
    entropy: &Entropy,
) -> Result<Arc<CloudIdentity>, StartError> {
    make_data_folder(config)?;
    let master = MasterKey::load(&config.master_key, &config.data_dir, entropy)?;
    Ok(Arc::new(CloudIdentity::load(db, &master, clock, entropy).await?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn tables_that_a_running_server_works_on_are_left_as_they_are() {
        let folder = tempfile::tempdir().unwrap();
        let named = ("ROLLCALL_DATA_DIR".to_owned(), folder.path().display().to_string());
        let config = Config::parse([named]).unwrap();
        let db = open_database(&config).await.unwrap();
        let running = claim_folder(&config).unwrap();

        let refused = migrate(&config, &db).await;

        assert!(refused.is_err_and(|error| error.to_string().contains(catalogue::DATA_FOLDER_IN_USE.code)));
        assert_eq!(db.tables().await, Tables::Older);
        migrate_alone(&db, &running).await.unwrap();
        assert_eq!(db.tables().await, Tables::Current);
        migrate(&config, &db).await.unwrap();
    }
}
