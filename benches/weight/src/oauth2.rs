//! The same with `oauth2`, `reqwest` and `jsonwebtoken`.

use std::io::stdin;

use jsonwebtoken::{DecodingKey, Validation, decode, decode_header, jwk::JwkSet};
use oauth2::{
    AuthUrl, AuthorizationCode, Client, ClientId, ClientSecret, CsrfToken, EndpointNotSet,
    ExtraTokenFields, PkceCodeChallenge, RedirectUrl, Scope, StandardRevocableToken,
    StandardTokenResponse, TokenUrl,
    basic::{
        BasicErrorResponse, BasicRevocationErrorResponse, BasicTokenIntrospectionResponse,
        BasicTokenType,
    },
};
use reqwest::redirect::Policy;
use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
struct Metadata {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
}

#[derive(Debug, Deserialize, Serialize)]
struct WithIdToken {
    id_token: String,
}

impl ExtraTokenFields for WithIdToken {}

#[derive(Deserialize)]
struct Claims {
    sub: String,
    nonce: String,
}

type OidcClient = Client<
    BasicErrorResponse,
    StandardTokenResponse<WithIdToken, BasicTokenType>,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let http = reqwest::Client::builder()
        .redirect(Policy::none())
        .build()?;
    let url = format!(
        "{}/oidc/.well-known/openid-configuration",
        std::env::var("LOGTO_ENDPOINT")?
    );
    let metadata: Metadata = http.get(url).send().await?.json().await?;
    let client = OidcClient::new(ClientId::new("app-id".to_owned()))
        .set_client_secret(ClientSecret::new("secret".to_owned()))
        .set_auth_uri(AuthUrl::new(metadata.authorization_endpoint)?)
        .set_token_uri(TokenUrl::new(metadata.token_endpoint)?)
        .set_redirect_uri(RedirectUrl::new(
            "http://localhost:3000/callback".to_owned(),
        )?);
    let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
    let nonce = CsrfToken::new_random();
    let (url, state) = client
        .authorize_url(CsrfToken::new_random)
        .add_scope(Scope::new("openid".to_owned()))
        .add_scope(Scope::new("offline_access".to_owned()))
        .add_extra_param("nonce", nonce.secret())
        .set_pkce_challenge(challenge)
        .url();
    println!("{url}");
    let mut callback = String::new();
    stdin().read_line(&mut callback)?;
    let (code, returned) = callback.trim().split_once(' ').ok_or("code and state")?;
    assert_eq!(returned, state.secret());
    let exchange = client.exchange_code(AuthorizationCode::new(code.to_owned()));
    let response = exchange
        .set_pkce_verifier(verifier)
        .request_async(&http)
        .await?;
    let keys: JwkSet = http.get(metadata.jwks_uri).send().await?.json().await?;
    let id_token = &response.extra_fields().id_token;
    let header = decode_header(id_token)?;
    let key = header
        .kid
        .as_deref()
        .and_then(|kid| keys.find(kid))
        .ok_or("no key")?;
    let mut validation = Validation::new(header.alg);
    validation.set_issuer(&[metadata.issuer]);
    validation.set_audience(&["app-id"]);
    let claims = decode::<Claims>(id_token, &DecodingKey::from_jwk(key)?, &validation)?.claims;
    assert_eq!(claims.nonce, *nonce.secret());
    println!("{}", claims.sub);
    Ok(())
}
