//! Fetching the JWKS, and when to fetch it again.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Method, Response};
use logto_core::{
    Exchange, UnixTime,
    discovery::{Discover, FetchKeys, FetchedKeys},
    error::Advice,
    freshness::{Freshness, FreshnessPolicy, Lookup},
    jwt::AwsLcVerifier,
    metadata::ProviderMetadata,
};
use logto_recordings::Recording;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::provider::{self, NOW, config, document, document_with, header, json_response};

fn fetch_keys() -> FetchKeys {
    FetchKeys::new(&provider::metadata(), Arc::new(AwsLcVerifier))
}

#[test]
fn t16_the_keys_come_from_the_advertised_address() {
    for path in ["jwks", "other/keys?v=2"] {
        let address = format!("https://tenant.logto.app/oidc/{path}");
        let metadata = provider::metadata_from(document_with("jwks_uri", json!(address)));
        let request = FetchKeys::new(&metadata, Arc::new(AwsLcVerifier)).request();
        assert_eq!(request.method(), Method::GET);
        assert_eq!(request.uri().to_string(), address);
        assert_eq!(header(&request, "authorization"), None);
    }
}

#[test]
fn r33_the_recorded_keys_are_fetched_once_and_confirmed_by_their_entity_tag() {
    let metadata = provider::recorded_metadata();
    let fetch = FetchKeys::new(&metadata, Arc::new(AwsLcVerifier));
    let recording = Recording::load(2);
    assert_eq!(fetch.request().uri(), recording.request.uri());
    let FetchedKeys::New { keys, etag } = fetch.clone().accept(recording.response, NOW).unwrap()
    else {
        panic!("no new keys");
    };
    let kids: Vec<&str> = keys.kids().collect();
    assert_eq!(kids, ["AmApishBHd1yyIP7hoqtfnU6_82NhjHLw-pNbyCr4z8"]);

    let conditional = fetch.clone().if_none_match(etag);
    let recording = Recording::load(3);
    let request = conditional.request();
    assert_eq!(
        header(&request, "if-none-match"),
        header(&recording.request, "if-none-match")
    );
    let confirmed = conditional.accept(recording.response, NOW).unwrap();
    assert!(matches!(confirmed, FetchedKeys::NotModified));

    // Nobody asked: then there is nothing that could be unmodified.
    let unasked = fetch.accept(Recording::load(3).response, NOW);
    assert_eq!(unasked.unwrap_err().code(), "invalid_response");
}

#[test]
fn r34_the_recorded_key_sets_around_a_rotation() {
    for (number, kids) in [
        (
            118,
            vec![
                "0NmywcSkDaKMlXCTS48QACPQbL3XjOUCAL2XdnCaVWQ",
                "AmApishBHd1yyIP7hoqtfnU6_82NhjHLw-pNbyCr4z8",
            ],
        ),
        (119, vec!["Oyh0GWgVzD9rT_MrwICMdlA3mhXv2Ul_ePKScWhnL-0"]),
    ] {
        let response = Recording::load(number).response;
        let FetchedKeys::New { keys, .. } = fetch_keys().accept(response, NOW).unwrap() else {
            panic!("no new keys");
        };
        assert_eq!(keys.kids().collect::<Vec<_>>(), kids, "{number}");
    }
}

#[test]
fn c35_r25_a_failed_fetch_is_tried_again_and_keeps_the_last_good_value() {
    let at = |seconds: i64| UnixTime::from_secs(NOW.as_secs() + seconds);
    let mut freshness = Freshness::new(FreshnessPolicy::METADATA);
    let mut cached: Option<ProviderMetadata> = None;
    let mut attempt = |freshness: &mut Freshness, seconds: i64, response: Response<Bytes>| {
        match Discover::new(&config()).accept(response, at(seconds)) {
            Ok(metadata) => {
                freshness.fetched(at(seconds));
                cached = Some(metadata);
            }
            Err(error) => {
                let Advice::Retry { after } = error.advice() else {
                    panic!("{error}");
                };
                freshness.failed(at(seconds), after);
            }
        }
        cached.is_some()
    };
    let down = || {
        Response::builder()
            .status(503)
            .header("retry-after", "5")
            .body(Bytes::new())
            .unwrap()
    };
    let up = || json_response(200, &Value::Object(document()));

    assert_eq!(freshness.lookup(at(0)), Lookup::Fetch);
    assert!(!attempt(&mut freshness, 0, down()));
    assert_eq!(
        freshness.lookup(at(2)),
        Lookup::Wait(Duration::from_secs(3))
    );
    assert_eq!(freshness.lookup(at(5)), Lookup::Fetch);
    assert!(attempt(&mut freshness, 5, up()));
    assert_eq!(freshness.lookup(at(6)), Lookup::Hit);
    assert_eq!(freshness.lookup(at(5 + 3600)), Lookup::HitAndRefresh);
    assert!(attempt(&mut freshness, 5 + 3600, down()));
    assert_eq!(freshness.lookup(at(5 + 3601)), Lookup::Hit);
    assert_eq!(freshness.lookup(at(5 + 3605)), Lookup::HitAndRefresh);
    assert_eq!(freshness.lookup(at(5 + 24 * 3600)), Lookup::Fetch);
}

proptest! {
    #[test]
    fn c35_r24_no_sequence_of_times_panics_or_exceeds_the_allowance(
        events in prop::collection::vec((any::<i64>(), 0_u8..4, any::<u64>()), 0..50),
    ) {
        let mut freshness = Freshness::new(FreshnessPolicy::KEYS);
        for (seconds, event, pause) in events {
            let now = UnixTime::from_secs(seconds);
            match event {
                0 => freshness.fetched(now),
                1 => freshness.failed(now, Some(Duration::from_secs(pause))),
                2 => {
                    let allowed = (0..100).filter(|_| freshness.fetch_for_unknown_key(now).is_ok()).count();
                    prop_assert!(allowed <= 4);
                }
                _ => {
                    let _ = freshness.lookup(now);
                }
            }
        }
    }
}
