//! Client authentication at every endpoint that requires it.

use std::time::Duration;

use aws_lc_rs::{
    hmac,
    rand::SystemRandom,
    rsa::KeySize,
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _,
        RSA_PKCS1_SHA256, RSA_PSS_SHA256, RsaKeyPair,
    },
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use logto_testkit::{App, BuildError, Logto, Resource, Role, TestClock};
use serde_json::{Value, json};
use url::form_urlencoded;

use crate::common::{lab::SHOPPING, member, refusal};

const ISSUER: &str = "http://localhost:3001/oidc";
const SECRET: &str = "a secret of at least thirty-two bytes";
const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
const NOW: u64 = 1_800_000_000;

fn tenant() -> logto_testkit::LogtoBuilder {
    Logto::builder()
        .clock(TestClock::at_unix_seconds(NOW))
        .resource(Resource::new(SHOPPING).scopes(["read:products"]))
        .role(Role::new("reader").permissions(SHOPPING, ["read:products"]))
}

fn service() -> App {
    App::machine_to_machine("service", SECRET).role("reader")
}

/// A tenant in which `service` signs with its secret.
fn with_secret_jwt() -> Logto {
    tenant().app(service().client_secret_jwt()).build().unwrap()
}

fn claims(jti: &str) -> Value {
    json!({"iss": "service", "sub": "service", "aud": ISSUER, "jti": jti, "exp": NOW + 60})
}

fn encode(header: &Value, claims: &Value, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
    let part = |json: &Value| URL_SAFE_NO_PAD.encode(json.to_string());
    let message = format!("{}.{}", part(header), part(claims));
    let signature = URL_SAFE_NO_PAD.encode(sign(message.as_bytes()));
    format!("{message}.{signature}")
}

fn hs256(secret: &str, claims: &Value) -> String {
    encode(&json!({"alg": "HS256"}), claims, |message| {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        hmac::sign(&key, message).as_ref().to_vec()
    })
}

fn post(logto: &Logto, path: &str, form: &[(&str, &str)]) -> Response<Bytes> {
    let mut body = form_urlencoded::Serializer::new(String::new());
    let request = Request::post(path)
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Bytes::from(body.extend_pairs(form).finish()));
    logto.handle(request.unwrap())
}

fn ask(logto: &Logto, proof: &[(&str, &str)]) -> Response<Bytes> {
    let mut form = vec![
        ("grant_type", "client_credentials"),
        ("resource", SHOPPING),
        ("scope", "read:products"),
    ];
    form.extend(proof);
    post(logto, "/oidc/token", &form)
}

fn assert_with(logto: &Logto, assertion: &str) -> Response<Bytes> {
    let proof = [
        ("client_assertion_type", JWT_BEARER),
        ("client_assertion", assertion),
    ];
    ask(logto, &proof)
}

fn invalid_client() -> (u16, String) {
    (401, "invalid_client".to_owned())
}

#[test]
fn an_assertion_is_taken_at_every_endpoint_that_authenticates_clients() {
    let callback = "https://app.example.com/callback";
    let logto = tenant()
        .app(
            App::traditional("web", SECRET)
                .redirect_uri(callback)
                .client_secret_jwt(),
        )
        .app(
            App::native("device")
                .device_flow()
                .secret(SECRET)
                .client_secret_jwt(),
        )
        .app(service().client_secret_jwt())
        .build()
        .unwrap();
    let challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
    let pushed = [
        ("redirect_uri", callback),
        ("response_type", "code"),
        ("scope", "openid"),
        ("code_challenge", challenge),
        ("code_challenge_method", "S256"),
    ];
    let token = [("token", "nonsense")];
    let credentials = [("grant_type", "client_credentials"), ("resource", SHOPPING)];
    for (path, app, form, accepted) in [
        ("/oidc/token", "service", &credentials[..], 200),
        ("/oidc/request", "web", &pushed, 201),
        ("/oidc/token/introspection", "service", &token, 200),
        ("/oidc/token/revocation", "service", &token, 200),
        ("/oidc/device/auth", "device", &[("scope", "openid")], 200),
    ] {
        let audiences = [ISSUER, "http://localhost:3001/oidc/token", &own(path)];
        for (number, audience) in audiences.into_iter().enumerate() {
            let jti = format!("{path} {number}");
            let claims = json!({
                "iss": app, "sub": app, "aud": audience, "jti": jti, "exp": NOW + 60
            });
            let send = |assertion: &str| {
                let mut form = form.to_vec();
                form.push(("client_assertion_type", JWT_BEARER));
                form.push(("client_assertion", assertion));
                post(&logto, path, &form)
            };
            let wrong = send(&hs256("another secret of thirty-two bytes!", &claims));
            assert_eq!(refusal(&wrong), invalid_client(), "{path}");
            let right = send(&hs256(SECRET, &claims)).status();
            assert_eq!(right.as_u16(), accepted, "{path} {audience}");
        }
    }
    let service = |record: &logto_testkit::RequestRecord| record.client_id() == Some("service");
    assert!(logto.requests().iter().any(service));
}

fn own(path: &str) -> String {
    format!("http://localhost:3001{path}")
}

#[test]
fn an_assertion_is_refused_unless_every_claim_is_right() {
    let with = |name: &str, value: Value| {
        let mut claims = claims("some-id");
        claims[name] = value;
        claims
    };
    let cases = [
        ("it ended", with("exp", json!(NOW - 15)), false),
        ("it ended a moment ago", with("exp", json!(NOW - 14)), true),
        ("it never ends", with("exp", Value::Null), false),
        ("it begins later", with("nbf", json!(NOW + 16)), false),
        ("it begins soon", with("nbf", json!(NOW + 15)), true),
        (
            "for another server",
            with("aud", json!("https://other.example.com")),
            false,
        ),
        (
            "for several",
            with("aud", json!(["https://other.example.com", ISSUER])),
            true,
        ),
        ("for nobody", with("aud", Value::Null), false),
        ("from another client", with("iss", json!("other")), false),
        ("about nobody", with("sub", Value::Null), false),
        ("without a name", with("jti", Value::Null), false),
    ];
    for (case, claims, accepted) in cases {
        let response = assert_with(&with_secret_jwt(), &hs256(SECRET, &claims));
        if accepted {
            assert_eq!(response.status(), StatusCode::OK, "{case}");
        } else {
            assert_eq!(refusal(&response), invalid_client(), "{case}");
        }
    }
}

#[test]
fn an_assertion_is_good_once() {
    let clock = TestClock::at_unix_seconds(NOW);
    let app = service().client_secret_jwt();
    let logto = tenant().clock(clock.clone()).app(app).build().unwrap();
    let assertion = hs256(SECRET, &claims("one"));
    assert_eq!(assert_with(&logto, &assertion).status(), StatusCode::OK);
    assert_eq!(refusal(&assert_with(&logto, &assertion)), invalid_client());
    let other = hs256(SECRET, &claims("two"));
    assert_eq!(assert_with(&logto, &other).status(), StatusCode::OK);

    clock.advance(Duration::from_secs(75));
    let mut later = claims("one");
    later["exp"] = json!(NOW + 120);
    let later = assert_with(&logto, &hs256(SECRET, &later));
    assert_eq!(later.status(), StatusCode::OK, "the first one has ended");
}

#[test]
fn a_refused_assertion_does_not_use_up_its_id() {
    let logto = with_secret_jwt();
    let forged = hs256("another secret of thirty-two bytes!", &claims("one"));
    assert_eq!(refusal(&assert_with(&logto, &forged)), invalid_client());
    let genuine = hs256(SECRET, &claims("one"));
    assert_eq!(assert_with(&logto, &genuine).status(), StatusCode::OK);
}

#[test]
fn only_the_registered_method_is_taken() {
    let basic = tenant().app(service()).build().unwrap();
    let assertion = hs256(SECRET, &claims("one"));
    assert_eq!(refusal(&assert_with(&basic, &assertion)), invalid_client());

    let secret = [("client_id", "service"), ("client_secret", SECRET)];
    let jwt = with_secret_jwt();
    assert_eq!(refusal(&ask(&jwt, &secret)), invalid_client());
    assert_eq!(refusal(&ask(&jwt, &secret[..1])), invalid_client());
    let none = encode(&json!({"alg": "none"}), &claims("one"), |_| Vec::new());
    assert_eq!(refusal(&assert_with(&jwt, &none)), invalid_client());
}

#[test]
fn malformed_client_authentication_is_an_invalid_request() {
    let assertion = hs256(SECRET, &claims("one"));
    let type_ = ("client_assertion_type", JWT_BEARER);
    let proof = ("client_assertion", assertion.as_str());
    for (form, description) in [
        (vec![proof], "client_assertion_type must be provided"),
        (
            vec![("client_assertion_type", "urn:other"), proof],
            "client_assertion_type must have value \
             urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        ),
        (
            vec![type_, ("client_assertion", "nonsense")],
            "invalid client_assertion format",
        ),
        (
            vec![type_, proof, ("client_id", "other")],
            "client_id mismatch",
        ),
        (
            vec![type_, proof, ("client_secret", SECRET)],
            "client authentication must only be provided using one mechanism",
        ),
        (vec![], "no client authentication mechanism provided"),
    ] {
        let response = ask(&with_secret_jwt(), &form);
        assert_eq!(refusal(&response), (400, "invalid_request".to_owned()));
        assert_eq!(member(&response, "error_description"), description);
    }
}

type Sign = dyn Fn(&[u8]) -> Vec<u8>;

/// A private key and the JWK of its public half.
struct Signer {
    jwk: Value,
    sign: Box<Sign>,
}

fn ec() -> Signer {
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let point = pair.public_key().as_ref();
    let (x, y) = (encoded(&point[1..33]), encoded(&point[33..]));
    Signer {
        jwk: json!({"kty": "EC", "crv": "P-256", "x": x, "y": y, "kid": "ours", "alg": "ES256"}),
        sign: Box::new(move |message| {
            let signature = pair.sign(&SystemRandom::new(), message).unwrap();
            signature.as_ref().to_vec()
        }),
    }
}

fn ed25519() -> Signer {
    let pair = Ed25519KeyPair::generate().unwrap();
    let x = encoded(pair.public_key().as_ref());
    Signer {
        jwk: json!({"kty": "OKP", "crv": "Ed25519", "x": x, "kid": "ours"}),
        sign: Box::new(move |message| pair.sign(message).as_ref().to_vec()),
    }
}

fn rsa(encoding: &'static dyn aws_lc_rs::signature::RsaEncoding) -> Signer {
    let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
    // The modulus stands between the headers and the exponent of the DER.
    let n = encoded(&pair.public_key().as_ref()[9..265]);
    Signer {
        jwk: json!({"kty": "RSA", "n": n, "e": "AQAB", "kid": "ours"}),
        sign: Box::new(move |message| {
            let mut signature = vec![0; pair.public_modulus_len()];
            pair.sign(encoding, &SystemRandom::new(), message, &mut signature)
                .unwrap();
            signature
        }),
    }
}

fn encoded(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

#[test]
fn private_keys_of_every_type_that_discovery_lists() {
    for (alg, signer) in [
        ("ES256", ec()),
        ("EdDSA", ed25519()),
        ("Ed25519", ed25519()),
        ("RS256", rsa(&RSA_PKCS1_SHA256)),
        ("PS256", rsa(&RSA_PSS_SHA256)),
    ] {
        let app = service()
            .private_key_jwt(ec().jwk)
            .private_key_jwt(signer.jwk);
        let logto = tenant().app(app).build().unwrap();
        let send = |header: Value, jti: &str| {
            assert_with(&logto, &encode(&header, &claims(jti), &signer.sign))
        };
        for (header, accepted) in [
            (json!({"alg": alg}), true),
            (json!({"alg": alg, "kid": "ours"}), true),
            (json!({"alg": alg, "kid": "another"}), false),
            (json!({"alg": "HS256"}), false),
        ] {
            let response = send(header.clone(), &header.to_string());
            assert_eq!(response.status() == StatusCode::OK, accepted, "{header}");
        }
        let stranger = encode(&json!({"alg": "ES256"}), &claims("stranger"), ec().sign);
        assert_eq!(refusal(&assert_with(&logto, &stranger)), invalid_client());
        let secret = hs256(SECRET, &claims("secret"));
        assert_eq!(refusal(&assert_with(&logto, &secret)), invalid_client());
    }
}

#[test]
fn a_key_that_cannot_be_used_is_a_build_error() {
    for jwk in [
        json!({"kty": "EC", "crv": "P-384", "x": "AA", "y": "AA"}),
        json!({"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}),
        json!({"kty": "oct", "k": "AA"}),
        json!("no key"),
    ] {
        let refused = tenant().app(service().private_key_jwt(jwk)).build();
        assert!(
            matches!(&refused, Err(BuildError::PublicKey { app }) if app == "service"),
            "{refused:?}"
        );
    }
}

#[test]
fn several_secrets_are_good_during_a_roll_over() {
    let clock = TestClock::at_unix_seconds(NOW);
    let end = clock.now() + Duration::from_secs(60);
    let app = service().secret("second").secret_until("old", end);
    let logto = tenant().clock(clock.clone()).app(app).build().unwrap();
    let send = |secret: &str| {
        ask(
            &logto,
            &[("client_id", "service"), ("client_secret", secret)],
        )
    };
    for secret in [SECRET, "second", "old"] {
        assert_eq!(send(secret).status(), StatusCode::OK, "{secret}");
    }
    assert_eq!(refusal(&send("wrong")), invalid_client());

    clock.advance(Duration::from_secs(60));
    let expired = send("old");
    assert_eq!(refusal(&expired), (400, "invalid_request".to_owned()));
    assert_eq!(
        member(&expired, "error_description"),
        "client secret has expired"
    );

    assert!(logto.add_secret("service", "third"));
    assert!(logto.remove_secret("service", SECRET));
    assert_eq!(send("third").status(), StatusCode::OK);
    assert_eq!(refusal(&send(SECRET)), invalid_client());
    assert!(!logto.remove_secret("service", SECRET));
    assert!(!logto.add_secret("nobody", "third"));
}

#[test]
fn assertions_by_every_secret_are_good_during_a_roll_over() {
    let app = service()
        .secret("a second secret of thirty-two bytes")
        .client_secret_jwt();
    let logto = tenant().app(app).build().unwrap();
    for (secret, jti) in [(SECRET, "1"), ("a second secret of thirty-two bytes", "2")] {
        let response = assert_with(&logto, &hs256(secret, &claims(jti)));
        assert_eq!(response.status(), StatusCode::OK);
    }
}
