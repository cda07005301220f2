//! The program of an example as a process of its own.

use std::{
    collections::HashMap,
    env,
    net::TcpListener,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::Mutex,
    time::Duration,
};

use serde_json::Value;
use tokio::net::TcpStream;

const POLL: Duration = Duration::from_millis(20);
/// A minute: nothing is slower than that unless it hangs.
const MAX_POLLS: usize = 3_000;

/// The process. It ends with this value.
#[derive(Debug)]
pub struct Program {
    file: PathBuf,
    port: u16,
    variables: Vec<(&'static str, String)>,
    child: Child,
}

impl Program {
    /// Starts the program of this package, and waits until it answers at the port.
    pub async fn start(
        package: &'static str,
        port: u16,
        variables: Vec<(&'static str, String)>,
    ) -> Self {
        let file = build(package);
        let child = spawn(&file, &variables);
        let mut program = Self {
            file,
            port,
            variables,
            child,
        };
        program.wait().await;
        program
    }

    /// Ends it and starts it again.
    pub async fn restart(&mut self) {
        self.end();
        self.child = spawn(&self.file, &self.variables);
        self.wait().await;
    }

    async fn wait(&mut self) {
        for _ in 0..MAX_POLLS {
            if let Some(status) = self.child.try_wait().unwrap() {
                panic!("{} has ended: {status}", self.file.display());
            }
            if TcpStream::connect(("127.0.0.1", self.port)).await.is_ok() {
                return;
            }
            tokio::time::sleep(POLL).await;
        }
        panic!("{} does not listen", self.file.display());
    }

    fn end(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.end();
    }
}

/// A port that nobody uses now.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    listener.local_addr().unwrap().port()
}

fn spawn(file: &PathBuf, variables: &[(&'static str, String)]) -> Child {
    let mut command = Command::new(file);
    let inherited = env::vars_os().map(|(name, _)| name);
    for name in inherited.filter(|name| name.to_string_lossy().starts_with("LOGTO_")) {
        command.env_remove(name);
    }
    let variables = variables.iter().map(|(name, value)| (name, value));
    command.envs(variables).stdin(Stdio::null());
    command.spawn().expect("the program starts")
}

/// Builds the program, which costs nothing when it is up to date, and says where it is. Only cargo knows: the
/// target directory is a setting.
fn build(package: &'static str) -> PathBuf {
    static BUILT: Mutex<Option<HashMap<&str, PathBuf>>> = Mutex::new(None);
    let mut built = BUILT
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner());
    let built = built.get_or_insert_default();
    if let Some(file) = built.get(package) {
        return file.clone();
    }
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml");
    let output = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--manifest-path", manifest])
        .args(["--package", package, "--bin", package])
        .arg("--message-format=json-render-diagnostics")
        .stderr(Stdio::inherit())
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{package} does not compile");
    let messages = String::from_utf8(output.stdout).unwrap();
    let messages = messages.lines().filter_map(|line| {
        let message: Value = serde_json::from_str(line).ok()?;
        (message["target"]["name"] == package).then_some(message)
    });
    let mut files =
        messages.filter_map(|message| message["executable"].as_str().map(PathBuf::from));
    let file = files.next_back().expect("the package has a program");
    built.insert(package, file.clone());
    file
}
