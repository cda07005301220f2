//! A hundred thousand tokens with unknown key ids.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};

use crate::api::{Api, until_idle};

const TOKENS: u32 = 100_000;
/// How often a good token comes among them.
const GOOD: u32 = 1000;
/// How much time the flood takes, in seconds.
const SECONDS: u32 = 100;
/// Four at once, one more in 30 seconds, and one because the keys are needed at all.
const MAX_FETCHES: usize = 4 + 100 / 30 + 1;

/// The good token under another `kid`.
struct MadeUp {
    rest: String,
}

impl MadeUp {
    fn of(token: &str) -> Self {
        let (_, rest) = token.split_once('.').unwrap();
        Self {
            rest: rest.to_owned(),
        }
    }

    fn token(&self, number: u32) -> String {
        let header = format!(r#"{{"alg":"ES384","typ":"at+jwt","kid":"made-up-{number}"}}"#);
        format!("{}.{}", BASE64_URL_SAFE_NO_PAD.encode(header), self.rest)
    }
}

/// Sends the flood: every made-up token gets `made_up`, every good one 200.
async fn flood(api: &Api, made_up: &[u16]) {
    let good = api.token();
    let flood = MadeUp::of(&good);
    for number in 0..TOKENS {
        if number % (TOKENS / SECONDS) == 0 {
            api.advance(1);
        }
        let status = api.status(&flood.token(number)).await;
        assert!(made_up.contains(&status), "{number}: {status}");
        if number % GOOD == 0 {
            assert_eq!(api.status(&good).await, 200, "{number}");
            assert_eq!(
                api.status(&api.token()).await,
                200,
                "{number}: never seen before"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn r24_a_flood_of_unknown_keys_is_not_passed_on() {
    let api = Api::new();
    // As long as the keys may not be fetched again, nobody can say whether the issuer has such a key.
    flood(&api, &[401, 503]).await;
    assert!(api.key_fetches() <= MAX_FETCHES, "{}", api.key_fetches());

    // And a rotation after it is noticed as soon as the allowance has one more.
    api.advance(30);
    api.world
        .logto
        .rotate_keys(logto_testkit::KeyType::Ec)
        .unwrap();
    assert_eq!(api.status(&api.token()).await, 200);
}

#[tokio::test(start_paused = true)]
async fn r24_f4_a_flood_while_the_provider_is_down_spares_it_and_the_good_tokens() {
    let api = Api::new();
    assert_eq!(api.status(&api.token()).await, 200);
    api.break_down();
    flood(&api, &[503]).await;
    assert!(api.key_fetches() <= MAX_FETCHES, "{}", api.key_fetches());
    api.recover();
    api.advance(601);
    assert_eq!(api.status(&api.token()).await, 200);
    until_idle().await;
    let made_up = MadeUp::of(&api.token()).token(0);
    assert_eq!(
        api.status(&made_up).await,
        401,
        "the provider can be asked again"
    );
}

#[tokio::test(start_paused = true)]
async fn r24_f5_a_flood_before_there_are_keys_waits_with_everybody_and_recovers() {
    let api = Api::new();
    api.break_down();
    let good = api.token();
    let flood = MadeUp::of(&good);
    for number in 0..TOKENS {
        if number % (TOKENS / SECONDS) == 0 {
            api.advance(1);
        }
        assert_eq!(api.status(&flood.token(number)).await, 503, "{number}");
    }
    assert_eq!(api.status(&good).await, 503);
    let asked = api.world.logto.requests().len();
    assert!(asked <= 8, "pauses that double, up to a minute: {asked}");
    api.recover();
    api.advance(61);
    assert_eq!(api.status(&good).await, 200);
}
