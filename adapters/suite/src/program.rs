//! The program of an example as a process of its own.

use std::{
    collections::HashMap,
    env,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{self, Child, Command, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use serde_json::{Value, json};
use tokio::net::TcpStream;

/// The example in WebAssembly, which is no program of its own.
const WORKER: &str = "logto-example-worker";
const WORKER_FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/worker");
/// Says that it runs in workerd. Otherwise it runs in Node.js.
const IN_WORKERD: &str = "LOGTO_SUITE_WORKERD";
/// Moves the clock of either.
const CLOCKS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/worker");
const POLL: Duration = Duration::from_millis(20);
/// A minute: nothing is slower than that unless it hangs.
const MAX_POLLS: usize = 3_000;

/// The process. It ends with this value.
#[derive(Debug)]
pub struct Program {
    command: Vec<String>,
    port: u16,
    variables: Vec<(&'static str, String)>,
    child: Child,
}

impl Program {
    /// Starts the program of this package, and waits until it answers at the port.
    pub async fn start(
        package: &'static str,
        port: u16,
        mut variables: Vec<(&'static str, String)>,
    ) -> Self {
        let command = match package {
            WORKER if env::var_os(IN_WORKERD).is_some() => in_workerd(port, &mut variables),
            WORKER => in_node(),
            package => vec![build(package).display().to_string()],
        };
        let child = spawn(&command, &variables);
        let mut program = Self {
            command,
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
        self.child = spawn(&self.command, &self.variables);
        self.wait().await;
    }

    async fn wait(&mut self) {
        let name = self.command.join(" ");
        wait_for(&mut self.child, self.port, &name).await;
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

/// Waits until a process listens at a port.
pub(crate) async fn wait_for(child: &mut Child, port: u16, name: &str) {
    for _ in 0..MAX_POLLS {
        if let Some(status) = child.try_wait().unwrap() {
            panic!("{name} has ended: {status}");
        }
        if TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
            return;
        }
        tokio::time::sleep(POLL).await;
    }
    panic!("{name} does not listen");
}

/// A port that nobody uses, and that nobody else gets until the program listens: it is given out once, and it is none of those
/// that the system gives to whoever asks for any port, such as the Logto of the test beside this one.
pub fn free_port() -> u16 {
    const FIRST: u32 = 20_000;
    const COUNT: u32 = 12_000;
    static GIVEN: AtomicU32 = AtomicU32::new(0);

    loop {
        let given = GIVEN.fetch_add(1, Ordering::Relaxed);
        // Tests of another process begin elsewhere.
        let offset = (process::id().wrapping_mul(97)).wrapping_add(given) % COUNT;
        let port = u16::try_from(FIRST + offset).unwrap();
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

fn spawn(arguments: &[String], variables: &[(&'static str, String)]) -> Child {
    let mut command = Command::new(&arguments[0]);
    command.args(&arguments[1..]);
    let inherited = env::vars_os().map(|(name, _)| name);
    for name in inherited.filter(|name| name.to_string_lossy().starts_with("LOGTO_")) {
        command.env_remove(name);
    }
    let variables = variables.iter().map(|(name, value)| (name, value));
    command.envs(variables).stdin(Stdio::null());
    command.spawn().expect("the program starts")
}

fn in_node() -> Vec<String> {
    let module = format!("{WORKER_FOLDER}/pkg/logto_example_worker_bg.wasm");
    assert!(Path::new(&module).exists(), "ci/wasm.sh compiles {WORKER}");
    let (clock, program) = (
        format!("{CLOCKS}/node-clock.mjs"),
        format!("{WORKER_FOLDER}/node.mjs"),
    );
    vec!["node".to_owned(), "--import".to_owned(), clock, program]
}

/// A worker has no files: its clock is a service.
fn in_workerd(port: u16, variables: &mut Vec<(&'static str, String)>) -> Vec<String> {
    let mut clocks = variables
        .iter()
        .filter(|(name, _)| *name == "LOGTO_TEST_CLOCK");
    let (_, file) = clocks.next().expect("a stage has a clock");
    let (folder, name) = file.rsplit_once('/').expect("the file has a folder");
    let folder = folder.to_owned();
    let name = name.to_owned();
    variables.push(("CLOCK_FILE", name));
    vec![
        format!("{WORKER_FOLDER}/node_modules/.bin/workerd"),
        "serve".to_owned(),
        format!("{CLOCKS}/workerd.capnp"),
        format!("--socket-addr=http=127.0.0.1:{port}"),
        format!("--directory-path=clock={folder}"),
    ]
}

/// The program of a package. All of them are built at the first call, for the same packages and features as the tests
/// of this workspace in `.ci/run`, so that cargo finds everything but the programs compiled.
fn build(package: &'static str) -> PathBuf {
    static PROGRAMS: OnceLock<HashMap<String, PathBuf>> = OnceLock::new();
    let programs = PROGRAMS.get_or_init(build_all);
    let file = programs.get(package);
    file.expect("the package has a program").clone()
}

/// Only cargo knows where the programs are: the target directory is a setting.
fn build_all() -> HashMap<String, PathBuf> {
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml");
    let output = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--manifest-path", manifest])
        .args(["--workspace", "--bins", "--tests", "--all-features"])
        .arg("--message-format=json-render-diagnostics")
        .stderr(Stdio::inherit())
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "the examples do not compile");
    let messages = String::from_utf8(output.stdout).unwrap();
    let programs = messages.lines().filter_map(|line| {
        let message: Value = serde_json::from_str(line).ok()?;
        let is_program = message["target"]["kind"] == json!(["bin"])
            && message["profile"]["test"] == json!(false);
        let (name, file) = (&message["target"]["name"], &message["executable"]);
        is_program.then(|| Some((name.as_str()?.to_owned(), file.as_str()?.into())))?
    });
    programs.collect()
}
