//! Callbacks with missing or modified parts are refused.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{StatusCode, header};
use logto_client::seal::{Purpose, SealContext};
use logto_tests::{
    stage::{Deployment, Kind, Stage, codec, key_ring},
    world::{APP_ID, BASE_URL},
};
use url::Url;

/// Where alice comes back to, with the only cookie she has, by name and value.
async fn on_the_way_back(stage: &Stage) -> (Url, String, String) {
    let url = stage.alice.start_sign_in(stage.web(0)).await;
    let back = stage.alice.consent(&url, "alice");
    let (name, value) = stage
        .alice
        .cookies()
        .into_iter()
        .next()
        .expect("the pending sign-in");
    (back, name, value)
}

/// The callback is refused, nobody is signed in, and nothing was asked of the provider.
async fn is_refused(stage: &Stage, back: &Url, why: &str) {
    let response = stage.alice.come_back(stage.web(0), back).await;
    assert_eq!(response.status(), StatusCode::BAD_REQUEST, "{why}");
    assert!(!stage.alice.is_signed_in(stage.web(0)).await, "{why}");
    assert_eq!(stage.token_calls(), 0, "{why}");
    assert!(stage.store.is_empty(), "{why}");
}

const PLACES: [Deployment; 3] = [Deployment::Cookies, Deployment::Memory, Deployment::Store];

#[tokio::test(start_paused = true)]
async fn v31_without_the_pending_sign_in_nothing_is_skipped() {
    for deployment in PLACES {
        let stage = Stage::empty(Kind::Young, deployment).await;
        let (back, name, _) = on_the_way_back(&stage).await;
        stage.alice.lose(&name);
        is_refused(&stage, &back, "the cookie is missing").await;
    }
}

#[tokio::test(start_paused = true)]
async fn v31_b2_a_pending_sign_in_with_any_character_changed_is_none() {
    let stage = Stage::empty(Kind::Young, Deployment::Memory).await;
    let (back, name, value) = on_the_way_back(&stage).await;
    for at in 0..value.len() {
        let mut changed = value.clone().into_bytes();
        changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
        // The last character has bits that are not used.
        if at + 1 == value.len() {
            changed.pop();
        }
        stage
            .alice
            .plant(&name, std::str::from_utf8(&changed).unwrap());
        is_refused(&stage, &back, &format!("character {at} is another")).await;
    }
    for shorter in [0, 1, value.len() / 2, value.len() - 1] {
        stage.alice.plant(&name, &value[..shorter]);
        is_refused(&stage, &back, &format!("only {shorter} characters")).await;
    }
    stage.alice.plant(&name, &value);
    let response = stage.alice.come_back(stage.web(0), &back).await;
    assert_eq!(
        response.status(),
        StatusCode::SEE_OTHER,
        "the whole one is good"
    );
}

#[tokio::test(start_paused = true)]
async fn v31_a_callback_that_lacks_or_changes_a_parameter_is_refused() {
    for deployment in PLACES {
        for parameter in ["state", "code", "iss"] {
            for value in [
                None,
                Some(""),
                Some("something-else-of-some-length-0123456789abcdef"),
            ] {
                if (parameter, value.is_some_and(|value| !value.is_empty())) == ("code", true) {
                    continue; // Whether a code is right only the provider knows.
                }
                let stage = Stage::empty(Kind::Young, deployment).await;
                let (back, ..) = on_the_way_back(&stage).await;
                let mut changed = back.clone();
                changed.query_pairs_mut().clear().extend_pairs(
                    back.query_pairs()
                        .filter(|(name, _)| name != parameter)
                        .chain(value.map(|value| (parameter.into(), value.into()))),
                );
                is_refused(
                    &stage,
                    &changed,
                    &format!("{deployment:?} {parameter} is {value:?}"),
                )
                .await;
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn v31_b2_a_session_cookie_is_no_pending_sign_in() {
    let stage = Stage::empty(Kind::Young, Deployment::Cookies).await;
    stage.alice.sign_in(stage.web(0), "alice").await;
    let session = stage.alice.cookies().remove(codec().name()).unwrap();
    stage.alice.lose(codec().name());
    stage.world.logto.reset_counts();
    let (back, name, _) = on_the_way_back(&stage).await;
    assert!(back.as_str().starts_with(BASE_URL));
    stage.alice.plant(&name, &session);
    is_refused(&stage, &back, "a session in its place").await;
}

/// A key for each purpose: what is sealed for one never opens as another, under the same name too.
#[tokio::test(start_paused = true)]
async fn v31_b2_a_sign_in_is_sealed_as_a_sign_in() {
    let stage = Stage::empty(Kind::Young, Deployment::Cookies).await;
    let url = stage.alice.start_sign_in(stage.web(0)).await;
    let state = url
        .query_pairs()
        .find(|(name, _)| name == "state")
        .unwrap()
        .1;
    let cookies = stage.alice.cookies();
    let (browser, id) = cookies.iter().next().expect("the cookie of the browser");
    for (name, value) in [(codec().name(), &*state), (browser, id)] {
        let sealed = URL_SAFE_NO_PAD.decode(value).unwrap();
        let opens_as = |purpose| {
            let context = SealContext {
                purpose,
                name,
                issuer: stage.world.config().issuer(),
                app_id: APP_ID,
            };
            key_ring().open(&context, &sealed).is_some()
        };
        assert!(opens_as(Purpose::PendingSignIn), "{name}");
        for other in [Purpose::Session, Purpose::Record, Purpose::LastUse] {
            assert!(!opens_as(other), "{name}: {other:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn c7_a_callback_is_good_for_an_hour_in_its_browser_and_starts_again_as_long_in_another() {
    for is_own_browser in [true, false] {
        for is_late in [false, true] {
            let stage = Stage::empty(Kind::Young, Deployment::Memory).await;
            let (back, name, value) = on_the_way_back(&stage).await;
            if is_late {
                stage.world.clock.advance(Duration::from_secs(3_600));
            }
            stage.alice.lose(&name);
            if is_own_browser {
                stage.alice.plant(&name, &value);
            } else {
                // Another tab, which took the cookie at the same moment.
                stage.alice.start_sign_in(stage.web(0)).await;
                assert_ne!(stage.alice.cookies()[&name], value);
            }
            stage.world.logto.reset_counts();
            let response = stage.alice.come_back(stage.web(0), &back).await;
            let what = format!("own browser {is_own_browser}, late {is_late}");
            match (is_own_browser, is_late) {
                (true, false) => assert!(stage.alice.is_signed_in(stage.web(0)).await, "{what}"),
                (false, false) => {
                    let to = response.headers()[header::LOCATION].to_str().unwrap();
                    assert!(
                        to.starts_with(stage.world.config().issuer()),
                        "{what}: {to}"
                    );
                }
                (_, true) => {
                    assert_eq!(response.status(), StatusCode::BAD_REQUEST, "{what}");
                    assert_eq!(stage.token_calls(), 0, "{what}");
                }
            }
        }
    }
}
