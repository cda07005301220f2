//! [`Runtime`] on the event loop of JavaScript.

use std::{fmt, rc::Rc, time::Duration};

use super::{BoxFuture, Runtime};

/// The longest delay that `setTimeout` takes.
const MAX_DELAY: Duration = Duration::from_millis(i32::MAX.unsigned_abs() as u64);

/// The event loop of the JavaScript runtime.
///
/// A serverless runtime ends what is still going on when a request has been answered, and with it a refresh
/// that nobody waits for any more. Unless it gets to know of it: give [`with_spawner`](Self::with_spawner) its
/// `waitUntil`.
#[derive(Clone, Default)]
pub struct JsRuntime {
    spawner: Option<Rc<dyn Fn(BoxFuture<'static, ()>)>>,
}

impl JsRuntime {
    /// Tasks run on the event loop as long as there is one.
    pub fn new() -> Self {
        Self::default()
    }

    /// Tasks are given to `spawn`, which passes each to the `waitUntil` of the runtime: as a future to
    /// `worker::Context::wait_until`, or as a promise (`wasm_bindgen_futures::future_to_promise`) to what
    /// JavaScript has.
    ///
    /// It is called while a request is handled, and the task belongs to that request.
    pub fn with_spawner(spawn: impl Fn(BoxFuture<'static, ()>) + 'static) -> Self {
        Self {
            spawner: Some(Rc::new(spawn)),
        }
    }
}

impl Runtime for JsRuntime {
    fn spawn(&self, task: BoxFuture<'static, ()>) {
        match &self.spawner {
            Some(spawn) => spawn(task),
            None => wasm_bindgen_futures::spawn_local(task),
        }
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        Box::pin(gloo_timers::future::sleep(duration.min(MAX_DELAY)))
    }
}

impl fmt::Debug for JsRuntime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JsRuntime").finish_non_exhaustive()
    }
}
