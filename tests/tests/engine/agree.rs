//! A table of scenarios that run against the test provider and against the real engine. Each row states the
//! expected result; both must produce it.

use std::time::Duration;

use logto_client::{
    CompletedSignIn, Error, LogtoClient, LogtoConfig, SignIn, TokenTarget,
    core::{
        sign_in::{Callback, PendingSignIn},
        sign_out::SignOut,
        vocabulary::Prompt,
    },
    seal::{KeyRing, SealKey},
    web::cookies::CookieOptions,
};
use logto_storage::{CookieStorage, MemoryStorage};
use logto_tests::{
    engine::{SECRET, SHOPPING, TRADITIONAL},
    provider::{PAST_ROTATION, Provider, words},
    rows,
    world::callback_of,
};

rows! {
    sign_in_gives_claims_and_granted_scopes =>
        ["aud traditional", "email true", "nonce true", "email offline_access openid profile"];
    a_resource_token_is_for_that_resource => ["read:products write:products", "kept", "read:products"];
    user_info_is_that_of_the_user => ["true", "true"];
    a_young_refresh_token_stays => ["same", "2"];
    c8_a_repeated_callback_redeems_nothing => ["sign_in_session_not_found", "1", "alive"];
    a_code_that_nobody_issued_is_refused => ["invalid_grant"];
    a_wrong_secret_is_a_configuration_error => ["invalid_client", "FixConfiguration"];
    c22_a_silent_sign_in_without_a_session_changes_nothing => ["login_required"];
    sign_out_ends_the_refresh_token => ["http://127.0.0.1:4000/", "nobody", "session_ended"];
    f36_a_replaced_refresh_token_is_noticed_and_not_used => [
        "rotated", "temporarily_unavailable", "alive",
        "rotated", "temporarily_unavailable", "alive", "6",
    ];
    f6_a_key_rotation_is_noticed_at_once => ["signed in", "signed in"];
}

async fn client(provider: &Provider) -> LogtoClient {
    provider.client(provider.traditional(), MemoryStorage::new())
}

async fn visit(provider: &Provider, client: &LogtoClient) -> (PendingSignIn, Callback) {
    let (url, pending) = client.sign_in(&SignIn::new()).await.unwrap();
    (pending, callback_of(&provider.sign_in(&url).await))
}

async fn sign_in(provider: &Provider, client: &LogtoClient) -> CompletedSignIn {
    let (pending, callback) = visit(provider, client).await;
    client
        .complete_sign_in(Some(pending), callback, None)
        .await
        .unwrap()
}

fn cookie_storage(config: &LogtoConfig) -> CookieStorage {
    let keys = KeyRing::new(SealKey::new(&[7; 32]));
    let cookies = CookieOptions::new(config.base_url().unwrap(), config.app_id())
        .build()
        .unwrap();
    CookieStorage::new(keys, config, &cookies)
}

fn shopping() -> TokenTarget {
    TokenTarget::resource(SHOPPING)
}

async fn sign_in_gives_claims_and_granted_scopes(provider: &Provider) -> Vec<String> {
    let session = sign_in(provider, &client(provider).await)
        .await
        .session
        .snapshot();
    let claims = session.claims();
    vec![
        format!("aud {}", words(&claims.aud)),
        format!("email {}", claims.user.email.value().is_some()),
        format!("nonce {}", claims.nonce.is_some()),
        words(session.granted_scopes()),
    ]
}

async fn a_resource_token_is_for_that_resource(provider: &Provider) -> Vec<String> {
    let session = sign_in(provider, &client(provider).await).await.session;
    let token = session.access_token(&shopping()).await.unwrap();
    let again = session.access_token(&shopping()).await.unwrap();
    let narrowed = shopping().with_scopes(["read:products"]);
    let narrowed = session.access_token(&narrowed).await.unwrap();
    vec![
        words(&token.scopes),
        if token == again {
            "kept"
        } else {
            "fetched again"
        }
        .to_owned(),
        words(&narrowed.scopes),
    ]
}

async fn user_info_is_that_of_the_user(provider: &Provider) -> Vec<String> {
    let session = sign_in(provider, &client(provider).await).await.session;
    let user_info = session.user_info().await.unwrap();
    let claims = session.claims();
    vec![
        (user_info.sub == claims.sub).to_string(),
        (user_info.user.email == claims.user.email).to_string(),
    ]
}

/// Whether the refresh token changed when a token was fetched anew.
async fn refresh(session: &logto_client::WritableSession) -> String {
    let before = session.snapshot();
    session.refresh_access_token(&shopping()).await.unwrap();
    let rotated = session.snapshot().refresh_token() != before.refresh_token();
    if rotated { "rotated" } else { "same" }.to_owned()
}

async fn alive(session: &logto_client::WritableSession) -> String {
    match session
        .refresh_access_token(&TokenTarget::user_info())
        .await
    {
        Ok(_) => "alive".to_owned(),
        Err(error) => error.to_string(),
    }
}

async fn a_young_refresh_token_stays(provider: &Provider) -> Vec<String> {
    let session = sign_in(provider, &client(provider).await).await.session;
    vec![
        refresh(&session).await,
        provider.token_calls().await.to_string(),
    ]
}

async fn f36_a_replaced_refresh_token_is_noticed_and_not_used(provider: &Provider) -> Vec<String> {
    let mut outcomes = Vec::new();
    for (config, until_it_rotates) in [
        (provider.traditional(), PAST_ROTATION),
        (provider.spa(), Duration::ZERO),
    ] {
        let process = || provider.client(config.clone(), cookie_storage(&config));
        let (one, another) = (process(), process());
        let stale = sign_in(provider, &one).await.session.handle();
        provider.wait(until_it_rotates).await;
        let quick = one.session(&stale).await.unwrap().unwrap();
        outcomes.push(refresh(&quick).await);
        provider.wait(Duration::from_secs(4)).await;
        let slow = another.session(&stale).await.unwrap().unwrap();
        let refused = slow.access_token(&shopping()).await.unwrap_err();
        outcomes.push(refused.code().to_owned());
        let newest = another.session(&quick.handle()).await.unwrap().unwrap();
        outcomes.push(alive(&newest).await);
    }
    outcomes.push(provider.token_calls().await.to_string());
    outcomes
}

async fn c8_a_repeated_callback_redeems_nothing(provider: &Provider) -> Vec<String> {
    let client = client(provider).await;
    let (url, pending) = client.sign_in(&SignIn::new()).await.unwrap();
    let callback = provider.sign_in(&url).await;
    let first = client
        .complete_sign_in(Some(pending.clone()), callback_of(&callback), None)
        .await
        .unwrap();
    let second = client
        .complete_sign_in(Some(pending), callback_of(&callback), None)
        .await;
    let calls = provider.token_calls().await.to_string();
    let alive = match first.session.refresh_access_token(&shopping()).await {
        Ok(_) => "alive".to_owned(),
        Err(error) => error.to_string(),
    };
    vec![second.unwrap_err().error.code().to_owned(), calls, alive]
}

async fn a_code_that_nobody_issued_is_refused(provider: &Provider) -> Vec<String> {
    let client = client(provider).await;
    let (_, pending) = client.sign_in(&SignIn::new()).await.unwrap();
    let issuer = client.metadata().await.unwrap().issuer().to_owned();
    let query = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("code", "forged-code-forged-code-forged-code-forged")
        .append_pair("state", pending.state().expose())
        .append_pair("iss", &issuer)
        .finish();
    let callback = Callback::from_query(&query).unwrap();
    let refused = client.complete_sign_in(Some(pending), callback, None).await;
    vec![refused.unwrap_err().error.code().to_owned()]
}

async fn a_wrong_secret_is_a_configuration_error(provider: &Provider) -> Vec<String> {
    assert_ne!(SECRET, "wrong");
    let config = provider.config(TRADITIONAL, Some("wrong"));
    let client = provider.client(config, MemoryStorage::new());
    let (pending, callback) = visit(provider, &client).await;
    let refused: Error = client
        .complete_sign_in(Some(pending), callback, None)
        .await
        .unwrap_err()
        .error;
    vec![refused.code().to_owned(), format!("{:?}", refused.advice())]
}

async fn c22_a_silent_sign_in_without_a_session_changes_nothing(
    provider: &Provider,
) -> Vec<String> {
    let client = client(provider).await;
    let (url, pending) = client
        .sign_in(&SignIn::new().prompt([Prompt::None]))
        .await
        .unwrap();
    let callback = provider
        .open(&url)
        .await
        .expect("the provider answers by redirect");
    let refused = client
        .complete_sign_in(Some(pending), callback_of(&callback), None)
        .await;
    vec![refused.unwrap_err().error.code().to_owned()]
}

async fn sign_out_ends_the_refresh_token(provider: &Provider) -> Vec<String> {
    let config = provider.traditional();
    let client = provider.client(config.clone(), cookie_storage(&config));
    let session = sign_in(provider, &client).await.session;
    let copy = session.handle();
    let url = session.sign_out(&SignOut::new()).await.unwrap().unwrap();
    let landed = provider
        .open(&url)
        .await
        .expect("the provider sends the browser back");
    let here = match client.session(&copy).await.unwrap() {
        None => "nobody",
        Some(_) => "somebody",
    };
    // The revocation runs in the background; another process does not know of the sign-out, and takes
    // the cookie for an old one.
    tokio::time::sleep(Duration::from_millis(500)).await;
    let elsewhere = provider.client(config.clone(), cookie_storage(&config));
    let copied = elsewhere.session(&copy).await.unwrap().unwrap();
    let refused = copied.access_token(&shopping()).await.unwrap_err();
    vec![
        landed.to_string(),
        here.to_owned(),
        refused.code().to_owned(),
    ]
}

async fn f6_a_key_rotation_is_noticed_at_once(provider: &Provider) -> Vec<String> {
    let client = client(provider).await;
    let mut outcomes = Vec::new();
    for rotate in [false, true] {
        if rotate {
            provider.rotate_to_rsa().await;
        }
        let (pending, callback) = visit(provider, &client).await;
        let completed = client.complete_sign_in(Some(pending), callback, None).await;
        outcomes.push(completed.map_or_else(|error| error.to_string(), |_| "signed in".to_owned()));
    }
    outcomes
}
