//! Where a request asks to be sent after the sign-in: the base URL by its number in the first line, then the place.

use std::sync::LazyLock;

use http::{HeaderValue, Uri};
use logto_core::sign_in::ReturnTo;
use url::Url;

use crate::{
    Verdict,
    input::{joined, lines, text},
};

static BASES: LazyLock<[Url; 4]> = LazyLock::new(|| {
    [
        "https://app.example",
        "https://app.example/shop",
        "https://app.example/shop/eu/",
        "http://localhost:3000/%C3%BC",
    ]
    .map(|base| Url::parse(base).expect("it is a URL"))
});

/// Handles one input.
pub fn run(data: &[u8]) -> Verdict {
    let [number, requested] = lines(data);
    let number = text(number).parse::<usize>().unwrap_or_default();
    let base = &BASES[number % BASES.len()];
    let requested = text(requested);
    let place = ReturnTo::within(base, &requested);

    // A WHATWG URL parser, which is what browsers have.
    let url = base.join(place.as_str()).expect("a browser can go there");
    assert_eq!(url.origin(), base.origin(), "{requested:?} leads to {url}");
    let below = base.path().trim_end_matches('/');
    let rest = url.path().strip_prefix(below);
    assert!(
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/')),
        "{requested:?} leads to {url}"
    );
    // And what reads a `Location` without one.
    assert!(place.as_str().starts_with('/') && !place.as_str().starts_with("//"));
    assert!(!place.as_str().contains('\\'));
    assert!(place.as_str().len() <= ReturnTo::MAX_LENGTH);
    assert!(HeaderValue::from_str(place.as_str()).is_ok());
    let uri = place
        .as_str()
        .parse::<Uri>()
        .expect("it is the target of a request");
    assert!(uri.authority().is_none());
    // Judged again, at the callback and in the store, it is the same.
    assert_eq!(ReturnTo::within(base, place.as_str()), place);
    let stored = serde_json::to_string(&place).expect("it can be stored");
    assert_eq!(
        serde_json::from_str::<ReturnTo>(&stored).ok(),
        Some(place.clone())
    );
    // What was stored by anybody is judged as well.
    let foreign: ReturnTo = serde_json::from_value(requested.into()).expect("any text can be read");
    let url = base.join(foreign.as_str()).expect("a browser can go there");
    assert_eq!(url.origin(), base.origin());
    Verdict::accepted_if(place != ReturnTo::base(base))
}

/// What the fuzzer begins with.
pub fn seeds() -> Vec<Vec<u8>> {
    let places = [
        (0, "/orders?page=2&next=%2F%2Fhere#part"),
        (0, "/\u{fc}n\u{ef}/../a;b=c/./%2e%2e/x"),
        (0, "//evil.example"),
        (0, "/\\evil.example"),
        (0, "/%09/evil.example"),
        (0, "https://app.example/orders"),
        (1, "/shop/cart"),
        (1, "/shop/../admin"),
        (1, "/shop%2f..%2fadmin"),
        (2, "/shop/eu/a;x/..;y/b"),
        (3, "/%C3%BC/x?\u{fc}"),
    ];
    let seed =
        |(base, place): (usize, &str)| joined([base.to_string().as_bytes(), place.as_bytes()]);
    places.map(seed).to_vec()
}
