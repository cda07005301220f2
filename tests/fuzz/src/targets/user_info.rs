//! The answer of the userinfo endpoint: status, content type and body, as `input::response` reads them.

use logto_core::{AccessToken, Exchange as _, Secret, user_info::FetchUserInfo};
use logto_recordings::Recording;
use serde_json::{Map, Value, json};

use crate::{
    Verdict,
    application::{NOW, metadata},
    input::{joined, recorded, response},
    undisclosed::assert_undisclosed,
};

/// The user of the recordings.
const SUBJECT: &str = "dknhv6vsaxt5";

/// Handles one input.
pub fn run(data: &[u8]) -> Verdict {
    let token = AccessToken::new(
        Secret::from("the-access-token-1"),
        ["openid".to_owned()].into(),
        NOW,
        NOW,
    );
    let fetch =
        |subject| FetchUserInfo::new(metadata(), &token, subject).expect("there is an endpoint");
    assert_undisclosed(&fetch(SUBJECT), "the-access-token-1", b"");
    let response = response(data);
    let Ok(user_info) = fetch(SUBJECT).accept(response.clone(), NOW) else {
        return Verdict::Refused;
    };
    let said: Map<String, Value> = serde_json::from_slice(response.body()).expect("it is JSON");
    assert_eq!(said["sub"], SUBJECT);
    assert_eq!(user_info.to_map(), said, "a claim is not as it came");
    assert!(fetch("another-user").accept(response, NOW).is_err());
    Verdict::Accepted
}

/// What the fuzzer begins with.
pub fn seeds() -> Vec<Vec<u8>> {
    let odd = json!({
        "sub": SUBJECT,
        "email_verified": "true",
        "updated_at": 1.5,
        "name": null,
        "organization_data": [1],
        "identities": [],
    })
    .to_string();
    let mut seeds = vec![joined([b"200", b"application/json", odd.as_bytes()])];
    for number in [8, 9, 10, 11, 12, 116] {
        seeds.push(recorded(&Recording::load(number).response));
    }
    seeds
}
