//! A source of randomness that is out of order.

use http::StatusCode;
use logto_client::{
    Error, LogtoClient, SignIn,
    entropy::{Entropy, EntropyError},
    web::LogtoWeb,
};
use logto_storage::MemoryStorage;
use logto_tests::{
    stage::{codec, key_ring},
    visitor::Visitor,
    world::World,
};

#[derive(Debug)]
struct OutOfOrder;

impl Entropy for OutOfOrder {
    fn fill(&self, _: &mut [u8]) -> Result<(), EntropyError> {
        Err(EntropyError("out of order".into()))
    }
}

#[tokio::test(start_paused = true)]
async fn without_randomness_no_sign_in_starts() {
    let world = World::new();
    let context = world.context().entropy(OutOfOrder);
    let client = LogtoClient::builder(world.config().clone(), context, MemoryStorage::new());
    let client = client.build().unwrap();
    let alice = Visitor::new(&world.logto);
    let web = LogtoWeb::new(client.clone(), codec(), key_ring());
    let (visit, sign_in) = (alice.get("/sign-in"), SignIn::new());
    let started = client.sign_in(&sign_in).await.map(drop);
    let sent = web.sign_in(visit.parts(), &sign_in).await.map(drop);
    for outcome in [started, sent] {
        let error = outcome.unwrap_err();
        assert!(matches!(error, Error::Entropy(_)), "{error:?}");
        assert_eq!(error.code(), "no_entropy");
        assert_eq!(error.status(), StatusCode::SERVICE_UNAVAILABLE);
    }
}
