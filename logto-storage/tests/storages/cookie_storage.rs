//! `CookieStorage`: sealing, size limits, and what is dropped to fit.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, Weak},
    time::Duration,
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{HeaderMap, HeaderValue, header};
use logto_client::{
    entropy::OsEntropy,
    seal::{Purpose, SealContext, SealKey},
    storage::{
        Handle, Logout, Replaced, SessionReader, SessionStorage, StorageError, Stored, Version,
    },
    web::cookies::CookieOptions,
};
use logto_core::{
    AccessToken, Session, TokenTarget, UnixTime,
    session::{SessionData, SessionDelta},
};
use logto_storage::{CookieStorage, Lifetimes, Overflow, conformance::Sample};
use proptest::prelude::*;
use url::Url;

use crate::common::{NOW, NoEntropy, codec, config, cookie_storage, ring};

const TENANT: &str = "https://tenant.logto.app";

fn session(access_tokens: usize, organizations: usize) -> Session {
    Sample {
        access_tokens,
        organizations,
        ..Sample::default()
    }
    .build()
    .unwrap()
}

async fn opens(storage: &CookieStorage, handle: &str) -> bool {
    storage
        .load(&Handle::new(handle), NOW)
        .await
        .unwrap()
        .is_some()
}

/// The session as a browser keeps it and brings it back, and the bytes it carries.
async fn through_a_browser(
    storage: &CookieStorage,
    handle: &Handle,
    budget: usize,
) -> (Arc<Session>, usize) {
    let codec = codec(budget);
    let written = codec.write(&Default::default(), handle, 0).unwrap();
    assert_eq!(written.left_out, 0);
    let mut jar = BTreeMap::new();
    for cookie in &written.set_cookies {
        assert!(cookie.len() <= 4_096, "{} bytes", cookie.len());
        let (pair, _) = cookie.to_str().unwrap().split_once(';').unwrap();
        let (name, value) = pair.split_once('=').unwrap();
        assert!(jar.insert(name, value).is_none());
    }
    let pairs: Vec<String> = jar
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let cookie = pairs.join("; ");
    let mut request = HeaderMap::new();
    request.insert(header::COOKIE, HeaderValue::from_str(&cookie).unwrap());
    let handles = codec.read(&request).handles().to_vec();
    let [candidate] = handles.as_slice() else {
        panic!("{handles:?}")
    };
    let stored = storage.load(candidate, NOW).await.unwrap().unwrap();
    (stored.session, cookie.len())
}

#[tokio::test]
async fn b2_every_flipped_bit_of_a_session_cookie_is_no_session() {
    let storage = cookie_storage();
    let (handle, _) = storage.create(&session(1, 1), NOW).await.unwrap();
    assert!(opens(&storage, handle.value()).await);

    let sealed = URL_SAFE_NO_PAD.decode(handle.value()).unwrap();
    for bit in 0..sealed.len() * 8 {
        let mut tampered = sealed.clone();
        tampered[bit / 8] ^= 1 << (bit % 8);
        assert!(
            !opens(&storage, &URL_SAFE_NO_PAD.encode(tampered)).await,
            "bit {bit}"
        );
    }
    let characters = handle.value().as_bytes();
    for bit in 0..characters.len() * 8 {
        let mut tampered = characters.to_vec();
        tampered[bit / 8] ^= 1 << (bit % 8);
        let Ok(tampered) = String::from_utf8(tampered) else {
            continue;
        };
        assert!(!opens(&storage, &tampered).await, "character bit {bit}");
    }
    for length in 0..handle.value().len() {
        assert!(
            !opens(&storage, &handle.value()[..length]).await,
            "first {length}"
        );
    }
}

#[tokio::test]
async fn b2_a_cookie_of_another_key_name_issuer_or_application_is_no_session() {
    let (handle, _) = cookie_storage().create(&session(1, 1), NOW).await.unwrap();
    let other_name = CookieOptions::new(&Url::parse("https://app.example.com").unwrap(), "app");
    let other_name = other_name.name("other").build().unwrap();
    let ours = config(TENANT, "app");
    for (storage, opened) in [
        (CookieStorage::new(ring(1), &ours, &codec(8_192)), true),
        (CookieStorage::new(ring(2), &ours, &codec(8_192)), false),
        (CookieStorage::new(ring(1), &ours, &other_name), false),
        (
            CookieStorage::new(
                ring(1),
                &config("https://other.logto.app", "app"),
                &codec(8_192),
            ),
            false,
        ),
        (
            CookieStorage::new(ring(1), &config(TENANT, "other"), &codec(8_192)),
            false,
        ),
    ] {
        assert_eq!(opens(&storage, handle.value()).await, opened, "{storage:?}");
    }
}

#[tokio::test]
async fn b2_a_pending_sign_in_is_not_taken_for_a_session() {
    let storage = cookie_storage();
    let (handle, _) = storage.create(&session(1, 1), NOW).await.unwrap();
    let sealed = URL_SAFE_NO_PAD.decode(handle.value()).unwrap();
    let (name, config) = (codec(8_192).name().to_owned(), config(TENANT, "app"));
    let context = |purpose| SealContext {
        purpose,
        name: &name,
        issuer: config.issuer(),
        app_id: config.app_id(),
    };
    // The same record, sealed by the same key for another purpose.
    let record = ring(1)
        .open(&context(Purpose::Session), &sealed)
        .expect("the context is right");
    for purpose in [Purpose::PendingSignIn, Purpose::Record] {
        let confused = ring(1)
            .seal(&context(purpose), &record, &OsEntropy)
            .unwrap();
        assert!(
            !opens(&storage, &URL_SAFE_NO_PAD.encode(confused)).await,
            "{purpose:?}"
        );
    }
}

#[tokio::test]
async fn b3_sessions_survive_a_change_of_keys_until_the_old_one_is_retired() {
    let storage = |ring| CookieStorage::new(ring, &config(TENANT, "app"), &codec(8_192));
    let (handle, _) = storage(ring(1)).create(&session(1, 1), NOW).await.unwrap();
    let rotating = storage(ring(2).with_previous_key(SealKey::new(&[1; 32])));
    let stored = rotating.load(&handle, NOW).await.unwrap().unwrap();

    let replaced = rotating
        .replace(&handle, stored.version, &stored.session, NOW)
        .await
        .unwrap();
    let Replaced::Stored {
        handle: resealed, ..
    } = replaced
    else {
        panic!("{replaced:?}")
    };
    let rotated = storage(ring(2));
    assert!(!opens(&rotated, handle.value()).await);
    assert!(opens(&rotated, resealed.expose()).await);
}

#[tokio::test]
async fn b4_the_same_session_is_never_sealed_alike() {
    let storage = cookie_storage();
    let mut handles = BTreeSet::new();
    for _ in 0..100 {
        let (handle, _) = storage.create(&session(1, 1), NOW).await.unwrap();
        assert!(handles.insert(handle.value().to_owned()));
    }
}

#[tokio::test]
async fn b5_an_old_cookie_is_dead_whatever_the_browser_keeps() {
    let day = Duration::from_secs(24 * 3600);
    let storage = cookie_storage();
    let (handle, _) = storage.create(&session(1, 1), NOW).await.unwrap();
    for (after, alive) in [
        (0, true),
        (13, true),
        (14, false),
        (180, false),
        (100_000, false),
    ] {
        let found = storage.load(&handle, NOW.plus(day * after)).await.unwrap();
        assert_eq!(found.is_some(), alive, "after {after} days");
    }
}

#[tokio::test]
async fn b5_no_lifetime_overflows() {
    for (idle, absolute, alive) in [
        (Duration::MAX, Duration::MAX, true),
        (Duration::MAX, Duration::ZERO, false),
        (Duration::ZERO, Duration::MAX, false),
    ] {
        let storage = cookie_storage().lifetimes(Lifetimes { idle, absolute });
        let (handle, _) = storage.create(&session(0, 0), NOW).await.unwrap();
        let centuries = NOW.plus(Duration::from_secs(10_000_000_000));
        assert_eq!(
            storage.load(&handle, centuries).await.unwrap().is_some(),
            alive
        );
        let the_end = UnixTime::from_secs(i64::MAX);
        assert!(storage.load(&handle, the_end).await.unwrap().is_none());
    }
}

#[tokio::test]
async fn b6_s8_one_to_a_thousand_organizations_and_twelve_tokens_fit() {
    let sizes = (1..40)
        .chain((40..300).step_by(20))
        .chain((300..=1_000).step_by(50));
    for organizations in sizes {
        for access_tokens in [0, 1, 2, 3, 5, 8, 12] {
            let session = session(access_tokens, organizations);
            let storage = cookie_storage();
            let (handle, _) = storage.create(&session, NOW).await.unwrap();
            let (found, carried) = through_a_browser(&storage, &handle, 8_192).await;
            let case = (organizations, access_tokens);
            assert!(carried <= 8_192, "{case:?}");
            assert_eq!(found.id(), session.id());
            assert_eq!(found.refresh_token(), session.refresh_token());
            assert_eq!(found.granted_scopes(), session.granted_scopes());
            let kept = found.access_tokens();
            assert!(
                kept.iter()
                    .all(|(t, token)| session.access_tokens().get(t) == Some(token))
            );
            if organizations <= 300 {
                assert_eq!(found.id_token(), session.id_token(), "{case:?}");
                assert_eq!(found.claims(), session.claims());
            } else if found.id_token().is_none() {
                let mut expected = session.clone();
                assert!(expected.forget_organizations());
                assert_eq!(found.claims(), expected.claims());
                let few = access_tokens.min(5);
                assert!(kept.len() >= few, "there is room again: {case:?}");
            }
        }
    }
}

/// What was left out comes back with the next ID token, and a session that changes elsewhere stays as it
/// is.
#[tokio::test]
async fn b6_a_session_without_its_organizations_goes_on() {
    let storage = cookie_storage();
    let (handle, _) = storage.create(&session(3, 1_000), NOW).await.unwrap();
    let Stored {
        session: mut shortened,
        version,
    } = storage.load(&handle, NOW).await.unwrap().unwrap();
    assert!(shortened.id_token().is_none());
    assert!(shortened.claims().user.organizations.is_absent());
    assert_eq!(shortened.claims().sub, session(3, 1_000).claims().sub);
    assert_eq!(
        shortened.claims().user.email,
        session(3, 1_000).claims().user.email
    );
    let shortened = Arc::make_mut(&mut shortened);
    assert!(!shortened.forget_organizations(), "there are none left");

    shortened.forget(&TokenTarget::user_info());
    let replaced = storage.replace(&handle, version, shortened, NOW).await;
    let Replaced::Stored { handle, .. } = replaced.unwrap() else {
        panic!("nobody was faster")
    };
    let found = storage.load(&handle, NOW).await.unwrap().unwrap().session;
    assert_eq!(found, Arc::new(shortened.clone()));
}

#[tokio::test]
async fn b5_a_session_that_was_opened_is_kept_for_a_minute_and_shared() {
    let kept = cookie_storage();
    let (handle, _) = kept.create(&session(2, 0), NOW).await.unwrap();
    let load = async |storage: &CookieStorage, later| {
        let now = NOW.plus(Duration::from_secs(later));
        storage.load(&handle, now).await.unwrap().unwrap()
    };
    let first = load(&kept, 0).await;
    for (later, is_kept) in [(0, true), (59, true), (60, false)] {
        let again = load(&kept, later).await;
        assert_eq!(again, first);
        let is_same = Arc::ptr_eq(&again.session, &first.session);
        assert_eq!(is_same, is_kept, "{later}");
    }
    let not_kept = cookie_storage().keep_opened(0);
    let again = load(&not_kept, 0).await;
    assert!(!Arc::ptr_eq(
        &again.session,
        &load(&not_kept, 0).await.session
    ));
}

#[tokio::test]
async fn b2_nothing_but_the_same_cookies_finds_what_was_opened() {
    let storage = cookie_storage();
    let (handle, _) = storage.create(&session(1, 0), NOW).await.unwrap();
    let opened = storage.load(&handle, NOW).await.unwrap().unwrap();
    let text = handle.expose();
    for place in 0..text.len() {
        let other = if &text[place..=place] == "A" {
            "B"
        } else {
            "A"
        };
        let tampered = [&text[..place], other, &text[place + 1..]].concat();
        let found = storage.load(&Handle::new(tampered), NOW).await.unwrap();
        // A part that is not of the session is no part of it, and the dot before a part belongs to the value.
        let is_in_value = place <= handle.value().len();
        assert!(found.is_none() || !is_in_value, "{place}");
        let shared = found.is_some_and(|found| Arc::ptr_eq(&found.session, &opened.session));
        assert!(!shared, "{place}");
    }
}

#[tokio::test]
async fn b5_what_was_opened_ends_with_the_session() {
    let lifetimes = Lifetimes {
        idle: Duration::from_secs(30),
        ..Lifetimes::default()
    };
    let logout = |sub: &str| Logout {
        sid: None,
        sub: Some(sub.to_owned()),
        at: UnixTime::from_secs(i64::MAX),
    };
    let storage = cookie_storage().lifetimes(lifetimes);
    let (handle, _) = storage.create(&session(1, 0), NOW).await.unwrap();
    let (newer, _) = storage.create(&session(1, 0), NOW).await.unwrap();
    let open = async |handle| {
        let found = storage.load(handle, NOW).await.unwrap().unwrap();
        (
            Arc::downgrade(&found.session),
            found.session.claims().sub.clone(),
        )
    };
    let is_kept = |session: &Weak<Session>| session.upgrade().is_some();

    let ((opened, sub), (elsewhere, _)) = (open(&handle).await, open(&newer).await);
    assert!(is_kept(&opened) && is_kept(&elsewhere));
    storage.remove_all(&logout("somebody else")).await.unwrap();
    assert!(is_kept(&opened));
    storage.remove_all(&logout(&sub)).await.unwrap();
    assert!(!is_kept(&opened) && !is_kept(&elsewhere), "logged out");

    let ((opened, _), (elsewhere, _)) = (open(&handle).await, open(&newer).await);
    storage.remove(&handle).await.unwrap();
    assert!(
        !is_kept(&opened) && !is_kept(&elsewhere),
        "by whatever cookie"
    );

    let (opened, _) = open(&handle).await;
    storage.forget_opened(&handle);
    assert!(!is_kept(&opened), "found to be over");

    let (opened, _) = open(&handle).await;
    let idle_end = NOW.plus(lifetimes.idle);
    assert_eq!(storage.load(&handle, idle_end).await.unwrap(), None);
    assert!(!is_kept(&opened), "idle for too long");
}

#[tokio::test]
async fn b6_a_larger_budget_carries_a_thousand_organizations() {
    let budget = 32_768;
    let config = config(TENANT, "app");
    let storage = CookieStorage::new(ring(1), &config, &codec(budget));
    let session = session(12, 1_000);
    let (handle, _) = storage.create(&session, NOW).await.unwrap();
    let (found, carried) = through_a_browser(&storage, &handle, budget).await;
    assert_eq!(*found, session);
    assert!(carried <= budget);
}

#[tokio::test]
async fn b6_what_does_not_fit_is_an_error_that_names_the_way_out() {
    let long = "x".repeat(60_000);
    let mut session = serde_json::to_value(session(0, 0)).unwrap();
    session["requested_resources"] = serde_json::json!([format!("https://api.example.com/{long}")]);
    let session = serde_json::from_value(session).unwrap();
    let error = cookie_storage().create(&session, NOW).await.unwrap_err();
    assert!(matches!(error, StorageError::TooLarge { .. }), "{error}");
    assert!(error.to_string().contains("store on the server"), "{error}");
}

#[tokio::test]
async fn without_randomness_nothing_is_sealed_and_what_was_sealed_opens() {
    let (handle, version) = cookie_storage().create(&session(1, 1), NOW).await.unwrap();
    let storage = cookie_storage().entropy(NoEntropy);
    let created = storage.create(&session(1, 1), NOW).await;
    let replaced = storage.replace(&handle, version, &session(2, 1), NOW).await;
    for error in [created.unwrap_err(), replaced.unwrap_err()] {
        assert!(matches!(error, StorageError::Unavailable(_)), "{error:?}");
        assert!(error.to_string().contains("out of order"), "{error}");
    }
    assert!(opens(&storage, handle.value()).await);
}

#[tokio::test]
async fn b6_access_tokens_are_left_out_longest_unused_first() {
    let reports = Arc::new(Mutex::new(Vec::<Overflow>::new()));
    let sink = reports.clone();
    let storage = cookie_storage().on_overflow(move |o| sink.lock().unwrap().push(o.clone()));
    let session = session(12, 10);
    let (handle, _) = storage.create(&session, NOW).await.unwrap();
    let found = storage.load(&handle, NOW).await.unwrap().unwrap().session;

    let mut by_use: Vec<_> = session.access_tokens().iter().collect();
    by_use.sort_by_key(|(_, token)| token.last_used);
    let kept: Vec<bool> = by_use
        .iter()
        .map(|(target, _)| found.access_tokens().contains_key(target))
        .collect();
    let dropped = kept.iter().filter(|kept| !**kept).count();
    assert!(dropped > 0 && dropped < 12, "{kept:?}");
    assert!(
        kept.is_sorted(),
        "only the longest unused are missing: {kept:?}"
    );

    let reports = reports.lock().unwrap();
    let [report] = reports.as_slice() else {
        panic!("{reports:?}")
    };
    let expected: Vec<TokenTarget> = by_use
        .iter()
        .take(dropped)
        .map(|(target, _)| (*target).clone())
        .collect();
    assert_eq!(report.dropped, expected);
    assert!(report.size > report.limit);
}

#[tokio::test]
async fn b6_expired_access_tokens_go_before_the_longest_unused() {
    let mut session = serde_json::to_value(session(12, 10)).unwrap();
    let tokens = session["access_tokens"].as_array_mut().unwrap();
    let last_used = |entry: &serde_json::Value| entry[1]["last_used"].as_i64().unwrap();
    let newest = tokens
        .iter_mut()
        .max_by_key(|entry| last_used(entry))
        .unwrap();
    newest[1]["expires_at"] = NOW.as_secs().into();
    let session: Session = serde_json::from_value(session).unwrap();
    let (expired, _) = session
        .access_tokens()
        .iter()
        .find(|(_, token)| token.expires_at == NOW)
        .unwrap();

    let storage = cookie_storage();
    let (handle, _) = storage.create(&session, NOW).await.unwrap();
    let found = storage.load(&handle, NOW).await.unwrap().unwrap().session;
    assert!(!found.access_tokens().contains_key(expired));
    assert!(!found.access_tokens().is_empty());
}

#[tokio::test]
async fn b6_what_nothing_could_fetch_again_is_not_left_out() {
    let session = Sample {
        access_tokens: 12,
        refresh_token: None,
        ..Sample::default()
    };
    let error = cookie_storage()
        .create(&session.build().unwrap(), NOW)
        .await
        .unwrap_err();
    assert!(matches!(error, StorageError::TooLarge { .. }), "{error}");
}

#[tokio::test]
async fn b18_the_storage_shows_no_key_and_no_token() {
    let storage = cookie_storage();
    let session = session(2, 2);
    let (handle, _) = storage.create(&session, NOW).await.unwrap();
    let stored = storage.load(&handle, NOW).await.unwrap().unwrap();
    let shown = format!("{storage:?} {handle:?} {stored:?}");
    let tokens = session.access_tokens().values().map(|token| &token.token);
    for secret in tokens
        .chain(session.id_token())
        .chain(session.refresh_token())
    {
        assert!(!shown.contains(secret.expose()));
    }
    assert!(!shown.contains(handle.value()));
    assert!(!shown.contains("[1, 1, 1"), "{shown}");
}

#[tokio::test]
async fn f33_a_cookie_of_a_newer_release_is_no_session_and_no_error() {
    let storage = cookie_storage();
    let (name, config) = (codec(8_192).name().to_owned(), config(TENANT, "app"));
    let context = SealContext {
        purpose: Purpose::Session,
        name: &name,
        issuer: config.issuer(),
        app_id: config.app_id(),
    };
    let (handle, _) = storage.create(&session(1, 1), NOW).await.unwrap();
    let sealed = URL_SAFE_NO_PAD.decode(handle.value()).unwrap();
    let record = ring(1).open(&context, &sealed).unwrap();
    for (first, rest) in [
        (3, &record[1..]),
        (4, &record[1..]),
        (255, b"".as_slice()),
        (0, &record[1..]),
        (1, b"\xff"),
        (2, b"\xff"),
    ] {
        let record = [&[first], rest].concat();
        let sealed = ring(1).seal(&context, &record, &OsEntropy).unwrap();
        assert!(
            !opens(&storage, &URL_SAFE_NO_PAD.encode(sealed)).await,
            "{first}"
        );
    }
    let empty = ring(1).seal(&context, b"", &OsEntropy).unwrap();
    assert!(!opens(&storage, &URL_SAFE_NO_PAD.encode(empty)).await);
}

/// A session that has a token for each of these APIs, issued at these times after [`NOW`].
fn with_tokens(id: u8, tokens: &[(&str, u64)]) -> Session {
    let mut session = serde_json::to_value(session(0, 1)).unwrap();
    session["id"] = vec![id; 16].into();
    let mut session: Session = serde_json::from_value(session).unwrap();
    for (api, at) in tokens {
        let issued_at = NOW.plus(Duration::from_secs(*at));
        let token = AccessToken::new(
            format!("{api}.{at}").into(),
            BTreeSet::new(),
            issued_at,
            issued_at.plus(Duration::from_secs(3_600)),
        );
        let mut delta = SessionDelta::default();
        delta.access_token = Some((TokenTarget::resource(*api), token));
        session.apply(&delta);
    }
    session
}

async fn tokens_of(handle: &Handle) -> Vec<String> {
    let stored = cookie_storage().load(handle, NOW).await.unwrap().unwrap();
    let tokens = stored.session.access_tokens().values();
    tokens
        .map(|token| token.token.expose().to_owned())
        .collect()
}

async fn created(session: &Session) -> Handle {
    cookie_storage().create(session, NOW).await.unwrap().0
}

#[tokio::test]
async fn b6_each_access_token_is_sealed_by_itself_and_once() {
    let storage = cookie_storage();
    let session = with_tokens(1, &[("https://a", 0), ("https://b", 0)]);
    let (handle, version) = storage.create(&session, NOW).await.unwrap();
    assert_eq!(handle.parts().len(), 2);
    assert_eq!(tokens_of(&handle).await, ["https://a.0", "https://b.0"]);
    assert!(tokens_of(&Handle::new(handle.value())).await.is_empty());

    // One token is new. Neither the other nor the value is written again.
    let session = with_tokens(1, &[("https://a", 9), ("https://b", 0)]);
    let replaced = storage.replace(&handle, version, &session, NOW).await;
    let Replaced::Stored { handle: next, .. } = replaced.unwrap() else {
        panic!("nobody was faster")
    };
    assert_eq!(next.value(), handle.value());
    let is_known = |part: &&&str| handle.parts().contains(*part);
    assert_eq!(next.parts().iter().filter(is_known).count(), 1);
    assert_eq!(tokens_of(&next).await, ["https://a.9", "https://b.0"]);
}

#[tokio::test]
async fn b7_a_part_of_another_session_is_never_combined_into_this_one() {
    let mine = created(&with_tokens(1, &[("https://a", 0)])).await;
    let other = created(&with_tokens(2, &[("https://a", 5), ("https://b", 5)])).await;
    let parts = |handles: &[&Handle]| -> Vec<String> {
        let parts = handles.iter().flat_map(|handle| handle.parts());
        parts.map(str::to_owned).collect()
    };
    let mixed = Handle::new(mine.value()).with_parts(parts(&[&other, &mine]));
    assert_eq!(tokens_of(&mixed).await, ["https://a.0"]);
    let mixed = Handle::new(mine.value()).with_parts(parts(&[&other]));
    assert!(tokens_of(&mixed).await.is_empty());

    // Neither kind of value opens as the other.
    let swapped = Handle::new(mine.parts()[0]).with_parts([mine.value()]);
    assert!(
        cookie_storage()
            .load(&swapped, NOW)
            .await
            .unwrap()
            .is_none()
    );
    let swapped = Handle::new(mine.value()).with_parts([mine.value(), "AAAA", "", "not base64!"]);
    assert!(tokens_of(&swapped).await.is_empty());
}

#[tokio::test]
async fn b7_of_two_tokens_for_one_target_the_one_issued_last_counts() {
    let older = created(&with_tokens(1, &[("https://a", 1)])).await;
    let newer = created(&with_tokens(1, &[("https://a", 2)])).await;
    for value in [&older, &newer] {
        for parts in [[&older, &newer], [&newer, &older]] {
            let parts = parts.map(|handle| handle.parts()[0]);
            let handle = Handle::new(value.value()).with_parts(parts);
            assert_eq!(tokens_of(&handle).await, ["https://a.2"]);
        }
    }
}

#[tokio::test]
async fn b2_every_flipped_bit_of_a_part_is_no_token() {
    let handle = created(&with_tokens(1, &[("https://a", 0)])).await;
    let sealed = URL_SAFE_NO_PAD.decode(handle.parts()[0]).unwrap();
    for bit in 0..sealed.len() * 8 {
        let mut tampered = sealed.clone();
        tampered[bit / 8] ^= 1 << (bit % 8);
        let part = URL_SAFE_NO_PAD.encode(tampered);
        let tampered = Handle::new(handle.value()).with_parts([part]);
        assert!(tokens_of(&tampered).await.is_empty(), "bit {bit}");
    }
}

#[tokio::test]
async fn b6_to_leave_the_same_out_again_is_no_news_for_the_browser() {
    let storage = cookie_storage();
    let session = session(12, 10);
    let (handle, version) = storage.create(&session, NOW).await.unwrap();
    assert!(handle.parts().len() < 12);
    let replaced = storage.replace(&handle, version, &session, NOW).await;
    assert_eq!(
        replaced.unwrap(),
        Replaced::Stored {
            handle: handle.clone(),
            version
        }
    );

    // Nor is it that the session is in use. That takes a part of its own, whatever else there is.
    let mut used = session.clone();
    let tomorrow = NOW.plus(Duration::from_secs(90_000));
    let mut delta = SessionDelta::default();
    delta.at = Some(tomorrow);
    used.apply(&delta);
    let replaced = storage.replace(&handle, version, &used, tomorrow).await;
    assert_eq!(
        replaced.unwrap(),
        Replaced::Stored {
            handle: handle.clone(),
            version
        }
    );
    let touched = storage.touch(&handle, tomorrow).unwrap();
    assert_eq!(touched.value(), handle.value());
    assert_eq!(touched.parts()[1..], handle.parts());
    let lens = touched.parts().into_iter().map(str::len);
    let fitting = codec(8_192).fitting_parts(touched.value().len(), lens);
    assert_eq!(fitting, touched.parts().len(), "there was room for it");
}

/// With the limits as they are unless they are changed.
#[tokio::test]
async fn b6_no_session_makes_a_response_or_a_request_that_nginx_refuses() {
    let base_url = Url::parse("https://app.example.com").unwrap();
    let codec = CookieOptions::new(&base_url, "app").build().unwrap();
    let storage = CookieStorage::new(ring(1), &config(TENANT, "app"), &codec);
    for organizations in [0, 1, 10, 40, 100, 120, 300, 1_000] {
        for access_tokens in [0, 1, 5, 8, 12] {
            let case = (organizations, access_tokens);
            let session = session(access_tokens, organizations);
            let (handle, _) = storage.create(&session, NOW).await.unwrap();
            let mut jar: BTreeMap<String, String> = BTreeMap::new();
            let mut left_out = None;
            for response in 0..20 {
                let pairs: Vec<_> = jar.iter().map(|(n, v)| format!("{n}={v}")).collect();
                let mut request = HeaderMap::new();
                let cookie = pairs.join("; ");
                assert!(cookie.len() < 8_000, "{case:?}: {}", cookie.len());
                request.insert(header::COOKIE, HeaderValue::from_str(&cookie).unwrap());
                let taken = 300;
                let written = codec.write(&codec.read(&request), &handle, taken).unwrap();
                assert!(written.size < 3_600, "{case:?}: {}", written.size);
                for cookie in &written.set_cookies {
                    let (pair, _) = cookie.to_str().unwrap().split_once(';').unwrap();
                    let (name, value) = pair.split_once('=').unwrap();
                    jar.insert(name.to_owned(), value.to_owned());
                }
                if left_out == Some(written.left_out) {
                    break;
                }
                left_out = Some(written.left_out);
                assert!(response < 10, "{case:?}: it does not come to an end");
            }
            assert_eq!(left_out, Some(0), "{case:?}: what fits gets there");
            let found = storage.load(&handle, NOW).await.unwrap().unwrap().session;
            assert_eq!(found.refresh_token(), session.refresh_token());
            eprintln!(
                "{case:?} {} {}",
                found.id_token().is_some(),
                handle.value().len()
            );
            assert!(
                found.access_tokens().len() >= access_tokens.min(5),
                "{case:?}"
            );
        }
    }
}

/// Data belongs to what a session cannot do without: organizations and access tokens make room for it.
#[tokio::test]
async fn data_of_any_size_fits_and_outlives_what_can_be_fetched_again() {
    let base_url = Url::parse("https://app.example.com").unwrap();
    let codec = CookieOptions::new(&base_url, "app").build().unwrap();
    let storage = CookieStorage::new(ring(1), &config(TENANT, "app"), &codec);
    for organizations in [0, 10, 100, 1_000] {
        for bytes in [2, 100, SessionData::MAX_LEN] {
            let data = SessionData::new(&"x".repeat(bytes - 2)).unwrap();
            let mut session = session(3, organizations);
            let mut delta = SessionDelta::default();
            delta.data = Some(data.clone());
            session.apply(&delta);
            let (handle, _) = storage.create(&session, NOW).await.unwrap();
            let written = codec.write(&Default::default(), &handle, 300).unwrap();
            let (size, limit) = (written.size, codec.response_limit());
            assert!(size <= limit, "{organizations} {bytes}: {size}");
            let found = storage.load(&handle, NOW).await.unwrap().unwrap().session;
            assert_eq!(found.data(), Some(&data));
            assert_eq!(found.refresh_token(), session.refresh_token());
        }
    }
}

#[tokio::test]
async fn a_handle_knows_its_version() {
    let storage = cookie_storage();
    let session = session(1, 1);
    let (mut handle, _) = storage.create(&session, NOW).await.unwrap();
    for version in 1..5 {
        let stored = storage.load(&handle, NOW).await.unwrap().unwrap();
        assert_eq!(stored.version, Version(version));
        let replaced = storage
            .replace(&handle, stored.version, &session, NOW)
            .await
            .unwrap();
        let Replaced::Stored {
            handle: new,
            version: written,
        } = replaced
        else {
            panic!("{replaced:?}")
        };
        assert_eq!(written, Version(version + 1));
        handle = new;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn b2_no_handle_is_an_error(handle in ".{0,200}") {
        let storage = cookie_storage();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let found = runtime.block_on(storage.load(&Handle::new(handle), NOW));
        prop_assert!(found.unwrap().is_none());
    }
}
