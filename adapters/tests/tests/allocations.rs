//! How often a request that asks for no session asks for memory, beyond what the framework does without the SDK. A
//! binary of its own, because it counts with an allocator of its own.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use actix_web::{
    App, HttpMessage,
    dev::Service,
    test::{TestRequest, init_service},
    web,
};
use allocation_counter::{AllocationInfo, measure};
use logto::{
    LogtoApp,
    storage::{
        MemoryStorage,
        faulty::{FaultyStorage, Operation},
    },
    test::DemoTenant,
};
use logto_actix_web::LogtoMiddleware;
use logto_rocket::LogtoFairing;
use rocket::{
    Build, Config, Rocket, config::LogLevel, futures::FutureExt, get, http::Header,
    local::blocking::Client, routes,
};

/// One for the session of the request, one for its place in the extensions of the request, or in the cache that Rocket
/// has for a request.
const MORE: u64 = 2;
const MAX_BYTES: u64 = 1_024;
const COOKIE: &str =
    "theme=dark; __Host-logto_demo-web-app=qWqhw7nDNXcx3VTU0dY6YYSgtvLmmU9X1uVFzl-tKvo";

/// What the requests may ask, and nobody does.
type Storage = Arc<FaultyStorage<MemoryStorage>>;

/// An application as in production: its base URL is not this machine.
async fn application() -> (LogtoApp, Storage) {
    let storage = Arc::new(FaultyStorage::new(MemoryStorage::new()));
    let demo = DemoTenant::new().unwrap();
    let builder = demo
        .builder()
        .config(|config| config.base_url("https://shop.example.com"))
        .storage(Arc::clone(&storage));
    (builder.await.unwrap(), storage)
}

fn costs_next_to_nothing(without: AllocationInfo, with: AllocationInfo, storage: &Storage) {
    let figures = format!("without: {without:?}, with: {with:?}");
    assert!(without.count_total > 0, "{figures}");
    assert!(with.count_total <= without.count_total + MORE, "{figures}");
    assert!(
        with.bytes_total <= without.bytes_total + MAX_BYTES,
        "{figures}"
    );
    assert_eq!(storage.calls(Operation::Load), 0);
}

/// What a request costs in actix-web. As in a server, something is in its extensions.
macro_rules! cost_in_actix_web {
    ($app:expr) => {{
        let service = init_service($app.route("/", web::get().to(async || "plain"))).await;
        let mut costs = Vec::new();
        // The first one also fills the pools of the framework.
        for _ in 0..3 {
            let request = TestRequest::get().insert_header(("cookie", COOKIE));
            let request = request.to_request();
            request.extensions_mut().insert(());
            let mut response = None;
            let call = || response = service.call(request).now_or_never();
            costs.push(measure(call));
            assert!(response.unwrap().unwrap().status().is_success());
        }
        costs.pop().unwrap()
    }};
}

#[actix_web::test]
async fn a_request_that_asks_for_no_session_costs_next_to_nothing_in_actix_web() {
    let (app, storage) = application().await;
    let without = cost_in_actix_web!(App::new());
    let with = cost_in_actix_web!(App::new().wrap(LogtoMiddleware::new(app)));
    costs_next_to_nothing(without, with, &storage);
}

#[get("/")]
fn plain() -> &'static str {
    "plain"
}

fn rocket() -> Rocket<Build> {
    let config = Config {
        log_level: LogLevel::Off,
        ..Config::debug_default()
    };
    rocket::custom(config).mount("/", routes![plain])
}

fn cost_in_rocket(rocket: Rocket<Build>) -> AllocationInfo {
    let client = Client::untracked(rocket).unwrap();
    let mut costs = Vec::new();
    for _ in 0..3 {
        let request = client.get("/").header(Header::new("cookie", COOKIE));
        let mut response = None;
        costs.push(measure(|| response = Some(request.dispatch())));
        assert!(response.unwrap().status().class().is_success());
    }
    costs.pop().unwrap()
}

#[test]
fn a_request_that_asks_for_no_session_costs_next_to_nothing_in_rocket() {
    let runtime = rocket::tokio::runtime::Runtime::new().unwrap();
    let (app, storage) = runtime.block_on(application());
    let without = cost_in_rocket(rocket());
    let with = cost_in_rocket(rocket().attach(LogtoFairing::new(app)));
    costs_next_to_nothing(without, with, &storage);
}
