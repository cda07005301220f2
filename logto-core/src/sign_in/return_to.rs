//! Where to go after a sign-in, without being an open redirector
//! ([RFC 9700 section 4.11.1](https://www.rfc-editor.org/rfc/rfc9700#section-4.11.1)).

use serde::{Deserialize, Deserializer, Serialize};
use url::Url;

/// How often a path may be decoded: by a proxy, and by the application behind it, or not at all.
const READINGS: usize = 3;

/// A target within the application: an absolute path with its query, on the origin of the base URL and below
/// its path.
///
/// A request may contain any text. Anything that is not clearly a path of this application falls back to the
/// base URL. An accepted path parses to the application's own origin in a WHATWG URL parser; it has no control
/// characters, no backslash, no `//`, and no colon in its first segment, and it stays below the base path
/// however often a proxy decodes it. A query cannot change where a path leads, so it is kept whatever it
/// contains.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct ReturnTo(String);

impl ReturnTo {
    /// The longest path and query that are carried through a sign-in, in bytes, percent-encoded.
    pub const MAX_LENGTH: usize = 2_048;

    /// `requested` if it is a path of the application at `base_url`, else the base URL itself.
    ///
    /// A query that makes it longer than [`MAX_LENGTH`](Self::MAX_LENGTH) is dropped.
    pub fn within(base_url: &Url, requested: &str) -> Self {
        own_place(base_url, requested).map_or_else(|| Self::base(base_url), Self)
    }

    /// The base URL itself.
    pub fn base(base_url: &Url) -> Self {
        Self::stored(base_url.path().to_owned())
    }

    /// The root of an application that has no base URL.
    pub fn root() -> Self {
        Self("/".to_owned())
    }

    /// A path that was accepted before; anything else becomes the root.
    fn stored(place: String) -> Self {
        let (path, query) = split_query(&place);
        if place.len() <= Self::MAX_LENGTH && is_plain(path) && query.is_none_or(is_encoded) {
            Self(place)
        } else {
            Self::root()
        }
    }

    /// The path and query, beginning with a single slash, for a `Location` header.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for ReturnTo {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::stored)
    }
}

fn own_place(base_url: &Url, requested: &str) -> Option<String> {
    let (path, query) = split_query(requested);
    let place = own_path(base_url, path)?;
    let with_query = query
        .filter(|query| query.len() <= ReturnTo::MAX_LENGTH)
        .map(|query| format!("{place}?{}", encoded_query(base_url, query)))
        .filter(|place| place.len() <= ReturnTo::MAX_LENGTH);
    Some(with_query.unwrap_or(place)).filter(|place| place.len() <= ReturnTo::MAX_LENGTH)
}

fn own_path(base_url: &Url, path: &str) -> Option<String> {
    if path.len() > ReturnTo::MAX_LENGTH || !is_plain(path) {
        return None;
    }
    let url = base_url.join(path).ok()?;
    let stays = url.origin() == base_url.origin()
        && is_plain(url.path())
        && is_below(base_url.path(), url.path());
    stays.then(|| url.path().to_owned())
}

/// The path, and the query without its question mark. A fragment belongs to neither.
fn split_query(place: &str) -> (&str, Option<&str>) {
    let place = place.split('#').next().unwrap_or_default();
    match place.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (place, None),
    }
}

/// A query cannot lead elsewhere, but it becomes part of a header: every byte that is not plain ASCII is
/// encoded, and so is the backslash, which URL parsers keep.
fn encoded_query(base_url: &Url, query: &str) -> String {
    let mut url = base_url.clone();
    url.set_query(Some(query));
    url.query().unwrap_or_default().replace('\\', "%5C")
}

fn is_encoded(query: &str) -> bool {
    query
        .bytes()
        .all(|byte| byte.is_ascii_graphic() && byte != b'\\')
}

fn is_plain(path: &str) -> bool {
    path.starts_with('/')
        && !path
            .chars()
            .any(|c| c == '\\' || c.is_control() || (c.is_whitespace() && c != ' '))
        && readings(path).all(|path| !path.contains("//") && !begins_like_an_address(&path))
}

/// A scheme, or a character that cannot begin a word and that some readers treat as a slash.
fn begins_like_an_address(path: &str) -> bool {
    const MARKS: [char; 9] = ['〱', '〵', 'ゝ', 'ー', 'ｰ', '／', '＼', '∕', '⁄'];
    let first_segment = path.split('/').nth(1).unwrap_or_default();
    first_segment.contains(':') || first_segment.starts_with(MARKS)
}

/// Whether `path` is `base` or below it, at a boundary between segments, even after decoding: a proxy in front
/// may route `/app%2f..%2fadmin` by its decoded path, outside the application.
fn is_below(base: &str, path: &str) -> bool {
    readings(base).zip(readings(path)).all(|(base, path)| {
        [Parameters::Kept, Parameters::Cut]
            .into_iter()
            .all(|parameters| segments(&path, parameters).starts_with(&segments(&base, parameters)))
    })
}

/// How a reader of a path treats `;` and the text after it in a segment.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Parameters {
    /// It belongs to the segment, as browsers read it.
    Kept,
    /// Some servers cut it off before they resolve dots.
    Cut,
}

/// The segments that are left when dots are resolved.
fn segments(path: &str, parameters: Parameters) -> Vec<&str> {
    let mut segments = Vec::new();
    for segment in path.split('/') {
        let name = match parameters {
            Parameters::Kept => segment,
            Parameters::Cut => segment.split(';').next().unwrap_or_default(),
        };
        match name {
            "" | "." => {}
            ".." => drop(segments.pop()),
            _ => segments.push(segment),
        }
    }
    segments
}

/// A path as received, and as seen by a reader that decodes it once or twice and treats a backslash as a slash:
/// each time once for readers that keep white space and once for those that skip it.
fn readings(path: &str) -> impl Iterator<Item = String> {
    let as_it_stands = Some(path.to_owned());
    std::iter::successors(as_it_stands, |path| Some(percent_decoded(path)))
        .take(READINGS)
        .flat_map(|path| {
            let kept = path.replace('\\', "/");
            let skipped = kept.replace(|c: char| c.is_whitespace() || c.is_control(), "");
            [kept, skipped]
        })
}

fn percent_decoded(text: &str) -> String {
    // Two characters have a meaning in forms that they do not have in a path.
    let form = text.replace('&', "%26").replace('+', "%2B");
    url::form_urlencoded::parse(format!("x={form}").as_bytes())
        .next()
        .map(|(_, value)| value.into_owned())
        .unwrap_or_default()
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
            let expected = &expected[url::Position::BeforePath..];
            assert_eq!(within(path), expected, "{path}");
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
