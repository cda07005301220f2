//! The `Cookie` headers of a request: each line is one. And what a response sets on top of them.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use cookie::Cookie;
use http::{HeaderMap, HeaderValue, header};
use logto_client::{
    storage::Handle,
    web::cookies::{CookieCodec, CookieOptions},
};

use crate::{
    Verdict,
    application::{APP_ID, config},
    input::text,
};

/// A cookie that is longer is dropped by browsers.
const COOKIE_LIMIT: usize = 4_096;

static CODEC: LazyLock<CookieCodec> = LazyLock::new(|| {
    let base_url = config().base_url().expect("it is configured");
    let options = CookieOptions::new(base_url, APP_ID);
    options.build().expect("the options are valid")
});

/// What a browser keeps.
type Jar = BTreeMap<String, String>;

/// The codec of the application.
pub(crate) fn codec() -> &'static CookieCodec {
    &CODEC
}

/// Handles one input.
pub fn run(data: &[u8]) -> Verdict {
    let headers = as_headers(data.split(|byte| *byte == b'\n'));
    let request_cookies = codec().read(&headers);
    let handles = request_cookies.handles();
    let jar = read_by_peer(&headers);
    for handle in handles {
        assert!(!handle.value().is_empty());
        is_there_for_the_peer(handle.value(), &headers);
    }
    the_next_request_carries_what_was_set(jar, data);
    Verdict::accepted_if(!handles.is_empty())
}

fn as_headers<'a>(lines: impl Iterator<Item = &'a [u8]>) -> HeaderMap {
    let values = lines.filter_map(|line| HeaderValue::from_bytes(line).ok());
    values.map(|value| (header::COOKIE, value)).collect()
}

/// Everything that the crate `cookie` reads.
fn pairs(headers: &HeaderMap) -> Vec<(String, String)> {
    let headers = headers.get_all(header::COOKIE).into_iter();
    let texts: Vec<String> = headers.map(|value| text(value.as_bytes())).collect();
    let cookies = texts.iter().flat_map(Cookie::split_parse);
    let cookies = cookies.filter_map(Result::ok);
    cookies
        .map(|cookie| (cookie.name().to_owned(), cookie.value().to_owned()))
        .collect()
}

fn read_by_peer(headers: &HeaderMap) -> Jar {
    pairs(headers).into_iter().collect()
}

/// A value is that of one cookie, or is put together from those of several.
fn is_there_for_the_peer(value: &str, headers: &HeaderMap) {
    let pairs = pairs(headers);
    let ours = || {
        pairs
            .iter()
            .filter(|(name, _)| name.starts_with(codec().name()))
    };
    let is_single = ours().any(|(name, one)| name == codec().name() && one == value);
    let pieces: Vec<&str> = ours().map(|(_, piece)| piece.as_str()).collect();
    let is_put_together = || {
        let mut rest = value;
        while !rest.is_empty() {
            let longest = pieces
                .iter()
                .filter_map(|piece| piece.rsplit('.').next())
                .filter(|piece| !piece.is_empty() && rest.starts_with(piece))
                .max_by_key(|piece| piece.len());
            match longest {
                Some(piece) => rest = &rest[piece.len()..],
                None => return false,
            }
        }
        true
    };
    assert!(
        is_single || is_put_together(),
        "the crate `cookie` reads no {value}"
    );
}

/// Sets a session in a browser that keeps these cookies.
fn the_next_request_carries_what_was_set(mut jar: Jar, data: &[u8]) {
    // As browsers send them.
    let mut request = request_of(&jar);
    let was_there: BTreeSet<String> = jar.values().cloned().collect();
    let value = URL_SAFE_NO_PAD.encode(data);
    let parts = data
        .chunks(40)
        .take(40)
        .map(|part| URL_SAFE_NO_PAD.encode(part));
    let handle = Handle::new(format!("v{value}")).with_parts(parts);
    let written = codec().write(&codec().read(&request), &handle, 0);
    let Ok(written) = written else {
        return;
    };
    for set_cookie in &written.set_cookies {
        let set_cookie = set_cookie.to_str().expect("a cookie is ASCII");
        assert!(set_cookie.len() <= COOKIE_LIMIT);
        let cookie = Cookie::parse(set_cookie).expect("the crate `cookie` reads what we set");
        assert_eq!(cookie.http_only(), Some(true));
        assert_eq!(cookie.secure(), Some(true));
        assert_eq!(cookie.path(), Some("/"));
        assert_eq!(cookie.domain(), None);
        match cookie.max_age() {
            Some(age) if age.is_zero() => drop(jar.remove(cookie.name())),
            _ => drop(jar.insert(cookie.name().to_owned(), cookie.value().to_owned())),
        }
    }
    request = request_of(&jar);
    let request_cookies = codec().read(&request);
    let found = request_cookies.handles();
    let [found] = found else {
        panic!("{} sessions after one was set", found.len());
    };
    assert_eq!(found.value(), handle.value());
    // A part for whose deletion there was no room stays. It is sealed for another session, and does not open.
    let mut parts = found.parts().into_iter();
    assert!(parts.all(|part| handle.parts().contains(&part) || was_there.contains(part)));
}

fn request_of(jar: &Jar) -> HeaderMap {
    let pairs: Vec<String> = jar
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    as_headers([pairs.join("; ").as_bytes()].into_iter())
}

/// What the fuzzer begins with.
pub fn seeds() -> Vec<Vec<u8>> {
    let name = codec().name();
    let mut seeds: Vec<Vec<u8>> = vec![
        format!("theme=dark; {name}=value; {name}.t0=part; {name}.t1=another").into(),
        format!("{name}=one; {name}=two; {name}.browser=b").into(),
        format!("{name}=\"quoted\"\n{name} = spaced ;;; =; a").into(),
    ];
    for len in [3_000, 6_000] {
        let handle = Handle::new("x".repeat(len)).with_parts(["part".to_owned()]);
        let written = codec().write(&codec().read(&HeaderMap::new()), &handle, 0);
        let set_cookies = written.expect("it fits").set_cookies;
        let pairs: Vec<&[u8]> = set_cookies
            .iter()
            .filter_map(|value| value.as_bytes().split(|byte| *byte == b';').next())
            .collect();
        seeds.push(pairs.join(&b"; "[..]));
    }
    seeds
}
