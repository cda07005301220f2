//! Where to go after a sign-in, without being an open redirector
//! ([RFC 9700 section 4.11.1](https://www.rfc-editor.org/rfc/rfc9700#section-4.11.1)).

use serde::{Deserialize, Deserializer, Serialize};
use url::Url;

/// A place within the application: an absolute path with its query, on the origin of the base URL.
///
/// Made from whatever a request asked for: everything that is not plainly a path of this
/// application becomes the default, the base URL. A path that is accepted parses to the application's
/// own origin in a WHATWG URL parser; it has no control characters, no backslash, no `//`, and no
/// colon in its first segment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct ReturnTo(String);

impl ReturnTo {
    /// The longest path that is carried through a sign-in, in bytes.
    pub const MAX_LENGTH: usize = 1024;

    /// `requested` if it is a path of the application at `base_url`, else the base URL itself.
    pub fn within(base_url: &Url, requested: &str) -> Self {
        own_path(base_url, requested).map_or_else(|| Self::base(base_url), Self)
    }

    /// The base URL itself.
    pub fn base(base_url: &Url) -> Self {
        Self::stored(path_and_query(base_url))
    }

    /// The root of an application that has no base URL.
    pub fn root() -> Self {
        Self("/".to_owned())
    }

    /// A path that was accepted before; anything else becomes the root.
    fn stored(path: String) -> Self {
        if is_plain(&path) {
            Self(path)
        } else {
            Self::root()
        }
    }

    /// The path and query, beginning with a single slash: fit for a `Location` header.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for ReturnTo {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::stored)
    }
}

fn own_path(base_url: &Url, requested: &str) -> Option<String> {
    if requested.len() > ReturnTo::MAX_LENGTH || !is_plain(requested) {
        return None;
    }
    let url = base_url.join(requested).ok()?;
    let path = path_and_query(&url);
    (url.origin() == base_url.origin() && is_plain(&path)).then_some(path)
}

fn is_plain(path: &str) -> bool {
    path.starts_with('/')
        && !path
            .chars()
            .any(|c| c == '\\' || c.is_control() || (c.is_whitespace() && c != ' '))
        && !leads_elsewhere(path)
}

/// Whether somebody could read an address out of it: two slashes in a row, or a scheme. Looked at as
/// it stands and decoded twice, because some proxies decode once before the application does. In the
/// query an address is in order if it is encoded, as an address in a query has to be.
fn leads_elsewhere(text: &str) -> bool {
    let (path, query) = text.split_at(text.find(['?', '#']).unwrap_or(text.len()));
    let mut decoded = path.to_owned();
    for _ in 0..3 {
        let bare: String = decoded
            .chars()
            .filter(|c| !c.is_whitespace() && !c.is_control())
            .map(|c| if c == '\\' { '/' } else { c })
            .collect();
        if bare.contains("//") || begins_like_an_address(&bare) {
            return true;
        }
        decoded = percent_decoded(&decoded);
    }
    query.contains("//")
}

/// A scheme, or a mark that cannot begin a word and that some take for a slash.
fn begins_like_an_address(path: &str) -> bool {
    const MARKS: [char; 9] = ['〱', '〵', 'ゝ', 'ー', 'ｰ', '／', '＼', '∕', '⁄'];
    let first_segment = path.split('/').nth(1).unwrap_or_default();
    first_segment.contains(':') || first_segment.starts_with(MARKS)
}

fn percent_decoded(text: &str) -> String {
    // Two characters mean something to the decoder of forms that they do not mean in a path.
    let form = text.replace('&', "%26").replace('+', "%2B");
    url::form_urlencoded::parse(format!("x={form}").as_bytes())
        .next()
        .map(|(_, value)| value.into_owned())
        .unwrap_or_default()
}

fn path_and_query(url: &Url) -> String {
    match url.query() {
        Some(query) => format!("{}?{query}", url.path()),
        None => url.path().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn within(requested: &str) -> String {
        let base_url = Url::parse("https://app.example/").unwrap();
        ReturnTo::within(&base_url, requested).as_str().to_owned()
    }

    #[test]
    fn c17_paths_of_the_application_are_kept() {
        for path in [
            "/",
            "/orders",
            "/orders?page=2&sort=a%2Fb",
            "/a/b/../c",
            "/ünï",
            "/a+b/+/c",
            "/search?q=1:2&next=%2F%2Fhere&url=https%3A%2F%2Fhere",
            "/サービス",
        ] {
            let expected = Url::parse("https://app.example")
                .unwrap()
                .join(path)
                .unwrap();
            assert_eq!(within(path), path_and_query(&expected), "{path}");
        }
        assert_eq!(within("/orders#here"), "/orders");
    }

    #[test]
    fn c17_everything_else_becomes_the_default() {
        for bad in [
            "",
            "orders",
            "https://evil.example/",
            "//evil.example",
            "///evil.example",
            "/\\evil.example",
            "\\/evil.example",
            "/\t/evil.example",
            "/ /evil.example",
            "\n//evil.example",
            "/%09/evil.example",
            "/%5cevil.example",
            "/%5c%5cevil.example",
            "/%2f%2fevil.example",
            "/%2fevil.example",
            "/%252fevil.example",
            "/.//evil.example",
            "/./\\evil.example",
            "/x/..//evil.example",
            "/..//evil.example",
            "javascript:alert(1)",
            "/\u{0}//evil.example",
            "/\u{a0}/evil.example",
            "data:text/html,x",
            "@evil.example",
            "/\r\nLocation: https://evil.example",
            "/a//evil.example",
            "/?next=//evil.example",
            "/https:evil.example",
            "/javascript:alert(1)",
            "/〱evil.example",
            "/x/%5c/evil.example",
        ] {
            assert_eq!(within(bad), "/", "{bad:?}");
        }
        assert_eq!(
            within(&format!("/{}", "a".repeat(ReturnTo::MAX_LENGTH))),
            "/"
        );
    }

    #[test]
    fn c17_the_default_keeps_the_path_of_the_base_url() {
        let base_url = Url::parse("https://app.example/shop/").unwrap();
        assert_eq!(
            ReturnTo::within(&base_url, "//evil.example").as_str(),
            "/shop/"
        );
        assert_eq!(
            ReturnTo::within(&base_url, "/shop/cart").as_str(),
            "/shop/cart"
        );
    }
}
