//! Whatever becomes of the spool, the service stays up, says so, and agrees with the directory again.

use std::process::Stdio;
use std::time::Duration;

use rollcall_protocol::desired::Order;
use tokio::process::{Child, Command};

use crate::home::Home;

async fn synced(users: usize) -> Home {
    let home = Home::enrolled(users).await;
    let (exit, said) = home.agent_json(&["sync"]).await;
    assert_eq!(exit, 0, "{said}");
    home
}

/// Waits until a check-in tells this code.
async fn told(home: &Home, code: &str) {
    home.cloud
        .until(&format!("{code} is told"), |books| {
            books.checkins.iter().any(|said| said.status.problems.iter().any(|problem| problem.code == code))
        })
        .await;
}

/// Waits until the people of the cloud are those of the directory, by a cycle of this epoch.
async fn equal_in_epoch(home: &Home, epoch: u64) {
    let expected = home.expected();
    home.cloud
        .until("a cycle in the epoch", |books| {
            books.cycles.last().is_some_and(|claims| claims.link.chain.epoch == epoch)
                && books.people.keys().copied().collect::<std::collections::BTreeSet<_>>() == expected
        })
        .await;
}

fn move_somebody(home: &Home) {
    let somebody = *home.expected().iter().next().unwrap();
    home.directory.move_to(somebody, home.directory.at("OU=Contractors").unwrap()).unwrap();
}

#[tokio::test]
async fn a_spool_that_is_deleted_under_the_service_is_begun_anew() {
    let home = synced(60).await;
    let mut service = home.start(&["run"]);
    home.cloud.until("a check-in of the service", |books| books.checkins.len() > 1).await;

    for file in ["spool.sqlite", "spool.sqlite-wal", "spool.sqlite-shm"] {
        let _ = std::fs::remove_file(home.path("data").join(file));
    }
    home.cloud.order(Order::SyncNow);

    told(&home, "RC-1004").await;
    equal_in_epoch(&home, 2).await;
    assert_eq!(service.try_wait().unwrap(), None, "{}", home.log());
}

#[tokio::test]
async fn a_spool_that_is_zeroed_under_the_service_is_put_aside_and_begun_anew() {
    let home = synced(60).await;
    let mut service = home.start(&["run"]);
    home.cloud.until("a check-in of the service", |books| books.checkins.len() > 1).await;

    let path = home.path("data/spool.sqlite");
    let length = std::fs::metadata(&path).unwrap().len();
    std::fs::write(&path, vec![0; usize::try_from(length).unwrap()]).unwrap();
    move_somebody(&home);
    home.cloud.order(Order::SyncNow);

    told(&home, "RC-1004").await;
    equal_in_epoch(&home, 2).await;
    assert_eq!(service.try_wait().unwrap(), None, "{}", home.log());
}

#[tokio::test]
async fn a_spool_from_an_old_backup_is_healed_and_is_no_clone() {
    let home = synced(60).await;
    let backup = std::fs::read(home.path("data/spool.sqlite")).unwrap();
    move_somebody(&home);
    home.agent(&["sync"]).await;
    std::fs::write(home.path("data/spool.sqlite"), backup).unwrap();
    let _ = std::fs::remove_file(home.path("data/spool.sqlite-wal"));
    move_somebody(&home);

    let _service = home.start(&["run"]);

    told(&home, "RC-1004").await;
    equal_in_epoch(&home, 2).await;
    let clone_alarm = home.cloud.books(|books| {
        books.checkins.iter().any(|said| said.status.problems.iter().any(|problem| problem.code == "RC-3103"))
    });
    assert!(!clone_alarm);
}

/// The service in a mount namespace of its own, its data folder on a disk of this size, mounted like this at last.
fn start_on_small_disk(home: &Home, kib: u32, mounted: &str) -> Child {
    let data = home.path("data");
    let kept = home.path("kept");
    std::fs::rename(&data, &kept).unwrap();
    std::fs::create_dir(&data).unwrap();
    let script = format!(
        "mount -t tmpfs -o size={kib}k,mode=0700 none '{data}' && cp -a '{kept}/.' '{data}/' && mount -o remount,{mounted} '{data}' && exec {agent} --config '{config}' run",
        agent = env!("CARGO_BIN_EXE_rollcall-agent"),
        data = data.display(),
        kept = kept.display(),
        config = home.path("agent.toml").display(),
    );
    let log = std::fs::File::options().append(true).create(true).open(home.path("agent.log")).unwrap();
    let errors = log.try_clone().unwrap();
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--mount", "sh", "-c", &script]).kill_on_drop(true);
    command.stdin(Stdio::null()).stdout(log).stderr(errors).spawn().unwrap()
}

/// The data folder as that service sees it.
fn inside(home: &Home, service: &Child) -> std::path::PathBuf {
    let root = format!("/proc/{}/root", service.id().unwrap());
    std::path::PathBuf::from(root).join(home.path("data").strip_prefix("/").unwrap())
}

async fn remount(home: &Home, service: &Child, how: &str) {
    let id = service.id().unwrap().to_string();
    let data = home.path("data").display().to_string();
    let done = Command::new("nsenter")
        .args([
            "-t",
            &id,
            "--user",
            "--preserve-credentials",
            "--mount",
            "mount",
            "-o",
            &format!("remount,{how}"),
            &data,
        ])
        .status()
        .await
        .unwrap();
    assert!(done.success());
}

#[tokio::test]
async fn a_full_disk_is_told_and_nothing_is_lost_once_there_is_room() {
    let home = synced(120).await;
    let mut service = start_on_small_disk(&home, 4096, "rw");
    home.cloud.until("a check-in of the service", |books| books.checkins.len() > 1).await;
    let filler = inside(&home, &service).join("filler");
    fill(&filler);
    move_somebody(&home);
    home.cloud.order(Order::SyncNow);
    told(&home, "RC-1003").await;
    assert_eq!(service.try_wait().unwrap(), None, "{}", home.log());

    std::fs::remove_file(filler).unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    home.cloud.order(Order::SyncNow);

    equal_in_epoch(&home, 1).await;
    home.cloud
        .until("it is told as over", |books| books.checkins.last().is_some_and(|said| said.status.problems.is_empty()))
        .await;
}

/// Until not a byte more goes in.
fn fill(path: &std::path::Path) {
    use std::io::Write;
    let mut file = std::fs::File::create(path).unwrap();
    while file.write_all(&[0x55; 512]).is_ok() {}
}

#[tokio::test]
async fn a_service_starts_on_a_read_only_disk_says_so_and_waits() {
    let home = synced(60).await;
    let mut service = start_on_small_disk(&home, 8192, "ro");
    told(&home, "RC-1003").await;
    assert_eq!(service.try_wait().unwrap(), None, "{}", home.log());

    remount(&home, &service, "rw").await;
    move_somebody(&home);
    home.cloud.order(Order::SyncNow);

    equal_in_epoch(&home, 1).await;
}
