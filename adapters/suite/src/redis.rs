//! A Redis that can be stopped, and that has everything when it is back.

use std::process::{Child, Command, Stdio};

use crate::{directory::Directory, program};

/// The server. It ends with this value.
#[derive(Debug)]
pub struct Redis {
    directory: Directory,
    port: u16,
    child: Child,
}

impl Redis {
    /// Starts a server that is empty.
    pub(crate) async fn start() -> Self {
        let (directory, port) = (Directory::new("redis"), program::free_port());
        let child = spawn(&directory, port).await;
        Self {
            directory,
            port,
            child,
        }
    }

    /// The value of `LOGTO_SESSION_URL`.
    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/", self.port)
    }

    /// Stops it, as a crash would.
    pub fn stop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Starts it again.
    pub async fn start_again(&mut self) {
        self.child = spawn(&self.directory, self.port).await;
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.stop();
    }
}

async fn spawn(directory: &Directory, port: u16) -> Child {
    let spawned = Command::new("redis-server")
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1"])
        // Whatever it has confirmed survives a crash.
        .args([
            "--save",
            "",
            "--appendonly",
            "yes",
            "--appendfsync",
            "always",
        ])
        .arg("--dir")
        .arg(directory.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn();
    let mut child = spawned.expect("these tests need Redis: `ci/install.sh` installs it on Debian");
    program::wait_for(&mut child, port, "Redis").await;
    child
}
