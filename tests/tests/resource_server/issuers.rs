//! Several issuers, each with its own keys.

use http::Request;
use logto_client::{
    BuildError, Context, LogtoConfig, core::api_token::AccessTokenVerification, http::http_fn,
    resource_server::ResourceServer,
};
use logto_testkit::{Endpoint, Fault, Logto, TestClock, demo::SHOPPING_API};
use logto_tests::{raw::decode_jwt, world::WorldClock};
use serde_json::{Value, json};

use crate::api::{bearer, status};

struct Two {
    clock: TestClock,
    ours: Logto,
    theirs: Logto,
    server: ResourceServer,
}

impl Two {
    fn new() -> Self {
        let clock = TestClock::new();
        let tenant = |endpoint: &str| {
            Logto::demo()
                .endpoint(endpoint)
                .clock(clock.clone())
                .build()
                .unwrap()
        };
        let (ours, theirs) = (
            tenant("https://ours.example.com"),
            tenant("https://theirs.example.com"),
        );
        let hosts = (ours.clone(), theirs.clone());
        let http = http_fn(move |request: Request<bytes::Bytes>| {
            let (ours, theirs) = hosts.clone();
            async move {
                Ok(match request.uri().host() {
                    Some("ours.example.com") => ours.handle(request),
                    _ => theirs.handle(request),
                })
            }
        });
        let configs = [&ours, &theirs].map(|logto| {
            LogtoConfig::builder(logto.endpoint(), "the-api")
                .build()
                .unwrap()
        });
        let context = Context::new(http).clock(WorldClock(clock.clone()));
        let server = ResourceServer::of_issuers(configs, context).unwrap();
        Self {
            clock,
            ours,
            theirs,
            server,
        }
    }

    fn demands(&self) -> [AccessTokenVerification; 2] {
        [&self.ours, &self.theirs]
            .map(|logto| AccessTokenVerification::api(logto.issuer(), SHOPPING_API))
    }

    fn claims(&self, issuer: &str) -> Value {
        let now = self.clock.unix_seconds();
        json!({
            "iss": issuer, "sub": "user-alice", "aud": SHOPPING_API, "client_id": "some-app",
            "jti": "token-1", "iat": now, "exp": now + 3600,
        })
    }

    async fn status(&self, token: &str) -> u16 {
        status(
            self.server
                .authorize_any(&bearer(token), &self.demands())
                .await,
        )
    }
}

/// The name of the key that signs now.
fn kid(logto: &Logto) -> String {
    let token = logto.sign_token(json!({}), &json!({})).unwrap();
    decode_jwt(&token).0["kid"].as_str().unwrap().to_owned()
}

#[tokio::test(start_paused = true)]
async fn r22_keys_are_looked_up_by_issuer_also_when_they_share_a_kid() {
    let two = Two::new();
    let (our_kid, their_kid) = (kid(&two.ours), kid(&two.theirs));
    let renamed = our_kid.clone();
    two.theirs.break_down(
        Endpoint::Jwks,
        Fault::edit(move |jwks| jwks.replace(&their_kid, &renamed)),
    );
    let header = json!({"typ": "at+jwt", "kid": our_kid});
    let signed = |signer: &Logto, issuer: &str| {
        signer
            .sign_token(header.clone(), &two.claims(issuer))
            .unwrap()
    };
    let (our_issuer, their_issuer) = (two.ours.issuer(), two.theirs.issuer());
    for _ in 0..2 {
        assert_eq!(two.status(&signed(&two.ours, our_issuer)).await, 200);
        assert_eq!(two.status(&signed(&two.theirs, their_issuer)).await, 200);
        assert_eq!(two.status(&signed(&two.theirs, our_issuer)).await, 401);
        assert_eq!(two.status(&signed(&two.ours, their_issuer)).await, 401);
    }
    let [for_us, for_them] = two.demands();
    let theirs = signed(&two.theirs, their_issuer);
    assert_eq!(status(two.server.verify(&theirs, &for_us).await), 401);
    assert_eq!(status(two.server.verify(&theirs, &for_them).await), 200);
}

#[tokio::test(start_paused = true)]
async fn r22_the_issuer_is_judged_before_any_fetch() {
    let two = Two::new();
    for issuer in [
        "https://evil.example.com/oidc",
        "",
        "https://ours.example.com/oidc/",
    ] {
        let token = two
            .ours
            .sign_token(json!({"typ": "at+jwt"}), &two.claims(issuer))
            .unwrap();
        assert_eq!(two.status(&token).await, 401, "{issuer}");
        for demands in two.demands() {
            assert_eq!(
                status(two.server.verify(&token, &demands).await),
                401,
                "{issuer}"
            );
        }
        let unknown = AccessTokenVerification::api(issuer, SHOPPING_API);
        assert_eq!(
            status(two.server.verify(&token, &unknown).await),
            401,
            "{issuer}"
        );
    }
    assert_eq!(
        (two.ours.requests().len(), two.theirs.requests().len()),
        (0, 0)
    );
}

#[tokio::test(start_paused = true)]
async fn r22_trouble_at_one_issuer_is_none_at_another() {
    let two = Two::new();
    two.theirs.break_down(
        Endpoint::Discovery,
        Fault::status(http::StatusCode::BAD_GATEWAY),
    );
    let sign = |logto: &Logto| {
        logto
            .sign_token(json!({"typ": "at+jwt"}), &two.claims(logto.issuer()))
            .unwrap()
    };
    assert_eq!(two.status(&sign(&two.ours)).await, 200);
    assert_eq!(two.status(&sign(&two.theirs)).await, 503);
    assert_eq!(two.status(&sign(&two.ours)).await, 200);
}

#[test]
fn a_resource_server_without_an_issuer_cannot_be_made() {
    let http = http_fn(|_| async { Ok(http::Response::default()) });
    let refused = ResourceServer::of_issuers([], http).unwrap_err();
    assert_eq!(refused, BuildError::NoIssuer);
}
