//! The host of a request.

use http::{HeaderMap, Uri, header, uri::Authority};

/// The host, with its port unless that is the default one: from the `Host` header, or in HTTP/2, and where a
/// client names the whole URL, from the URI. `None` if the request names none, or several different ones, so
/// that a request cannot show one host to a proxy and another to the application.
pub(super) fn requested<'r>(uri: &'r Uri, headers: &'r HeaderMap) -> Option<&'r str> {
    let mut hosts = headers.get_all(header::HOST).iter();
    let in_headers = match (hosts.next(), hosts.next()) {
        (None, _) => None,
        (Some(host), None) => Some(host.to_str().ok()?),
        (Some(_), Some(_)) => return None,
    };
    match (in_headers, uri.authority().map(Authority::as_str)) {
        (Some(one), Some(other)) => one.eq_ignore_ascii_case(other).then_some(one),
        (one, other) => one.or(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c16_a_request_names_one_host_or_none() {
        for (uri, hosts, expected) in [
            ("/", &["app.example"][..], Some("app.example")),
            ("/", &["app.example:8443"], Some("app.example:8443")),
            ("https://app.example/", &[], Some("app.example")),
            (
                "https://app.example/",
                &["APP.example"],
                Some("APP.example"),
            ),
            ("https://app.example/", &["evil.example"], None),
            ("https://app.example/", &[""], None),
            ("/", &["app.example", "evil.example"], None),
            ("/", &["app.example", "app.example"], None),
            ("/", &["app.ex\u{e4}mple"], None),
            ("/", &[], None),
        ] {
            let mut headers = HeaderMap::new();
            for host in hosts {
                headers.append(header::HOST, host.parse().unwrap());
            }
            let uri: Uri = uri.parse().unwrap();
            assert_eq!(requested(&uri, &headers), expected, "{uri} {hosts:?}");
        }
    }
}
