//! What a request says of its host and of the site that has caused it, read without the SDK.

use http::{HeaderValue, header, request::Parts};
use url::Url;

/// The base URL at the host that the request was sent to, if the application is there, and the base URL otherwise.
pub(crate) fn base_url(parts: &Parts) -> Url {
    let in_headers = parts.headers.get_all(header::HOST).into_iter();
    let in_headers: Vec<&[u8]> = in_headers.map(HeaderValue::as_bytes).collect();
    let in_target = parts.uri.authority().map(|host| host.as_str().as_bytes());
    let named = match (&*in_headers, in_target) {
        ([one], None) => Some(*one),
        ([], Some(one)) => Some(one),
        ([one], Some(other)) if one.eq_ignore_ascii_case(other) => Some(*one),
        _ => None,
    };
    let host = named.and_then(|host| std::str::from_utf8(host).ok());
    let host = host.map(str::to_ascii_lowercase).unwrap_or_default();
    let host = host.strip_suffix(":443").unwrap_or(&host);
    let at = |host: &str| Url::parse(&format!("https://{host}/"));
    let there = at(host).ok();
    there
        // The parser reads some names as others.
        .filter(|url| is_other_host(host) && url.host_str() == Some(host))
        .unwrap_or_else(|| at("shop.example.com").expect("it is a URL"))
}

/// Whether the host is one of the configuration's `other_hosts`.
fn is_other_host(host: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.chars().all(is_plain)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    host == "app.example.de"
        || host
            .strip_suffix(".preview.example.com")
            .is_some_and(is_label)
}

/// Whether a browser says that another site has caused the request, which may change something.
pub(crate) fn is_from_another_site(parts: &Parts) -> bool {
    let values = |name: &str| -> Vec<&[u8]> {
        let values = parts.headers.get_all(name).into_iter();
        values.map(HeaderValue::as_bytes).collect()
    };
    let only_reads = ["GET", "HEAD", "OPTIONS", "TRACE"].contains(&parts.method.as_str());
    // A WebSocket begins with a GET.
    if only_reads && !parts.headers.contains_key(header::UPGRADE) {
        return false;
    }
    match (&*values("sec-fetch-site"), &*values("origin")) {
        ([], []) => false,
        ([], [origin]) => *origin != base_url(parts).origin().ascii_serialization().as_bytes(),
        ([site], _) => ![&b"same-origin"[..], b"none"].contains(site),
        // A request that contradicts itself is not trusted.
        _ => true,
    }
}
