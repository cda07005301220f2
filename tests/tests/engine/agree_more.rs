//! The rest of the protocol, at the test provider and at the real engine.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, header};
use logto_client::{
    LogtoClient, LogtoConfig, Secret, SignIn, TokenTarget, WritableSession,
    clock::SystemClock,
    core::{
        api_token::{AccessTokenVerification, Caller},
        introspection::OpaqueTokenVerification,
        sign_in::DeviceSignIn,
    },
    http::ReqwestClient,
    m2m::M2mClient,
    resource_server::ResourceServer,
    seal::{KeyRing, SealKey},
    web::{LogtoWeb, cookies::CookieOptions},
};
use logto_storage::MemoryStorage;
use logto_tests::{
    engine::{DEVICE, Engine, EngineOptions, M2M, SECRET, SHOPPING, TRADITIONAL},
    provider::{Provider, words},
    rows,
    world::callback_of,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

rows! {
    client_credentials_give_a_token_for_the_resource => ["read:products", "kept", "application m2m", "1"];
    a_resource_that_is_not_registered_is_refused => ["invalid_target", "Refused"];
    introspection_tells_an_opaque_token => ["200", "the user", "401", "401", "403"];
    l4_revocation_ends_the_grant => ["revoked", "revoked", "session_ended", "401"];
    a_pushed_request_signs_in => ["client_id request_uri", "the user"];
    a_device_signs_in => ["openid offline_access profile", "rotated"];
    a_resource_server_takes_the_users_token => ["200", "401", "403"];
}

fn client(provider: &Provider) -> LogtoClient {
    provider.client(provider.traditional(), MemoryStorage::new())
}

async fn sign_in(provider: &Provider, client: &LogtoClient) -> WritableSession {
    let (url, pending) = client.sign_in(&SignIn::new()).await.unwrap();
    let callback = callback_of(&provider.sign_in(&url).await);
    client
        .complete_sign_in(Some(pending), callback, None)
        .await
        .unwrap()
        .session
}

fn machine(provider: &Provider) -> M2mClient {
    M2mClient::new(provider.config(M2M, Some(SECRET)), provider.context()).unwrap()
}

fn server(provider: &Provider) -> ResourceServer {
    ResourceServer::new(provider.traditional(), provider.context()).unwrap()
}

fn shopping() -> TokenTarget {
    TokenTarget::resource(SHOPPING)
}

fn status<T>(outcome: Result<T, logto_client::resource_server::Refusal>) -> String {
    let status = outcome.map_or_else(|refusal| refusal.response().status().as_u16(), |_| 200);
    status.to_string()
}

async fn client_credentials_give_a_token_for_the_resource(provider: &Provider) -> Vec<String> {
    let machine = machine(provider);
    let target = shopping().with_scopes(["read:products"]);
    let token = machine.token(&target).await.unwrap();
    let again = machine.token(&target).await.unwrap();
    let server = server(provider);
    let demands = AccessTokenVerification::api(server.issuer(), SHOPPING);
    let claims = server.verify(token.token.expose(), &demands).await.unwrap();
    let caller = match claims.caller() {
        Caller::Application(id) => format!("application {id}"),
        Caller::User(id) => format!("user {id}"),
    };
    vec![
        words(&token.scopes),
        if token == again {
            "kept"
        } else {
            "fetched again"
        }
        .to_owned(),
        caller,
        provider.token_calls().await.to_string(),
    ]
}

async fn a_resource_that_is_not_registered_is_refused(provider: &Provider) -> Vec<String> {
    let target = TokenTarget::resource("https://unknown.example.com/api");
    let refused = machine(provider).token(&target).await.unwrap_err();
    vec![refused.code().to_owned(), format!("{:?}", refused.advice())]
}

async fn introspection_tells_an_opaque_token(provider: &Provider) -> Vec<String> {
    let session = sign_in(provider, &client(provider)).await;
    let server = server(provider);
    let demands = OpaqueTokenVerification::of_applications(server.issuer(), [TRADITIONAL]);
    let opaque = session
        .access_token(&TokenTarget::user_info())
        .await
        .unwrap()
        .token;
    let jwt = session.access_token(&shopping()).await.unwrap().token;
    let good = server.introspect(opaque.expose(), &demands).await;
    let subject = match &good {
        Ok(claims) if claims.sub == session.claims().sub => "the user".to_owned(),
        other => format!("{other:?}"),
    };
    let more = demands.clone().require_scopes(["admin"]);
    vec![
        status(good),
        subject,
        status(server.introspect("nonsense", &demands).await),
        status(server.introspect(jwt.expose(), &demands).await),
        status(server.introspect(opaque.expose(), &more).await),
    ]
}

async fn l4_revocation_ends_the_grant(provider: &Provider) -> Vec<String> {
    let session = sign_in(provider, &client(provider)).await;
    let opaque = session
        .access_token(&TokenTarget::user_info())
        .await
        .unwrap()
        .token;
    let application = M2mClient::new(provider.traditional(), provider.context()).unwrap();
    let revoke = async |token: &str| match application.revoke(Secret::from(token)).await {
        Ok(()) => "revoked".to_owned(),
        Err(error) => error.to_string(),
    };
    let refresh_token = session.snapshot().refresh_token().unwrap().clone();
    let server = server(provider);
    let demands = OpaqueTokenVerification::of_applications(server.issuer(), [TRADITIONAL]);
    vec![
        revoke("nonsense").await,
        revoke(refresh_token.expose()).await,
        session
            .refresh_access_token(&shopping())
            .await
            .unwrap_err()
            .code()
            .to_owned(),
        status(server.introspect(opaque.expose(), &demands).await),
    ]
}

async fn a_pushed_request_signs_in(provider: &Provider) -> Vec<String> {
    let client = client(provider);
    let (url, pending) = client.sign_in_pushed(&SignIn::new()).await.unwrap();
    let names: Vec<String> = url
        .query_pairs()
        .map(|(name, _)| name.into_owned())
        .collect();
    let callback = callback_of(&provider.sign_in(&url).await);
    let completed = client.complete_sign_in(Some(pending), callback, None).await;
    vec![
        names.join(" "),
        completed.map_or_else(|error| error.to_string(), |_| "the user".to_owned()),
    ]
}

async fn a_device_signs_in(provider: &Provider) -> Vec<String> {
    let config = LogtoConfig::builder(provider.traditional().endpoint().as_str(), DEVICE);
    let client = provider.client(config.build().unwrap(), MemoryStorage::new());
    let device = client
        .sign_in_on_device(&DeviceSignIn::new())
        .await
        .unwrap();
    provider.approve(&device).await;
    let session = client.complete_device_sign_in(device).await.unwrap();
    let before = session.snapshot();
    session
        .refresh_access_token(&TokenTarget::user_info())
        .await
        .unwrap();
    let rotated = session.snapshot().refresh_token() != before.refresh_token();
    let mut scopes: Vec<&str> = before.granted_scopes().iter().map(String::as_str).collect();
    scopes.sort_by_key(|scope| {
        ["openid", "offline_access", "profile"]
            .iter()
            .position(|s| s == scope)
    });
    vec![
        scopes.join(" "),
        if rotated { "rotated" } else { "same" }.to_owned(),
    ]
}

async fn a_resource_server_takes_the_users_token(provider: &Provider) -> Vec<String> {
    let session = sign_in(provider, &client(provider)).await;
    let token = session.access_token(&shopping()).await.unwrap().token;
    let server = server(provider);
    let verify = async |demands: AccessTokenVerification| {
        status(server.verify(token.expose(), &demands).await)
    };
    let api = AccessTokenVerification::api(server.issuer(), SHOPPING);
    vec![
        verify(api.clone().require_scopes(["read:products"])).await,
        verify(AccessTokenVerification::api(
            server.issuer(),
            "https://other.example.com",
        ))
        .await,
        verify(api.require_scopes(["admin"])).await,
    ]
}

#[tokio::test]
async fn t42_the_engine_tells_the_back_channel_and_the_session_ends() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let uri = format!(
        "http://{}/back-channel-logout",
        listener.local_addr().unwrap()
    );
    let options = EngineOptions {
        backchannel_logout_uri: Some(uri.parse().unwrap()),
        ..EngineOptions::default()
    };
    let engine = Engine::start(options).await;
    let config = LogtoConfig::builder(engine.endpoint().as_str(), TRADITIONAL)
        .app_secret(SECRET)
        .base_url("http://127.0.0.1:4000/")
        .build()
        .unwrap();
    let http = ReqwestClient::new().unwrap();
    let client = LogtoClient::builder(config.clone(), http, MemoryStorage::new())
        .clock(SystemClock::default())
        .build()
        .unwrap();
    let cookies = CookieOptions::new(config.base_url().unwrap(), config.app_id())
        .build()
        .unwrap();
    let web = LogtoWeb::new(
        client.clone(),
        cookies,
        KeyRing::new(SealKey::new(&[7; 32])),
    );
    let browser = engine.browser();
    let (url, pending) = client.sign_in(&SignIn::new()).await.unwrap();
    let logto_tests::browser::VisitOutcome::Redirect(callback) = browser.open(url).await else {
        panic!("the engine redirects");
    };
    let completed = client
        .complete_sign_in(Some(pending), callback_of(&callback), None)
        .await;
    let handle = completed.unwrap().session.handle();
    assert!(client.session(&handle).await.unwrap().is_some());

    let end = format!("{}/session/end?client_id={TRADITIONAL}", engine.issuer());
    let (_, status) = tokio::join!(
        browser.open(end.parse().unwrap()),
        serve_once(&listener, &web)
    );
    assert_eq!(status, 200);
    assert!(client.session(&handle).await.unwrap().is_none());
}

/// Hands one request on a socket to the back-channel route, as an adapter does.
async fn serve_once(listener: &TcpListener, web: &LogtoWeb) -> u16 {
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut text = String::new();
    let body = loop {
        let mut buffer = [0; 4096];
        let read = tokio::time::timeout(Duration::from_secs(5), stream.read(&mut buffer)).await;
        text.push_str(std::str::from_utf8(&buffer[..read.unwrap().unwrap()]).unwrap());
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let length = head.lines().find_map(|line| {
            line.to_ascii_lowercase()
                .strip_prefix("content-length: ")?
                .parse::<usize>()
                .ok()
        });
        if body.len() >= length.expect("the engine says how long its form is") {
            break body.to_owned();
        }
    };
    let request = Request::post("/back-channel-logout")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Bytes::from(body));
    let (parts, body) = request.unwrap().into_parts();
    let response = web.back_channel_logout(&parts, &body).await;
    let answer = format!(
        "HTTP/1.1 {} -\r\ncontent-length: 0\r\n\r\n",
        response.status().as_u16()
    );
    stream.write_all(answer.as_bytes()).await.unwrap();
    response.status().as_u16()
}
