//! Several processes on one file.

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

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
                    store.delete(&[&key], Some(2)).await.unwrap();
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
}
