//! Sign-out: locally, then at Logto, and the return.

use std::{collections::HashMap, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use logto_client::{
    LogtoClient, TokenTarget, WritableSession,
    core::sign_out::SignOut,
    event::Event,
    seal::{KeyRing, SealKey},
    storage::Handle,
    web::{LogtoWeb, cookies::CookieOptions},
};
use logto_storage::{
    MemoryStorage,
    faulty::{Fault as StorageFault, FaultyStorage, Operation},
};
use logto_testkit::{Endpoint, Fault, demo::SHOPPING_API};
use logto_tests::{
    visitor::request_with,
    world::{APP_ID, BASE_URL, Mishap, World, refresh_token_of},
};
use url::Url;

fn web(client: &LogtoClient) -> LogtoWeb {
    let config = client.config();
    let options = CookieOptions::new(config.base_url().unwrap(), config.app_id());
    LogtoWeb::new(
        client.clone(),
        options.build().unwrap(),
        KeyRing::new(SealKey::new(&[7; 32])),
    )
}

/// The headers of a browser that has a session.
fn browser(client: &LogtoClient, handle: &Handle) -> HeaderMap {
    let config = client.config();
    let options = CookieOptions::new(config.base_url().unwrap(), config.app_id())
        .build()
        .unwrap();
    let mut headers = HeaderMap::new();
    let cookie = format!("{}={}", options.name(), handle.expose());
    headers.insert(header::COOKIE, HeaderValue::from_str(&cookie).unwrap());
    headers.insert("sec-fetch-site", HeaderValue::from_static("same-origin"));
    headers
}

fn location(response: &Response<Bytes>) -> Url {
    let location = response.headers()[header::LOCATION].to_str().unwrap();
    Url::parse(location).unwrap()
}

fn query(url: &Url) -> HashMap<String, String> {
    url.query_pairs().into_owned().collect()
}

async fn signed_in(world: &World, client: &LogtoClient) -> WritableSession {
    world.sign_in(client, "alice").await.session
}

/// Waits until all background tasks have completed.
async fn until_idle() {
    tokio::time::sleep(Duration::from_secs(60)).await;
}

#[tokio::test(start_paused = true)]
async fn t39_l2_l3_the_browser_goes_to_logto_and_comes_back_to_the_configured_address() {
    let world = World::new();
    let client = world.client(MemoryStorage::new());
    let session = signed_in(&world, &client).await;
    let id_token = session.snapshot().id_token().unwrap().clone();
    let sign_out = SignOut::new()
        .id_token_hint(id_token)
        .state("s")
        .ui_locales(["de", "fr"]);
    let headers = browser(&client, &session.handle());
    let answer = web(&client)
        .sign_out(&request_with(headers.clone()), &sign_out)
        .await;
    let response = answer.into_response();
    assert_eq!(response.status(), StatusCode::SEE_OTHER);
    let url = location(&response);
    let query = query(&url);
    assert_eq!(query["client_id"], APP_ID);
    assert_eq!(query["post_logout_redirect_uri"], format!("{BASE_URL}/"));
    assert_eq!(query["ui_locales"], "de fr");
    assert!(query.contains_key("id_token_hint"));
    let landed = world.logto.sign_out(&url).unwrap();
    assert_eq!(landed.as_str(), format!("{BASE_URL}/?state=s"));
}

#[tokio::test(start_paused = true)]
async fn t40_t41_whatever_comes_back_the_user_is_signed_out_already() {
    let world = World::new();
    let client = world.client(MemoryStorage::new());
    let session = signed_in(&world, &client).await;
    let headers = browser(&client, &session.handle());
    let web = web(&client);
    assert!(web.session(&headers).await.unwrap().is_some());
    let response = web
        .sign_out(
            &request_with(headers.clone()),
            &SignOut::new().state("sent"),
        )
        .await
        .into_response();
    let cleared: Vec<&str> = response
        .headers()
        .get_all(header::SET_COOKIE)
        .iter()
        .map(|value| value.to_str().unwrap())
        .collect();
    assert!(!cleared.is_empty() && cleared.iter().all(|cookie| cookie.contains("Max-Age=0")));
    // The return is a page like any other: no state, another state, and even the old cookie.
    for headers in [HeaderMap::new(), headers] {
        let user = web.user(&headers).await.unwrap();
        let user: serde_json::Value = serde_json::from_slice(user.body()).unwrap();
        assert_eq!(user["is_authenticated"], false);
    }
}

#[tokio::test(start_paused = true)]
async fn l1_f20_the_session_here_is_gone_first_whatever_the_provider_does() {
    let faults = [
        (
            Endpoint::Revocation,
            Fault::status(StatusCode::SERVICE_UNAVAILABLE),
        ),
        (Endpoint::Revocation, Fault::ResetBeforeCommit),
        (Endpoint::Revocation, Fault::ResetAfterCommit),
        (Endpoint::EndSession, Fault::status(StatusCode::BAD_GATEWAY)),
    ];
    for (endpoint, fault) in faults {
        let told = format!("{endpoint:?} {fault:?}");
        let world = World::new();
        let client = world.client(MemoryStorage::new());
        let session = signed_in(&world, &client).await;
        let refresh_token = refresh_token_of(session.snapshot());
        world.logto.break_down(endpoint, fault);
        let url = session.sign_out(&SignOut::new()).await.unwrap();
        assert!(url.is_some(), "{told}");
        assert!(
            client.session(&session.handle()).await.unwrap().is_none(),
            "{told}"
        );
        let shopping = TokenTarget::resource(SHOPPING_API);
        assert!(
            session.access_token(&shopping).await.is_err(),
            "{told}: not even an open one"
        );
        until_idle().await;
        let failed = endpoint == Endpoint::Revocation;
        assert_eq!(
            world
                .events
                .count(|event| matches!(event, Event::NotRevoked { .. })),
            usize::from(failed),
            "{told}"
        );
        assert!(
            !format!("{:?}", world.events.all()).contains(&refresh_token),
            "{told}"
        );
        assert!(
            world.logto.count(Endpoint::Revocation) <= 3,
            "{told}: bounded"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn f20_the_browser_does_not_wait_for_the_revocation() {
    let world = World::new();
    let client = world.client(MemoryStorage::new());
    let session = signed_in(&world, &client).await;
    world.network.set_latency(Duration::from_secs(9));
    let before = tokio::time::Instant::now();
    session.sign_out(&SignOut::new()).await.unwrap();
    assert_eq!(before.elapsed(), Duration::ZERO);
    until_idle().await;
    assert_eq!(world.logto.count(Endpoint::Revocation), 1);
}

#[tokio::test(start_paused = true)]
async fn l1_without_any_metadata_the_browser_goes_home_signed_out() {
    let world = World::new();
    let storage = Arc::new(MemoryStorage::new());
    let session = signed_in(&world, &world.client(Arc::clone(&storage))).await;
    // Another process, which never reached the provider.
    let client = world.client(storage);
    for _ in 0..10 {
        world.network.next("/openid-configuration", Mishap::Refused);
    }
    let headers = browser(&client, &session.handle());
    let response = web(&client)
        .sign_out(&request_with(headers.clone()), &SignOut::new())
        .await
        .into_response();
    assert_eq!(location(&response).as_str(), format!("{BASE_URL}/"));
    assert!(client.session(&session.handle()).await.unwrap().is_none());
}

#[tokio::test(start_paused = true)]
async fn l1_a_storage_that_fails_is_told_and_the_session_is_refused_nevertheless() {
    let world = World::new();
    let storage = Arc::new(FaultyStorage::new(MemoryStorage::new()));
    let client = world.client(Arc::clone(&storage));
    let session = signed_in(&world, &client).await;
    storage.fail_next(Operation::Remove, StorageFault::Before);
    let error = session.sign_out(&SignOut::new()).await.unwrap_err();
    assert_eq!(error.code(), "storage_unavailable");
    assert!(client.session(&session.handle()).await.unwrap().is_none());
}

#[tokio::test(start_paused = true)]
async fn l4_the_newest_refresh_token_is_revoked_and_no_access_token() {
    let world = World::public(|app| app, |logto| logto);
    let client = world.client(MemoryStorage::new());
    let session = signed_in(&world, &client).await;
    let shopping = TokenTarget::resource(SHOPPING_API);
    for _ in 0..3 {
        session.refresh_access_token(&shopping).await.unwrap();
    }
    session.forget(&shopping).await.unwrap();
    assert_eq!(
        world.logto.count(Endpoint::Revocation),
        0,
        "a cache is cleared without the provider"
    );
    let newest = refresh_token_of(session.snapshot());
    session.sign_out(&SignOut::new()).await.unwrap();
    until_idle().await;
    let requests = world.logto.requests();
    let revocations: Vec<_> = requests
        .iter()
        .filter(|request| request.endpoint() == Endpoint::Revocation)
        .collect();
    assert_eq!(revocations.len(), 1);
    assert_eq!(revocations[0].param("token"), Some(newest.as_str()));
    assert_eq!(
        revocations[0].param("token_type_hint"),
        Some("refresh_token")
    );
    assert!(!world.logto.grant_is_alive(&newest));
}

#[tokio::test(start_paused = true)]
async fn signing_out_here_only_leaves_the_session_at_logto() {
    let world = World::new();
    let client = world.client(MemoryStorage::new());
    let browser = world.logto.browser();
    let (url, pending) = client.sign_in(&logto_client::SignIn::new()).await.unwrap();
    let callback = logto_tests::world::callback_of(&browser.sign_in(&url, "alice").unwrap());
    let session = client
        .complete_sign_in(Some(pending), callback, None)
        .await
        .unwrap()
        .session;
    session.sign_out_locally().await.unwrap();
    assert_eq!(world.logto.count(Endpoint::Revocation), 1, "awaited");
    assert!(client.session(&session.handle()).await.unwrap().is_none());
    assert_eq!(world.logto.count(Endpoint::EndSession), 0);
    let (url, _) = client.sign_in(&logto_client::SignIn::new()).await.unwrap();
    assert!(browser.sign_in(&url, "alice").is_ok());
}

#[tokio::test(start_paused = true)]
async fn another_site_cannot_sign_a_user_out_and_nobody_signed_in_is_no_error() {
    let world = World::new();
    let client = world.client(MemoryStorage::new());
    let session = signed_in(&world, &client).await;
    let web = web(&client);
    let mut headers = browser(&client, &session.handle());
    headers.insert("sec-fetch-site", HeaderValue::from_static("cross-site"));
    let answer = web
        .sign_out(&request_with(headers.clone()), &SignOut::new())
        .await;
    let response = answer.into_response();
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    assert!(client.session(&session.handle()).await.unwrap().is_some());
    let mut nobody = HeaderMap::new();
    nobody.insert("sec-fetch-site", HeaderValue::from_static("same-origin"));
    let response = web
        .sign_out(&request_with(nobody), &SignOut::new())
        .await
        .into_response();
    assert_eq!(query(&location(&response))["client_id"], APP_ID);
    until_idle().await;
    assert_eq!(
        world.logto.count(Endpoint::Revocation),
        0,
        "l9: nobody's token"
    );
}

/// Two sessions of alice in a store, and a browser that presents both.
async fn two_sessions(
    world: &World,
    storage: &Arc<FaultyStorage<MemoryStorage>>,
) -> (LogtoClient, HeaderMap, [String; 2]) {
    let client = world.client(Arc::clone(storage));
    let older = signed_in(world, &client).await;
    let newer = signed_in(world, &client).await;
    let tokens = [&older, &newer].map(|session| refresh_token_of(session.snapshot()));
    let mut headers = browser(&client, &older.handle());
    let second = browser(&client, &newer.handle())[header::COOKIE].clone();
    headers.append(header::COOKIE, second);
    // A process that has not opened them.
    (world.client(Arc::clone(storage)), headers, tokens)
}

fn cleared(headers: &HeaderMap) -> usize {
    let cookies = headers.get_all(header::SET_COOKIE).iter();
    cookies
        .filter(|cookie| cookie.to_str().unwrap().contains("Max-Age=0"))
        .count()
}

#[tokio::test(start_paused = true)]
async fn l1_all_sessions_that_the_browser_presents_end() {
    for here_only in [false, true] {
        let world = World::new();
        let storage = Arc::new(FaultyStorage::new(MemoryStorage::new()));
        let (client, headers, tokens) = two_sessions(&world, &storage).await;
        let web = web(&client);
        let answer = match here_only {
            true => web.sign_out_locally(&request_with(headers.clone())).await,
            false => {
                web.sign_out(&request_with(headers.clone()), &SignOut::new())
                    .await
            }
        };
        assert!(answer.outcome.is_ok());
        assert_eq!(storage.inner().len(), 0);
        until_idle().await;
        assert!(
            tokens
                .iter()
                .all(|token| !world.logto.grant_is_alive(token))
        );
        assert_eq!(cleared(&answer.into_response().headers().clone()), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn l1_the_browser_is_signed_out_and_sent_on_while_the_storage_is_down() {
    for here_only in [false, true] {
        let world = World::new();
        let storage = Arc::new(FaultyStorage::new(MemoryStorage::new()));
        let (client, headers, tokens) = two_sessions(&world, &storage).await;
        let web = web(&client);
        storage.go_down(StorageFault::Before);
        for _ in 0..2 {
            let answer = match here_only {
                true => web.sign_out_locally(&request_with(headers.clone())).await,
                false => {
                    web.sign_out(&request_with(headers.clone()), &SignOut::new())
                        .await
                }
            };
            let error = answer.outcome.as_ref().unwrap_err();
            assert_eq!(error.code(), "storage_unavailable");
            let response = answer.into_response();
            assert_eq!(response.status(), StatusCode::SEE_OTHER);
            assert_eq!(cleared(response.headers()), 1);
            let to_logto = location(&response)
                .as_str()
                .starts_with(world.logto.endpoint());
            assert_eq!(to_logto, !here_only);
            let body: serde_json::Value = serde_json::from_slice(response.body()).unwrap();
            assert_eq!(body["error"], "storage_unavailable");
        }
        let told = world
            .events
            .count(|event| matches!(event, Event::NotRemoved { .. }));
        assert_eq!(told, 2, "once for each session");

        // It is back before the removal is tried again, and a copy of the cookie comes.
        storage.come_back();
        assert!(web.session(&headers).await.unwrap().is_none());
        assert!(web.read_only_session(&headers).await.unwrap().is_none());
        assert_eq!(storage.inner().len(), 2);
        until_idle().await;
        assert_eq!(storage.inner().len(), 0);
        assert!(
            tokens
                .iter()
                .all(|token| !world.logto.grant_is_alive(token))
        );
        assert_eq!(world.logto.count(Endpoint::Revocation), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn l1_a_session_that_could_be_read_is_revoked_at_once_and_removed_later() {
    let world = World::new();
    let storage = Arc::new(FaultyStorage::new(MemoryStorage::new()));
    let (client, headers, tokens) = two_sessions(&world, &storage).await;
    let web = web(&client);
    for nth in 0..8 {
        storage.fail(Operation::Remove, nth, StorageFault::Before);
    }
    let answer = web
        .sign_out(&request_with(headers.clone()), &SignOut::new())
        .await;
    assert!(answer.outcome.is_err());
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(
        tokens
            .iter()
            .all(|token| !world.logto.grant_is_alive(token))
    );
    assert_eq!(storage.inner().len(), 2);
    assert!(web.session(&headers).await.unwrap().is_none());
    tokio::time::sleep(Duration::from_secs(20 * 60)).await;
    assert_eq!(storage.inner().len(), 0);
    assert_eq!(world.logto.count(Endpoint::Revocation), 2);
}
