//! Spawning tasks and sleeping: all that the client needs from an async runtime. Also defines the futures of
//! this crate: they can move between threads, except on WebAssembly.

use std::{fmt, future::Future, pin::Pin, time::Duration};

#[cfg(all(target_family = "wasm", target_os = "unknown"))]
mod javascript;

#[cfg(all(target_family = "wasm", target_os = "unknown"))]
pub use javascript::{JsRuntime, stay_in_request};

/// A future in a box. On WebAssembly it need not be `Send`.
#[cfg(not(target_family = "wasm"))]
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;
/// A future in a box. Elsewhere than on WebAssembly it is `Send`.
#[cfg(target_family = "wasm")]
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// `Send`; on WebAssembly, every type.
///
/// There, everything runs on one thread, and what holds a value of JavaScript is not `Send`.
#[cfg(not(target_family = "wasm"))]
pub trait MaybeSend: Send {}
#[cfg(not(target_family = "wasm"))]
impl<T: Send + ?Sized> MaybeSend for T {}
/// Every type. Elsewhere than on WebAssembly, `Send`.
#[cfg(target_family = "wasm")]
pub trait MaybeSend {}
#[cfg(target_family = "wasm")]
impl<T: ?Sized> MaybeSend for T {}

/// `Sync`; on WebAssembly, every type. See [`MaybeSend`].
#[cfg(not(target_family = "wasm"))]
pub trait MaybeSync: Sync {}
#[cfg(not(target_family = "wasm"))]
impl<T: Sync + ?Sized> MaybeSync for T {}
/// Every type. Elsewhere than on WebAssembly, `Sync`.
#[cfg(target_family = "wasm")]
pub trait MaybeSync {}
#[cfg(target_family = "wasm")]
impl<T: ?Sized> MaybeSync for T {}

/// Puts a future into a [`BoxFuture`].
pub(crate) trait BoxedFuture: Future + Sized {
    fn boxed_future<'a>(self) -> BoxFuture<'a, Self::Output>
    where
        Self: MaybeSend + 'a,
    {
        Box::pin(self)
    }
}

impl<F: Future> BoxedFuture for F {}

/// An async runtime.
///
/// A refresh that has begun has to complete, even if the request that started it is cancelled: its
/// response may hold the only copy of a refresh token. That is what [`spawn`](Self::spawn) is for.
pub trait Runtime: fmt::Debug + MaybeSend + MaybeSync {
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
    /// Outside of a Tokio runtime, the task is dropped, and the caller that waits for its result runs it.
    fn spawn(&self, task: BoxFuture<'static, ()>) {
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(task);
        }
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(duration))
    }
}
