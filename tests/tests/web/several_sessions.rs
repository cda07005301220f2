//! A browser that presents more than one session: after two responses that crossed, or because a parent
//! domain sets a cookie of the same name.

use std::{sync::Arc, time::Duration};

use http::{HeaderMap, HeaderValue, Request, StatusCode, header};
use logto_client::{
    LogtoClient, LogtoReader,
    storage::{Handle, SessionReader},
    web::LogtoWeb,
};
use logto_storage::{
    MemoryStorage,
    faulty::{FaultyStorage, Operation},
};
use logto_tests::{
    stage::{codec, key_ring},
    visitor::Visitor,
    world::World,
};

struct Case {
    world: World,
    storage: Arc<FaultyStorage<MemoryStorage>>,
    client: LogtoClient,
    web: LogtoWeb,
    /// Two sessions, the older one first.
    handles: [Handle; 2],
}

impl Case {
    async fn new() -> Self {
        let world = World::new();
        let storage = Arc::new(FaultyStorage::new(MemoryStorage::new()));
        let client = world.client(Arc::clone(&storage));
        let web = LogtoWeb::new(client.clone(), codec(), key_ring());
        let older = world.sign_in(&client, "alice").await.session.handle();
        world.clock.advance(Duration::from_secs(60));
        let newer = world.sign_in(&client, "alice").await.session.handle();
        Self {
            world,
            storage,
            client,
            web,
            handles: [older, newer],
        }
    }

    /// A request that presents both, in this order.
    fn request(&self, order: [usize; 2]) -> HeaderMap {
        let cookie = |nth: usize| format!("{}={}", codec().name(), self.handles[nth].expose());
        let cookies = order.map(cookie).join("; ");
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, HeaderValue::from_str(&cookies).unwrap());
        headers
    }

    async fn is_stored(&self, nth: usize) -> bool {
        let found = self.storage.load(&self.handles[nth], self.world.now());
        found.await.unwrap().is_some()
    }
}

#[tokio::test(start_paused = true)]
async fn the_newest_is_found_whatever_their_order_and_whoever_looks() {
    let case = Case::new().await;
    let newest = case
        .client
        .session(&case.handles[1])
        .await
        .unwrap()
        .unwrap();
    let reader = LogtoReader::new(case.world.config().clone(), Arc::clone(&case.storage))
        .clock(logto_tests::world::WorldClock(case.world.clock.clone()));
    for order in [[0, 1], [1, 0]] {
        let request = case.request(order);
        let writable = case.web.session(&request).await.unwrap().unwrap();
        let read_only = case.web.read_only_session(&request).await.unwrap().unwrap();
        let handles = order.map(|nth| case.handles[nth].clone());
        let read = reader.newest_session(&handles).await.unwrap().unwrap();
        assert_eq!(writable.id(), newest.id());
        assert_eq!(read_only.snapshot().id(), &newest.id());
        assert_eq!(read.snapshot().id(), &newest.id());
    }
}

#[tokio::test(start_paused = true)]
async fn none_is_written_because_it_is_in_use() {
    let case = Case::new().await;
    case.world.clock.advance(Duration::from_secs(2 * 86_400));
    let before = case.storage.calls(Operation::Replace);
    let session = case.web.session(&case.request([0, 1])).await.unwrap();
    assert!(session.is_some());
    assert_eq!(case.storage.calls(Operation::Replace) - before, 0);
}

#[tokio::test(start_paused = true)]
async fn a_new_sign_in_replaces_all_of_them() {
    let case = Case::new().await;
    let visitor = Visitor::new(&case.world.logto);
    let url = visitor.start_sign_in(&case.web).await;
    let callback = visitor.consent(&url, "alice");
    let mut cookies = case.request([0, 1]);
    let pending = visitor.get("/").headers()[header::COOKIE].clone();
    cookies.append(header::COOKIE, pending);
    let mut request = Request::get(callback.as_str());
    *request.headers_mut().unwrap() = cookies;
    let (parts, ()) = request.body(()).unwrap().into_parts();
    let answer = case.web.callback(&parts, &bytes::Bytes::new()).await;
    let response = answer.into_response();
    assert_eq!(response.status(), StatusCode::SEE_OTHER, "{response:?}");
    assert!(!case.is_stored(0).await && !case.is_stored(1).await);
    assert_eq!(case.storage.inner().len(), 1);
}
