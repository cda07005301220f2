//! Opaque tokens and introspection.

use std::time::Duration;

use http::StatusCode;
use logto_client::{
    LogtoConfig, Secret, TokenTarget, core::introspection::OpaqueTokenVerification, m2m::M2mClient,
    resource_server::ResourceServer,
};
use logto_storage::MemoryStorage;
use logto_testkit::{Endpoint, Fault};
use logto_tests::world::{APP_ID, refresh_token_of};
use serde_json::{Value, json};

use crate::api::{Api, status, users_token};

/// Opaque tokens of the world's application.
pub(crate) fn demands(api: &Api) -> OpaqueTokenVerification {
    OpaqueTokenVerification::of_applications(api.server.issuer(), [APP_ID])
}

async fn introspected(api: &Api, token: &str) -> u16 {
    status(api.server.introspect(token, &demands(api)).await)
}

fn questions(api: &Api) -> usize {
    api.world.logto.count(Endpoint::Introspection)
}

async fn opaque(api: &Api) -> String {
    users_token(&api.world, &TokenTarget::user_info()).await
}

#[tokio::test(start_paused = true)]
async fn r40_a_good_answer_is_believed_for_half_a_minute() {
    let api = Api::new();
    let client = api.world.client(MemoryStorage::new());
    let session = api.world.sign_in(&client, "alice").await.session;
    let token = session
        .access_token(&TokenTarget::user_info())
        .await
        .unwrap();
    let token = token.token.expose();
    let claims = api.server.introspect(token, &demands(&api)).await.unwrap();
    assert_eq!(claims.sub, "user-alice");
    assert!(claims.scopes.contains("openid"));
    for _ in 0..100 {
        assert_eq!(introspected(&api, token).await, 200);
    }
    assert_eq!(questions(&api), 1);

    api.world
        .logto
        .revoke_grant(session.snapshot().refresh_token().unwrap().expose());
    api.advance(29);
    assert_eq!(introspected(&api, token).await, 200);
    api.advance(1);
    assert_eq!(introspected(&api, token).await, 401, "revoked");
    assert_eq!(questions(&api), 2);
}

#[tokio::test(start_paused = true)]
async fn r40_a_bad_answer_is_believed_for_five_seconds() {
    let api = Api::new();
    for _ in 0..100 {
        assert_eq!(introspected(&api, "nonsense").await, 401);
    }
    assert_eq!(questions(&api), 1);
    api.advance(5);
    assert_eq!(introspected(&api, "nonsense").await, 401);
    assert_eq!(questions(&api), 2);
}

#[tokio::test(start_paused = true)]
async fn r40_a_kept_answer_does_not_outlive_the_token() {
    let api = Api::new();
    let token = opaque(&api).await;
    // The lifetime of Logto's opaque tokens, and the clock skew.
    api.advance(3600 + 60 - 10);
    let exp = api.world.now().as_secs() + 10 - 60;
    api.world.logto.break_down(
        Endpoint::Introspection,
        Fault::edit(move |_| active(&[("exp", json!(exp))])),
    );
    assert_eq!(introspected(&api, &token).await, 200);
    api.advance(11);
    assert_eq!(
        introspected(&api, &token).await,
        401,
        "from memory, and past its time"
    );
    assert_eq!(questions(&api), 1);
}

/// An answer about a good token, changed.
fn active(changes: &[(&str, Value)]) -> String {
    let mut answer = json!({
        "active": true, "sub": "user-alice", "client_id": APP_ID, "token_type": "Bearer",
        "iss": "http://localhost:3001/oidc", "scope": "openid", "iat": 1, "exp": 4_102_444_800_u64,
    });
    for (name, value) in changes {
        answer[*name] = value.clone();
    }
    answer.to_string()
}

#[tokio::test(start_paused = true)]
async fn r40_every_part_of_the_answer_counts() {
    let later = 4_000_000_000_u64;
    let cases: [(&[(&str, Value)], u16); 12] = [
        (&[], 200),
        (&[("active", json!(false))], 401),
        (&[("active", json!("true"))], 503),
        (&[("active", json!(1))], 503),
        (&[("active", json!(null))], 503),
        (&[("exp", json!(1))], 401),
        (&[("exp", json!("4102444800"))], 401),
        (&[("nbf", json!(later))], 401),
        (&[("iss", json!("https://evil.example.com/oidc"))], 401),
        (&[("client_id", json!("another-app"))], 401),
        (&[("token_type", json!("refresh_token"))], 401),
        (&[("scope", json!("openid admin"))], 200),
    ];
    for (changes, expected) in cases {
        let api = Api::new();
        let answer = active(changes);
        api.world.logto.fault(
            Endpoint::Introspection,
            Fault::edit(move |_| answer.clone()),
        );
        assert_eq!(introspected(&api, "token").await, expected, "{changes:?}");
    }
    let api = Api::new();
    api.world.logto.fault(
        Endpoint::Introspection,
        Fault::edit(|_| active(&[("scope", json!("readonly"))])),
    );
    let read = demands(&api).require_scopes(["read"]);
    assert_eq!(status(api.server.introspect("token", &read).await), 403);
}

#[tokio::test(start_paused = true)]
async fn r40_f21_without_an_answer_nobody_is_let_in_and_nothing_is_remembered() {
    let api = Api::new();
    let token = opaque(&api).await;
    let faults = [
        Fault::status(StatusCode::BAD_GATEWAY),
        Fault::status(StatusCode::OK),
        Fault::status(StatusCode::TOO_MANY_REQUESTS),
        Fault::WrongType,
        Fault::Truncated,
        Fault::edit(|_| r#"[{"active":true}]"#.to_owned()),
        Fault::edit(|_| "{}".to_owned()),
    ];
    for fault in faults {
        let told = format!("{fault:?}");
        api.world.logto.fault(Endpoint::Introspection, fault);
        assert_eq!(introspected(&api, &token).await, 503, "{told}");
    }
    assert_eq!(introspected(&api, &token).await, 200);
}

#[tokio::test(start_paused = true)]
async fn r40_refused_credentials_say_nothing_about_the_token() {
    let api = Api::new();
    let token = opaque(&api).await;
    let config = LogtoConfig::builder(api.world.logto.endpoint(), APP_ID)
        .app_secret("wrong")
        .build()
        .unwrap();
    let server = ResourceServer::new(config, api.world.context()).unwrap();
    assert_eq!(status(server.introspect(&token, &demands(&api)).await), 503);
}

#[tokio::test(start_paused = true)]
async fn r40_a_jwt_is_not_what_introspection_is_for() {
    let api = Api::new();
    assert_eq!(introspected(&api, &api.token()).await, 401);
    let refresh_token = {
        let client = api.world.client(MemoryStorage::new());
        let session = api.world.sign_in(&client, "alice").await.session;
        refresh_token_of(session.snapshot())
    };
    assert_eq!(
        introspected(&api, &refresh_token).await,
        401,
        "active, but no bearer token"
    );
    assert_eq!(introspected(&api, &"A".repeat(10_000_000)).await, 401);
    assert_eq!(questions(&api), 2, "nobody was asked about the last one");
}

#[tokio::test(start_paused = true)]
async fn r40_many_who_ask_at_once_are_one_question() {
    let api = Api::new();
    let token = opaque(&api).await;
    api.world.network.set_latency(Duration::from_secs(1));
    let mut tasks = Vec::new();
    for _ in 0..100 {
        let (server, token, demands) = (api.server.clone(), token.clone(), demands(&api));
        tasks.push(tokio::spawn(async move {
            status(server.introspect(&token, &demands).await)
        }));
    }
    for task in tasks {
        assert_eq!(task.await.unwrap(), 200);
    }
    assert_eq!(questions(&api), 1);
}

#[tokio::test(start_paused = true)]
async fn r40_a_client_of_its_own_asks_without_remembering() {
    let api = Api::new();
    let token = opaque(&api).await;
    let client = M2mClient::new(api.world.config().clone(), api.world.context()).unwrap();
    for _ in 0..2 {
        assert!(
            client
                .introspect(Secret::from(token.as_str()))
                .await
                .unwrap()
                .active
        );
    }
    assert_eq!(questions(&api), 2);
}
