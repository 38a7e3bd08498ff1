//! Opens what every command needs: data folder, database, keys.

use std::fs;
use std::path::{Path, PathBuf};
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
    _files: Vec<fs::File>,
}

/// Two locks: one beside the database, which servers with a data folder each would share, and the folder's own, which older
/// versions take alone.
pub fn claim_database(config: &Config) -> Result<Alone, StartError> {
    match &config.database {
        Place::Postgres(_) => Ok(Alone { _files: Vec::new() }),
        Place::Sqlite { file } => {
            let locks = [config.data_dir.join("serve.lock"), beside(file)];
            let files = locks.iter().map(|path| claim(path, &config.database)).collect::<Result<_, _>>()?;
            Ok(Alone { _files: files })
        }
    }
}

/// `rollcall.db.lock`, by whatever way the database is named.
fn beside(database: &Path) -> PathBuf {
    let mut path = fs::canonicalize(database).unwrap_or_else(|_| database.to_owned()).into_os_string();
    path.push(".lock");
    path.into()
}

fn claim(path: &Path, database: &Place) -> Result<fs::File, StartError> {
    let unusable =
        |error: std::io::Error| StartError::new(&catalogue::DATA_FOLDER, format!("{}: {error}", path.display()));
    let file = fs::File::create(path).map_err(unusable)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(fs::TryLockError::WouldBlock) => Err(StartError::new(&catalogue::DATA_FOLDER_IN_USE, database.describe())),
        Err(fs::TryLockError::Error(error)) => Err(unusable(error)),
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
        Tables::Older | Tables::Newer => migrate_alone(db, &claim_database(config)?).await,
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
    let master = MasterKey::load(db, &config.master_key, &config.data_dir, entropy).await?;
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
        let running = claim_database(&config).unwrap();

        let refused = migrate(&config, &db).await;

        assert!(refused.is_err_and(|error| error.to_string().contains(catalogue::DATA_FOLDER_IN_USE.code)));
        assert_eq!(db.tables().await, Tables::Older);
        migrate_alone(&db, &running).await.unwrap();
        assert_eq!(db.tables().await, Tables::Current);
        migrate(&config, &db).await.unwrap();
    }

    #[tokio::test]
    async fn a_database_that_is_served_is_served_by_no_other_whatever_its_data_folder() {
        let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let database = folder.path().join("x.db");
        let by_another_name = other.path().join("y.db");
        std::os::unix::fs::symlink(&database, &by_another_name).unwrap();
        let config = |data: &Path, database: &Path| {
            let url = format!("sqlite://{}", database.display());
            let data = data.display().to_string();
            Config::parse([("ROLLCALL_DATABASE_URL".to_owned(), url), ("ROLLCALL_DATA_DIR".to_owned(), data)]).unwrap()
        };
        let first = config(folder.path(), &database);
        open_database(&first).await.unwrap();
        let running = claim_database(&first).unwrap();

        for named in [&database, &by_another_name] {
            let second = config(other.path(), named);
            open_database(&second).await.unwrap();
            let refused = claim_database(&second);
            assert!(refused.is_err_and(|error| error.to_string().contains(catalogue::DATA_FOLDER_IN_USE.code)));
        }
        drop(running);
        claim_database(&config(other.path(), &database)).unwrap();
    }
}
