//! Spawning tasks and sleeping: all that the client needs of an async runtime.

use std::{fmt, time::Duration};

use futures_util::future::BoxFuture;

/// An async runtime.
///
/// A refresh that has begun has to complete, even if the request that started it is cancelled: its
/// response may hold the only copy of a refresh token. That is what [`spawn`](Self::spawn) is for.
pub trait Runtime: fmt::Debug + Send + Sync {
    /// Runs `task` to completion, independently of the caller.
    fn spawn(&self, task: BoxFuture<'static, ()>);

    /// Completes after `duration`.
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()>;
}

/// The Tokio runtime in which the caller runs.
#[cfg(feature = "tokio")]
#[derive(Clone, Copy, Debug, Default)]
pub struct TokioRuntime;

#[cfg(feature = "tokio")]
impl Runtime for TokioRuntime {
    /// Outside of a Tokio runtime, the task is dropped; the caller that waits for its result then runs it.
    fn spawn(&self, task: BoxFuture<'static, ()>) {
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(task);
        }
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(duration))
    }
}
