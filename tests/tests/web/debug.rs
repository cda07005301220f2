//! What the client and the web layer show of themselves in logs.

use std::fmt::Debug;

use http::{HeaderMap, Method, Uri};
use logto_client::{
    Coordinator, TokenTarget,
    m2m::M2mClient,
    resource_server::ResourceServer,
    web::{LogtoApp, LogtoWeb},
};
use logto_storage::ExternalStorage;
use logto_testkit::demo::SHOPPING_API;
use logto_tests::{
    shared::MapStore,
    stage::{codec, cookie_storage, key_ring},
    world::{APP_ID, APP_SECRET, World, refresh_token_of},
};

#[tokio::test(start_paused = true)]
async fn b18_no_part_of_an_application_shows_a_secret() {
    let world = World::new();
    let cookies = world.client_builder(cookie_storage(&world));
    let cookies = cookies.shared_ledger(MapStore::default(), key_ring());
    let store = ExternalStorage::new(MapStore::default(), key_ring(), world.config());
    for client in [cookies, world.client_builder(store)] {
        let client = client.build().unwrap();
        let session = world.sign_in(&client, "alice").await.session;
        let shopping = TokenTarget::resource(SHOPPING_API);
        let token = session.access_token(&shopping).await.unwrap();
        let web = LogtoWeb::new(client.clone(), codec(), key_ring());
        let builder = LogtoApp::builder(web.clone()).webhook("/webhooks", "the signing key");
        let shown = format!("{builder:?}");
        let app = builder.build();
        let request = app.begin(&Method::GET, &Uri::from_static("/"), &HeaderMap::new());
        let machine = M2mClient::new(world.config().clone(), world.context()).unwrap();
        let server = ResourceServer::new(world.config().clone(), world.context()).unwrap();
        let parts: [&dyn Debug; 10] = [
            &client,
            &session,
            &session.read_only(),
            &web,
            &app,
            &request,
            &machine,
            &server,
            &world.context(),
            &Coordinator::new(),
        ];
        let shown = parts
            .iter()
            .fold(shown, |shown, part| format!("{shown}\n{part:?} {part:#?}"));
        assert!(shown.contains(APP_ID), "{shown}");
        let refresh_token = refresh_token_of(session.snapshot());
        for secret in [
            APP_SECRET,
            "the signing key",
            token.token.expose(),
            &refresh_token,
            session.handle().value(),
            "7, 7, 7",
        ] {
            assert!(!shown.contains(secret), "{secret}: {shown}");
        }
    }
}
