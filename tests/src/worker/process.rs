//! A worker as its parent sees it.

use std::{io, path::Path, process::Stdio};

use serde::Serialize;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout},
};

use super::{Answer, Command, Order, Setup};

/// A running `session_worker`. It is killed when this is dropped.
#[derive(Debug)]
pub struct Worker {
    child: Child,
    orders: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

impl Worker {
    /// Starts one.
    pub async fn start(program: impl AsRef<Path>, setup: &Setup) -> Self {
        let mut child = tokio::process::Command::new(program.as_ref())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the worker starts");
        let orders = child.stdin.take().expect("it is piped");
        let answers = child.stdout.take().expect("it is piped");
        let mut worker = Self {
            child,
            orders,
            answers: BufReader::new(answers).lines(),
        };
        worker.say(setup).await.expect("a new worker listens");
        worker
    }

    /// Gives an order without waiting for the answer.
    pub async fn tell(&mut self, now: u64, command: Command) {
        let order = Order { now, command };
        self.say(&order).await.expect("the worker listens");
    }

    /// The next answer; `None` when the process has ended instead.
    pub async fn hear(&mut self) -> Option<Answer> {
        let line = self
            .answers
            .next_line()
            .await
            .expect("the worker writes text")?;
        Some(serde_json::from_str(&line).expect("the worker writes answers"))
    }

    /// Gives an order and waits for the answer.
    pub async fn ask(&mut self, now: u64, command: Command) -> Option<Answer> {
        self.tell(now, command).await;
        self.hear().await
    }

    /// Kills the process, in the midst of whatever it does.
    pub async fn kill(&mut self) {
        self.child.kill().await.expect("the worker is there");
    }

    /// Waits until the process has ended; whether it did so in good order.
    pub async fn ended_well(&mut self) -> bool {
        self.child
            .wait()
            .await
            .expect("the worker is there")
            .success()
    }

    async fn say(&mut self, what: &impl Serialize) -> io::Result<()> {
        let mut line = serde_json::to_vec(what).expect("it is representable");
        line.push(b'\n');
        self.orders.write_all(&line).await?;
        self.orders.flush().await
    }
}
