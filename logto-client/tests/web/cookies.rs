//! Cookies, tested with a browser's rules: at most 4,096 bytes each, deleted by `Max-Age=0`.

use std::{collections::BTreeMap, time::Duration};

use http::{HeaderMap, HeaderValue, header};
use logto_client::storage::Handle;
use logto_client::web::cookies::{
    CookieCodec, CookieConfigError, CookieError, CookieOptions, DEFAULT_BUDGET,
    DEFAULT_RESPONSE_LIMIT, RequestCookies, SameSite, SessionCookies,
};
use proptest::prelude::*;
use url::Url;

const NAME: &str = "__Host-logto_app";

fn options(base_url: &str) -> CookieOptions {
    CookieOptions::new(&Url::parse(base_url).unwrap(), "app")
}

fn codec() -> CookieCodec {
    options("https://app.example.com").build().unwrap()
}

/// A value that differs at every place, so that swapped pieces show.
fn value_of(length: usize) -> String {
    (0..length)
        .map(|i| char::from(b'a' + u8::try_from((i * 7 + i / 26) % 26).unwrap()))
        .collect()
}

fn strings(headers: &[HeaderValue]) -> Vec<String> {
    headers
        .iter()
        .map(|header| header.to_str().unwrap().to_owned())
        .collect()
}

fn request(cookie_headers: &[&str]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for cookie in cookie_headers {
        headers.append(
            header::COOKIE,
            HeaderValue::from_bytes(cookie.as_bytes()).unwrap(),
        );
    }
    headers
}

fn candidates(codec: &CookieCodec, cookie_headers: &[&str]) -> Vec<String> {
    values(&codec.read(&request(cookie_headers)))
}

fn values(carried: &RequestCookies) -> Vec<String> {
    let handles = carried.handles();
    let values = handles.iter().map(Handle::value);
    values.map(str::to_owned).collect()
}

/// What a response sets that has nothing else to carry.
fn write(
    codec: &CookieCodec,
    carried: &RequestCookies,
    value: &str,
) -> Result<Vec<HeaderValue>, CookieError> {
    let written = codec.write(carried, &Handle::new(value), 0)?;
    assert_eq!(written.left_out, 0);
    Ok(written.set_cookies)
}

/// A cookie jar of one site.
#[derive(Clone, Debug, Default)]
struct Browser(BTreeMap<String, String>);

impl Browser {
    fn request(&self) -> HeaderMap {
        let cookies: Vec<String> = self.0.iter().map(|(n, v)| format!("{n}={v}")).collect();
        if cookies.is_empty() {
            HeaderMap::new()
        } else {
            request(&[&cookies.join("; ")])
        }
    }

    fn receive(&mut self, set_cookies: &[HeaderValue]) {
        for cookie in strings(set_cookies) {
            assert!(
                cookie.len() <= 4_096,
                "the browser would drop {} bytes",
                cookie.len()
            );
            let (name, rest) = cookie.split_once('=').unwrap();
            let (value, attributes) = rest.split_once("; ").unwrap();
            if attributes
                .split("; ")
                .any(|attribute| attribute == "Max-Age=0")
            {
                self.0.remove(name);
            } else {
                self.0.insert(name.to_owned(), value.to_owned());
            }
        }
    }

    fn carried_len(&self) -> usize {
        self.request()
            .get(header::COOKIE)
            .map_or(0, HeaderValue::len)
    }

    fn write(&mut self, codec: &CookieCodec, value: &str) {
        let headers = self.request();
        let set = write(codec, &codec.read(&headers), value).unwrap();
        self.receive(&set);
    }

    fn value(&self, codec: &CookieCodec) -> Option<String> {
        let headers = self.request();
        let values = values(&codec.read(&headers));
        assert!(values.len() < 2, "one value was written last");
        values.into_iter().next()
    }
}

/// A codec whose longest values are in several pieces.
fn roomy() -> CookieCodec {
    options("https://app.example.com")
        .budget(65_536)
        .build()
        .unwrap()
}

/// How long the pieces of a chunked value are, as the codec cuts them.
fn piece_len(codec: &CookieCodec) -> usize {
    let set = write(codec, &Default::default(), &value_of(20_000)).unwrap();
    let first = strings(&set).remove(0);
    let piece = first.split_once('=').unwrap().1.split_once(';').unwrap().0;
    piece.splitn(3, '.').nth(2).unwrap().len()
}

#[test]
fn b1_attributes_are_safe_by_default_and_follow_the_options() {
    let year = Duration::from_secs(366 * 24 * 3600);
    let for_ever = Duration::MAX;
    let https = "https://app.example.com";
    for (options, expected) in [
        (
            options(https),
            "__Host-logto_app=v; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=16761600",
        ),
        (
            options(https)
                .same_site(SameSite::Strict)
                .until_browser_closes(),
            "__Host-logto_app=v; Path=/; Secure; HttpOnly; SameSite=Strict",
        ),
        (
            options(https)
                .same_site(SameSite::None)
                .name("s")
                .max_age(year),
            "__Host-s=v; Path=/; Secure; HttpOnly; SameSite=None; Max-Age=31622400",
        ),
        (
            options(https).domain(".Example.com").max_age(for_ever),
            "__Secure-logto_app=v; Path=/; Secure; HttpOnly; SameSite=Lax; Domain=example.com; Max-Age=34560000",
        ),
        (
            options("http://localhost:3000"),
            "logto_app-3000=v; Path=/; HttpOnly; SameSite=Lax; Max-Age=16761600",
        ),
        (
            options(https).same_site(SameSite::None).partitioned(),
            "__Host-logto_app=v; Path=/; Secure; HttpOnly; SameSite=None; Partitioned; Max-Age=16761600",
        ),
        (
            options("https://localhost:3000"),
            "__Host-logto_app-3000=v; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=16761600",
        ),
    ] {
        let codec = options.build().unwrap();
        let set = write(&codec, &Default::default(), "v").unwrap();
        assert_eq!(strings(&set), [expected]);
        assert!(set[0].is_sensitive());
    }
}

#[test]
fn b9_applications_that_share_a_host_do_not_share_names() {
    let name = |base_url: &str| options(base_url).build().unwrap().name().to_owned();
    for (base_url, expected) in [
        ("https://app.example.com", "__Host-logto_app"),
        ("https://app.example.com/", "__Host-logto_app"),
        // Browsers reach another port by another address, and one name can be moved behind a proxy.
        ("https://app.example.com:8443", "__Host-logto_app"),
        ("http://localhost", "logto_app"),
        ("http://localhost:3000", "logto_app-3000"),
        ("http://localhost:3001", "logto_app-3001"),
        ("http://127.0.0.1:3000", "logto_app-3000"),
        ("http://[::1]:3000", "logto_app-3000"),
        ("https://app.localhost:3000", "__Host-logto_app-3000"),
    ] {
        assert_eq!(name(base_url), expected, "{base_url}");
    }
    let paths = ["", "/shop", "/shop/eu", "/SHOP", "/shop%2Feu", "/shop2"];
    let names: std::collections::BTreeSet<String> = paths
        .iter()
        .map(|path| name(&format!("https://app.example.com{path}")))
        .collect();
    assert_eq!(names.len(), paths.len(), "{names:?}");
    assert_eq!(
        name("https://app.example.com/shop"),
        name("https://app.example.com/shop/")
    );
    let named = options("http://localhost:3000/shop").name("mine").build();
    assert_eq!(named.unwrap().name(), "mine");
}

#[test]
fn b1_cookies_without_secure_exist_on_loopback_only() {
    for (base_url, allowed) in [
        ("http://localhost:3000", true),
        ("http://app.localhost", true),
        ("http://127.0.0.1:8080/base", true),
        ("http://127.8.0.1", true),
        ("http://[::1]:3000", true),
        ("http://app.example.com", false),
        ("http://localhost.example.com", false),
        ("http://notlocalhost", false),
        ("http://10.0.0.1", false),
        ("http://0.0.0.0", false),
        ("http://[::]", false),
        ("ftp://localhost", false),
        ("data:text/plain,x", false),
    ] {
        let refused = options(base_url).build().err();
        assert_eq!(refused.is_none(), allowed, "{base_url}");
        assert!(matches!(
            refused,
            None | Some(CookieConfigError::InsecureBaseUrl(_))
        ));
    }
}

#[test]
fn b1_a_domain_is_shared_by_hosts_that_are_all_below_it() {
    let hosts = ["example.com", "admin.example.com", "*.preview.example.com"];
    let shared = options("https://app.example.com").other_hosts(hosts);
    assert_eq!(shared.clone().build().unwrap().name(), NAME);
    let shared = shared.domain("example.com").build().unwrap();
    assert_eq!(shared.name(), "__Secure-logto_app");
}

#[test]
fn b1_options_that_browsers_would_refuse_are_refused() {
    use CookieConfigError as Error;
    let https = || options("https://app.example.com");
    let name = |name: &str| (https().name(name), Error::InvalidName(name.to_owned()));
    let domain = |domain: &str| {
        (
            https().domain(domain),
            Error::ForeignDomain(domain.to_owned()),
        )
    };
    for (options, expected) in [
        name(""),
        name(&"n".repeat(65)),
        name("a b"),
        name("a=b"),
        name("a;b"),
        name("a.0"),
        name("__Host-a"),
        name("näme"),
        name("a\r\nSet-Cookie: b"),
        domain("other.com"),
        domain("ample.com"),
        domain("com"),
        domain(""),
        domain("..example.com"),
        domain("sub.app.example.com"),
        domain("example.com; SameSite=None"),
        (
            https()
                .other_hosts(["app.example.de"])
                .domain("example.com"),
            Error::ForeignDomain("example.com".into()),
        ),
        (
            https()
                .other_hosts(["*.notexample.com"])
                .domain("example.com"),
            Error::ForeignDomain("example.com".into()),
        ),
        (
            options("https://192.0.2.1").domain("192.0.2.1"),
            Error::ForeignDomain("192.0.2.1".into()),
        ),
        (
            options("http://localhost").same_site(SameSite::None),
            Error::CrossSiteNeedsHttps,
        ),
        (
            options("http://localhost").cross_site_callback(),
            Error::CrossSiteNeedsHttps,
        ),
        (https().budget(4_095), Error::BudgetOutOfRange(4_095)),
        (https().budget(65_537), Error::BudgetOutOfRange(65_537)),
        (
            https().response_limit(2_047),
            Error::ResponseLimitOutOfRange(2_047),
        ),
        (
            https().response_limit(65_537),
            Error::ResponseLimitOutOfRange(65_537),
        ),
        (https().partitioned(), Error::PartitionedNeedsSameSiteNone),
        (
            https().max_age(Duration::from_millis(999)),
            Error::ZeroMaxAge,
        ),
    ] {
        assert_eq!(options.build().unwrap_err(), expected);
    }
}

#[test]
fn b6_values_around_every_multiple_of_a_piece_round_trip() {
    let codec = roomy();
    let piece = piece_len(&codec);
    let longest = codec.capacity();
    let lengths = (1..=16)
        .flat_map(|pieces| [pieces * piece - 1, pieces * piece, pieces * piece + 1])
        .chain(1..20)
        .chain(piece..4_100)
        .chain([longest - 1, longest]);
    for length in lengths.filter(|length| *length <= longest) {
        let value = value_of(length);
        let mut browser = Browser::default();
        browser.write(&codec, &value);
        assert_eq!(browser.value(&codec), Some(value), "{length}");
        let pieces = browser.0.len();
        assert!(
            pieces == 1 || pieces == length.div_ceil(piece),
            "{length} in {pieces}"
        );
    }
}

#[test]
fn b6_no_set_cookie_and_no_cookie_header_is_too_long_at_any_length() {
    for codec in [
        codec(),
        roomy(),
        options("http://localhost")
            .until_browser_closes()
            .build()
            .unwrap(),
    ] {
        let longest = codec.capacity();
        for length in (1..=longest).step_by(97).chain([longest]) {
            let mut browser = Browser::default();
            browser.write(&codec, &value_of(length));
            assert!(browser.carried_len() <= 65_536);
        }
        let beyond = write(&codec, &Default::default(), &value_of(longest + 1));
        assert!(
            matches!(beyond, Err(CookieError::TooLarge { .. })),
            "capacity is exact"
        );
    }
    let mut browser = Browser::default();
    browser.write(&codec(), &value_of(codec().capacity()));
    assert!(browser.carried_len() <= DEFAULT_BUDGET);
}

#[test]
fn b6_a_value_beyond_the_budget_is_a_typed_error_that_names_the_store() {
    let codec = codec();
    let error = write(&codec, &Default::default(), &value_of(40_000)).unwrap_err();
    let CookieError::TooLarge { size, limit } = error else {
        panic!("{error}")
    };
    assert!(size > 40_000 && limit < DEFAULT_BUDGET);
    assert!(error.to_string().contains("store on the server"), "{error}");
}

#[test]
fn b6_values_that_cannot_stand_in_a_cookie_are_refused() {
    for value in [
        "", "a b", "a;b", "a,b", "a\"b", "a\\b", "a\r\nb", "ä", "a=b",
    ] {
        let written = write(&codec(), &Default::default(), value);
        assert_eq!(written.unwrap_err(), CookieError::InvalidValue, "{value:?}");
    }
}

/// A value in three pieces, as pairs of name and value.
fn three_pieces(fill: &str) -> (String, Vec<(String, String)>) {
    let codec = roomy();
    let value = format!("{fill}{}", value_of(9_000));
    let mut browser = Browser::default();
    browser.write(&codec, &value);
    let pieces: Vec<_> = browser.0.into_iter().collect();
    assert_eq!(pieces.len(), 3);
    (value, pieces)
}

fn header_of<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    pairs
        .into_iter()
        .map(|(n, v)| format!("{n}={v}"))
        .collect::<Vec<_>>()
        .join("; ")
}

#[test]
fn b7_pieces_are_complete_or_absent() {
    let (value, pieces) = three_pieces("old");
    let (_, newer) = three_pieces("new");
    let pair = |from: &[(String, String)], i: usize| (from[i].0.clone(), from[i].1.clone());
    let old = |i| pair(&pieces, i);
    let new = |i| pair(&newer, i);
    let named = |suffix: &str, i: usize| (format!("{NAME}.{suffix}"), pieces[i].1.clone());
    let with_count = |count: &str| -> Vec<(String, String)> {
        let rewrite = |v: &str| v.replacen(".3.", &format!(".{count}."), 1);
        pieces
            .iter()
            .map(|(name, v)| (name.clone(), rewrite(v)))
            .collect()
    };
    let read = |pairs: Vec<(String, String)>| {
        let header = header_of(pairs.iter().map(|(n, v)| (n.as_str(), v.as_str())));
        candidates(&roomy(), &[&header])
    };

    for (what, pairs) in [
        ("in order", vec![old(0), old(1), old(2)]),
        ("reordered", vec![old(2), old(0), old(1)]),
        ("one twice, the same", vec![old(0), old(1), old(1), old(2)]),
        (
            "foreign pieces beside them",
            vec![old(0), old(1), old(2), named("3", 0), named("99", 1)],
        ),
        (
            "unreadable names beside them",
            vec![named("00", 0), old(0), old(1), named("+1", 1), old(2)],
        ),
        (
            "an incomplete newer write beside them",
            vec![new(0), old(0), old(1), new(1), old(2)],
        ),
    ] {
        assert_eq!(read(pairs), [value.as_str()], "{what}");
    }

    let mut contradictory = old(1);
    contradictory.1.push('x');
    for (what, pairs) in [
        ("first missing", vec![old(1), old(2)]),
        ("middle missing", vec![old(0), old(2)]),
        ("last missing", vec![old(0), old(1)]),
        ("alone", vec![old(0)]),
        ("mixed writes", vec![old(0), new(1), old(2)]),
        (
            "one twice, different",
            vec![old(0), old(1), contradictory, old(2)],
        ),
        ("swapped names", vec![old(0), named("2", 1), old(2)]),
        ("index 00", vec![named("00", 0), old(1), old(2)]),
        ("index +1", vec![old(0), named("+1", 1), old(2)]),
        ("index -1", vec![old(0), named("-1", 1), old(2)]),
        ("index 01", vec![old(0), named("01", 1), old(2)]),
        ("index 1e9", vec![old(0), named("1e9", 1), old(2)]),
        ("index ' 1'", vec![old(0), named(" 1", 1), old(2)]),
        (
            "index 4294967297",
            vec![old(0), named("4294967297", 1), old(2)],
        ),
        ("no index", vec![old(0), named("", 1), old(2)]),
        ("count 0", with_count("0")),
        ("count 2", with_count("2")),
        ("count 4", with_count("4")),
        ("count 03", with_count("03")),
        ("count +3", with_count("+3")),
        ("count -3", with_count("-3")),
        ("count 1000000000", with_count("1000000000")),
        ("count missing", with_count("")),
    ] {
        let found = read(pairs);
        // "count 2" leaves two whole pieces of a value that no key opens.
        assert!(found.iter().all(|found| *found != value), "{what}");
        assert!(found.is_empty() || what == "count 2", "{what}: {found:?}");
    }
}

#[test]
fn b7_a_header_of_nothing_but_pieces_is_read_once() {
    let names = (0..20_000).map(|i| format!("{NAME}.{}=AAAAAAAA.99.x{i}", i % 100));
    let header = names.collect::<Vec<_>>().join("; ");
    let headers = request(&[&header]);
    let carried = codec().read(&headers);
    assert!(carried.handles().is_empty());
    assert!(
        codec().clear(&carried, 0).len() <= 100,
        "each name is deleted once"
    );
}

#[test]
fn b8_shorter_values_delete_what_is_left_of_longer_ones() {
    let codec = roomy();
    let lengths = [100, 20_000, 9_000, 12_000, 50, 9_000, 60_000, 1];
    let mut browser = Browser::default();
    for length in lengths {
        let value = value_of(length);
        browser.write(&codec, &value);
        assert_eq!(browser.value(&codec), Some(value), "{length}");
        let single = browser.0.contains_key(NAME);
        assert_eq!(
            browser.0.len() == 1,
            single,
            "never both forms: {:?}",
            browser.0.keys()
        );
    }
}

#[test]
fn b8_clearing_deletes_everything_with_the_same_attributes() {
    let attributes = "Path=/; Secure; HttpOnly; SameSite=Lax; Domain=example.com";
    let codec = options("https://app.example.com")
        .domain("example.com")
        .build()
        .unwrap();
    let name = codec.name();
    let headers = request(&[&format!(
        "{name}=x; {name}.0=y; {name}.7=\"bad\"; {name}.evil=z; {name}.1="
    )]);
    let cleared = strings(&codec.clear(&codec.read(&headers), 0));
    let deleted = |name: &str| {
        format!("{name}=; {attributes}; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT")
    };
    let expected = [
        deleted(name),
        deleted(&format!("{name}.0")),
        deleted(&format!("{name}.1")),
        deleted(&format!("{name}.7")),
    ];
    assert_eq!(cleared, expected);
    assert!(codec.clear(&codec.read(&HeaderMap::new()), 0).is_empty());
}

#[test]
fn b9_only_the_exact_name_is_read() {
    let lookalikes = [
        "__Host-logto_ap=v",
        "__Host-logto_app2=v",
        "__Host-logto_app-other=v",
        "__Host-logto_app.evil=v",
        "__host-logto_app=v",
        "logto_app=v",
        "__Secure-logto_app=v",
        "x__Host-logto_app=v",
        "__Host-logto_app",
        "=__Host-logto_app=v",
        "other=__Host-logto_app=v",
        "\"__Host-logto_app\"=v",
    ];
    for cookie in lookalikes {
        assert!(candidates(&codec(), &[cookie]).is_empty(), "{cookie}");
    }
    assert_eq!(
        candidates(&codec(), &[&lookalikes.join("; "), "__Host-logto_app=v"]),
        ["v"]
    );
}

#[test]
fn b9_of_two_cookies_with_one_name_the_valid_one_wins() {
    let found = candidates(
        &codec(),
        &["__Host-logto_app=tossed; a=b", "__Host-logto_app=valid"],
    );
    assert_eq!(found, ["tossed", "valid"], "the caller takes what opens");
    let opened = found.into_iter().find(|value| value == "valid");
    assert_eq!(opened.as_deref(), Some("valid"));

    let many: Vec<String> = (0..1_000)
        .map(|i| format!("__Host-logto_app=v{i}"))
        .collect();
    assert_eq!(
        candidates(&codec(), &[&many.join("; ")]).len(),
        4,
        "no flood of look-ups"
    );
}

#[test]
fn b9_separate_and_untidy_headers_are_read_as_one() {
    for headers in [
        &["a=1", "__Host-logto_app=v", "b=2"][..],
        &["a=1;__Host-logto_app=v;b=2"],
        &["a=1;  \t__Host-logto_app = v  ;b=2"],
        &[";;; __Host-logto_app=v;"],
        &["utf8=\u{e4}\u{20ac}; __Host-logto_app=v; =; ="],
    ] {
        assert_eq!(candidates(&codec(), headers), ["v"], "{headers:?}");
    }
    for value in ["", "\"v\"", "a b", "v\u{e4}", "a%20b", "v,w"] {
        assert!(
            candidates(&codec(), &[&format!("__Host-logto_app={value}")]).is_empty(),
            "{value:?}"
        );
    }
}

#[test]
fn f40_a_browser_that_lost_one_piece_has_no_session_and_is_tidied_up() {
    let codec = roomy();
    let mut whole = Browser::default();
    whole.write(&codec, &value_of(15_000));
    for lost in whole.0.keys() {
        let mut browser = whole.clone();
        browser.0.remove(lost);
        assert_eq!(browser.value(&codec), None, "{lost}");

        let headers = browser.request();
        let carried = codec.read(&headers);
        assert!(carried.has_session(), "something is there to delete");
        let mut cleared = browser.clone();
        cleared.receive(&codec.clear(&carried, 0));
        assert!(cleared.0.is_empty());

        browser.write(&codec, "next-session");
        assert_eq!(browser.value(&codec).as_deref(), Some("next-session"));
        assert_eq!(browser.0.len(), 1);
    }
}

#[test]
fn b7_two_responses_that_cross_never_mix() {
    // Both answer requests that carried nothing, so that neither knows what the other sets.
    let codec = roomy();
    for (first, second) in [
        (9_000, 20_000),
        (20_000, 9_000),
        (9_000, 9_001),
        (100, 9_000),
        (9_000, 100),
    ] {
        let (first, second) = (value_of(first), value_of(second));
        let set = |value: &str| write(&codec, &Default::default(), value).unwrap();
        let mut browser = Browser::default();
        browser.receive(&set(&first));
        browser.receive(&set(&second));
        let headers = browser.request();
        let found = values(&codec.read(&headers));
        assert!(found.contains(&second));
        assert!(
            found
                .iter()
                .all(|value| *value == first || *value == second)
        );
        browser.write(&codec, "third");
        assert_eq!(browser.value(&codec).as_deref(), Some("third"));
        assert_eq!(browser.0.len(), 1);
    }
}

/// A handle of this length with parts of these lengths, each of its own.
fn handle_of(name: &str, length: usize, parts: &[usize]) -> Handle {
    let part = |(index, length): (usize, &usize)| {
        // The first character is its own already, as one may be no longer than that.
        let own = char::from(b"abcdefghijklmnopqrstuvwxyzABCDEF"[index]);
        let part = format!("{own}-{name}-part-{}", value_of(*length));
        part[..*length].to_owned()
    };
    let value = format!("{name}-{}", value_of(length));
    Handle::new(&value[..length]).with_parts(parts.iter().enumerate().map(part))
}

impl Browser {
    /// What a response whose other headers take `taken` bytes sets for a handle.
    fn write_handle(
        &mut self,
        codec: &CookieCodec,
        handle: &Handle,
        taken: usize,
    ) -> SessionCookies {
        let headers = self.request();
        let written = codec.write(&codec.read(&headers), handle, taken).unwrap();
        let lines: usize = strings(&written.set_cookies)
            .iter()
            .map(|cookie| "set-cookie: \r\n".len() + cookie.len())
            .sum();
        assert_eq!(written.size, taken + lines);
        self.receive(&written.set_cookies);
        written
    }

    fn keep(&mut self, codec: &CookieCodec, handle: &Handle) {
        drop(self.write_handle(codec, handle, 0));
    }

    fn handle(&self, codec: &CookieCodec) -> Handle {
        let headers = self.request();
        let handles = codec.read(&headers).handles().to_vec();
        assert_eq!(handles.len(), 1);
        handles[0].clone()
    }
}

fn sorted(handle: &Handle) -> Vec<&str> {
    let mut parts = handle.parts();
    parts.sort_unstable();
    parts
}

const RESPONSE_LIMIT: usize = DEFAULT_RESPONSE_LIMIT;

#[test]
fn b6_each_part_has_a_cookie_of_its_own_and_is_set_once() {
    let codec = codec();
    let mut browser = Browser::default();
    let handle = handle_of("a", 1_000, &[300, 400, 500]);
    let written = browser.write_handle(&codec, &handle, 0);
    assert_eq!((written.set_cookies.len(), written.left_out), (4, 0));
    assert!(strings(&written.set_cookies)[0].starts_with("__Host-logto_app=a-"));
    assert_eq!(browser.handle(&codec), handle);

    // Another value and one more part: the others are there already.
    let parts = handle.parts().into_iter().chain(["one-more"]);
    let next = Handle::new(value_of(1_200)).with_parts(parts);
    let written = browser.write_handle(&codec, &next, 0);
    assert_eq!(written.set_cookies.len(), 2);
    assert_eq!(browser.handle(&codec).value(), next.value());
    assert_eq!(sorted(&browser.handle(&codec)), sorted(&next));

    // Two parts go and one comes: it takes the cookie of one, the other is deleted.
    let parts = ["yet-another", handle.parts()[1]];
    let last = Handle::new(value_of(1_200)).with_parts(parts);
    browser.keep(&codec, &last);
    assert_eq!(sorted(&browser.handle(&codec)), sorted(&last));
    assert_eq!(browser.0.len(), 3, "{:?}", browser.0.keys());

    let headers = browser.request();
    browser.receive(&codec.clear(&codec.read(&headers), 0));
    assert!(browser.0.is_empty());
}

#[test]
fn b6_no_response_is_longer_than_its_limit_and_the_handle_comes_first() {
    for taken in [0, 300, 1_500, 2_400, 3_000, 5_000] {
        let codec = codec();
        let handle = handle_of("a", 1_500, &[800; 8]);
        let mut browser = Browser::default();
        let mut left_out = 9;
        for response in 0.. {
            let written = browser.write_handle(&codec, &handle, taken);
            if response == 0 {
                let first = &strings(&written.set_cookies)[0];
                assert!(first.starts_with("__Host-logto_app=a-"), "{first}");
            }
            assert!(
                written.size <= RESPONSE_LIMIT || written.set_cookies.len() <= 1,
                "{taken}: {}",
                written.size
            );
            assert_eq!(browser.handle(&codec).value(), handle.value());
            if written.left_out == left_out {
                assert!(response > 0, "{taken}: none was written");
                break;
            }
            left_out = written.left_out;
        }
        // What has no room in later requests has none in a response either.
        let fitting = codec.fitting_parts(1_500, [800; 8]);
        assert_eq!(fitting, 6);
        let expected = if taken > 2_600 { 8 } else { 8 - fitting };
        assert_eq!(left_out, expected, "{taken}");
    }
}

/// Of a larger session, or set by somebody else: a proxy that refuses the response would refuse every one.
#[test]
fn b6_pieces_left_behind_are_deleted_as_there_is_room_and_never_read_again() {
    let (codec, large) = (codec(), options("https://app.example.com").budget(65_536));
    let large = large.build().unwrap();
    for planted in [0, 1, 12, 30, 98] {
        let mut browser = Browser::default();
        let handle = Handle::new(value_of(50_000));
        let written = large.write(&RequestCookies::default(), &handle, 0);
        browser.receive(&written.unwrap().set_cookies);
        for index in 0..planted {
            let name = format!("{NAME}.{}", 99 - index);
            browser.0.insert(name, "AAAAAAAA.99.x".to_owned());
        }
        let first = format!("{NAME}.0=;");
        let mut rounds = 0;
        while browser.0.len() > 1 || rounds == 0 {
            let headers = browser.request();
            let carried = codec.read(&headers);
            let cleared = codec.clear(&carried, 1_000);
            let has_first = browser.0.contains_key(first.trim_end_matches("=;"));
            assert_eq!(strings(&cleared)[0].starts_with(&first), has_first);
            let new = Handle::new(format!("new{rounds}"));
            let written = codec.write(&carried, &new, 1_000).unwrap();
            let cleared: usize = cleared
                .iter()
                .map(|it| it.len() + "set-cookie: \r\n".len())
                .sum();
            for size in [cleared + 1_000, written.size] {
                assert!(size <= DEFAULT_RESPONSE_LIMIT, "{planted}: {size}");
            }
            browser.receive(&written.set_cookies);
            assert_eq!(values(&codec.read(&browser.request())), [new.value()]);
            rounds += 1;
            assert!(rounds < 10, "{planted}");
        }
    }
}

#[test]
fn b6_a_large_part_does_not_keep_a_small_one_out_of_the_response() {
    let codec = codec();
    let mut browser = Browser::default();
    let handle = handle_of("a", 1_500, &[1_950, 200]);
    let written = browser.write_handle(&codec, &handle, 0);
    assert_eq!(written.left_out, 1);
    assert_eq!(browser.handle(&codec).parts(), [handle.parts()[1]]);
    assert_eq!(browser.write_handle(&codec, &handle, 1_800).left_out, 1);
}

#[test]
fn b6_the_longest_handle_for_a_response_leaves_room_for_its_other_headers() {
    for options in [
        options("https://app.example.com"),
        options("http://localhost:3000").response_limit(2_048),
        options("https://app.example.com")
            .response_limit(16_384)
            .budget(16_384),
    ] {
        let codec = options.build().unwrap();
        let longest = codec.response_capacity();
        assert!(longest <= codec.capacity());
        let taken = 512;
        let size = |length: usize| {
            let handle = Handle::new(value_of(length));
            codec
                .write(&Default::default(), &handle, taken)
                .unwrap()
                .size
        };
        assert!(size(longest) <= codec.response_limit(), "{}", size(longest));
        assert!(size(longest) + 64 > codec.response_limit().min(size(codec.capacity())));
    }
}

#[test]
fn b6_what_would_make_requests_too_long_is_deleted_before_a_part_is_written() {
    let codec = codec();
    let mut browser = Browser::default();
    let old = handle_of("old", 1_000, &[900; 5]);
    for _ in 0..3 {
        browser.keep(&codec, &old);
    }
    assert_eq!(browser.handle(&codec).parts().len(), 5);
    // Another session, and a value that leaves no room for what the old one has left.
    let new = handle_of("new", 3_100, &[900, 900]);
    browser.keep(&codec, &new);
    assert!(
        browser.carried_len() <= DEFAULT_BUDGET,
        "{}",
        browser.carried_len()
    );
    for _ in 0..3 {
        browser.keep(&codec, &new);
    }
    assert_eq!(browser.handle(&codec).value(), new.value());
    assert!(browser.carried_len() <= DEFAULT_BUDGET);
}

#[test]
fn b6_responses_that_cross_leave_requests_within_what_proxies_take() {
    let codec = codec();
    let mut start = Browser::default();
    start.keep(&codec, &handle_of("start", 1_500, &[170]));
    // Each page asks for another token and knows nothing of the other pages.
    let mut browser = start.clone();
    for page in 0..50 {
        let size = 700 + 7 * (page % 40);
        let handle = Handle::new(value_of(1_500))
            .with_parts(start.handle(&codec).parts())
            .with_parts(handle_of(&format!("p{page}"), 1_500, &[size, size]).parts());
        let headers = start.request();
        let written = codec.write(&codec.read(&headers), &handle, 200).unwrap();
        browser.receive(&written.set_cookies);
    }
    assert!(
        browser.carried_len() <= DEFAULT_BUDGET,
        "{}",
        browser.carried_len()
    );
}

#[test]
fn b7_a_part_that_comes_twice_is_none() {
    let headers = request(&[&format!(
        "{NAME}=v; {NAME}.t0=one; {NAME}.t1=two; {NAME}.t0=other"
    )]);
    let codec = codec();
    let carried = codec.read(&headers);
    assert_eq!(carried.handles(), [Handle::new("v").with_parts(["two"])]);
    let deleted = strings(&codec.clear(&carried, 0));
    assert_eq!(deleted.len(), 3, "{deleted:?}");
    for name in ["t", "t00", "t100", "t-1", "t1x", "tx.0", "T0"] {
        let headers = request(&[&format!("{NAME}=v; {NAME}.{name}=x")]);
        assert_eq!(codec.read(&headers).handles(), [Handle::new("v")], "{name}");
    }
}

#[test]
fn b7_a_session_cookie_brings_no_parts() {
    for value in [".", "v.", ".v", "v.part"] {
        let headers = request(&[&format!("{NAME}={value}")]);
        assert!(codec().read(&headers).handles().is_empty(), "{value}");
    }
}

#[test]
fn b8_what_has_no_room_to_be_deleted_is_worth_nothing_without_the_handle() {
    let codec = codec();
    let mut browser = Browser::default();
    let handle = handle_of("a", 500, &[50; 32]);
    for _ in 0..4 {
        browser.keep(&codec, &handle);
    }
    assert_eq!(browser.handle(&codec).parts().len(), 32);
    let headers = browser.request();
    browser.receive(&codec.clear(&codec.read(&headers), 1_000));
    let headers = browser.request();
    assert!(codec.read(&headers).handles().is_empty());
    assert!(browser.0.len() < 32);
}

#[test]
fn b18_carried_cookies_do_not_show_their_values() {
    let headers = request(&[&format!(
        "{NAME}=sealed-value; {NAME}.0=AAAAAAAA.1.other-value"
    )]);
    let shown = format!("{:?}", codec().read(&headers));
    assert!(!shown.contains("value"), "{shown}");
    let set = write(&codec(), &Default::default(), "sealed-value").unwrap();
    assert_eq!(format!("{set:?}"), "[Sensitive]");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn b6_any_sequence_of_lengths_round_trips(lengths in prop::collection::vec(1_usize..60_000, 1..6)) {
        let codec = roomy();
        let mut browser = Browser::default();
        for length in lengths {
            let value = value_of(length);
            browser.write(&codec, &value);
            prop_assert_eq!(browser.value(&codec), Some(value));
            prop_assert!(browser.carried_len() <= 65_536);
        }
    }

    #[test]
    fn b6_any_sequence_of_handles_stays_within_both_limits(
        steps in prop::collection::vec(
            (1_usize..2_900, prop::collection::vec(1_usize..2_000, 0..12), 0_usize..600, any::<u8>()),
            1..8,
        ),
    ) {
        let codec = codec();
        let mut browser = Browser::default();
        for (length, parts, taken, name) in steps {
            let handle = handle_of(&format!("h{}", name % 4), length, &parts);
            let written = browser.write_handle(&codec, &handle, taken);
            let deletions = strings(&written.set_cookies);
            let deletions = deletions.iter().filter(|cookie| cookie.contains("Max-Age=0")).count();
            prop_assert!(
                written.size <= RESPONSE_LIMIT || written.set_cookies.len() <= 1 + deletions,
                "{} of {:?}", written.size, strings(&written.set_cookies)
            );
            prop_assert!(browser.carried_len() <= DEFAULT_BUDGET, "{}", browser.carried_len());
            let carried = browser.handle(&codec);
            prop_assert_eq!(carried.value(), handle.value());
            let missing = handle
                .parts()
                .iter()
                .filter(|part| !carried.parts().contains(part))
                .count();
            prop_assert_eq!(missing, written.left_out);
        }
    }

    #[test]
    fn b7_no_header_confuses_the_parser(
        bytes in prop::collection::vec(any::<u8>(), 0..400),
        near_miss in "(__Host-logto_app(\\.(t|browser)?[0-9a-z+-]{0,18})?=[A-Za-z0-9._]{0,20};? ?){0,20}",
    ) {
        let mut headers = request(&[&near_miss]);
        if let Ok(value) = HeaderValue::from_bytes(&bytes) {
            headers.append(header::COOKIE, value);
        }
        let codec = codec();
        let carried = codec.read(&headers);
        prop_assert!(carried.handles().len() <= 4);
        prop_assert!(values(&carried).iter().all(|value| !value.is_empty()));
        prop_assert!(write(&codec, &carried, "v").is_ok());
        let _ = codec.clear(&carried, 0);
    }

    #[test]
    fn b7_a_removed_or_changed_piece_never_gives_another_value(
        length in 8_000_usize..30_000,
        victim in any::<prop::sample::Index>(),
        replacement in "[A-Za-z0-9._-]{0,30}",
        remove in any::<bool>(),
    ) {
        let codec = roomy();
        let mut browser = Browser::default();
        browser.write(&codec, &value_of(length));
        let name = browser.0.keys().nth(victim.index(browser.0.len())).unwrap().clone();
        if remove {
            browser.0.remove(&name);
        } else {
            browser.0.insert(name, replacement);
        }
        prop_assert_eq!(browser.value(&codec), None);
    }
}
