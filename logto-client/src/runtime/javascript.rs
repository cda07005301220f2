//! [`Runtime`] on the event loop of JavaScript.

use std::{
    fmt,
    future::{Future, poll_fn},
    pin::pin,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};

use gloo_timers::callback::Timeout;
use js_sys::{Function, Promise};
use send_wrapper::SendWrapper;
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_time::Instant;

use super::{BoxFuture, Runtime};

/// The longest delay that `setTimeout` takes, in milliseconds.
const MAX_DELAY: u32 = i32::MAX.unsigned_abs();

/// The event loop of the JavaScript runtime.
///
/// A serverless runtime ends all tasks of a request when the response has been sent, including a refresh that
/// is still running. To keep such tasks alive, pass the runtime's `waitUntil` to
/// [`with_spawner`](Self::with_spawner).
#[derive(Clone, Default)]
pub struct JsRuntime {
    spawner: Option<Rc<dyn Fn(BoxFuture<'static, ()>)>>,
}

impl JsRuntime {
    /// Tasks run on the event loop as long as there is one.
    pub fn new() -> Self {
        Self::default()
    }

    /// Passes tasks to `spawn`, which passes each to the `waitUntil` of the runtime: as a future to
    /// `worker::Context::wait_until`, or as a promise (`wasm_bindgen_futures::future_to_promise`) to a function
    /// of JavaScript.
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
        let task = stay_in_request(task);
        match &self.spawner {
            Some(spawn) => spawn(Box::pin(task)),
            None => spawn_local(task),
        }
    }

    /// A task may outlive the request that it began in, and the timers of that request. So each poll checks the
    /// clock and sets a timer of its own.
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        let begin = Instant::now();
        let mut timer = None;
        Box::pin(poll_fn(move |context| {
            let rest = duration.saturating_sub(begin.elapsed());
            if rest.is_zero() {
                return Poll::Ready(());
            }
            let delay = u32::try_from(rest.as_millis() + 1).unwrap_or(MAX_DELAY);
            let waker = context.waker().clone();
            let next = Timeout::new(delay.min(MAX_DELAY), move || waker.wake());
            drop(timer.replace(next));
            Poll::Pending
        }))
    }
}

impl fmt::Debug for JsRuntime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JsRuntime").finish_non_exhaustive()
    }
}

/// Completes `future` within the request that polls it first. Wrap the handling of a request in it.
///
/// On Cloudflare, streams, bodies and responses can only be used in the request that created them. But requests
/// that share a refresh or a fetch of keys wake one another, and a woken task runs in the request that is being
/// handled at that moment. The continuation of a promise runs in the request that created the promise, so
/// `future` is woken by a promise.
pub async fn stay_in_request<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    loop {
        let mut resolve = None;
        let woken = Promise::new(&mut |function, _| resolve = Some(function));
        let waker = Waker::from(Arc::new(Resolve(SendWrapper::new(resolve))));
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => drop(JsFuture::from(woken).await),
        }
    }
}

/// Resolves a promise. A waker has to be `Send`; here there is but one thread.
struct Resolve(SendWrapper<Option<Function>>);

impl Wake for Resolve {
    fn wake(self: Arc<Self>) {
        if let Some(resolve) = &*self.0 {
            let _ = resolve.call0(&JsValue::UNDEFINED);
        }
    }
}
