//! Client authentication, at the test provider and at the real engine.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::Request;
use logto_client::{
    LogtoConfig, TokenTarget, UnixTime,
    core::{
        client_assertion::AwsLcSigner, client_authentication, config::ClientAuthentication,
        exchange::Exchange, grants::ClientCredentials, introspection::OpaqueTokenVerification,
        jwt::Algorithm,
    },
    http::{HttpClient, ReqwestClient},
    m2m::M2mClient,
    resource_server::ResourceServer,
};
use logto_storage::MemoryStorage;
use logto_tests::{
    engine::{LONG_SECRET, M2M, PRIVATE_KEY_JWT, SECRET, SECRET_JWT, SECRET_POST, SHOPPING},
    provider::{self, Provider},
    rows,
};

const WRONG_SECRET: &str = "another secret of at least thirty-two bytes";

rows! {
    every_client_authentication_is_accepted => ["accepted"; 4];
    a_wrong_secret_or_key_is_refused_whatever_the_method => ["invalid_client"; 4];
    h5_a_method_that_is_not_registered_is_refused => ["401 invalid_client"; 4];
    h5_an_assertion_is_good_once => ["200", "401 invalid_client", "200"];
    h5_an_expired_assertion_is_refused => ["200", "401 invalid_client"];
    h5_an_assertion_for_another_server_is_refused => ["401 invalid_client", "401 invalid_client"];
    h5_assertions_open_introspection_and_revocation => ["401", "revoked", "invalid_client"];
}

/// Every method with what proves it, for an application that has registered it.
async fn methods(provider: &Provider) -> [(&'static str, ClientAuthentication); 4] {
    [
        (M2M, ClientAuthentication::Basic(SECRET.into())),
        (SECRET_POST, ClientAuthentication::Post(SECRET.into())),
        (
            SECRET_JWT,
            ClientAuthentication::SecretJwt(LONG_SECRET.into()),
        ),
        (PRIVATE_KEY_JWT, with_key(provider.client_key().await)),
    ]
}

/// Every method with what does not prove it.
fn impostors() -> [(&'static str, ClientAuthentication); 4] {
    let (key, _) = provider::client_key();
    let key = AwsLcSigner::from_pkcs8_der(&key, Algorithm::Es256).unwrap();
    [
        (M2M, ClientAuthentication::Basic(WRONG_SECRET.into())),
        (SECRET_POST, ClientAuthentication::Post(WRONG_SECRET.into())),
        (
            SECRET_JWT,
            ClientAuthentication::SecretJwt(WRONG_SECRET.into()),
        ),
        (PRIVATE_KEY_JWT, with_key(key)),
    ]
}

fn with_key(key: AwsLcSigner) -> ClientAuthentication {
    ClientAuthentication::PrivateKeyJwt(Arc::new(key))
}

fn config(
    provider: &Provider,
    (app_id, authentication): (&str, ClientAuthentication),
) -> LogtoConfig {
    provider
        .config(app_id, None)
        .with_client_authentication(authentication)
        .unwrap()
}

fn secret_jwt(provider: &Provider) -> LogtoConfig {
    let authentication = ClientAuthentication::SecretJwt(LONG_SECRET.into());
    config(provider, (SECRET_JWT, authentication))
}

fn shopping() -> TokenTarget {
    TokenTarget::resource(SHOPPING).with_scopes(["read:products"])
}

/// A token request of this application, as it is before it is authenticated.
async fn request(provider: &Provider, config: &LogtoConfig, now: UnixTime) -> Request<Bytes> {
    let client = provider.client(config.clone(), MemoryStorage::new());
    let metadata = client.metadata().await.unwrap();
    ClientCredentials::new(config, &metadata, shopping(), now)
        .unwrap()
        .request()
}

/// Authenticates a token request of `config` as `prover` does at `at`, and sends it: status and error.
async fn send(
    provider: &Provider,
    config: &LogtoConfig,
    prover: &LogtoConfig,
    at: UnixTime,
    random: [u8; 16],
) -> String {
    let request = request(provider, config, at).await;
    let request = client_authentication::authenticate(request, prover, at, &random).unwrap();
    let response = ReqwestClient::new().unwrap().send(request).await.unwrap();
    let body: serde_json::Value = serde_json::from_slice(response.body()).unwrap();
    let error = body["error"].as_str().unwrap_or_default();
    format!("{} {error}", response.status().as_u16())
        .trim_end()
        .to_owned()
}

async fn every_client_authentication_is_accepted(provider: &Provider) -> Vec<String> {
    let mut outcomes = Vec::new();
    for method in methods(provider).await {
        let client = M2mClient::new(config(provider, method), provider.context()).unwrap();
        // Twice: an assertion is good once.
        let mut outcome = "accepted".to_owned();
        for scope in ["read:products", "write:products"] {
            let target = TokenTarget::resource(SHOPPING).with_scopes([scope]);
            match client.token(&target).await {
                Ok(token) => assert!(token.scopes.contains(scope)),
                Err(error) => outcome = error.to_string(),
            }
        }
        outcomes.push(outcome);
    }
    outcomes
}

async fn a_wrong_secret_or_key_is_refused_whatever_the_method(provider: &Provider) -> Vec<String> {
    let mut outcomes = Vec::new();
    for method in impostors() {
        let client = M2mClient::new(config(provider, method), provider.context()).unwrap();
        let refused = client.token(&shopping()).await.unwrap_err();
        outcomes.push(refused.code().to_owned());
    }
    outcomes
}

/// A secret from who should sign, a signature from who should send a secret, and each other's signature.
async fn h5_a_method_that_is_not_registered_is_refused(provider: &Provider) -> Vec<String> {
    let key = with_key(provider.client_key().await);
    let mut outcomes = Vec::new();
    for method in [
        (SECRET_JWT, ClientAuthentication::Basic(LONG_SECRET.into())),
        (M2M, ClientAuthentication::SecretJwt(LONG_SECRET.into())),
        (SECRET_JWT, key),
        (
            PRIVATE_KEY_JWT,
            ClientAuthentication::SecretJwt(LONG_SECRET.into()),
        ),
    ] {
        let config = config(provider, method);
        outcomes.push(send(provider, &config, &config, provider.now(), [1; 16]).await);
    }
    outcomes
}

async fn h5_an_assertion_is_good_once(provider: &Provider) -> Vec<String> {
    let (config, now) = (secret_jwt(provider), provider.now());
    vec![
        send(provider, &config, &config, now, [1; 16]).await,
        send(provider, &config, &config, now, [1; 16]).await,
        send(provider, &config, &config, now, [2; 16]).await,
    ]
}

/// An assertion lives for a minute, and a provider tolerates a clock that is 15 seconds wrong.
async fn h5_an_expired_assertion_is_refused(provider: &Provider) -> Vec<String> {
    let config = secret_jwt(provider);
    let ago = |seconds| provider.now().minus(Duration::from_secs(seconds));
    vec![
        send(provider, &config, &config, ago(65), [1; 16]).await,
        send(provider, &config, &config, ago(80), [2; 16]).await,
    ]
}

async fn h5_an_assertion_for_another_server_is_refused(provider: &Provider) -> Vec<String> {
    let mut outcomes = Vec::new();
    for (number, method) in methods(provider).await.into_iter().skip(2).enumerate() {
        let elsewhere = LogtoConfig::builder("https://other.example.com", method.0)
            .client_authentication(method.1.clone())
            .build()
            .unwrap();
        let config = config(provider, method);
        let random = [number.try_into().unwrap(); 16];
        outcomes.push(send(provider, &config, &elsewhere, provider.now(), random).await);
    }
    outcomes
}

async fn h5_assertions_open_introspection_and_revocation(provider: &Provider) -> Vec<String> {
    let config = secret_jwt(provider);
    let server = ResourceServer::new(config.clone(), provider.context()).unwrap();
    let demands = OpaqueTokenVerification::of_applications(server.issuer(), [SECRET_JWT]);
    let inactive = server.introspect("nonsense", &demands).await.unwrap_err();
    let revoke = async |config: LogtoConfig| {
        let client = M2mClient::new(config, provider.context()).unwrap();
        match client.revoke("nonsense".into()).await {
            Ok(()) => "revoked".to_owned(),
            Err(error) => error.code().to_owned(),
        }
    };
    let [.., impostor] = impostors();
    vec![
        inactive.response().status().as_u16().to_string(),
        revoke(config).await,
        revoke(self::config(provider, impostor)).await,
    ]
}
