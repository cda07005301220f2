//! A protected API.

use std::{sync::Arc, time::Duration};

use http::{HeaderMap, HeaderValue, Response, header};
use logto_client::{
    LogtoClient, TokenTarget,
    core::api_token::{AccessTokenVerification, ApiTokenClaims},
    resource_server::{Refusal, ResourceServer},
};
use logto_storage::MemoryStorage;
use logto_testkit::{App, Endpoint, Fault, Role, demo::SHOPPING_API};
use logto_tests::world::World;
use serde_json::{Value, json};

/// A machine-to-machine application of the tenant, with the permissions of a shopper.
pub(crate) const MACHINE: &str = "machine";
pub(crate) const MACHINE_SECRET: &str = "machine-secret";

/// The shopping API and its provider.
pub(crate) struct Api {
    pub(crate) world: World,
    pub(crate) server: ResourceServer,
}

impl Api {
    pub(crate) fn new() -> Self {
        Self::of(world())
    }

    pub(crate) fn of(world: World) -> Self {
        let server = ResourceServer::new(world.config().clone(), world.context()).unwrap();
        Self { world, server }
    }

    /// What a route demands that needs no scope.
    pub(crate) fn demands(&self) -> AccessTokenVerification {
        AccessTokenVerification::api(self.server.issuer(), SHOPPING_API)
    }

    /// The status that a request with `token` is answered with.
    pub(crate) async fn status(&self, token: &str) -> u16 {
        status(self.server.authorize(&bearer(token), &self.demands()).await)
    }

    /// Claims of a good token that lives for three days.
    pub(crate) fn claims(&self) -> Value {
        let now = self.world.now().as_secs();
        json!({
            "iss": self.world.logto.issuer(),
            "sub": "user-alice",
            "aud": SHOPPING_API,
            "client_id": "some-app",
            "scope": "read:products",
            "jti": "token-1",
            "iat": now,
            "exp": now + 3 * 24 * 3600,
        })
    }

    /// The good token with a claim changed, or without it for `null`.
    pub(crate) fn with(&self, claim: &str, value: Value) -> String {
        let mut claims = self.claims();
        claims[claim] = value;
        claims
            .as_object_mut()
            .unwrap()
            .retain(|_, value| !value.is_null());
        self.sign(&claims)
    }

    /// An access token that says this, signed by the provider's current key.
    pub(crate) fn sign(&self, claims: &Value) -> String {
        self.world
            .logto
            .sign_token(json!({"typ": "at+jwt"}), claims)
            .unwrap()
    }

    /// A good token, signed by the provider's current key.
    pub(crate) fn token(&self) -> String {
        self.sign(&self.claims())
    }

    pub(crate) fn key_fetches(&self) -> usize {
        self.world.logto.count(Endpoint::Jwks)
    }

    /// Nothing but errors from the provider.
    pub(crate) fn break_down(&self) {
        for endpoint in [Endpoint::Discovery, Endpoint::Jwks, Endpoint::Introspection] {
            let fault = Fault::status(http::StatusCode::BAD_GATEWAY);
            self.world.logto.break_down(endpoint, fault);
        }
    }

    pub(crate) fn recover(&self) {
        for endpoint in [Endpoint::Discovery, Endpoint::Jwks, Endpoint::Introspection] {
            self.world.logto.recover(endpoint);
        }
    }

    pub(crate) fn advance(&self, seconds: u64) {
        self.world.clock.advance(Duration::from_secs(seconds));
    }
}

/// The demo's tenant with a machine-to-machine application.
pub(crate) fn world() -> World {
    World::with(
        |app| app,
        |logto| {
            let role = Role::new("machine").permissions(SHOPPING_API, ["read:products"]);
            logto
                .role(role)
                .app(App::machine_to_machine(MACHINE, MACHINE_SECRET).role("machine"))
        },
    )
}

/// A token of alice, as her application has it.
pub(crate) async fn users_token(world: &World, target: &TokenTarget) -> String {
    let client: LogtoClient = world.client(MemoryStorage::new());
    let session = world.sign_in(&client, "alice").await.session;
    session
        .access_token(target)
        .await
        .unwrap()
        .token
        .expose()
        .to_owned()
}

pub(crate) fn bearer(token: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let value = HeaderValue::from_str(&format!("Bearer {token}")).unwrap();
    headers.insert(header::AUTHORIZATION, value);
    headers
}

pub(crate) fn status<T>(outcome: Result<T, Refusal>) -> u16 {
    outcome.map_or_else(|refusal| refusal.response().status().as_u16(), |_| 200)
}

/// The response to a request that is refused.
pub(crate) fn refused(outcome: Result<Arc<ApiTokenClaims>, Refusal>) -> Response<bytes::Bytes> {
    outcome.expect_err("the request is refused").response()
}

pub(crate) fn challenge(response: &Response<bytes::Bytes>) -> &str {
    response.headers()[header::WWW_AUTHENTICATE]
        .to_str()
        .unwrap()
}

/// Waits until all background tasks have completed.
pub(crate) async fn until_idle() {
    tokio::time::sleep(Duration::from_secs(60)).await;
}
