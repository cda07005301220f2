//! Time and class of the authentication, at the test provider and at the real engine.

use std::time::Duration;

use logto_client::{Error, SignIn, TokenTarget, WritableSession, core::vocabulary::Prompt};
use logto_storage::MemoryStorage;
use logto_tests::{engine::SHOPPING, provider::Provider, rows, world::callback_of};

rows! {
    c72_max_age_is_answered_with_the_time_of_the_sign_in => ["kept"];
    c72_a_max_age_of_zero_and_prompt_login_are_answered_too => ["told", "told", "not told"];
    c72_acr_values_are_answered_with_nothing => ["token refused: the claim `acr` is missing"];
}

async fn sign_in(provider: &Provider, sign_in: &SignIn) -> Result<WritableSession, Error> {
    let client = provider.client(provider.traditional(), MemoryStorage::new());
    let (url, pending) = client.sign_in(sign_in).await?;
    let callback = callback_of(&provider.sign_in(&url).await);
    let completed = client
        .complete_sign_in(Some(pending), callback, None)
        .await?;
    Ok(completed.session)
}

async fn c72_max_age_is_answered_with_the_time_of_the_sign_in(provider: &Provider) -> Vec<String> {
    let before = provider.now();
    let session = sign_in(provider, &SignIn::new().max_age(Duration::from_secs(60)))
        .await
        .unwrap();
    let time = session.claims().auth_time.unwrap();
    assert!((before..=provider.now()).contains(&time), "{time:?}");
    provider.wait(Duration::from_secs(2)).await;
    let shopping = TokenTarget::resource(SHOPPING);
    session.access_token(&shopping).await.unwrap();
    let claims = session.claims();
    assert!(claims.iat > time, "it was refreshed");
    let kept = claims.auth_time == Some(time);
    vec![if kept { "kept" } else { "changed" }.to_owned()]
}

async fn c72_a_max_age_of_zero_and_prompt_login_are_answered_too(
    provider: &Provider,
) -> Vec<String> {
    let mut told = Vec::new();
    for request in [
        SignIn::new().max_age(Duration::ZERO),
        SignIn::new().prompt([Prompt::Login, Prompt::Consent]),
        SignIn::new(),
    ] {
        let session = sign_in(provider, &request).await.unwrap();
        let is_told = session.claims().auth_time.is_some();
        told.push(if is_told { "told" } else { "not told" }.to_owned());
    }
    told
}

/// Neither provider lists `acr_values_supported`.
async fn c72_acr_values_are_answered_with_nothing(provider: &Provider) -> Vec<String> {
    let refused = sign_in(provider, &SignIn::new().acr_values(["urn:mfa"])).await;
    vec![match refused {
        Ok(_) => "signed in".to_owned(),
        Err(error) => error.to_string(),
    }]
}
