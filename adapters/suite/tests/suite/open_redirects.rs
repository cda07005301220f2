//! Where a link to the sign-in may lead.

use bytes::Bytes;
use http::Request;
use logto_suite::{Sessions, Stage};
use url::{Url, form_urlencoded};

/// Places of an attacker, as a browser may understand them.
const HOSTS: [&str; 6] = [
    "evil.example",
    "evil.example:443",
    "user:pass@evil.example",
    "localhost:3000@evil.example",
    "localhost.evil.example",
    "\u{ff45}vil.example",
];
/// What comes before the place.
const BEGINNINGS: [&str; 36] = [
    "http://",
    "https://",
    "HTTPS://",
    "//",
    "///",
    "////",
    "/\\",
    "\\\\",
    "\\/",
    "/\t/",
    "/\n/",
    "/\r\n/",
    "\t//",
    " //",
    "\n//",
    "\u{a0}//",
    "\u{0}//",
    "https:",
    "https:/",
    "https:\\\\",
    "http:///",
    "ftp://",
    "javascript://",
    "data:text/html,",
    "javascript:location='//",
    "/.//",
    "/..//",
    "/./\\",
    "/%2f/../..//",
    "/x/../..//",
    "//\\",
    "/\\/",
    "\\t//",
    "/\u{2028}/",
    "@",
    "/private/..//",
];
/// What comes after it.
const ENDINGS: [&str; 2] = ["", "/private?x=1#y"];

pub(crate) async fn nobody_is_sent_elsewhere(package: &'static str, sessions: Sessions) {
    let stage = Stage::start(package, sessions).await;
    let browser = stage.alice().await;
    let payloads = payloads();
    assert!(payloads.len() >= 400, "{}", payloads.len());
    for payload in payloads {
        let query = form_urlencoded::Serializer::new(String::new())
            .append_pair("return_to", &payload)
            .finish();
        let start = browser.get(&format!("/sign-in?{query}")).await.unwrap();
        let to_logto = start
            .location()
            .unwrap_or_else(|| panic!("{payload:?}: {start:?}"));
        assert!(
            to_logto.as_str().starts_with(stage.logto().endpoint()),
            "{payload:?}: {to_logto}"
        );
        let callback = stage.logto().sign_in(&to_logto, "alice").unwrap();
        let request = Request::get(callback.as_str()).header("sec-fetch-site", "cross-site");
        let page = browser
            .send(request.body(Bytes::new()).unwrap())
            .await
            .unwrap();
        let end = page
            .location()
            .unwrap_or_else(|| panic!("{payload:?}: {page:?}"));
        assert_eq!(
            end.origin(),
            stage.base_url().origin(),
            "{payload:?} leads to {end}"
        );
        // What the browser asks for next must not become another place either.
        let twice = Url::parse(stage.base_url().as_str())
            .unwrap()
            .join(end.path())
            .unwrap();
        assert_eq!(
            twice.origin(),
            stage.base_url().origin(),
            "{payload:?} leads to {end}"
        );
    }
}

fn payloads() -> Vec<String> {
    let mut payloads = Vec::new();
    for beginning in BEGINNINGS {
        for host in HOSTS {
            for ending in ENDINGS {
                payloads.push(format!("{beginning}{host}{ending}"));
            }
        }
    }
    payloads
}
