//! Invalid tokens, with valid signatures and without.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use logto_testkit::demo::SHOPPING_API;
use serde_json::{Value, json};

use crate::api::{Api, bearer, challenge, refused, status};

#[tokio::test(start_paused = true)]
async fn r1_the_type_is_that_of_an_access_token() {
    let api = Api::new();
    for (typ, expected) in [
        (json!("at+jwt"), 200),
        (json!("AT+JWT"), 200),
        (json!("application/at+jwt"), 200),
        (json!(null), 401),
        (json!("JWT"), 401),
        (json!("jwt"), 401),
        (json!("logout+jwt"), 401),
        (json!("client-authentication+jwt"), 401),
        (json!("at+jwt "), 401),
        (json!(7), 401),
    ] {
        let token = api
            .world
            .logto
            .sign_token(json!({"typ": typ}), &api.claims())
            .unwrap();
        assert_eq!(api.status(&token).await, expected, "{typ}");
    }
}

#[tokio::test(start_paused = true)]
async fn r2_header_tricks_are_refused() {
    let api = Api::new();
    for header in [
        json!({"alg": "none"}),
        json!({"alg": "HS256"}),
        json!({"alg": "ES256"}),
        json!({"alg": "RS256"}),
        json!({"crit": ["exp"], "exp": 1}),
        json!({"b64": false, "crit": ["b64"]}),
        json!({"zip": "DEF"}),
        json!({"kid": 7}),
        json!({"kid": "unknown"}),
        json!({"kid": "unknown", "jku": "https://evil.example.com/jwks"}),
        json!({"kid": "unknown", "jwk": {"kty": "EC", "crv": "P-384", "x": "AA", "y": "AA"}}),
    ] {
        let mut with_type = header.clone();
        with_type["typ"] = json!("at+jwt");
        let token = api
            .world
            .logto
            .sign_token(with_type, &api.claims())
            .unwrap();
        assert_eq!(api.status(&token).await, 401, "{header}");
    }
    assert_eq!(
        api.status(&api.token()).await,
        200,
        "the key is as good as before"
    );
}

#[tokio::test(start_paused = true)]
async fn r2_a_changed_token_is_refused_also_when_the_original_was_seen() {
    let api = Api::new();
    let token = api.token();
    assert_eq!(api.status(&token).await, 200);
    let parts: Vec<&str> = token.split('.').collect();
    let mut claims = api.claims();
    claims["sub"] = json!("user-bob");
    let payload = BASE64_URL_SAFE_NO_PAD.encode(claims.to_string());
    let repeated = token_with_payload(&parts, r#"{"sub":"user-alice","sub":"user-bob"}"#);
    for changed in [
        format!("{}.{payload}.{}", parts[0], parts[2]),
        format!("{}.{}.", parts[0], parts[1]),
        format!(
            "{}.{}.{}",
            parts[0],
            parts[1],
            BASE64_URL_SAFE_NO_PAD.encode([0; 96])
        ),
        format!("{token}A"),
        format!("{}.{}", parts[0], parts[1]),
        repeated,
    ] {
        assert_eq!(api.status(&changed).await, 401, "{changed}");
    }
    assert_eq!(api.status(&token).await, 200);
}

fn token_with_payload(parts: &[&str], payload: &str) -> String {
    format!(
        "{}.{}.{}",
        parts[0],
        BASE64_URL_SAFE_NO_PAD.encode(payload),
        parts[2]
    )
}

#[tokio::test(start_paused = true)]
async fn r2_r4_claims_have_to_be_there_and_to_hold() {
    let api = Api::new();
    let now = api.world.now().as_secs();
    let issuer = api.world.logto.issuer().to_owned();
    let cases: [(&str, &[Value]); 7] = [
        (
            "iss",
            &[
                json!(null),
                json!([issuer]),
                json!(format!("{issuer}/")),
                json!("https://evil.example.com/oidc"),
            ],
        ),
        (
            "exp",
            &[
                json!(null),
                json!("4102444800"),
                json!(now - 61),
                json!(-1),
                json!(true),
            ],
        ),
        ("iat", &[json!(null), json!(now + 3600), json!("now")]),
        ("nbf", &[json!(now + 3600), json!("0")]),
        ("sub", &[json!(null), json!(""), json!(7)]),
        ("client_id", &[json!(null), json!(""), json!(["some-app"])]),
        ("jti", &[json!(null), json!(7)]),
    ];
    for (claim, values) in cases {
        for value in values {
            let token = api.with(claim, value.clone());
            let response = refused(api.server.authorize(&bearer(&token), &api.demands()).await);
            assert_eq!(response.status(), 401, "{claim}: {value}");
            assert!(
                challenge(&response).contains(r#"error="invalid_token""#),
                "{claim}: {value}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn r3_the_audience_is_compared_as_a_whole() {
    let api = Api::new();
    for (audience, expected) in [
        (json!(SHOPPING_API), 200),
        (json!([SHOPPING_API]), 200),
        (json!(["https://other.example.com", SHOPPING_API]), 200),
        (json!(null), 401),
        (json!([]), 401),
        (json!(""), 401),
        (json!(format!("{SHOPPING_API}/")), 401),
        (json!(SHOPPING_API.trim_end_matches("/api")), 401),
        (json!(SHOPPING_API.to_uppercase()), 401),
        (json!([[SHOPPING_API]]), 401),
        (json!({"0": SHOPPING_API}), 401),
    ] {
        let token = api.with("aud", audience.clone());
        assert_eq!(api.status(&token).await, expected, "{audience}");
    }
}

#[tokio::test(start_paused = true)]
async fn r41_a_token_seen_before_is_judged_by_what_is_demanded_now() {
    let api = Api::new();
    let token = api.token();
    assert_eq!(api.status(&token).await, 200);
    let elsewhere = logto_client::core::api_token::AccessTokenVerification::api(
        api.server.issuer(),
        "https://other.example.com/api",
    );
    assert_eq!(status(api.server.verify(&token, &elsewhere).await), 401);
    let more = api.demands().require_scopes(["write:products"]);
    assert_eq!(status(api.server.verify(&token, &more).await), 403);

    let short_lived = api.with("exp", json!(api.world.now().as_secs() + 30));
    assert_eq!(api.status(&short_lived).await, 200);
    api.advance(29);
    assert_eq!(api.status(&short_lived).await, 200);
    api.advance(1 + 61);
    assert_eq!(
        api.status(&short_lived).await,
        401,
        "expired, whatever was remembered"
    );
    assert_eq!(api.status(&token).await, 200);
    assert_eq!(api.key_fetches(), 1);
}
