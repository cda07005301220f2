//! Where a sign-in may lead: never to another host.
//!
//! The public payload lists of oauth2-proxy and mod_auth_openidc are variations of a few themes. Here
//! the themes are multiplied instead.

use http::HeaderValue;
use logto_core::sign_in::ReturnTo;
use proptest::prelude::*;
use url::Url;

fn base_url() -> Url {
    Url::parse("https://app.example").unwrap()
}

fn within(requested: &str) -> String {
    ReturnTo::within(&base_url(), requested).as_str().to_owned()
}

/// An application below a path of its host, which it shares with others.
fn within_shop(requested: &str) -> String {
    let shop = Url::parse("https://app.example/shop").unwrap();
    ReturnTo::within(&shop, requested).as_str().to_owned()
}

/// What holds for every path, however it came about.
fn assert_harmless(path: &str) {
    assert!(path.starts_with('/') && !path.starts_with("//"), "{path:?}");
    assert!(
        !path.chars().any(|c| c.is_control() || c == '\\'),
        "{path:?}"
    );
    let url = base_url().join(path).unwrap();
    assert_eq!(url.origin(), base_url().origin(), "{path:?}");
    assert!(HeaderValue::from_str(path).is_ok(), "{path:?}");
}

#[test]
fn c17_paths_of_the_application_are_kept() {
    for path in [
        "/",
        "/shop",
        "/orders/17",
        "/orders/17/",
        "/orders?page=2&sort=-date",
        "/a.b/c..d/~e_f-g",
        "/a+b?c+d",
        "/caf%C3%A9",
        "/files/a%2Fb",
        "/search?q=a%3Ab&next=https%3A%2F%2Fshop.example%2F",
        "/a/b:c",
        "/@user",
        "/evil.example",
        "/redirect?to=//evil.example",
        "/redirect?to=https://evil.example:443/a?b",
        "/?//evil.example",
        "/?javascript:alert(1)",
        "/orders?at=12:30:00",
        "/orders?%5C%5Cevil.example",
    ] {
        assert_eq!(within(path), path);
        assert_harmless(path);
    }
    assert_eq!(within("/a/../b/./c"), "/b/c");
    assert_eq!(within("/a b?c d#part"), "/a%20b?c%20d");
    assert_eq!(within("/caf\u{e9}"), "/caf%C3%A9");
    assert_eq!(within("/#//evil.example"), "/");
}

#[test]
fn a_query_is_kept_whatever_it_says_and_is_fit_for_a_header() {
    for (query, kept) in [
        ("to=\\\\evil.example", "to=%5C%5Cevil.example"),
        ("\\", "%5C"),
        ("q=\"<\u{e9}>'", "q=%22%3C%C3%A9%3E%27"),
        ("q=\u{7ffb}\u{2028}", "q=%E7%BF%BB%E2%80%A8"),
        ("a\r\nSet-Cookie: b", "aSet-Cookie:%20b"),
        ("\0\u{1b}[31m\u{7f}", "%00%1B[31m%7F"),
        ("..&../..//", "..&../..//"),
        ("", ""),
    ] {
        let kept = format!("/orders?{kept}");
        assert_eq!(within(&format!("/orders?{query}")), kept);
        assert_harmless(&kept);
    }
}

#[test]
fn the_base_path_ends_at_a_segment_and_no_spelling_leaves_it() {
    for inside in [
        "/shop",
        "/shop/",
        "/shop?page=2",
        "/shop/cart",
        "/shop/cart?next=/other",
        "/shop/cart?next=/shop/../other",
        "/shop/a%2Fb",
        "/shop/shop",
        "/shop/a/%2E%2E.b",
    ] {
        assert_eq!(within_shop(inside), inside);
    }
    assert_eq!(within_shop("/x/../shop/./a/../b"), "/shop/b");
    assert_eq!(within_shop("/shop/%2e%2E/shop/cart"), "/shop/cart");
    let escapes = [
        "/",
        "/..",
        "/../",
        "/../admin",
        "/./../admin",
        "/a/../../admin",
        "/%2e%2e/admin",
        "/.%2E/admin",
        "/%252e%252e/admin",
        "/%252E./admin",
        "/..%2fadmin",
        "/..%2Fadmin",
        "/a%2f..%2f..%2fadmin",
        "/..%5cadmin",
        "/..%255cadmin",
        "/%2e%2e%2fadmin",
        "/..;/admin",
        "/..;a=b/admin",
        "/%2e%2e;/admin",
        "/..%3b/admin",
        "/.%09./admin",
        "/%0a..%0d/admin",
        "/. ./admin",
        "/.\u{200a}./admin",
        "/..\\admin",
        "/..\0/admin",
    ];
    for escape in &escapes[1..] {
        assert_eq!(
            within_shop(&format!("/shop{escape}")),
            "/shop",
            "{escape:?}"
        );
    }
    for outside in [
        "/",
        "/orders",
        "/sho",
        "/shopping",
        "/shop2",
        "/shop-admin/x",
        "/shop.evil",
        "/shop;x/a",
        "/Shop",
        "/%73hop",
        "/shop%2f",
        "/shop%2f..",
        "/shop%2fcart",
        "/shop%252f..%252fadmin",
        "/shop%3fa",
        "/shop%5c..",
        "/other/shop",
        "/other/..%2fshop",
        "/shop%00",
        "/shop%20",
        // Below the base only for readers that skip white space.
        "/shop/..%2f%20shop",
    ] {
        assert_eq!(within_shop(outside), "/shop", "{outside:?}");
    }
}

#[test]
fn c17_v34_no_spelling_of_two_slashes_leads_to_another_host() {
    let slashes = ["/", "\\", "%2F", "%5c", "%252f", "%255C"];
    let fillings = [
        "", " ", "\t", "\n", "\r", "\r\n", "\0", "\u{b}", "\u{c}", "\u{7f}", "\u{85}", "\u{a0}",
        "\u{2028}", "\u{3000}", "%20", "%09", "%0a", "%0A", "%0d%0a", "%00", "%0b", "%2509",
        "%C2%A0",
    ];
    let hosts = [
        "evil.example",
        "evil%2Eexample",
        "user:password@evil.example:443",
        "0x01020304",
        "[::ffff:1.2.3.4]",
        "\u{ff45}vil.example",
        "",
    ];
    let leads = [
        "",
        "/.",
        "/..",
        "/x/..",
        "/./..",
        "/x",
        "/x/%2e%2e",
        "http:",
        "HTTPS:",
    ];
    let tails = ["", "/%2f%2e%2e", "?x=/shop", "#/shop"];
    for lead in leads {
        for first in slashes {
            for filling in fillings {
                for second in slashes {
                    for host in hosts {
                        for tail in tails {
                            let payload = format!("{lead}{first}{filling}{second}{host}{tail}");
                            assert_eq!(within(&payload), "/", "{payload:?}");
                            let payload = format!("/shop{payload}");
                            assert_eq!(within_shop(&payload), "/shop", "{payload:?}");
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn c17_v34_no_other_trick_is_taken_for_a_path() {
    for payload in [
        "",
        " /orders",
        "orders",
        "./orders",
        "../orders",
        "?next=/",
        "#/",
        "https://app.example/orders",
        "https://app.example.evil.example/",
        "https:evil.example",
        "https:/evil.example",
        "https:///evil.example",
        "hTTps:/\\evil.example",
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        "java\nscript:alert(1)",
        "java%0d%0ascript:alert(1)",
        "data:text/html;base64,PHNjcmlwdD4=",
        "vbscript:x",
        "blob:https://app.example/x",
        "@evil.example",
        ".evil.example",
        ":80",
        "%2forders",
        "%68ttps://evil.example",
        "/https://evil.example",
        "/https:evil.example",
        "/%68ttps%3aevil.example",
        "/javascript:alert(1)",
        "/%6aavascript%3aalert(1)",
        "/x/https://evil.example",
        "/\u{3031}evil.example",
        "/\u{3035}evil.example",
        "/\u{309d}evil.example",
        "/\u{30fc}evil.example",
        "/\u{ff70}evil.example",
        "/\u{ff0f}evil.example",
        "/\u{ff3c}evil.example",
        "/\u{2215}evil.example",
        "/\u{2044}evil.example",
        "/%E3%80%B1evil.example",
        "\u{ff0f}/evil.example",
        "/orders\r\nSet-Cookie: a=b",
        "/orders\u{0}",
        "/orders\u{1b}[31m",
        "/orders\u{2028}",
    ] {
        assert_eq!(within(payload), "/", "{payload:?}");
        assert_eq!(within_shop(payload), "/shop", "{payload:?}");
    }
}

#[test]
fn c17_a_path_is_carried_up_to_its_longest_length() {
    let of_length = |length: usize| format!("/{}", "a".repeat(length - 1));
    let longest = of_length(ReturnTo::MAX_LENGTH);
    assert_eq!(within(&longest), longest);
    assert_eq!(within(&of_length(ReturnTo::MAX_LENGTH + 1)), "/");
    assert_eq!(within(&of_length(10 << 20)), "/");
    // Also one of which little would be left.
    let detours = "/a/..".repeat(ReturnTo::MAX_LENGTH / 5);
    assert_eq!(within(&format!("{detours}/ab")), "/ab");
    assert_eq!(within(&format!("{detours}/abcdef")), "/");
}

#[test]
fn the_limit_counts_encoded_bytes_and_costs_the_query_first() {
    let of_length = |length: usize| format!("/search?q={}", "a".repeat(length - 10));
    let longest = of_length(ReturnTo::MAX_LENGTH);
    assert_eq!(within(&longest), longest);
    assert_eq!(within(&of_length(ReturnTo::MAX_LENGTH + 1)), "/search");
    assert_eq!(within(&of_length(10 << 20)), "/search");
    for (character, encoded_len) in [('"', 3), ('\u{7ffb}', 9), ('\u{1f600}', 12)] {
        let most = (ReturnTo::MAX_LENGTH - 10) / encoded_len;
        let query = |count: usize| format!("/search?q={}", character.to_string().repeat(count));
        assert_eq!(within(&query(most)).len(), 10 + most * encoded_len);
        assert_eq!(within(&query(most + 1)), "/search");
        let most = (ReturnTo::MAX_LENGTH - 1) / encoded_len;
        let path = |count: usize| format!("/{}", character.to_string().repeat(count));
        assert_eq!(within(&path(most)).len(), 1 + most * encoded_len);
        assert_eq!(within(&path(most + 1)), "/");
    }
}

#[test]
fn c17_the_default_is_the_base_url_or_the_root() {
    assert_eq!(ReturnTo::base(&base_url()).as_str(), "/");
    let shop = Url::parse("https://app.example/shop").unwrap();
    assert_eq!(ReturnTo::base(&shop).as_str(), "/shop");
    assert_eq!(ReturnTo::root().as_str(), "/");
    let odd = Url::parse("https://app.example//evil.example/").unwrap();
    assert_eq!(ReturnTo::base(&odd).as_str(), "/");
    assert_eq!(ReturnTo::within(&odd, "").as_str(), "/");
}

#[test]
fn c17_a_stored_path_is_not_believed_either() {
    let read = |stored: &str| {
        let json = serde_json::to_string(stored).unwrap();
        let return_to: ReturnTo = serde_json::from_str(&json).unwrap();
        return_to.as_str().to_owned()
    };
    assert_eq!(read("/orders?page=2"), "/orders?page=2");
    for stored in [
        "//evil.example",
        "/\\evil.example",
        "https://evil.example",
        "",
        "/a\nb",
        "/a?b\nc",
        "/a?\\b",
        "/a?\u{e9}",
        "/a?b c",
    ] {
        assert_eq!(read(stored), "/", "{stored:?}");
    }
    assert_eq!(read(&format!("/{}", "a".repeat(ReturnTo::MAX_LENGTH))), "/");
    assert!(serde_json::from_str::<ReturnTo>("17").is_err());
}

/// Strings of what such attacks are made of.
fn payload() -> impl Strategy<Value = String> {
    let part = prop::sample::select(vec![
        "/",
        "/",
        "/",
        "\\",
        ".",
        "..",
        "?",
        "#",
        "@",
        ":",
        "%",
        "%2f",
        "%5C",
        "%25",
        "2f",
        "%2e",
        "%09",
        "%0a",
        "%00",
        "\t",
        "\n",
        "\r",
        " ",
        "\0",
        "+",
        "&",
        "=",
        ";",
        "http",
        "evil.example",
        "x",
        "shop",
        ";",
        "\u{a0}",
        "\u{ff0f}",
        "\u{3031}",
        "\u{200b}",
        "\u{feff}",
        "\u{e9}",
    ]);
    prop::collection::vec(part, 0..12).prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    #[test]
    fn c17_v34_whatever_is_accepted_stays_at_home(requested in payload()) {
        assert_harmless(&within(&requested));
    }

    #[test]
    fn whatever_is_accepted_stays_below_the_base_path(requested in payload()) {
        for requested in [requested.clone(), format!("/shop{requested}"), format!("/shop/{requested}")] {
            let place = within_shop(&requested);
            assert_harmless(&place);
            let mut path = place.split('?').next().unwrap().to_owned();
            for _ in 0..3 {
                let url = base_url().join(&path).unwrap();
                let mut segments = url.path_segments().unwrap();
                prop_assert_eq!(segments.next(), Some("shop"), "{} of {:?}", place, requested);
                path = url::form_urlencoded::parse(format!("x={}", path.replace('&', "%26").replace('+', "%2B")).as_bytes())
                    .next()
                    .unwrap()
                    .1
                    .into_owned()
                    .replace(['?', '#'], "_");
            }
        }
    }

    #[test]
    fn c17_v35_any_string_gives_a_path(requested in any::<String>(), slash in any::<bool>()) {
        let requested = if slash { format!("/{requested}") } else { requested };
        assert_harmless(&within(&requested));
    }

    #[test]
    fn c17_reading_a_path_again_changes_nothing(requested in payload()) {
        let once = ReturnTo::within(&base_url(), &format!("/{requested}"));
        let again: ReturnTo = serde_json::from_value(serde_json::to_value(&once).unwrap()).unwrap();
        prop_assert_eq!(&again, &once);
        prop_assert_eq!(ReturnTo::within(&base_url(), once.as_str()), once);
    }
}
