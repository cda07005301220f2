//! Paths of the application as the browser sees them: below the path of the base URL.

use std::borrow::Cow;

use http::Uri;
use url::{Url, form_urlencoded};

/// The longest `Location` of a redirect to the sign-in, in bytes. Proxies replace a response whose headers
/// exceed one page of memory with a 502.
const MAX_LENGTH: usize = 3_072;

/// A path prefixed with the base path.
///
/// A router that is mounted below a prefix, or a proxy in front, may have removed the prefix from the path of
/// the request. A path that already has it is unchanged, and so is a URL that is not a path.
pub(super) fn below<'p>(base_url: Option<&Url>, path: &'p str) -> Cow<'p, str> {
    let base = base_url.map_or("", |url| url.path().trim_end_matches('/'));
    let is_below = path
        .strip_prefix(base)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?', '#']));
    if is_below || !path.starts_with('/') {
        Cow::Borrowed(path)
    } else {
        Cow::Owned(format!("{base}{path}"))
    }
}

/// The path and query of a request.
pub(super) fn of<'u>(base_url: Option<&Url>, uri: &'u Uri) -> Cow<'u, str> {
    let place = uri.path_and_query().map_or("/", |place| place.as_str());
    below(base_url, place)
}

/// The sign-in at `sign_in_path`, which leads back to the requested page.
pub(super) fn sign_in(base_url: Option<&Url>, sign_in_path: &str, uri: &Uri) -> String {
    with_return_to(&below(base_url, sign_in_path), &of(base_url, uri))
}

/// `sign_in_path` with `return_to`, as far as it fits. The query of `return_to` is dropped first.
fn with_return_to(sign_in_path: &str, return_to: &str) -> String {
    let separator = match sign_in_path.contains('?') {
        true => '&',
        false => '?',
    };
    let path = return_to.split('?').next().unwrap_or_default();
    [return_to, path]
        .into_iter()
        .map(|place| {
            let place: String = form_urlencoded::byte_serialize(place.as_bytes()).collect();
            format!("{sign_in_path}{separator}return_to={place}")
        })
        .find(|location| location.len() <= MAX_LENGTH)
        .unwrap_or_else(|| sign_in_path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_put_below_the_base_path_once() {
        let below_of = |base: &str, path: &str| {
            let base_url = Url::parse(&format!("https://app.example{base}")).unwrap();
            below(Some(&base_url), path).into_owned()
        };
        for (base, path, expected) in [
            ("", "/orders", "/orders"),
            ("/", "/", "/"),
            ("/shop", "/orders?page=2", "/shop/orders?page=2"),
            ("/shop", "/shop/orders", "/shop/orders"),
            ("/shop", "/shop", "/shop"),
            ("/shop", "/shop?page=2", "/shop?page=2"),
            ("/shop", "/shopping", "/shop/shopping"),
            ("/shop/", "/", "/shop/"),
            ("/shop/eu", "/shop/us", "/shop/eu/shop/us"),
            ("/shop", "https://login.example/", "https://login.example/"),
        ] {
            assert_eq!(below_of(base, path), expected, "{base} {path}");
        }
        assert_eq!(below(None, "/orders"), "/orders");
    }

    #[test]
    fn a_sign_in_comes_back_to_the_place_of_the_request() {
        let base_url = Url::parse("https://app.example/shop").unwrap();
        for (sign_in_path, uri, expected) in [
            (
                "/sign-in",
                "/orders?page=2",
                "/shop/sign-in?return_to=%2Fshop%2Forders%3Fpage%3D2",
            ),
            (
                "/shop/sign-in",
                "/shop/orders",
                "/shop/sign-in?return_to=%2Fshop%2Forders",
            ),
            (
                "/sign-in",
                "https://app.example/shop",
                "/shop/sign-in?return_to=%2Fshop",
            ),
            (
                "https://login.example/",
                "/orders",
                "https://login.example/?return_to=%2Fshop%2Forders",
            ),
        ] {
            let uri: Uri = uri.parse().unwrap();
            assert_eq!(
                sign_in(Some(&base_url), sign_in_path, &uri),
                expected,
                "{uri}"
            );
        }
    }

    #[test]
    fn what_has_no_room_is_left_out_query_first() {
        let location = |return_to: &str| with_return_to("/sign-in", return_to);
        assert_eq!(
            location("/orders?page=2"),
            "/sign-in?return_to=%2Forders%3Fpage%3D2"
        );
        assert_eq!(
            with_return_to("/sign-in?first_screen=register", "/"),
            "/sign-in?first_screen=register&return_to=%2F"
        );
        let long = "%E7%BF%BB".repeat(400);
        assert_eq!(
            location(&format!("/orders?q={long}")),
            "/sign-in?return_to=%2Forders"
        );
        assert_eq!(location(&format!("/{long}")), "/sign-in");
    }
}
