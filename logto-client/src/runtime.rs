//! The two things that the client asks of an async runtime.

use std::{fmt, time::Duration};

use futures_util::future::BoxFuture;

/// Runs work that outlives its caller, and waits.
///
/// A refresh that has begun must end, even when the request that wanted it is cancelled: its answer
/// may hold the only copy of a refresh token. That is what [`spawn`](Self::spawn) is for.
pub trait Runtime: fmt::Debug + Send + Sync {
    /// Runs `task` to its end, independently of the caller.
    fn spawn(&self, task: BoxFuture<'static, ()>);

    /// Ends after `duration`.
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()>;
}

/// The Tokio runtime that the caller runs in.
#[cfg(feature = "tokio")]
#[derive(Clone, Copy, Debug, Default)]
pub struct TokioRuntime;

#[cfg(feature = "tokio")]
impl Runtime for TokioRuntime {
    /// Outside of a Tokio runtime the task is dropped; whoever waits for its result then runs it.
    fn spawn(&self, task: BoxFuture<'static, ()>) {
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(task);
        }
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(duration))
    }
}
