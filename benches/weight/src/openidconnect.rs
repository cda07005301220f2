//! The same with `openidconnect` and its `reqwest`.

use std::io::stdin;

use openidconnect::{
    AuthorizationCode, ClientId, ClientSecret, CsrfToken, IssuerUrl, Nonce, PkceCodeChallenge,
    RedirectUrl, Scope,
    core::{CoreAuthenticationFlow, CoreClient, CoreProviderMetadata},
    reqwest::{ClientBuilder, redirect::Policy},
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let http = ClientBuilder::new().redirect(Policy::none()).build()?;
    let issuer = IssuerUrl::new(format!("{}/oidc", std::env::var("LOGTO_ENDPOINT")?))?;
    let metadata = CoreProviderMetadata::discover_async(issuer, &http).await?;
    let secret = ClientSecret::new("secret".to_owned());
    let client = CoreClient::from_provider_metadata(
        metadata,
        ClientId::new("app-id".to_owned()),
        Some(secret),
    )
    .set_redirect_uri(RedirectUrl::new(
        "http://localhost:3000/callback".to_owned(),
    )?);
    let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
    let flow = CoreAuthenticationFlow::AuthorizationCode;
    let (url, state, nonce) = client
        .authorize_url(flow, CsrfToken::new_random, Nonce::new_random)
        .add_scope(Scope::new("offline_access".to_owned()))
        .set_pkce_challenge(challenge)
        .url();
    println!("{url}");
    let mut callback = String::new();
    stdin().read_line(&mut callback)?;
    let (code, returned) = callback.trim().split_once(' ').ok_or("code and state")?;
    assert_eq!(returned, state.secret());
    let exchange = client.exchange_code(AuthorizationCode::new(code.to_owned()))?;
    let response = exchange
        .set_pkce_verifier(verifier)
        .request_async(&http)
        .await?;
    let id_token = response.extra_fields().id_token().ok_or("no ID token")?;
    let claims = id_token.claims(&client.id_token_verifier(), &nonce)?;
    println!("{}", claims.subject().as_str());
    Ok(())
}
