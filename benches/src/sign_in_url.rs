//! Begin a sign-in: the URL, and what has to wait in the browser until it comes back.

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use http::Request;
use logto_client::{
    Context, LogtoClient, LogtoConfig, SignIn,
    seal::{KeyRing, SealKey},
    web::{LogtoWeb, cookies::CookieOptions},
};
use logto_storage::MemoryStorage;
use logto_testkit::{Logto, demo};
use oauth2::{
    AuthUrl, ClientId, CsrfToken, PkceCodeChallenge, RedirectUrl, Scope, basic::BasicClient,
};
use sha2::{Digest, Sha256};

use crate::{contest::Contest, fixtures};

/// URL and sealed cookie, beside the URL alone by `oauth2`.
pub fn contest() -> Contest {
    let logto = Logto::demo().build().expect("a tenant");
    let config = LogtoConfig::builder(logto.endpoint(), demo::APP_ID)
        .app_secret(demo::APP_SECRET)
        .base_url("http://localhost:3000")
        .build()
        .expect("a configuration");
    let scopes: Vec<String> = config.scopes().to_vec();
    let client = LogtoClient::builder(
        config,
        Context::new(fixtures::http(&logto)),
        MemoryStorage::new(),
    )
    .build()
    .expect("a client");
    let metadata = fixtures::runtime()
        .block_on(client.metadata())
        .expect("metadata");
    let base_url = client.config().base_url().expect("set above").clone();
    let cookies = CookieOptions::new(&base_url, demo::APP_ID)
        .build()
        .expect("cookies");
    let web = LogtoWeb::new(
        client.clone(),
        cookies,
        KeyRing::new(SealKey::new(&[7; 32])),
    );

    let oauth2 = BasicClient::new(ClientId::new(demo::APP_ID.to_owned()))
        .set_auth_uri(AuthUrl::from_url(metadata.authorization_endpoint().clone()))
        .set_redirect_uri(
            RedirectUrl::new("http://localhost:3000/callback".to_owned()).expect("a URL"),
        );
    let (request, sign_in) = (Request::new(()).into_parts().0, SignIn::new());
    Contest::new("Sign-in with PKCE, state and nonce")
        .enter("limit: 112 random bytes, SHA-256 of the verifier", || {
            let mut random = [0; 112];
            SystemRandom::new().fill(&mut random).expect("random bytes");
            (random, Sha256::digest(&random[..43]))
        })
        .enter("oauth2, URL only", move || {
            let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
            let nonce = CsrfToken::new_random_len(32);
            let request = oauth2
                .authorize_url(|| CsrfToken::new_random_len(32))
                .add_scopes(scopes.iter().cloned().map(Scope::new))
                .add_extra_param("nonce", nonce.secret())
                .add_extra_param("prompt", "consent")
                .set_pkce_challenge(challenge);
            (request.url(), nonce, verifier)
        })
        .enter("logto, URL only", {
            let sign_in = sign_in.clone();
            move || fixtures::at_once(client.sign_in(&sign_in)).expect("a sign-in")
        })
        .enter("logto, redirect with sealed cookie", move || {
            fixtures::at_once(web.sign_in(&request, &sign_in)).expect("a redirect")
        })
}
