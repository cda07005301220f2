//! No public type reveals the secrets that it holds.

use std::{fmt::Debug, sync::Arc, time::Duration};

use bytes::Bytes;
use http::Response;
use logto_core::{
    Exchange, LogtoConfig, Machine, Secret, Session, SignIn, Step, TokenTarget,
    claims::UserInfo,
    config::{ClientAuthentication, LogtoConfigBuilder},
    discovery::Discover,
    grants::{ClientCredentials, ExchangeToken, RefreshTokens, TypedToken},
    id_token::IdTokenVerification,
    introspection::{Introspect, Introspection},
    jwt::{self, AwsLcVerifier, TokenType, UnverifiedJwt},
    logto_api::AccountApi,
    refresh::{Demand, Event},
    revocation::RevokeRefreshToken,
    session::SessionId,
    sign_in::{Callback, CompleteSignIn, DevicePoll, DeviceSignIn, PendingSignIn, ProviderKeys},
    sign_out::SignOut,
    user_info::FetchUserInfo,
};
use serde_json::json;

use crate::support::{
    SigningKey,
    provider::{self, ISSUER, NOW, done, json_response, metadata, sent},
    refreshing::{Refreshing, job},
};

const APP_SECRET: &str = "hidden-app-secret-of-more-than-32-bytes";
/// Every secret that is written by hand begins like this.
const MARK: &str = "hidden-";
/// What the random bytes of a sign-in become: these are hidden too.
const VERIFIER: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";
const STATE: &str = "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8";
const NONCE: &str = "QEFCQ0RFRkdISUpLTE1OT1BRUlNUVVZXWFlaW1xdXl8";
/// Part of every signed token.
const HEADER: &str = "eyJ";

fn builder() -> LogtoConfigBuilder {
    provider::builder()
        .app_secret(APP_SECRET)
        .resource("https://api.example.com")
}

fn config() -> LogtoConfig {
    builder().build().unwrap()
}

fn with(authentication: ClientAuthentication) -> LogtoConfig {
    builder()
        .client_authentication(authentication)
        .build()
        .unwrap()
}

fn keys() -> ProviderKeys {
    let keys = SigningKey::es384().key_set(&AwsLcVerifier);
    ProviderKeys::new(Some(Arc::new(keys)), Arc::new(AwsLcVerifier))
}

fn id_token() -> String {
    SigningKey::es384().sign(&json!({
        "iss": ISSUER, "sub": "alice", "aud": "app-id", "nonce": NONCE,
        "exp": NOW.as_secs() + 3600, "iat": NOW.as_secs(),
        "name": "hidden-name", "email": "hidden-email", "custom": ["hidden-claim"],
    }))
}

fn tokens() -> Response<Bytes> {
    json_response(
        200,
        &json!({
            "access_token": "hidden-access-token",
            "token_type": "Bearer",
            "refresh_token": "hidden-refresh-token",
            "id_token": id_token(),
        }),
    )
}

fn pending() -> PendingSignIn {
    let sign_in = SignIn::new()
        .app_state(&"hidden-application-state")
        .unwrap();
    let (_, pending) = sign_in
        .start(&config(), &metadata(), &provider::random(), NOW)
        .unwrap();
    pending
}

fn callback() -> Callback {
    let iss = "https%3A%2F%2Ftenant.logto.app%2Foidc";
    Callback::from_query(&format!("code=hidden-code&state={STATE}&iss={iss}")).unwrap()
}

fn complete_sign_in() -> CompleteSignIn {
    let resumed = pending()
        .resume(callback(), &config(), &metadata(), NOW)
        .unwrap();
    CompleteSignIn::new(&config(), &metadata(), resumed, keys())
}

fn session() -> Session {
    let mut machine = complete_sign_in();
    sent(&mut machine);
    machine.handle(tokens(), NOW);
    done(&mut machine).unwrap().session
}

/// Fails if a secret shows in either form of `Debug`.
fn assert_hidden(name: &str, value: &dyn Debug) {
    assert_text_hides(name, &format!("{value:?} {value:#?}"));
}

fn assert_text_hides(name: &str, text: &str) {
    for secret in [MARK, VERIFIER, STATE, NONCE, HEADER] {
        assert!(!text.contains(secret), "{name} shows {secret}: {text}");
    }
    // The bytes of the session's name, as `Debug` would write an array.
    assert!(
        !text.contains("96, 97, 98"),
        "{name} shows its name: {text}"
    );
}

#[test]
fn the_marks_are_found_where_they_show() {
    let shown = |text: &str| std::panic::catch_unwind(|| assert_text_hides("x", text)).is_err();
    for secret in [
        APP_SECRET,
        VERIFIER,
        STATE,
        NONCE,
        &id_token(),
        "[96, 97, 98, 99]",
    ] {
        assert!(shown(secret), "{secret}");
    }
    assert!(!shown("nothing"));
    let stored = serde_json::to_string(&pending()).unwrap();
    for secret in [VERIFIER, STATE, NONCE, "hidden-application-state"] {
        assert!(stored.contains(secret), "{secret}");
    }
}

#[test]
fn b18_configuration() {
    let secret = || Secret::from(APP_SECRET);
    assert_hidden("Secret", &secret());
    assert_hidden("LogtoConfigBuilder", &builder());
    for authentication in [
        ClientAuthentication::Basic(secret()),
        ClientAuthentication::Post(secret()),
        ClientAuthentication::SecretJwt(secret()),
    ] {
        assert_hidden("ClientAuthentication", &authentication);
        let config = with(authentication);
        assert_hidden("LogtoConfig", &config);
        assert_hidden("Discover", &Discover::new(&config));
    }
    let error = builder()
        .app_secret(" hidden-secret\n")
        .build()
        .unwrap_err();
    assert_hidden("ConfigError", &error);
    assert_text_hides("ConfigError", &error.to_string());
}

#[test]
fn b18_signing_in() {
    let sign_in = SignIn::new()
        .one_time_token("hidden-one-time-token")
        .google_one_tap_credential("hidden-credential")
        .app_state(&"hidden-application-state")
        .unwrap();
    assert_hidden("SignIn", &sign_in);
    let (push, _) = sign_in
        .start_pushed(&config(), &metadata(), &provider::random(), NOW)
        .unwrap();
    assert_hidden("PushAuthorization", &push);
    let body = json!({"request_uri": "urn:x:hidden-request", "expires_in": 60});
    let pushed = push.accept(json_response(201, &body), NOW).unwrap();
    assert_hidden("PushedAuthorization", &pushed);
    assert_hidden("PendingSignIn", &pending());
    assert_hidden("Callback", &callback());
    let resumed = pending().resume(callback(), &config(), &metadata(), NOW);
    assert_hidden("ResumedSignIn", &resumed.unwrap());

    let mut machine = complete_sign_in();
    assert_hidden("CompleteSignIn before", &machine);
    let step = machine.poll(NOW);
    assert!(matches!(step, Step::Send { .. }));
    assert_hidden("Step", &step);
    machine.handle(tokens(), NOW);
    assert_hidden("CompleteSignIn within", &machine);
    let done = machine.poll(NOW);
    assert!(matches!(done, Step::Done(Ok(_))));
    // `app_state` belongs to the application, which shows it or does not.
    if let Step::Done(Ok(mut signed_in)) = done {
        signed_in.app_state = None;
        assert_hidden("SignedIn", &signed_in);
    }
}

#[test]
fn b18_the_session_and_its_tokens() {
    let session = session();
    assert_hidden("Session", &session);
    assert_hidden("SessionId", session.id());
    assert_hidden("AccessToken", &session.access_tokens());
    assert_hidden("IdTokenClaims", session.claims());
    assert_hidden("UserClaims", &session.claims().user);
    let (config, metadata) = (config(), metadata());
    let target = TokenTarget::resource("https://api.example.com");
    let keys = SigningKey::es384().key_set(&AwsLcVerifier);
    let refresh = |target: &TokenTarget, keys| {
        let job = job(config.clone(), target, Demand::Usable);
        Refreshing::of(job, metadata.clone(), &session, keys, NOW)
    };
    let mut at_hand = refresh(&TokenTarget::user_info(), None);
    assert_hidden("RefreshOutcome", &at_hand.done());
    let mut refreshing = refresh(&target, Some(keys));
    assert_hidden("Refresh before", refreshing.refresh());
    assert_hidden("Step", &refreshing.poll(NOW));
    let mut rotated = json!({
        "access_token": "hidden-second-access-token",
        "token_type": "Bearer",
        "refresh_token": "hidden-second-refresh-token",
    });
    rotated["id_token"] = json!(session.id_token().unwrap().expose());
    // Without its key the ID token waits while the rest is recorded.
    let mut without_keys = refresh(&target, None);
    without_keys.respond(json_response(200, &rotated), NOW);
    assert_hidden("Refresh within", without_keys.refresh());
    assert_hidden("SessionDelta", &without_keys.recorded());
    refreshing.respond(json_response(200, &rotated), NOW);
    let outcome = refreshing.done();
    assert!(outcome.token.is_ok());
    assert_hidden("VerifiedIdToken", &outcome.delta.id_token.as_ref().unwrap());
    assert_hidden("RefreshOutcome", &outcome);
    for action in outcome.actions.into_iter().chain(without_keys.actions) {
        assert_hidden("Action", &action);
    }
    let stored = || Arc::new(session.clone());
    assert_hidden("Event::Loaded", &Event::<()>::Loaded(stored()));
    assert_hidden("Event::Conflict", &Event::<()>::Conflict(stored()));

    let refresh = || {
        let spent = Secret::from("hidden-refresh-token");
        let scopes = Default::default();
        RefreshTokens::new(&config, &metadata, spent, target.clone(), &scopes, NOW)
    };
    assert_hidden("RefreshTokens", &refresh());
    let refreshed = refresh().accept(json_response(200, &rotated), NOW).unwrap();
    assert_hidden("Refreshed", &refreshed);
    let event = Event::<()>::Response {
        answer: Ok(refreshed),
        sent_at: Duration::ZERO,
    };
    assert_hidden("Event::Response", &event);
}

#[test]
fn b18_signed_tokens() {
    let token = id_token();
    let keys = SigningKey::es384().key_set(&AwsLcVerifier);
    let unverified = UnverifiedJwt::parse(&token, TokenType::IdToken, 1 << 16).unwrap();
    assert_hidden("UnverifiedJwt", &unverified);
    let verified = jwt::verify(&token, &keys, TokenType::IdToken, 1 << 16).unwrap();
    assert_hidden("VerifiedJwt", &verified);
    let verification = IdTokenVerification::new(ISSUER, "app-id")
        .nonce(NONCE)
        .access_token("hidden-access-token");
    assert_hidden("IdTokenVerification", &verification);
    for (token, nonce) in [
        (&*token, "hidden-nonce"),
        (&token[..token.len() - 4], NONCE),
    ] {
        let error = IdTokenVerification::new(ISSUER, "app-id")
            .nonce(nonce)
            .verify(token, &keys, NOW)
            .unwrap_err();
        assert_hidden("TokenError", &error);
        assert_text_hides("TokenError", &error.to_string());
    }
}

#[test]
fn b18_the_other_exchanges() {
    let metadata = metadata();
    let session = session();
    let access_token = &session.access_tokens()[&TokenTarget::user_info()];
    let target = || TokenTarget::resource("https://api.example.com");
    let typed = || TypedToken::access_token("hidden-subject-token");
    assert_hidden("TypedToken", &typed());
    for config in [
        config(),
        with(ClientAuthentication::Post(Secret::from(APP_SECRET))),
        with(ClientAuthentication::SecretJwt(Secret::from(APP_SECRET))),
    ] {
        let token = || Secret::from("hidden-token");
        let user_info = FetchUserInfo::new(&metadata, access_token, "alice").unwrap();
        assert_hidden("FetchUserInfo", &user_info);
        let revoke = RevokeRefreshToken::new(&config, &metadata, token()).unwrap();
        assert_hidden("RevokeRefreshToken", &revoke);
        let introspect = Introspect::new(&config, &metadata, token()).unwrap();
        assert_hidden("Introspect", &introspect);
        let credentials = ClientCredentials::new(&config, &metadata, target(), NOW).unwrap();
        assert_hidden("ClientCredentials", &credentials);
        let exchange = ExchangeToken::new(&config, &metadata, typed(), target(), NOW);
        assert_hidden("ExchangeToken", &exchange.actor_token(typed()));
    }
    let account = AccountApi::new(&config(), access_token).verified_by("hidden-record");
    assert_hidden("AccountApi", &account);
    let request = account.request(http::Method::GET, &["my-account"], None);
    assert_hidden("a request to the Account API", &request.unwrap());
    let sign_out = SignOut::new()
        .id_token_hint(session.id_token().unwrap().clone())
        .state("hidden-state");
    assert_hidden("SignOut", &sign_out);
}

#[test]
fn b18_answers() {
    let user_info: UserInfo =
        serde_json::from_value(json!({"sub": "alice", "name": "hidden-name"})).unwrap();
    assert_hidden("UserInfo", &user_info);
    let introspect = Introspect::new(&config(), &metadata(), Secret::from("t")).unwrap();
    let body = json!({"active": true, "sub": "hidden-user", "client_id": "hidden-client"});
    let introspection: Introspection = introspect.accept(json_response(200, &body), NOW).unwrap();
    assert_hidden("Introspection", &introspection);
    for (status, body) in [
        (200, json!({"access_token": "hidden-token"})),
        (200, json!(["hidden-token"])),
        (400, json!({"message": "hidden-token"})),
        (503, json!({"hidden-token": "hidden-token"})),
    ] {
        let mut machine = complete_sign_in();
        sent(&mut machine);
        machine.handle(json_response(status, &body), NOW);
        let error = done(&mut machine).unwrap_err();
        assert_hidden("Error", &error);
        assert_text_hides("Error", &error.to_string());
    }
}

#[test]
fn b18_devices() {
    let (config, metadata) = (config(), metadata());
    let start = DeviceSignIn::new().start(&config, &metadata, NOW).unwrap();
    assert_hidden("AuthorizeDevice", &start);
    let body = json!({
        "device_code": "hidden-device-code",
        "user_code": "ABCD-EFGH",
        "verification_uri": "https://tenant.logto.app/device",
        "expires_in": 600,
    });
    let device = start.accept(json_response(200, &body), NOW).unwrap();
    assert_hidden("DeviceAuthorization", &device);
    let poll = device.poll(&config, &metadata, NOW.plus(Duration::from_secs(5)));
    assert_hidden("PollDevice", &poll);
    let approved = poll.accept(tokens(), NOW).unwrap();
    assert_hidden("DevicePoll", &approved);
    let DevicePoll::Approved(tokens) = approved else {
        panic!("{approved:?}");
    };
    assert_hidden("UnverifiedTokens", &tokens);
    let name = SessionId::from_random(std::array::from_fn(|index| 96 + index as u8));
    assert_hidden("SessionId", &name);
    let resumed = device.resume(tokens, name);
    assert_hidden("ResumedSignIn of a device", &resumed);
    let mut machine = CompleteSignIn::new(&config, &metadata, resumed, keys());
    assert_hidden("CompleteSignIn of a device", &machine);
    assert_hidden("SignedIn of a device", &done(&mut machine).unwrap());
}

#[test]
fn b18_requests_hide_their_credentials_where_http_lets_them() {
    // A body is not hidden by the `http` crate: that is why `Step` shows none.
    let request = complete_sign_in().poll(NOW);
    let Step::Send { request, .. } = request else {
        panic!("nothing to send");
    };
    let headers = format!("{:?}", request.headers());
    assert!(headers.contains("Sensitive"), "{headers}");
    assert_eq!(request.uri(), "https://tenant.logto.app/oidc/token");
}
