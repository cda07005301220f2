//! Several processes on one file.

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use logto_client::storage::{Handle, SessionStorage};
use logto_storage::KeyValueStore;

use super::{Directory, open};
use crate::common::stores::{self, entry};

const TTL: Duration = Duration::from_secs(600);

const PROCESSES: usize = 4;

/// Runs a test of this file in processes of its own, which finds the file in a variable.
fn spawn(worker: &str, file: &Path) -> Vec<Child> {
    let name = format!("{}::{worker}", module_path!().split_once("::").unwrap().1);
    let spawn = |_| {
        Command::new(std::env::current_exe().unwrap())
            .args([&name, "--exact", "--nocapture"])
            .env(FILE, file)
            .stdout(Stdio::null())
            .spawn()
            .unwrap()
    };
    (0..PROCESSES).map(spawn).collect()
}

fn wait_for(processes: Vec<Child>) {
    for mut process in processes {
        assert!(process.wait().unwrap().success());
    }
}

const FILE: &str = "LOGTO_TEST_SQLITE_FILE";

/// The file, in a process that was spawned for it.
fn file_of_worker() -> Option<PathBuf> {
    std::env::var_os(FILE).map(PathBuf::from)
}

#[tokio::test(flavor = "multi_thread")]
async fn f36_processes_that_write_all_the_time_wait_and_none_is_refused() {
    let directory = Directory::new("load");
    open(&directory.file()).await;
    wait_for(spawn("writes_all_the_time", &directory.file()));
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_all_the_time() {
    let Some(file) = file_of_worker() else { return };
    let store = open(&file).await;
    let writers: Vec<_> = (0..20)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move {
                for _ in 0..50 {
                    let key = stores::unique("key");
                    let value = vec![7; 4_000];
                    assert!(store.put(&key, None, entry(1, &value), TTL).await.unwrap());
                    assert!(
                        store
                            .put(&key, Some(1), entry(2, &value), TTL)
                            .await
                            .unwrap()
                    );
                    assert!(store.get(&key).await.unwrap().is_some());
                    store.delete(&key, Some(2)).await.unwrap();
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn f34_processes_that_refresh_one_session_all_the_time_take_turns() {
    let directory = Directory::new("turns");
    open(&directory.file()).await;
    wait_for(spawn("refreshes_all_the_time", &directory.file()));
    let turns = std::fs::read_to_string(directory.0.join("turns")).unwrap();
    let turns: Vec<&str> = turns.lines().collect();
    assert_eq!(turns.len(), PROCESSES * TURNS);
    // While all of them want it, none has it more than one time in a row more than the others let it.
    let busy = &turns[TURNS..turns.len() - TURNS];
    let mut repeated = 0;
    for pair in busy.windows(2) {
        repeated += usize::from(pair[0] == pair[1]);
    }
    assert!(
        repeated < busy.len() / 4,
        "{repeated} of {} times the one that had the lease took it again",
        busy.len()
    );
}

const TURNS: usize = 25;

#[tokio::test(flavor = "multi_thread")]
async fn refreshes_all_the_time() {
    let Some(file) = file_of_worker() else { return };
    let storage = stores::storage(open(&file).await);
    let handle = Handle::new("one session");
    let mut turns = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(file.with_file_name("turns"))
        .unwrap();
    for _ in 0..TURNS {
        let lease = loop {
            match storage
                .lease(&handle, Duration::from_secs(6))
                .await
                .unwrap()
            {
                Some(lease) => break lease,
                None => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        };
        assert!(!lease.was_taken_over());
        turns
            .write_all(format!("{}\n", std::process::id()).as_bytes())
            .unwrap();
        tokio::time::sleep(Duration::from_millis(10)).await;
        storage.release(&handle, lease).await.unwrap();
    }
}
