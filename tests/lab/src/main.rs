//! Runs parts of the lab by hand: `rollcall-lab directory --users 1000 --seed 7 --ca-out ca.pem`.

use clap::Parser;
use rollcall_lab::directory::{Directory, Plan, Setup};
use rollcall_lab::{bench, demo, postgres::Postgres, world::Database};
use std::{error::Error, io::Write, net::SocketAddr, path::PathBuf, time::Duration};

#[derive(Parser)]
#[command(name = "rollcall-lab", about = "The lab's servers, stand-alone")]
enum Command {
    /// Serves a synthetic Active Directory domain until it is stopped
    Directory(DirectoryOptions),
    /// Runs the whole product on this machine
    Demo(DemoOptions),
    /// Measures the budgets
    Bench(BenchOptions),
}

#[derive(clap::Args)]
struct BenchOptions {
    /// What to measure; everything when nothing is named
    parts: Vec<BenchPart>,
    /// User objects in the large directory
    #[arg(long, default_value_t = 100_000)]
    users: usize,
    /// User objects in the real domain controller
    #[arg(long, default_value_t = 10_000)]
    samba_users: usize,
    /// How often each reading is repeated; the middle one counts
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// How often the agent is told to sync
    #[arg(long, default_value_t = 20)]
    wakes: usize,
    /// How long the agent is watched at rest
    #[arg(long, default_value_t = 30)]
    rest_seconds: u64,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum BenchPart {
    Reading,
    Samba,
    Growth,
    Resting,
    Applying,
}

#[derive(clap::Args)]
struct DemoOptions {
    /// User objects of each customer's directory
    #[arg(long, default_value_t = 250)]
    users: usize,
    #[arg(long, default_value_t = 3)]
    customers: usize,
    /// A scripted directory, or a real Samba AD DC for each customer
    #[arg(long, value_enum, default_value_t = DirectoryKind::Scripted)]
    directory: DirectoryKind,
    #[arg(long, value_enum, default_value_t = DatabaseKind::Sqlite)]
    database: DatabaseKind,
    /// Run the journey to its end, check it, print one JSON line, and leave
    #[arg(long)]
    once: bool,
    /// Port of the portal; 0 takes a free one
    #[arg(long, default_value_t = 8080)]
    port: u16,
}

#[derive(clap::Args)]
struct DirectoryOptions {
    /// Ordinary user objects in the domain
    #[arg(long, default_value_t = 250)]
    users: usize,
    /// The same seed gives the same domain
    #[arg(long, default_value_t = 1)]
    seed: u64,
    #[arg(long, default_value = "lab.example")]
    domain: String,
    /// Where to listen for LDAPS; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Port for LDAP with StartTLS; 0 takes a free one
    #[arg(long, default_value_t = 0)]
    ldap_port: u16,
    /// Where to write the certificate of the authority that clients must trust
    #[arg(long)]
    ca_out: PathBuf,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum DirectoryKind {
    Scripted,
    Samba,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum DatabaseKind {
    Sqlite,
    Postgres,
}

fn main() -> Result<(), Box<dyn Error>> {
    match Command::parse() {
        Command::Directory(options) => directory(&options),
        Command::Demo(options) => demo(&options),
        Command::Bench(options) => bench(options),
    }
}

fn demo(options: &DemoOptions) -> Result<(), Box<dyn Error>> {
    tokio::runtime::Runtime::new()?.block_on(async {
        let port = if options.once { 0 } else { options.port };
        let directory = match options.directory {
            DirectoryKind::Scripted => demo::Kind::Scripted,
            DirectoryKind::Samba => demo::Kind::Samba,
        };
        // Lives as long as the demo does.
        let cluster = match options.database {
            DatabaseKind::Sqlite => None,
            DatabaseKind::Postgres => Some(Postgres::start()?),
        };
        let database = match &cluster {
            None => Database::Sqlite,
            Some(cluster) => Database::Postgres(cluster.fresh_database()?),
        };
        let (users, customers) = (options.users, options.customers);
        let mut demo = demo::run(&demo::Options { directory, database, users, customers, port }).await?;
        let mut out = std::io::stdout();
        if options.once {
            writeln!(out, "{}", serde_json::to_string(&demo.report)?)?;
            return Ok(());
        }
        writeln!(out, "Rollcall runs. Sign in once by this link: {}", demo.cloud.signin_link)?;
        writeln!(out, "API key: {}\nStop with Ctrl-C.", demo.cloud.api_key)?;
        while demo.is_alive() {
            tokio::select! {
                () = tokio::time::sleep(Duration::from_secs(1)) => {}
                _ = tokio::signal::ctrl_c() => break,
            }
        }
        Ok(())
    })
}

/// Prints a table, and the same as one JSON line at the end.
fn bench(options: BenchOptions) -> Result<(), Box<dyn Error>> {
    let part = |part: &BenchPart| match part {
        BenchPart::Reading => bench::Part::Reading,
        BenchPart::Samba => bench::Part::Samba,
        BenchPart::Growth => bench::Part::Growth,
        BenchPart::Resting => bench::Part::Resting,
        BenchPart::Applying => bench::Part::Applying,
    };
    let parts =
        if options.parts.is_empty() { bench::Part::ALL.to_vec() } else { options.parts.iter().map(part).collect() };
    let BenchOptions { users, samba_users, rounds, wakes, rest_seconds, .. } = options;
    let options = bench::Options { parts, users, samba_users, rounds, wakes, rest_seconds };
    let report = tokio::runtime::Runtime::new()?.block_on(bench::run(&options))?;
    let mut out = std::io::stdout();
    writeln!(out, "{report}\n{}", serde_json::to_string(&report)?)?;
    Ok(())
}

/// Prints one JSON line when ready, then serves until killed.
fn directory(options: &DirectoryOptions) -> Result<(), Box<dyn Error>> {
    let plan = Plan::new(options.users, options.seed).named(&options.domain);
    let setup = Setup {
        address: options.listen.ip(),
        ldaps_port: options.listen.port(),
        ldap_port: options.ldap_port,
        ..Setup::default()
    };
    let directory = Directory::start(&plan, setup)?;
    directory.authority().write_pem(&options.ca_out)?;
    let line = serde_json::json!({
        "ldaps": directory.ldaps(),
        "ldap": directory.ldap(),
        "host_name": directory.host_name(),
        "base_dn": directory.base_dn(),
        "bind_name": directory.bind_name(),
        "password": directory.password(),
        "ca": options.ca_out,
        "users": options.users,
        "people": directory.people().len(),
    });
    let mut out = std::io::stdout();
    writeln!(out, "{line}")?;
    out.flush()?;
    loop {
        std::thread::park();
    }
}
