//! Client authentication at the token endpoint.

use std::{sync::Arc, time::Duration};

use aws_lc_rs::{
    encoding::AsDer,
    hmac, rsa,
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING,
        ECDSA_P521_SHA512_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair,
    },
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::Bytes;
use http::Request;
use logto_core::{
    Exchange, LogtoConfig, Secret, TokenTarget, UnixTime,
    client_assertion::{AwsLcSigner, ClientAssertionSigner, PrivateKeyError},
    client_authentication::{authenticate, is_refused},
    config::ClientAuthentication,
    discovery::FetchKeys,
    error::{Advice, ConfigProblem, Endpoint, SigningError, UsageError},
    grants::{ClientCredentials, ExchangeToken, RefreshTokens, TypedToken},
    introspection::Introspect,
    jwt::{Algorithm, AwsLcVerifier, Curve, JwsVerifier, PublicKey},
    revocation::RevokeRefreshToken,
    sign_in::{DeviceSignIn, SignIn},
};
use serde_json::{Value, json};

use crate::support::{
    self, from_base64url,
    provider::{self, NOW, config, form, header, metadata},
    split_point,
};

const SECRET: &str = "a secret of thirty-two characters";
const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

fn with(authentication: ClientAuthentication) -> LogtoConfig {
    config().with_client_authentication(authentication).unwrap()
}

fn with_secret_jwt() -> LogtoConfig {
    with(ClientAuthentication::SecretJwt(SECRET.into()))
}

fn signed_by(key: impl ClientAssertionSigner + 'static) -> LogtoConfig {
    with(ClientAuthentication::PrivateKeyJwt(Arc::new(key)))
}

fn request(config: &LogtoConfig) -> Request<Bytes> {
    let target = TokenTarget::resource("https://shop.example.com/api");
    ClientCredentials::new(config, &metadata(), target, NOW)
        .unwrap()
        .request()
}

fn authenticated(config: &LogtoConfig) -> Request<Bytes> {
    authenticate(request(config), config, NOW, &[7; 16]).unwrap()
}

/// Header, payload, the signed text and the signature of the assertion in a request.
fn assertion(request: &Request<Bytes>) -> (Value, Value, String, Vec<u8>) {
    let form = form(request);
    assert_eq!(form["client_assertion_type"], JWT_BEARER);
    let assertion = &form["client_assertion"];
    let (message, signature) = assertion.rsplit_once('.').unwrap();
    let (head, payload) = message.split_once('.').unwrap();
    let json = |part| serde_json::from_slice(&from_base64url(part)).unwrap();
    (
        json(head),
        json(payload),
        message.to_owned(),
        from_base64url(signature),
    )
}

#[test]
fn client_secret_jwt_is_hs256_over_the_claims_of_rfc_7523() {
    let request = authenticated(&with_secret_jwt());
    let (head, claims, message, signature) = assertion(&request);
    assert_eq!(
        head,
        json!({"alg": "HS256", "typ": "client-authentication+jwt"})
    );
    let expected = json!({
        "iss": "app-id",
        "sub": "app-id",
        "aud": "https://tenant.logto.app/oidc",
        "jti": "BwcHBwcHBwcHBwcHBwcHBw",
        "iat": NOW.as_secs(),
        "exp": NOW.as_secs() + 60,
    });
    assert_eq!(claims, expected);
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    assert!(hmac::verify(&key, message.as_bytes(), &signature).is_ok());
}

#[test]
fn private_key_jwt_is_signed_by_the_key_with_every_algorithm() {
    for algorithm in support::ALL_ALGORITHMS {
        let (der, public) = key_pair(algorithm);
        let signer = AwsLcSigner::from_pkcs8_der(&der, algorithm).unwrap();
        let request = authenticated(&signed_by(signer.with_key_id("key 1")));
        let (head, claims, message, signature) = assertion(&request);
        assert_eq!(head["alg"], algorithm.name());
        assert_eq!(head["kid"], "key 1");
        assert_eq!(claims["sub"], "app-id");
        let key = AwsLcVerifier.prepare(algorithm, &public).unwrap();
        assert!(key.verify(message.as_bytes(), &signature), "{algorithm}");
        assert!(!key.verify(b"another message", &signature), "{algorithm}");
    }
}

/// A fresh private key in PKCS#8 and its public half.
fn key_pair(algorithm: Algorithm) -> (Vec<u8>, PublicKey) {
    let ec = |signing, curve| {
        let pair = EcdsaKeyPair::generate(signing).unwrap();
        let (x, y) = split_point(pair.public_key().as_ref());
        let (x, y) = (x.to_vec(), y.to_vec());
        (
            pair.to_pkcs8v1().unwrap().as_ref().to_vec(),
            PublicKey::Ec { curve, x, y },
        )
    };
    match algorithm {
        Algorithm::Es256 => ec(&ECDSA_P256_SHA256_FIXED_SIGNING, Curve::P256),
        Algorithm::Es384 => ec(&ECDSA_P384_SHA384_FIXED_SIGNING, Curve::P384),
        Algorithm::Es512 => ec(&ECDSA_P521_SHA512_FIXED_SIGNING, Curve::P521),
        Algorithm::EdDsa => {
            let pair = Ed25519KeyPair::generate().unwrap();
            let x = pair.public_key().as_ref().try_into().unwrap();
            (
                pair.to_pkcs8v1().unwrap().as_ref().to_vec(),
                PublicKey::Ed25519 { x },
            )
        }
        _ => {
            let pair = rsa::KeyPair::generate(rsa::KeySize::Rsa2048).unwrap();
            // PKCS#1 of a 2,048-bit key: nine bytes before the modulus, two before the exponent.
            let public = pair.public_key().as_ref();
            let (n, e) = (public[9..265].to_vec(), public[267..].to_vec());
            let der: aws_lc_rs::encoding::Pkcs8V1Der<'_> = pair.as_der().unwrap();
            (der.as_ref().to_vec(), PublicKey::Rsa { n, e })
        }
    }
}

#[test]
fn a_private_key_is_read_from_pem() {
    let (der, _) = key_pair(Algorithm::Es256);
    let base64 = BASE64_STANDARD.encode(&der);
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{base64}\n-----END PRIVATE KEY-----\n");
    let signer = AwsLcSigner::from_pkcs8_pem(&pem, Algorithm::Es256).unwrap();
    assert_eq!(signer.key_id(), None);
    let debug = [format!("{signer:?}"), format!("{:?}", signed_by(signer))].concat();
    assert!(!debug.contains(&base64), "{debug}");
}

#[test]
fn a_private_key_that_does_not_fit_is_refused() {
    let from_der = |der: &[u8], algorithm| AwsLcSigner::from_pkcs8_der(der, algorithm).err();
    let refused = |algorithm| Some(PrivateKeyError::Key(algorithm));
    let (es256, _) = key_pair(Algorithm::Es256);
    for other in [Algorithm::Es384, Algorithm::Rs256, Algorithm::EdDsa] {
        assert_eq!(from_der(&es256, other), refused(other));
    }
    assert_eq!(from_der(b"", Algorithm::Es256), refused(Algorithm::Es256));
    assert_eq!(
        from_der(&es256[..es256.len() - 1], Algorithm::Es256),
        refused(Algorithm::Es256)
    );
    for pem in [
        "",
        "no pem",
        "-----BEGIN PRIVATE KEY-----\n%\n-----END PRIVATE KEY-----",
    ] {
        let error = AwsLcSigner::from_pkcs8_pem(pem, Algorithm::Es256).err();
        assert_eq!(error, Some(PrivateKeyError::Pem), "{pem}");
    }
}

#[derive(Debug)]
struct BrokenKey;

impl ClientAssertionSigner for BrokenKey {
    fn algorithm(&self) -> Algorithm {
        Algorithm::Es256
    }

    fn key_id(&self) -> Option<&str> {
        None
    }

    fn sign(&self, _: &[u8]) -> Result<Vec<u8>, SigningError> {
        Err(SigningError("the module is locked".to_owned()))
    }
}

#[test]
fn a_key_that_cannot_sign_is_a_typed_error() {
    let config = signed_by(BrokenKey);
    let error = authenticate(request(&config), &config, NOW, &[7; 16]).unwrap_err();
    assert!(matches!(error, UsageError::ClientAssertion(_)));
    assert!(error.to_string().contains("the module is locked"));
    assert_eq!(
        logto_core::Error::from(error).advice(),
        Advice::FixConfiguration
    );
}

#[test]
fn an_exchange_gives_the_same_bytes_every_time_and_each_sending_another_assertion() {
    let config = with_secret_jwt();
    assert_eq!(request(&config).body(), request(&config).body());
    assert!(!form(&request(&config)).contains_key("client_assertion"));

    let first = authenticated(&config);
    let later = NOW.plus(Duration::from_secs(9));
    let second = authenticate(first.clone(), &config, later, &[8; 16]).unwrap();
    let (_, one, ..) = assertion(&first);
    let (_, other, ..) = assertion(&second);
    assert_ne!(one["jti"], other["jti"]);
    assert_eq!(other["iat"], later.as_secs());
    assert_eq!(other["exp"], later.plus(Duration::from_secs(60)).as_secs());
}

#[test]
fn c38_there_is_one_proof_however_often_and_with_whatever_it_is_made() {
    let (der, _) = key_pair(Algorithm::Es256);
    let signer = AwsLcSigner::from_pkcs8_der(&der, Algorithm::Es256).unwrap();
    let methods = [
        ClientAuthentication::None,
        ClientAuthentication::Basic("old secret".into()),
        ClientAuthentication::Post("post secret".into()),
        ClientAuthentication::SecretJwt(SECRET.into()),
        ClientAuthentication::PrivateKeyJwt(Arc::new(signer)),
    ];
    for before in &methods {
        for after in &methods {
            let (before, after) = (with(before.clone()), with(after.clone()));
            let request = authenticated(&before);
            let request = authenticate(request, &after, NOW, &[7; 16]).unwrap();
            check_proof(&request, after.client_authentication());
        }
    }
}

fn check_proof(request: &Request<Bytes>, method: &ClientAuthentication) {
    // `form` panics when a parameter is there twice.
    let form = form(request);
    let proofs = ["client_secret", "client_assertion", "client_assertion_type"];
    let in_form: Vec<&str> = proofs
        .into_iter()
        .filter(|name| form.contains_key(*name))
        .collect();
    let expected: &[&str] = match method {
        ClientAuthentication::Post(_) => &["client_secret"],
        ClientAuthentication::SecretJwt(_) | ClientAuthentication::PrivateKeyJwt(_) => {
            &["client_assertion", "client_assertion_type"]
        }
        _ => &[],
    };
    assert_eq!(in_form, expected, "{method:?}");
    let is_basic = matches!(method, ClientAuthentication::Basic(_));
    assert_eq!(
        header(request, "authorization").is_some(),
        is_basic,
        "{method:?}"
    );
    assert!(is_basic || form["client_id"] == "app-id");
    assert_eq!(form["grant_type"], "client_credentials");
    assert_eq!(form["resource"], "https://shop.example.com/api");
}

#[test]
fn a_secret_is_replaced_while_the_application_runs() {
    let old = config();
    let new = with(ClientAuthentication::Basic("new secret".into()));
    let request = request(&old);
    let again = authenticate(request.clone(), &new, NOW, &[7; 16]).unwrap();
    let of = |request| header(request, "authorization").unwrap().to_owned();
    assert_eq!(
        of(&request),
        format!("Basic {}", BASE64_STANDARD.encode("app-id:app-secret"))
    );
    assert_eq!(
        of(&again),
        format!("Basic {}", BASE64_STANDARD.encode("app-id:new+secret"))
    );
    assert_eq!(again.body(), request.body());
    assert_eq!(new.redirect_uri().unwrap(), old.redirect_uri().unwrap());
    assert_eq!(
        old.client_authentication(),
        &ClientAuthentication::Basic("app-secret".into())
    );
}

#[test]
fn secrets_that_cannot_be_used_are_refused() {
    let problem = |authentication| {
        let error = config()
            .with_client_authentication(authentication)
            .unwrap_err();
        assert_eq!(error.field, "client_authentication");
        let built = provider::builder()
            .client_authentication(ClientAuthentication::SecretJwt("short".into()))
            .build();
        assert!(built.is_err());
        error.problem
    };
    assert_eq!(
        problem(ClientAuthentication::Basic("".into())),
        ConfigProblem::EmptySecret
    );
    assert_eq!(
        problem(ClientAuthentication::Post(" s".into())),
        ConfigProblem::WhiteSpace
    );
    let short = ClientAuthentication::SecretJwt("thirty-one characters are short".into());
    assert_eq!(problem(short), ConfigProblem::TooShort { minimum: 32 });
}

#[test]
fn every_request_of_the_client_is_authenticated_and_no_other() {
    let (config, metadata) = (with_secret_jwt(), metadata());
    let target = TokenTarget::resource("https://shop.example.com/api");
    let secret = || Secret::from("token");
    let random = provider::random();
    let from_client = [
        request(&config),
        RefreshTokens::new(
            &config,
            &metadata,
            secret(),
            target.clone(),
            &[].into(),
            NOW,
        )
        .request(),
        ExchangeToken::new(
            &config,
            &metadata,
            TypedToken::access_token("t"),
            target,
            NOW,
        )
        .request(),
        RevokeRefreshToken::new(&config, &metadata, secret())
            .unwrap()
            .request(),
        Introspect::new(&config, &metadata, secret())
            .unwrap()
            .request(),
        DeviceSignIn::new()
            .start(&config, &metadata, NOW)
            .unwrap()
            .request(),
        SignIn::new()
            .start_pushed(&config, &metadata, &random, NOW)
            .unwrap()
            .0
            .request(),
    ];
    for request in from_client {
        let uri = request.uri().clone();
        let request = authenticate(request, &config, NOW, &[7; 16]).unwrap();
        assert_eq!(form(&request)["client_id"], "app-id", "{uri}");
        assertion(&request);
    }
    let fetch = FetchKeys::new(&metadata, Arc::new(AwsLcVerifier)).request();
    let same = authenticate(fetch.clone(), &config, NOW, &[7; 16]).unwrap();
    assert_eq!(same.body(), fetch.body());
    assert_eq!(same.headers(), fetch.headers());
    let foreign = Request::post("https://other.example/form")
        .body(Bytes::from("a=b"))
        .unwrap();
    let same = authenticate(foreign, &config, NOW, &[7; 16]).unwrap();
    assert_eq!(same.body(), "a=b");
}

#[test]
fn only_invalid_client_says_that_the_proof_was_refused() {
    let body = |status, code: &str| provider::json_response(status, &json!({ "error": code }));
    assert!(is_refused(&body(401, "invalid_client")));
    assert!(is_refused(&body(400, "invalid_client")));
    for other in [
        body(400, "invalid_grant"),
        body(401, "invalid_token"),
        body(200, "invalid_client"),
        body(503, "invalid_client"),
        provider::json_response(401, &json!({ "error": { "invalid_client": 1 } })),
        provider::response(401, "text/html", "invalid_client"),
    ] {
        assert!(!is_refused(&other), "{other:?}");
    }
}

/// The endpoint that `exchange` names is the one that its request goes to.
fn goes_to<E: Exchange>(exchange: &E, endpoint: Endpoint) {
    assert_eq!(E::ENDPOINT, endpoint);
    let metadata = metadata();
    let url = match endpoint {
        Endpoint::Token => metadata.token_endpoint(),
        Endpoint::Keys => metadata.jwks_uri(),
        other => metadata.endpoint(other).unwrap(),
    };
    assert_eq!(exchange.request().uri(), url.as_str(), "{endpoint}");
}

#[test]
fn an_exchange_names_the_endpoint_that_its_request_goes_to() {
    let (config, metadata) = (config(), metadata());
    let target = TokenTarget::resource("https://shop.example.com/api");
    let secret = || Secret::from("token");
    let credentials = ClientCredentials::new(&config, &metadata, target.clone(), NOW);
    goes_to(&credentials.unwrap(), Endpoint::Token);
    let refresh = RefreshTokens::new(
        &config,
        &metadata,
        secret(),
        target.clone(),
        &[].into(),
        NOW,
    );
    goes_to(&refresh, Endpoint::Token);
    let subject = TypedToken::access_token("t");
    let exchange = ExchangeToken::new(&config, &metadata, subject, target, NOW);
    goes_to(&exchange, Endpoint::Token);
    let revoke = RevokeRefreshToken::new(&config, &metadata, secret());
    goes_to(&revoke.unwrap(), Endpoint::Revocation);
    let introspect = Introspect::new(&config, &metadata, secret());
    goes_to(&introspect.unwrap(), Endpoint::Introspection);
    let device = DeviceSignIn::new().start(&config, &metadata, NOW);
    goes_to(&device.unwrap(), Endpoint::DeviceAuthorization);
    let (push, _) = SignIn::new()
        .start_pushed(&config, &metadata, &provider::random(), NOW)
        .unwrap();
    goes_to(&push, Endpoint::PushedAuthorization);
    let fetch = FetchKeys::new(&metadata, Arc::new(AwsLcVerifier));
    goes_to(&fetch, Endpoint::Keys);
}

#[test]
fn f53_an_assertion_at_the_end_of_time_does_not_overflow() {
    let config = with_secret_jwt();
    let end = UnixTime::from_secs(i64::MAX);
    let request = authenticate(request(&config), &config, end, &[7; 16]).unwrap();
    assert_eq!(assertion(&request).1["exp"], i64::MAX);
}

#[test]
fn no_secret_and_no_assertion_is_shown() {
    let config = with_secret_jwt();
    let shown = format!("{config:?} {:?}", config.client_authentication());
    assert!(!shown.contains(SECRET), "{shown}");
}

#[test]
fn ways_to_authenticate_are_equal_with_the_same_secret_or_the_same_signer() {
    let signer = || ClientAuthentication::PrivateKeyJwt(Arc::new(BrokenKey));
    let ways = [
        ClientAuthentication::None,
        ClientAuthentication::Basic("one".into()),
        ClientAuthentication::Basic("other".into()),
        ClientAuthentication::Post("one".into()),
        ClientAuthentication::Post("other".into()),
        ClientAuthentication::SecretJwt(SECRET.into()),
        signer(),
        signer(),
    ];
    for (i, one) in ways.iter().enumerate() {
        for (j, other) in ways.iter().enumerate() {
            assert_eq!(*one == other.clone(), i == j, "{one:?} {other:?}");
        }
    }
}
