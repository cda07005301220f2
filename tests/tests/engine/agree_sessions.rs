//! The ways in which sessions are lost elsewhere, against the test provider and against the real engine.

use std::{sync::Arc, time::Duration};

use futures_util::future::join_all;
use logto_client::{
    AccessToken, Cached, Error, LogtoClient, SignIn, TokenTarget, WritableSession,
    core::sign_in::{Callback, PendingSignIn},
    storage::Handle,
};
use logto_storage::MemoryStorage;
use logto_tests::{
    provider::{PAST_ROTATION, Provider},
    rows,
    world::callback_of,
};

use crate::agree::{alive, client, cookie_storage, probe, shopping, sign_in};

rows! {
    s2_equal_requests_with_one_old_cookie_are_one_refresh => ["6 of 6", "alive", "3"];
    s3_requests_for_different_tokens_do_not_spend_each_others => ["6 of 6", "alive", "5"];
    s6_views_that_fetch_without_a_cookie_fetch_once => ["6 of 6", "2", "alive"];
    s7_of_two_tabs_both_sign_in => ["signed in", "signed in", "alive"];
    s8_what_was_fetched_into_a_cookie_is_found_there => ["3 of 3", "3 of 3", "4"];
    s9_a_sign_in_that_is_given_up_leaves_the_session => ["access_denied", "alive"];
    s11_processes_on_one_store_share_a_refresh => ["6 of 6", "alive", "alive", "4"];
    s13_after_the_sign_out_nothing_comes_back => ["nobody", "session_ended", "nobody"];
}

async fn in_cookies(provider: &Provider) -> LogtoClient {
    let config = provider.traditional();
    provider.client(config.clone(), cookie_storage(&config))
}

/// A request of its own for one token, with the handle that the browser had.
async fn request(
    client: &LogtoClient,
    handle: &Handle,
    target: &TokenTarget,
) -> (WritableSession, Result<AccessToken, Error>) {
    let session = client.session(handle).await.unwrap().unwrap();
    let token = session.access_token(target).await;
    (session, token)
}

fn served<'t>(tokens: impl IntoIterator<Item = &'t Result<AccessToken, Error>>) -> String {
    let (mut all, mut served) = (0, 0);
    for token in tokens {
        all += 1;
        served += usize::from(token.is_ok());
    }
    format!("{served} of {all}")
}

async fn s2_equal_requests_with_one_old_cookie_are_one_refresh(provider: &Provider) -> Vec<String> {
    let client = in_cookies(provider).await;
    let old = sign_in(provider, &client).await.session.handle();
    provider.wait(PAST_ROTATION).await;
    let target = shopping();
    let answers = join_all((0..6).map(|_| request(&client, &old, &target))).await;
    vec![
        served(answers.iter().map(|(_, token)| token)),
        probe(provider, &answers[0].0).await,
        provider.token_calls().await.to_string(),
    ]
}

async fn s3_requests_for_different_tokens_do_not_spend_each_others(
    provider: &Provider,
) -> Vec<String> {
    let client = in_cookies(provider).await;
    let old = sign_in(provider, &client).await.session.handle();
    provider.wait(PAST_ROTATION).await;
    let targets = [
        shopping(),
        shopping().with_scopes(["read:products"]),
        shopping().with_scopes(["write:products"]),
    ];
    let twice = targets.iter().chain(&targets);
    let answers = join_all(twice.map(|target| request(&client, &old, target))).await;
    vec![
        served(answers.iter().map(|(_, token)| token)),
        probe(provider, &answers[0].0).await,
        provider.token_calls().await.to_string(),
    ]
}

async fn s6_views_that_fetch_without_a_cookie_fetch_once(provider: &Provider) -> Vec<String> {
    let client = client(provider).await;
    let handle = sign_in(provider, &client).await.session.handle();
    provider.wait(PAST_ROTATION).await;
    let mut views = Vec::new();
    for _ in 0..6 {
        let view = client.read_only_session(&handle).await.unwrap().unwrap();
        let token = client.fetch_access_token(&view, &shopping()).await;
        views.push(match token {
            Ok(Cached::Valid(token)) => Ok(token),
            other => panic!("{other:?}"),
        });
        provider.wait(Duration::from_secs(1)).await;
    }
    let calls = provider.token_calls().await.to_string();
    let session = client.session(&handle).await.unwrap().unwrap();
    vec![served(&views), calls, alive(&session).await]
}

async fn s7_of_two_tabs_both_sign_in(provider: &Provider) -> Vec<String> {
    let client = client(provider).await;
    let start = async || -> (PendingSignIn, Callback) {
        let (url, pending) = client.sign_in(&SignIn::new()).await.unwrap();
        (pending, callback_of(&provider.sign_in(&url).await))
    };
    let (first, second) = (start().await, start().await);
    let mut outcomes = Vec::new();
    let mut session = None::<WritableSession>;
    for (pending, callback) in [second, first] {
        let before = session.as_ref().map(WritableSession::handle);
        let completed = client.complete_sign_in(Some(pending), callback, before.as_ref());
        session = Some(completed.await.unwrap().session);
        outcomes.push("signed in".to_owned());
    }
    outcomes.push(probe(provider, &session.unwrap()).await);
    outcomes
}

async fn s8_what_was_fetched_into_a_cookie_is_found_there(provider: &Provider) -> Vec<String> {
    let client = in_cookies(provider).await;
    let session = sign_in(provider, &client).await.session;
    let targets = [
        shopping(),
        shopping().with_scopes(["read:products"]),
        shopping().with_scopes(["write:products"]),
    ];
    let mut fetched = Vec::new();
    for target in &targets {
        fetched.push(session.access_token(target).await);
    }
    let next_request = client.session(&session.handle()).await.unwrap().unwrap();
    let mut found = Vec::new();
    for target in &targets {
        found.push(next_request.access_token(target).await);
    }
    let calls = provider.token_calls().await.to_string();
    vec![served(&fetched), served(&found), calls]
}

async fn s9_a_sign_in_that_is_given_up_leaves_the_session(provider: &Provider) -> Vec<String> {
    let client = client(provider).await;
    let session = sign_in(provider, &client).await.session;
    let (_, _abandoned) = client.sign_in(&SignIn::new()).await.unwrap();
    let (_, pending) = client.sign_in(&SignIn::new()).await.unwrap();
    let issuer = client.metadata().await.unwrap().issuer().to_owned();
    let query = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("error", "access_denied")
        .append_pair("state", pending.state().expose())
        .append_pair("iss", &issuer)
        .finish();
    let callback = Callback::from_query(&query).unwrap();
    let cancelled = client
        .complete_sign_in(Some(pending), callback, Some(&session.handle()))
        .await;
    let same = client.session(&session.handle()).await.unwrap().unwrap();
    vec![
        cancelled.unwrap_err().error.code().to_owned(),
        probe(provider, &same).await,
    ]
}

async fn s11_processes_on_one_store_share_a_refresh(provider: &Provider) -> Vec<String> {
    let store = Arc::new(MemoryStorage::new());
    let process = || provider.client(provider.traditional(), Arc::clone(&store));
    let processes = [process(), process()];
    let handle = sign_in(provider, &processes[0]).await.session.handle();
    provider.wait(PAST_ROTATION).await;
    let target = shopping();
    let requests = (0..6).map(|n| request(&processes[n % 2], &handle, &target));
    let answers = join_all(requests).await;
    let mut outcomes = vec![
        served(answers.iter().map(|(_, token)| token)),
        probe(provider, &answers[0].0).await,
    ];
    let other = processes[1].session(&handle).await.unwrap().unwrap();
    outcomes.push(alive(&other).await);
    outcomes.push(provider.token_calls().await.to_string());
    outcomes
}

async fn s13_after_the_sign_out_nothing_comes_back(provider: &Provider) -> Vec<String> {
    let client = in_cookies(provider).await;
    let session = sign_in(provider, &client).await.session;
    let copied = session.handle();
    let open = client.session(&copied).await.unwrap().unwrap();
    session.sign_out_locally().await.unwrap();
    let found = async || match client.session(&copied).await.unwrap() {
        Some(_) => "somebody".to_owned(),
        None => "nobody".to_owned(),
    };
    let before = found().await;
    // A page that was under way asks for a token after the sign-out.
    let late = open.access_token(&shopping()).await;
    vec![before, late.unwrap_err().code().to_owned(), found().await]
}
