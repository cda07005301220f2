//! An API that is called with a token which it has seen before.

use std::{collections::HashMap, sync::Mutex, time::SystemTime};

use logto_client::{
    Context, LogtoConfig, core::api_token::AccessTokenVerification, resource_server::ResourceServer,
};
use logto_testkit::Logto;
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::{
    claims::{self, API, AccessToken},
    contest::Contest,
    fixtures,
};

/// `ResourceServer::verify` beside a hash table by hand.
pub fn contest() -> Contest {
    let logto = Logto::demo().build().expect("a tenant");
    let config = LogtoConfig::builder(logto.endpoint(), "bench-api")
        .build()
        .expect("a configuration");
    let server = ResourceServer::new(config, Context::new(fixtures::http(&logto)))
        .expect("a resource server");
    let demands =
        AccessTokenVerification::api(server.issuer(), API).require_scopes(["read:products"]);
    let claims = claims::access_token(logto.issuer(), unix_seconds(), "");
    let token = logto
        .sign_token(json!({"typ": "at+jwt"}), &claims)
        .expect("a token");
    fixtures::runtime()
        .block_on(server.verify(&token, &demands))
        .expect("a good token");

    let claims: AccessToken =
        serde_json::from_value(claims).expect("the claims of an access token");
    let seen = Mutex::new(HashMap::from([(fingerprint(&token), claims)]));
    let (hashed, held) = (token.clone(), token.clone());
    Contest::new(format!(
        "ES384, access token of {} bytes, seen before",
        token.len()
    ))
    .enter("limit: SHA-256", move || fingerprint(&hashed))
    .enter("by hand: SHA-256, HashMap, expiry", move || {
        let seen = seen.lock().expect("nobody panicked");
        let claims = seen.get(&fingerprint(&held)).expect("seen before");
        assert!(unix_seconds() < claims.exp);
        claims.clone()
    })
    .enter("logto", move || {
        fixtures::at_once(server.verify(&token, &demands)).expect("a good token")
    })
}

fn fingerprint(token: &str) -> [u8; 32] {
    Sha256::digest(token).into()
}

#[allow(
    clippy::disallowed_methods,
    reason = "what is measured includes the clock"
)]
fn unix_seconds() -> i64 {
    let since = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}
