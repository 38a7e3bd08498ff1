//! A private PostgreSQL cluster for tests: made in a temporary folder, reached through a socket, gone when dropped.
//! Where `DATABASE_URL` names a server, that one is used instead.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::atomic::{AtomicU64, Ordering},
};
use tempfile::TempDir;
use thiserror::Error;

#[derive(Debug, Error)]
pub enum PostgresError {
    #[error("{0} is missing: install the Debian package postgresql")]
    Missing(&'static str),
    #[error("{program} failed:\n{output}")]
    Failed { program: String, output: String },
    #[error("{context}: {source}")]
    Io { context: String, source: io::Error },
}

/// The role that the product connects as: it owns its databases, and cannot pass row-level security by.
const APP_ROLE: &str = "rollcall_app";
const APP_PASSWORD: &str = "lab-database-1";

#[derive(Debug)]
pub struct Postgres {
    server: Server,
    databases: AtomicU64,
}

#[derive(Debug)]
enum Server {
    /// Somebody else's, by the address of a database on it.
    Given(String),
    Private(Cluster),
}

/// A cluster of our own.
#[derive(Debug)]
struct Cluster {
    folder: TempDir,
    programs: PathBuf,
    account: Account,
}

/// Who runs the server: it refuses to run as root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Account {
    Own,
    Postgres,
}

impl Postgres {
    /// Starts a cluster, or uses the server that `DATABASE_URL` names.
    #[expect(clippy::disallowed_methods, reason = "the lab is told of a ready server by this one variable")]
    pub fn start() -> Result<Self, PostgresError> {
        match std::env::var("DATABASE_URL") {
            Ok(url) if !url.is_empty() => Ok(Self::on(Server::Given(url))),
            Ok(_) | Err(_) => Self::start_private(),
        }
    }

    /// Starts a cluster whatever the environment says.
    pub fn start_private() -> Result<Self, PostgresError> {
        let cluster = Cluster::start()?;
        crate::witness::secret("the database's password", APP_PASSWORD);
        let postgres = Self::on(Server::Private(cluster));
        postgres.run_sql(
            &postgres.administrator_url("postgres"),
            &format!(
                "create role {APP_ROLE} login password '{APP_PASSWORD}' nosuperuser nobypassrls nocreatedb nocreaterole"
            ),
        )?;
        Ok(postgres)
    }

    fn on(server: Server) -> Self {
        Self { server, databases: AtomicU64::new(0) }
    }

    /// Makes an empty database that the product's role owns; returns the address to connect to it as that role.
    pub fn fresh_database(&self) -> Result<String, PostgresError> {
        let number = self.databases.fetch_add(1, Ordering::Relaxed);
        let name = format!("rollcall_test_{}_{number}", std::process::id());
        let (administrator, owner) = match &self.server {
            // On somebody else's server there may be no right to make roles: its own role owns the database.
            Server::Given(url) => (url.clone(), String::new()),
            Server::Private(_) => (self.administrator_url("postgres"), format!(" owner {APP_ROLE}")),
        };
        self.run_sql(&administrator, &format!("create database {name}{owner}"))?;
        Ok(match &self.server {
            Server::Given(url) => with_database(url, &name),
            Server::Private(cluster) => cluster.url(APP_ROLE, APP_PASSWORD, &name),
        })
    }

    /// Makes a copy of a database nobody is connected to, a migrated one for example; returns its address.
    pub fn copy_of(&self, url: &str) -> Result<String, PostgresError> {
        let number = self.databases.fetch_add(1, Ordering::Relaxed);
        let name = format!("rollcall_test_{}_{number}", std::process::id());
        let template = database_of(url);
        let (administrator, owner) = match &self.server {
            Server::Given(given) => (given.clone(), String::new()),
            Server::Private(_) => (self.administrator_url("postgres"), format!(" owner {APP_ROLE}")),
        };
        self.run_sql(&administrator, &format!("create database {name} template {template}{owner}"))?;
        Ok(with_database(url, &name))
    }

    /// The address of a database for the one who may do everything.
    pub fn administrator_url(&self, database: &str) -> String {
        match &self.server {
            Server::Given(url) => with_database(url, database),
            Server::Private(cluster) => cluster.url("postgres", "", database),
        }
    }

    /// Runs statements through `psql`; returns what it printed, a row a line, columns parted by `|`.
    pub fn run_sql(&self, url: &str, sql: &str) -> Result<String, PostgresError> {
        let mut command = Command::new("psql");
        command.args([
            "--no-psqlrc",
            "--quiet",
            "--tuples-only",
            "--no-align",
            "-v",
            "ON_ERROR_STOP=1",
            "-d",
            url,
            "-c",
            sql,
        ]);
        finished("psql", command.output())
    }
}

impl Cluster {
    fn start() -> Result<Self, PostgresError> {
        let programs = find_programs()?;
        let folder =
            TempDir::new().map_err(|source| PostgresError::Io { context: "temporary folder".into(), source })?;
        let account = if is_root() { Account::Postgres } else { Account::Own };
        let cluster = Self { folder, programs, account };
        if account == Account::Postgres {
            finished("chown", Command::new("chown").arg("postgres").arg(cluster.folder.path()).output())?;
        }
        let data = cluster.folder.path().join("data");
        let data = data.to_string_lossy();
        cluster
            .run("initdb", &["-D", &data, "-A", "trust", "-U", "postgres", "-E", "UTF8", "--no-locale", "--no-sync"])?;
        // Tests lose nothing when the machine does: no waiting for the disk.
        let options = format!(
            "-k {} -c listen_addresses='' -c fsync=off -c synchronous_commit=off -c full_page_writes=off -c max_connections=300",
            cluster.folder.path().display()
        );
        let log = cluster.folder.path().join("server.log");
        let log = log.to_string_lossy();
        cluster.run("pg_ctl", &["-D", &data, "-l", &log, "-w", "-t", "60", "-o", &options, "start"])?;
        Ok(cluster)
    }

    fn run(&self, program: &str, arguments: &[&str]) -> Result<String, PostgresError> {
        let path = self.programs.join(program);
        let mut command = match self.account {
            Account::Own => Command::new(path),
            Account::Postgres => {
                let mut command = Command::new("runuser");
                command.args(["-u", "postgres", "--"]).arg(path);
                command
            }
        };
        finished(program, command.args(arguments).current_dir(self.folder.path()).output())
    }

    /// Over the socket in the cluster's folder: no port that another test could take.
    fn url(&self, role: &str, password: &str, database: &str) -> String {
        let socket = self.folder.path().to_string_lossy().replace('/', "%2F");
        format!("postgres://{role}:{password}@localhost/{database}?host={socket}")
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let data = self.folder.path().join("data");
        let _ = self.run("pg_ctl", &["-D", &data.to_string_lossy(), "-m", "immediate", "stop"]);
    }
}

/// Debian keeps the server's programs out of the search path, one folder per version; the newest is taken.
fn find_programs() -> Result<PathBuf, PostgresError> {
    let versions = fs::read_dir("/usr/lib/postgresql").map_err(|_| PostgresError::Missing("initdb"))?;
    let mut folders: Vec<(u32, PathBuf)> = versions
        .filter_map(Result::ok)
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .filter(|(_, folder)| folder.join("initdb").exists())
        .collect();
    folders.sort();
    folders.pop().map(|(_, folder)| folder).ok_or(PostgresError::Missing("initdb"))
}

/// The owner of this process's own folder in /proc is the user it runs as.
fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    fs::metadata(Path::new("/proc/self")).is_ok_and(|own| own.uid() == 0)
}

fn finished(program: &str, output: io::Result<Output>) -> Result<String, PostgresError> {
    let output = output.map_err(|source| {
        if source.kind() == io::ErrorKind::NotFound {
            PostgresError::Missing("psql")
        } else {
            PostgresError::Io { context: program.to_owned(), source }
        }
    })?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = [output.stdout, output.stderr].concat();
    Err(PostgresError::Failed { program: program.to_owned(), output: String::from_utf8_lossy(&said).into_owned() })
}

/// The same address with another database: what lies between the host's slash and the question mark.
fn with_database(url: &str, database: &str) -> String {
    let (address, options) = url.split_once('?').map_or((url, None), |(address, options)| (address, Some(options)));
    let start = address.find("://").map_or(0, |at| at + 3);
    let host_end = address[start..].find('/').map_or(address.len(), |at| start + at);
    let options = options.map(|options| format!("?{options}")).unwrap_or_default();
    format!("{}/{database}{options}", &address[..host_end])
}

/// Which database an address names.
pub fn database_of(url: &str) -> &str {
    let address = url.split('?').next().unwrap_or(url);
    address.rsplit('/').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_keeps_everything_but_its_database() {
        assert_eq!(with_database("postgres://a:b@h:5/x?host=%2Ftmp", "y"), "postgres://a:b@h:5/y?host=%2Ftmp");
        assert_eq!(with_database("postgres://h", "y"), "postgres://h/y");
        assert_eq!(database_of("postgres://a:b@h:5/x?host=%2Ftmp"), "x");
    }
}
