//! A Logto in the process and what it takes to reach it.

use futures_util::FutureExt;
use logto_client::http::{HttpClient, http_fn};
use logto_testkit::Logto;

/// HTTP that asks this Logto, without a network.
pub fn http(logto: &Logto) -> impl HttpClient + use<> {
    let logto = logto.clone();
    http_fn(move |request| {
        let logto = logto.clone();
        async move { Ok(logto.handle(request)) }
    })
}

/// A Tokio runtime, to fetch with once.
pub fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_time()
        .build()
        .expect("a runtime")
}

/// The output of a future that does not have to wait.
pub fn at_once<T>(future: impl Future<Output = T>) -> T {
    future.now_or_never().expect("nothing to wait for")
}
