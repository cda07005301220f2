//! Who caused a request: [Fetch Metadata](https://www.w3.org/TR/fetch-metadata/) and `Origin`.
//!
//! A page can make its visitor's browser send a request to any site, with the cookies of that site. The
//! browser reports who caused it, and no page can change that.

use http::{HeaderMap, HeaderName, Method, header};

use crate::error::{Error, RequestError};

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
const SEC_FETCH_DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");

/// Destinations of a navigation that is not a whole window.
const FRAMES: [&[u8]; 5] = [b"iframe", b"frame", b"embed", b"object", b"fencedframe"];

/// Headers with which old and new browsers mark a request for a page that the user has not asked for yet.
const PURPOSES: [HeaderName; 4] = [
    HeaderName::from_static("sec-purpose"),
    HeaderName::from_static("purpose"),
    HeaderName::from_static("x-purpose"),
    HeaderName::from_static("x-moz"),
];

/// Words in these headers.
const SPECULATIVE: [&[u8]; 3] = [b"prefetch", b"prerender", b"preview"];

/// Refuses a request that was not caused by the application itself or by its user.
///
/// `Sec-Fetch-Site` must be `same-origin`, or `none` for an address that the user typed or bookmarked. A
/// sibling (`same-site`) is another application: subdomains may have different owners. Browsers that do not
/// send it send `Origin` with every POST; without both, nothing shows that the request is harmless.
/// `own_origin` is that of the host that the request was sent to: another host of the same application is a
/// sibling like any other.
pub(super) fn check_own(
    headers: &HeaderMap,
    own_origin: impl FnOnce() -> Option<String>,
) -> Result<(), Error> {
    // A prefetch of a URL that the user is still typing is `none` too.
    if is_own(headers, own_origin) == Some(true) && !is_speculative(headers) {
        Ok(())
    } else {
        Err(RequestError::CrossSite.into())
    }
}

/// Whether the browser reports that another site caused a request that may change something: a form, a request
/// of a script, or a WebSocket, which begins with a GET.
///
/// Current browsers send one of the two headers with each such request. A request with neither comes from
/// another program, and no page can make that send cookies.
pub(super) fn is_from_elsewhere(
    method: &Method,
    headers: &HeaderMap,
    own_origin: impl FnOnce() -> Option<String>,
) -> bool {
    let may_change = !method.is_safe() || headers.contains_key(header::UPGRADE);
    may_change && is_own(headers, own_origin) == Some(false)
}

/// Refuses to start a sign-in where no user could complete it.
///
/// Each start would send the browser to Logto and back for nothing, and a page of another site could make it do
/// so as often as it likes. An application that is `made_for_frames` also starts sign-ins in frames of other
/// sites. Contradictory headers count as the worst case.
pub(super) fn check_start(headers: &HeaderMap, made_for_frames: bool) -> Result<(), Error> {
    let mode = value(headers, SEC_FETCH_MODE);
    let is_navigation = mode.is_none_or(|mode| mode == b"navigate");
    let may_be_framed = || {
        let site = value(headers, SEC_FETCH_SITE);
        made_for_frames || matches!(site, Some(b"same-origin" | b"same-site" | b"none"))
    };
    let is_for_a_page = match value(headers, SEC_FETCH_DEST) {
        None | Some(b"document") => true,
        // For a navigation that a service worker forwards, only the mode is known.
        Some(b"empty") => mode.is_some(),
        Some(dest) => FRAMES.contains(&dest) && may_be_framed(),
    };
    if !is_navigation || !is_for_a_page || is_speculative(headers) {
        return Err(RequestError::NotANavigation.into());
    }
    Ok(())
}

/// Whether a GET that signs out may come from a link: the browser reports a navigation. [`check_own`] checks
/// who caused it. An image that a page embeds is not a navigation.
pub(super) fn is_sign_out_link(headers: &HeaderMap) -> bool {
    value(headers, SEC_FETCH_MODE) == Some(b"navigate") && value(headers, SEC_FETCH_SITE).is_some()
}

/// Whether the request is for a page, so that a redirect makes sense: a script that follows one receives the
/// page behind it and no error.
pub(super) fn is_navigation(method: &Method, headers: &HeaderMap, made_for_frames: bool) -> bool {
    method == Method::GET && expects_page(headers, made_for_frames)
}

/// Whether the request is for a page, also after a form, for example the POST of Logto's page with the
/// callback.
pub(super) fn expects_page(headers: &HeaderMap, made_for_frames: bool) -> bool {
    let is_page = || {
        value(headers, SEC_FETCH_MODE).is_some()
            || value(headers, header::ACCEPT)
                .and_then(|accept| std::str::from_utf8(accept).ok())
                .is_some_and(|accept| accept.contains("text/html"))
    };
    check_start(headers, made_for_frames).is_ok() && is_page()
}

/// Whether the application itself, or its user, caused the request. `None` if no header tells.
fn is_own(headers: &HeaderMap, own_origin: impl FnOnce() -> Option<String>) -> Option<bool> {
    match value(headers, SEC_FETCH_SITE) {
        Some(site) => Some(matches!(site, b"same-origin" | b"none")),
        None => value(headers, header::ORIGIN)
            .map(|origin| own_origin().is_some_and(|own| origin == own.as_bytes())),
    }
}

/// Whether the request is a prefetch or a prerender.
fn is_speculative(headers: &HeaderMap) -> bool {
    let is_speculative = |value: &[u8]| {
        SPECULATIVE.iter().any(|word| {
            let mut parts = value.windows(word.len());
            parts.any(|part| part.eq_ignore_ascii_case(word))
        })
    };
    PURPOSES.iter().any(|name| {
        let mut values = headers.get_all(name).iter();
        values.any(|value| is_speculative(value.as_bytes()))
    })
}

/// The value of a header. A repeated header counts as missing, because it is ambiguous.
fn value(headers: &HeaderMap, name: HeaderName) -> Option<&[u8]> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => None,
        (Some(value), None) => Some(value.as_bytes()),
        (Some(_), Some(_)) => Some(b""),
    }
}

#[cfg(test)]
mod tests {
    use url::Url;

    use super::*;

    fn is_own(base_url: Option<&str>, pairs: &[(&'static str, &'static str)]) -> bool {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap());
        }
        let base_url = base_url.map(|url| Url::parse(url).unwrap());
        check_own(&headers, || {
            base_url.map(|url| url.origin().ascii_serialization())
        })
        .is_ok()
    }

    #[test]
    fn b14_only_the_application_and_its_user_change_anything() {
        let app = Some("https://app.example/shop");
        for (pairs, expected) in [
            (&[("sec-fetch-site", "same-origin")][..], true),
            (&[("sec-fetch-site", "none")], true),
            (&[("sec-fetch-site", "same-site")], false),
            (&[("sec-fetch-site", "cross-site")], false),
            (&[("sec-fetch-site", "SAME-ORIGIN")], false),
            (&[("sec-fetch-site", "")], false),
            (
                &[
                    ("sec-fetch-site", "same-origin"),
                    ("sec-fetch-site", "cross-site"),
                ],
                false,
            ),
            (
                &[
                    ("sec-fetch-site", "cross-site"),
                    ("origin", "https://app.example"),
                ],
                false,
            ),
            (
                &[
                    ("sec-fetch-site", "same-site"),
                    ("origin", "https://app.example"),
                ],
                false,
            ),
            (&[("origin", "https://app.example")], true),
            (&[("origin", "https://app.example:443")], false),
            (&[("origin", "http://app.example")], false),
            (&[("origin", "https://app.example.evil.example")], false),
            (&[("origin", "https://other.app.example")], false),
            (&[("origin", "https://evil.example")], false),
            (&[("origin", "https://app.example:8443")], false),
            (&[("origin", "null")], false),
            (&[("origin", "")], false),
            (
                &[
                    ("origin", "https://app.example"),
                    ("origin", "https://evil.example"),
                ],
                false,
            ),
            (&[], false),
            (&[("referer", "https://app.example/shop")], false),
            (&[("host", "app.example")], false),
            (
                &[("sec-fetch-site", "none"), ("sec-purpose", "prefetch")],
                false,
            ),
            (
                &[
                    ("sec-fetch-site", "none"),
                    ("sec-purpose", "prefetch;prerender"),
                ],
                false,
            ),
            (
                &[("sec-fetch-site", "same-origin"), ("purpose", "Prefetch")],
                false,
            ),
            (
                &[("origin", "https://app.example"), ("x-moz", "prefetch")],
                false,
            ),
        ] {
            assert_eq!(is_own(app, pairs), expected, "{pairs:?}");
        }
        assert!(is_own(
            Some("http://localhost:3000"),
            &[("origin", "http://localhost:3000")]
        ));
        assert!(!is_own(
            Some("http://localhost:3000"),
            &[("origin", "http://localhost:3001")]
        ));
        assert!(!is_own(None, &[("origin", "https://app.example")]));
    }

    #[test]
    fn b14_only_what_a_browser_reports_is_from_elsewhere() {
        let own = || Some("https://app.example".to_owned());
        for (pairs, expected) in [
            (&[][..], false),
            (&[("sec-fetch-site", "same-origin")], false),
            (&[("sec-fetch-site", "none")], false),
            (&[("origin", "https://app.example")], false),
            (
                &[("sec-fetch-site", "same-origin"), ("origin", "null")],
                false,
            ),
            (&[("sec-fetch-site", "same-site")], true),
            (&[("sec-fetch-site", "cross-site")], true),
            (&[("sec-fetch-site", "")], true),
            (&[("origin", "null")], true),
            (&[("origin", "https://other.app.example")], true),
        ] {
            let mut headers = HeaderMap::new();
            for (name, value) in pairs {
                headers.append(*name, value.parse().unwrap());
            }
            let is_from_elsewhere =
                |method, headers: &HeaderMap| super::is_from_elsewhere(&method, headers, own);
            for method in [
                Method::POST,
                Method::PUT,
                Method::PATCH,
                Method::DELETE,
                Method::CONNECT,
            ] {
                assert_eq!(is_from_elsewhere(method, &headers), expected, "{pairs:?}");
            }
            for method in [Method::GET, Method::HEAD, Method::OPTIONS] {
                assert!(!is_from_elsewhere(method, &headers), "{pairs:?}");
            }
            headers.insert(header::UPGRADE, "websocket".parse().unwrap());
            assert_eq!(
                is_from_elsewhere(Method::GET, &headers),
                expected,
                "{pairs:?}"
            );
        }
    }

    #[test]
    fn only_what_a_user_waits_for_starts_a_sign_in() {
        let fetch = |site: &'static str, mode: &'static str, dest: &'static str| {
            vec![
                ("sec-fetch-site", site),
                ("sec-fetch-mode", mode),
                ("sec-fetch-dest", dest),
            ]
        };
        let navigation = |more: &[(&'static str, &'static str)]| {
            let mut pairs = fetch("none", "navigate", "document");
            pairs.extend_from_slice(more);
            pairs
        };
        for (pairs, starts, starts_in_frames) in [
            (vec![], true, true),
            (fetch("none", "navigate", "document"), true, true),
            (fetch("same-origin", "navigate", "document"), true, true),
            (fetch("cross-site", "navigate", "document"), true, true),
            (fetch("same-origin", "navigate", "iframe"), true, true),
            (fetch("same-site", "navigate", "iframe"), true, true),
            (fetch("cross-site", "navigate", "iframe"), false, true),
            (fetch("cross-site", "navigate", "frame"), false, true),
            (fetch("cross-site", "navigate", "embed"), false, true),
            (fetch("cross-site", "navigate", "object"), false, true),
            (fetch("cross-site", "navigate", "fencedframe"), false, true),
            (fetch("same-origin", "cors", "empty"), false, false),
            (fetch("same-origin", "no-cors", "image"), false, false),
            (fetch("cross-site", "no-cors", "script"), false, false),
            (fetch("same-origin", "same-origin", "empty"), false, false),
            (fetch("cross-site", "websocket", "websocket"), false, false),
            (navigation(&[("sec-purpose", "prefetch")]), false, false),
            (
                navigation(&[("sec-purpose", "prefetch;prerender")]),
                false,
                false,
            ),
            (
                navigation(&[("sec-purpose", "prefetch;anonymous-client-ip")]),
                false,
                false,
            ),
            (navigation(&[("purpose", "prefetch")]), false, false),
            (navigation(&[("x-purpose", "preview")]), false, false),
            (navigation(&[("x-moz", "prefetch")]), false, false),
            (navigation(&[("purpose", "preview")]), false, false),
            (navigation(&[("x-purpose", "prefetch")]), false, false),
            (navigation(&[("sec-purpose", "prerender")]), false, false),
            (fetch("same-origin", "navigate", "script"), false, false),
            (fetch("cross-site", "navigate", "IFRAME"), false, false),
            (fetch("garbage", "navigate", "iframe"), false, true),
            (fetch("same-origin", "navigate", "empty"), true, true),
            (vec![("sec-fetch-dest", "image")], false, false),
            (vec![("sec-fetch-dest", "empty")], false, false),
            (vec![("sec-fetch-dest", "iframe")], false, true),
            (navigation(&[("sec-fetch-dest", "document")]), false, false),
            (
                [
                    fetch("cross-site", "navigate", "iframe"),
                    vec![("sec-fetch-site", "same-origin")],
                ]
                .concat(),
                false,
                true,
            ),
        ] {
            let mut headers = HeaderMap::new();
            for (name, value) in &pairs {
                headers.append(*name, value.parse().unwrap());
            }
            assert_eq!(check_start(&headers, false).is_ok(), starts, "{pairs:?}");
            assert_eq!(
                check_start(&headers, true).is_ok(),
                starts_in_frames,
                "{pairs:?}"
            );
        }
    }
}
