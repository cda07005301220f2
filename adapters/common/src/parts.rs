//! Request heads and headers, from the types of any framework.

use std::collections::HashSet;

use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, request::Parts};

/// The head of a request. An invalid header is left out. An invalid URI becomes that of the start page.
pub fn request<N, V>(method: &str, uri: &str, headers: impl IntoIterator<Item = (N, V)>) -> Parts
where
    N: AsRef<[u8]>,
    V: AsRef<[u8]>,
{
    let (mut parts, ()) = Request::new(()).into_parts();
    // An invalid method must not count as one that starts or changes anything.
    parts.method = method.parse().unwrap_or(Method::TRACE);
    parts.uri = uri.parse().unwrap_or_default();
    parts.headers = header_map(headers);
    parts
}

pub(crate) fn header_map<N, V>(headers: impl IntoIterator<Item = (N, V)>) -> HeaderMap
where
    N: AsRef<[u8]>,
    V: AsRef<[u8]>,
{
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        let name = HeaderName::from_bytes(name.as_ref());
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(value.as_ref())) {
            map.append(name, value);
        }
    }
    map
}

/// The names of the headers that differ.
pub(crate) fn changed(before: &HeaderMap, after: &HeaderMap) -> Vec<HeaderName> {
    let names: HashSet<&HeaderName> = before.keys().chain(after.keys()).collect();
    let values = |headers: &HeaderMap, name| -> Vec<HeaderValue> {
        headers.get_all(name).iter().cloned().collect()
    };
    let changed = names
        .into_iter()
        .filter(|name| values(before, *name) != values(after, *name));
    changed.cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_keeps_repeated_headers_and_bytes_that_are_no_text() {
        let headers: [(&str, &[u8]); 4] = [
            ("Cookie", b"a=1"),
            ("cookie", b"b=2"),
            ("x", b"caf\xe9"),
            ("not a name", b"3"),
        ];
        let parts = request("POST", "/shop/?page=2", headers);
        assert_eq!((parts.method, parts.uri.path()), (Method::POST, "/shop/"));
        let cookies: Vec<_> = parts.headers.get_all("cookie").iter().collect();
        assert_eq!(cookies, ["a=1", "b=2"]);
        assert_eq!(parts.headers["x"].as_bytes(), b"caf\xe9");
        assert_eq!(parts.headers.len(), 3);
    }

    #[test]
    fn what_cannot_be_read_is_neither_a_get_nor_an_error() {
        let none: [(&str, &str); 0] = [];
        let parts = request("", "http://[", none);
        assert_eq!((parts.method, parts.uri.path()), (Method::TRACE, "/"));
    }

    #[test]
    fn only_headers_that_change_are_named() {
        let before = header_map([("set-cookie", "a=1"), ("etag", "1"), ("date", "today")]);
        let after = header_map([
            ("set-cookie", "a=1"),
            ("set-cookie", "b=2"),
            ("date", "today"),
        ]);
        let mut changed = changed(&before, &after);
        changed.sort_by_key(ToString::to_string);
        assert_eq!(changed, ["etag", "set-cookie"]);
    }
}
