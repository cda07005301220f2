//! The device flow.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use bytes::Bytes;
use http::Response;
use logto_core::{
    Error, Exchange, LogtoConfig, Machine, Step, TokenTarget, UnixTime,
    error::{OAuthErrorCode, TokenError, UsageError},
    grants::RefreshTokens,
    jwt::{AwsLcVerifier, KeySet},
    session::{Session, SessionId},
    sign_in::{
        CompleteSignIn, DeviceAuthorization, DevicePoll, DeviceSignIn, IncompleteSignIn,
        ProviderKeys, Remedy,
    },
    vocabulary::UserScope,
};
use logto_recordings::Recording;
use serde_json::{Value, json};

use crate::support::provider::{self, config, form, json_response, metadata, recorded_metadata};

/// When the device flow was recorded.
const NOW: UnixTime = UnixTime::from_secs(1_795_335_864);
const SHOP: &str = "https://shopping.your-app.com/api";
const ORGANIZATIONS: &str = "urn:logto:resource:organizations";

fn device_app() -> LogtoConfig {
    provider::recorded_app("x3rox976h53b7j5rk83xf")
        .scopes([
            UserScope::Email,
            UserScope::Roles,
            UserScope::Organizations,
            UserScope::OrganizationRoles,
        ])
        .scopes(["read:products", "write:products"])
        .resource(SHOP)
        .build()
        .unwrap()
}

fn at(seconds: i64) -> UnixTime {
    UnixTime::from_secs(seconds)
}

fn recorded_device() -> DeviceAuthorization {
    let authorize = DeviceSignIn::new()
        .start(&device_app(), &recorded_metadata(), NOW)
        .unwrap();
    authorize
        .accept(Recording::load(103).response, NOW)
        .unwrap()
}

fn recorded_keys() -> ProviderKeys {
    let keys = KeySet::parse(&Recording::load(2).response.into_body(), &AwsLcVerifier).unwrap();
    ProviderKeys::new(Some(Arc::new(keys)), Arc::new(AwsLcVerifier))
}

/// Answers a device authorization request of [`config`].
fn authorize(answer: &Value) -> Result<DeviceAuthorization, Error> {
    let exchange = DeviceSignIn::new()
        .start(&config(), &metadata(), NOW)
        .unwrap();
    exchange.accept(json_response(200, answer), NOW)
}

fn answer() -> Value {
    json!({
        "device_code": "device code",
        "user_code": "TFTB-LPCC",
        "verification_uri": "https://tenant.logto.app/device",
        "expires_in": 600,
    })
}

fn answer_with(member: &str, value: Value) -> Value {
    let mut answer = answer();
    answer[member] = value;
    answer
}

fn poll(response: Response<Bytes>) -> Result<DevicePoll, Error> {
    let device = authorize(&answer()).unwrap();
    device
        .poll(&config(), &metadata(), NOW)
        .accept(response, NOW)
}

fn refusal(code: &str) -> Response<Bytes> {
    json_response(400, &json!({ "error": code }))
}

#[test]
fn recorded_device_sign_in_ends_in_a_session() {
    let (config, metadata) = (device_app(), recorded_metadata());
    let recorded = Recording::load(103);
    let authorize = DeviceSignIn::new().start(&config, &metadata, NOW).unwrap();
    let request = authorize.request();
    assert_eq!(request.uri(), recorded.request.uri());
    // Logto demands the organization resource for organization tokens; the recorded client did not
    // name it.
    let mut pairs: Vec<(String, String)> = url::form_urlencoded::parse(request.body())
        .into_owned()
        .collect();
    pairs.retain(|(_, value)| value != ORGANIZATIONS);
    let pairs: BTreeMap<String, String> = pairs.into_iter().collect();
    assert_eq!(pairs, form(&recorded.request));

    let device = authorize.accept(recorded.response, NOW).unwrap();
    assert_eq!(device.user_code, "TFTB-LPCC");
    assert_eq!(
        device.verification_uri.as_str(),
        "http://localhost:3001/device"
    );
    assert_eq!(
        device.verification_uri_complete.as_ref().unwrap().as_str(),
        "http://localhost:3001/device?user_code=TFTB-LPCC"
    );
    assert_eq!(device.expires_at, NOW.plus(Duration::from_secs(600)));
    assert_eq!(
        device.next_poll(),
        NOW.plus(Duration::from_secs(5)),
        "no interval means 5 s"
    );

    for number in [104, 105] {
        let recorded = Recording::load(number);
        let request = device.poll(&config, &metadata, NOW).request();
        assert_eq!(form(&request), form(&recorded.request));
        assert_eq!(request.uri(), recorded.request.uri());
    }
    let pending = device.poll(&config, &metadata, NOW);
    let pending = pending.accept(Recording::load(104).response, NOW).unwrap();
    assert!(matches!(pending, DevicePoll::Pending));
    let approved = device.poll(&config, &metadata, NOW);
    let approved = approved.accept(Recording::load(105).response, NOW).unwrap();
    let DevicePoll::Approved(tokens) = approved else {
        panic!("{approved:?}");
    };

    let name = SessionId::from_random([7; 16]);
    let resumed = device.resume(tokens, name);
    let mut machine = CompleteSignIn::new(&config, &metadata, resumed, recorded_keys());
    let Step::Done(Ok(signed_in)) = machine.poll(NOW) else {
        panic!("the keys are there");
    };
    let session = signed_in.session;
    assert_eq!(session.claims().sub, "dknhv6vsaxt5");
    assert_eq!(session.claims().nonce, None);
    assert!(session.has_offline_access());
    assert!(session.requested_resources().contains(ORGANIZATIONS));
    assert!(signed_in.keys.is_none());
    assert!(matches!(
        machine.poll(NOW),
        Step::Done(Err(IncompleteSignIn {
            error: Error::Usage(UsageError::AlreadyDone),
            ..
        }))
    ));
    refreshes_for_the_resource(&config, &session);
}

fn refreshes_for_the_resource(config: &LogtoConfig, session: &Session) {
    let recorded = Recording::load(106);
    let refresh: RefreshTokens = session
        .refresh(
            config,
            &recorded_metadata(),
            &TokenTarget::resource(SHOP),
            NOW,
        )
        .unwrap();
    assert_eq!(form(&refresh.request()), form(&recorded.request));
    let refreshed = refresh.accept(recorded.response, NOW).unwrap();
    assert!(
        refreshed
            .access_token
            .unwrap()
            .scopes
            .contains("read:products")
    );
    assert_ne!(refreshed.refresh_token.as_ref(), session.refresh_token());
}

#[test]
fn the_key_set_is_fetched_when_there_is_none() {
    let (config, metadata, device) = (device_app(), recorded_metadata(), recorded_device());
    let approved = device.poll(&config, &metadata, NOW);
    let approved = approved.accept(Recording::load(105).response, NOW).unwrap();
    let DevicePoll::Approved(tokens) = approved else {
        panic!("{approved:?}");
    };
    let name = SessionId::from_random([7; 16]);
    let none = ProviderKeys::new(None, Arc::new(AwsLcVerifier));
    let resumed = device.resume(tokens, name);
    let mut machine = CompleteSignIn::new(&config, &metadata, resumed, none);
    let Step::Send { request, .. } = machine.poll(NOW) else {
        panic!("there is no key set");
    };
    assert_eq!(request.uri(), "http://localhost:3001/oidc/jwks");
    machine.handle(Recording::load(2).response, NOW);
    let Step::Done(Ok(signed_in)) = machine.poll(NOW) else {
        panic!("the keys are there");
    };
    assert_eq!(signed_in.keys.unwrap().len(), 1);
}

#[test]
fn f5_keys_out_of_reach_fail_the_sign_in_as_trouble_that_passes() {
    let (config, metadata, device) = (device_app(), recorded_metadata(), recorded_device());
    let approved = device.poll(&config, &metadata, NOW);
    let DevicePoll::Approved(tokens) = approved.accept(Recording::load(105).response, NOW).unwrap()
    else {
        panic!("approved");
    };
    let none = ProviderKeys::new(None, Arc::new(AwsLcVerifier));
    let name = SessionId::from_random([7; 16]);
    let resumed = device.resume(tokens, name);
    let mut machine = CompleteSignIn::new(&config, &metadata, resumed, none);
    for attempt in 0..6 {
        assert!(matches!(machine.poll(NOW), Step::Send { .. }));
        machine.handle(json_response(503, &json!({})), NOW);
        if attempt < 5 {
            assert!(matches!(machine.poll(NOW), Step::Wait(_)), "{attempt}");
        }
    }
    assert!(matches!(
        machine.poll(NOW),
        Step::Done(Err(IncompleteSignIn {
            error: Error::Unavailable(_),
            remedy: Remedy::NewSignIn,
            ..
        }))
    ));
}

#[test]
fn an_id_token_for_another_application_is_refused() {
    let (config, metadata, device) = (device_app(), recorded_metadata(), recorded_device());
    let approved = device.poll(&config, &metadata, NOW);
    // The tokens of a traditional application, from the code grant.
    let DevicePoll::Approved(tokens) = approved.accept(Recording::load(6).response, NOW).unwrap()
    else {
        panic!("approved");
    };
    let name = SessionId::from_random([7; 16]);
    let resumed = device.resume(tokens, name);
    let mut machine = CompleteSignIn::new(&config, &metadata, resumed, recorded_keys());
    assert!(matches!(
        machine.poll(NOW),
        Step::Done(Err(IncompleteSignIn {
            error: Error::Token(TokenError::Audience),
            remedy: Remedy::None,
            ..
        }))
    ));
}

#[test]
fn recorded_refusals() {
    let native = provider::recorded_app("hksbco2rbty58k38u8suw")
        .build()
        .unwrap();
    let authorize = DeviceSignIn::new()
        .start(&native, &recorded_metadata(), NOW)
        .unwrap();
    let error = authorize
        .accept(Recording::load(102).response, NOW)
        .unwrap_err();
    assert_eq!(
        error.server().unwrap().error,
        OAuthErrorCode::InvalidRequest
    );

    let device = recorded_device();
    let spent = device.poll(&device_app(), &recorded_metadata(), NOW);
    let error = spent
        .accept(Recording::load(107).response, NOW)
        .unwrap_err();
    assert_eq!(error.server().unwrap().error, OAuthErrorCode::InvalidGrant);
}

#[test]
fn answers_of_the_user_are_no_errors_and_everything_else_is() {
    assert!(matches!(
        poll(refusal("authorization_pending")),
        Ok(DevicePoll::Pending)
    ));
    assert!(matches!(
        poll(refusal("slow_down")),
        Ok(DevicePoll::SlowDown)
    ));
    assert!(matches!(
        poll(refusal("expired_token")),
        Ok(DevicePoll::Expired)
    ));
    assert!(matches!(
        poll(refusal("access_denied")),
        Ok(DevicePoll::Denied)
    ));
    assert!(matches!(
        poll(refusal("invalid_client")),
        Err(Error::Server(_))
    ));
    assert!(matches!(
        poll(json_response(503, &json!({}))),
        Err(Error::Unavailable(_))
    ));
    let html = provider::response(200, "text/html", "<html>");
    assert!(matches!(poll(html), Err(Error::Unavailable(_))));
    assert!(matches!(
        poll(json_response(200, &json!({}))),
        Err(Error::Response(_))
    ));
}

#[test]
fn the_interval_is_kept_grows_with_slow_down_and_doubles_without_an_answer() {
    let mut device = authorize(&answer_with("interval", json!(7))).unwrap();
    assert_eq!(device.next_poll(), NOW.plus(Duration::from_secs(7)));
    device.note(&DevicePoll::Pending, at(1000));
    assert_eq!(device.next_poll(), at(1007));
    device.note(&DevicePoll::SlowDown, at(1007));
    assert_eq!(device.next_poll(), at(1019));
    device.note(&DevicePoll::Pending, at(1019));
    assert_eq!(device.next_poll(), at(1031), "slow_down lasts");
    device.back_off(None, at(1031));
    assert_eq!(device.next_poll(), at(1055));
    device.back_off(Some(Duration::from_secs(55)), at(1055));
    assert_eq!(device.next_poll(), at(1110));
    device.back_off(Some(Duration::from_secs(3_600)), at(1110));
    assert_eq!(device.next_poll(), at(1170), "a minute at most");
    for _ in 0..100 {
        device.back_off(None, at(2000));
    }
    assert_eq!(device.next_poll(), at(2060), "a minute at most");
    device.note(&DevicePoll::SlowDown, at(3000));
    device.back_off(None, at(3000));
    assert_eq!(
        device.next_poll(),
        at(3065),
        "backing off never makes the interval shorter"
    );
}

#[test]
fn the_codes_expire_by_our_clock() {
    let device = authorize(&answer()).unwrap();
    assert!(!device.is_expired(NOW.plus(Duration::from_secs(599))));
    assert!(device.is_expired(NOW.plus(Duration::from_secs(600))));
}

#[test]
fn unusable_answers_are_refused() {
    let table = [
        ("device_code", json!(null)),
        ("device_code", json!("")),
        ("device_code", json!(7)),
        ("user_code", json!(null)),
        ("user_code", json!("")),
        ("user_code", json!("\u{1b}[2J")),
        ("user_code", json!("A".repeat(65))),
        ("verification_uri", json!(null)),
        ("verification_uri", json!("javascript:alert(1)")),
        ("verification_uri", json!("http://tenant.logto.app/device")),
        ("verification_uri_complete", json!("javascript:alert(1)")),
        ("expires_in", json!(null)),
        ("expires_in", json!("10 minutes")),
        ("expires_in", json!(-1)),
        ("interval", json!("5s")),
        ("interval", json!("-5")),
        ("interval", json!(-5)),
    ];
    for (member, value) in table {
        let error = authorize(&answer_with(member, value.clone())).unwrap_err();
        let Error::Response(error) = error else {
            panic!("{member} {value}: {error}");
        };
        assert!(error.problem.contains(member), "{member} {value}: {error}");
    }
}

/// RFC 8628 section 3.2: without an interval it is five seconds. Numbers in strings are what some servers
/// send, and they cannot mean anything else.
#[test]
fn null_members_are_absent_and_numbers_may_be_strings() {
    for interval in [json!(null), json!("5"), json!(5.0)] {
        let device = authorize(&answer_with("interval", interval)).unwrap();
        assert_eq!(device.next_poll(), NOW.plus(Duration::from_secs(5)));
    }
    let device = authorize(&answer_with("verification_uri_complete", json!(null))).unwrap();
    assert_eq!(device.verification_uri_complete, None);
    let device = authorize(&answer_with("expires_in", json!("600"))).unwrap();
    assert_eq!(device.expires_at, NOW.plus(Duration::from_secs(600)));
}

#[test]
fn an_interval_is_at_least_a_second_and_at_most_an_hour() {
    for (interval, expected) in [(json!(0), 1), (json!(0.2), 1), (json!(1e9), 3600)] {
        let device = authorize(&answer_with("interval", interval)).unwrap();
        assert_eq!(device.next_poll(), NOW.plus(Duration::from_secs(expected)));
    }
}

#[test]
fn no_code_is_shown() {
    let device = authorize(&answer()).unwrap();
    let poll = device.poll(&config(), &metadata(), NOW);
    let shown = format!("{device:?} {poll:?}");
    assert!(
        !shown.contains("device code") && !shown.contains("TFTB"),
        "{shown}"
    );
}

#[test]
fn a_malformed_scope_or_a_provider_without_device_flow_is_found_before_the_request() {
    let start = |sign_in: DeviceSignIn| sign_in.start(&config(), &metadata(), NOW);
    let malformed = start(DeviceSignIn::new().scopes(["two words"]));
    assert!(matches!(malformed, Err(UsageError::InvalidParameter(_))));
    let mut document = provider::document();
    document.remove("device_authorization_endpoint");
    let error = DeviceSignIn::new().start(&config(), &provider::metadata_from(document), NOW);
    assert!(matches!(error, Err(UsageError::EndpointNotAdvertised(_))));
}

#[test]
fn scopes_resources_and_prompts_are_those_of_the_sign_in() {
    let exchange = DeviceSignIn::new()
        .scopes(["read:products"])
        .resources([SHOP])
        .prompt([])
        .start(&config(), &metadata(), NOW)
        .unwrap();
    let form = form(&exchange.request());
    assert_eq!(form["scope"], "openid offline_access profile read:products");
    assert_eq!(form["resource"], SHOP);
    assert!(!form.contains_key("prompt"));
}
