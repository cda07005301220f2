//! Webhook signatures.

use aws_lc_rs::hmac;
use http::{HeaderMap, HeaderValue};
use logto_core::{
    Secret, UnixTime,
    webhook::{self, AccountChange, AccountEvent, WebhookError},
};

const SIGNATURE_HEADER: &str = "logto-signature-sha-256";

const KEY: &str = "the signing key";
const BODY: &[u8] = br#"{"event":"User.Created","hookId":"h","createdAt":"2026-11-22T00:00:00Z"}"#;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// As Logto does it: `createHmac('sha256', key).update(body).digest('hex')`.
fn sign(key: &str, body: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes());
    hex(hmac::sign(&key, body).as_ref())
}

fn verify(signatures: &[&str], body: &[u8]) -> Result<(), WebhookError> {
    let mut headers = HeaderMap::new();
    for signature in signatures {
        headers.append(SIGNATURE_HEADER, HeaderValue::from_str(signature).unwrap());
    }
    webhook::verify(&Secret::from(KEY), &headers, body)
}

#[test]
fn rfc_4231_test_case_2() {
    // The header's name as Logto documents it.
    let mut headers = HeaderMap::new();
    headers.insert(
        "logto-signature-sha-256",
        HeaderValue::from_static(
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        ),
    );
    let body = b"what do ya want for nothing?";
    assert_eq!(
        webhook::verify(&Secret::from("Jefe"), &headers, body),
        Ok(())
    );
    assert!(webhook::verify(&Secret::from("jefe"), &headers, body).is_err());
}

#[test]
fn the_signature_is_that_of_the_bytes_as_they_arrived() {
    let signature = sign(KEY, BODY);
    assert_eq!(verify(&[&signature], BODY), Ok(()));
    assert_eq!(verify(&[&signature.to_uppercase()], BODY), Ok(()));
    assert_eq!(verify(&[&sign(KEY, b"")], b""), Ok(()));
    let written_again: serde_json::Value = serde_json::from_slice(BODY).unwrap();
    let written_again = serde_json::to_vec_pretty(&written_again).unwrap();
    assert_eq!(
        verify(&[&signature], &written_again),
        Err(WebhookError::Signature)
    );
}

#[test]
fn everything_else_is_refused() {
    let good = sign(KEY, BODY);
    assert_eq!(verify(&[], BODY), Err(WebhookError::Header));
    assert_eq!(verify(&[&good, &good], BODY), Err(WebhookError::Header));
    let other_key = sign("another key", BODY);
    let half = &good[..32];
    let odd = &good[..63];
    let long = format!("{good}00");
    let prefixed = format!("sha256={good}");
    let no_digit = format!("g{}", &good[1..]);
    let last_digit = format!(
        "{}{}",
        &good[..63],
        if good.ends_with('0') { '1' } else { '0' }
    );
    for wrong in [
        "",
        &other_key,
        half,
        odd,
        &long,
        &prefixed,
        &no_digit,
        &last_digit,
        &hex(&[0; 32]),
    ] {
        assert_eq!(
            verify(&[wrong], BODY),
            Err(WebhookError::Signature),
            "{wrong}"
        );
    }
    let mut headers = HeaderMap::new();
    headers.insert(
        SIGNATURE_HEADER,
        HeaderValue::from_bytes(&[0xff; 64]).unwrap(),
    );
    let refused = webhook::verify(&Secret::from(KEY), &headers, BODY);
    assert_eq!(refused, Err(WebhookError::Signature));
}

#[test]
fn an_empty_key_signs_nothing() {
    let mut headers = HeaderMap::new();
    headers.insert(
        SIGNATURE_HEADER,
        HeaderValue::from_str(&sign("", BODY)).unwrap(),
    );
    let refused = webhook::verify(&Secret::from(""), &headers, BODY);
    assert_eq!(
        refused,
        Err(WebhookError::Signature),
        "a forgotten key is not an open door"
    );
}

/// What a webhook with a right signature asks for.
fn change(body: &str) -> Result<Option<AccountChange>, WebhookError> {
    let mut headers = HeaderMap::new();
    let signature = sign(KEY, body.as_bytes());
    headers.insert(SIGNATURE_HEADER, signature.parse().unwrap());
    webhook::account_change(&Secret::from(KEY), &headers, body.as_bytes())
}

const AT: &str = r#""createdAt":"2026-11-28T02:26:10.123Z""#;

#[test]
fn an_event_that_ends_sessions_says_whose_and_when() {
    use AccountEvent::{Deleted, PasswordChanged, Suspended};
    for (event, body) in [
        (
            Deleted,
            r#""event":"User.Deleted","params":{"userId":"alice"},"data":null"#,
        ),
        (
            Suspended,
            r#""event":"User.SuspensionStatus.Updated","data":{"id":"alice","isSuspended":true}"#,
        ),
        (
            PasswordChanged,
            r#""event":"PostResetPassword","userId":"alice""#,
        ),
        (
            PasswordChanged,
            r#""event":"User.Data.Updated","matchedRoute":"/users/:userId/password","data":{"id":"alice"}"#,
        ),
        (
            PasswordChanged,
            r#""event":"User.Data.Updated","path":"/api/my-account/password","data":{"id":"alice"}"#,
        ),
    ] {
        let change = change(&format!("{{{body},{AT}}}")).unwrap().unwrap();
        assert_eq!((change.event(), change.sub()), (event, "alice"), "{body}");
        assert_eq!(change.at(), UnixTime::from_secs(1_795_832_770));
    }
}

#[test]
fn other_events_end_nothing() {
    for body in [
        r#""event":"User.Created","data":{"id":"alice"}"#,
        r#""event":"User.SuspensionStatus.Updated","data":{"id":"alice","isSuspended":false}"#,
        r#""event":"User.SuspensionStatus.Updated","data":{"id":"alice","isSuspended":"true"}"#,
        r#""event":"User.Data.Updated","matchedRoute":"/users/:userId/roles","data":{"id":"alice"}"#,
        r#""event":"User.Data.Updated","data":{"id":"alice"}"#,
    ] {
        assert_eq!(change(&format!("{{{body},{AT}}}")), Ok(None), "{body}");
    }
}

#[test]
fn an_event_that_does_not_say_whose_sessions_or_when_is_an_error() {
    let deleted = r#"{"event":"User.Deleted""#;
    for body in [
        "",
        "[]",
        r#"{"data":{"id":"alice"}}"#,
        r#"{"event":7}"#,
        &format!("{deleted},{AT}}}"),
        &format!(r#"{deleted},"data":{{"id":7}},{AT}}}"#),
        &format!(r#"{deleted},"userId":"alice"}}"#),
        &format!(r#"{deleted},"userId":"alice","createdAt":"yesterday"}}"#),
    ] {
        assert_eq!(change(body), Err(WebhookError::Body), "{body}");
    }
    let unsigned = webhook::account_change(&Secret::from(KEY), &HeaderMap::new(), b"{}");
    assert_eq!(unsigned, Err(WebhookError::Header));
}
