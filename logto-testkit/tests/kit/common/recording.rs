//! Replays a recorded exchange and compares the response.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use http::{HeaderMap, Request, Response, header};
use logto_recordings::{Recording, ordered::Node};
use logto_testkit::Logto;
use url::form_urlencoded;

/// Members whose values differ from run to run; strings must still have the recorded length.
const RANDOM: [&str; 17] = [
    "access_token",
    "refresh_token",
    "id_token",
    "jti",
    "nonce",
    "kid",
    "sid",
    "x",
    "y",
    "state",
    "device_code",
    "user_code",
    "request_uri",
    "verification_uri_complete",
    "logout_token",
    "n",
    "e",
];
/// Members that tell the time.
const TIMES: [&str; 4] = ["iat", "exp", "created_at", "updated_at"];
/// Headers whose presence and value are the provider's promise.
const HEADERS: [&str; 9] = [
    "vary",
    "access-control-allow-origin",
    "access-control-expose-headers",
    "access-control-allow-methods",
    "access-control-allow-headers",
    "cache-control",
    "content-type",
    "www-authenticate",
    "location",
];

/// A recorded exchange, done again with the kit.
pub(crate) trait Replay {
    /// A parameter of the recorded body.
    fn param(&self, name: &str) -> Option<String>;

    /// Sends the recorded request, with the values that the kit itself made up in place of the recorded ones:
    /// parameters by name, the token of `Authorization: Bearer` as `bearer`.
    fn replay(&self, logto: &Logto, values: &[(&str, &str)]) -> Response<Bytes>;

    /// Panics unless the response is what Logto sent, but for what is random.
    fn assert_answered_by(&self, response: &Response<Bytes>);

    /// As [`Self::assert_answered_by`] for an error page, whose `state` is the request's own.
    fn assert_error_page(&self, response: &Response<Bytes>);
}

impl Replay for Recording {
    fn param(&self, name: &str) -> Option<String> {
        let mut pairs = form_urlencoded::parse(self.request.body());
        pairs
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.into_owned())
    }

    fn replay(&self, logto: &Logto, values: &[(&str, &str)]) -> Response<Bytes> {
        let value = |name: &str| {
            values
                .iter()
                .find(|(key, _)| *key == name)
                .map(|(_, value)| *value)
        };
        let target = self.request.uri().path_and_query().expect("a target");
        let mut request = Request::builder()
            .method(self.request.method())
            .uri(target.as_str());
        for (name, recorded) in self.request.headers() {
            let recorded = recorded.to_str().expect("a recorded header is text");
            let sent = match (recorded.starts_with("Bearer "), value("bearer")) {
                (true, Some(token)) => format!("Bearer {token}"),
                _ => recorded.to_owned(),
            };
            let sent = match (name.as_str(), value("if-none-match")) {
                ("if-none-match", Some(tag)) => tag.to_owned(),
                _ => sent,
            };
            request = request.header(name, sent);
        }
        let mut form = form_urlencoded::Serializer::new(String::new());
        for (name, recorded) in form_urlencoded::parse(self.request.body()) {
            form.append_pair(&name, value(&name).unwrap_or(&recorded));
        }
        logto.handle(request.body(Bytes::from(form.finish())).expect("a request"))
    }

    fn assert_answered_by(&self, response: &Response<Bytes>) {
        let name = &self.name;
        let body = String::from_utf8_lossy(response.body());
        assert_eq!(response.status(), self.response.status(), "{name}: {body}");
        assert_headers(self, response);
        if is_json(self.response.headers()) {
            let sent: Node = serde_json::from_slice(response.body())
                .unwrap_or_else(|error| panic!("{name}: {error}: {body}"));
            compare(name, "", &ordered(&self.response), &sent);
        } else {
            assert_eq!(response.body(), self.response.body(), "{name}: {body}");
        }
    }

    fn assert_error_page(&self, response: &Response<Bytes>) {
        self.assert_answered_by(response);
        let (sent, recorded) = (ordered(response), ordered(&self.response));
        assert_eq!(sent.get("state"), recorded.get("state"), "{}", self.name);
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let content_type = headers.get(header::CONTENT_TYPE);
    content_type.is_some_and(|value| value.to_str().unwrap().contains("json"))
}

fn ordered(response: &Response<Bytes>) -> Node {
    serde_json::from_slice(response.body()).unwrap()
}

fn assert_headers(recording: &Recording, response: &Response<Bytes>) {
    let name = &recording.name;
    let recorded = recording.response.headers();
    for header in HEADERS {
        let of = |headers: &HeaderMap| {
            let value = headers.get(header);
            value.map(|value| value.to_str().unwrap().to_owned())
        };
        assert_eq!(
            of(response.headers()),
            of(recorded),
            "{name}: header {header}"
        );
    }
    if recorded.contains_key(header::ETAG) && response.status().is_success() {
        assert!(
            response.headers().contains_key(header::ETAG),
            "{name}: no etag"
        );
    }
}

fn compare(name: &str, path: &str, recorded: &Node, sent: &Node) {
    match (recorded, sent) {
        (Node::Object(expected), Node::Object(found)) if path == "/custom_data" => {
            // The user's own JSON, which no side promises to keep in order.
            assert_eq!(found.len(), expected.len(), "{name}: {path}");
            assert!(
                expected.iter().all(|member| found.contains(member)),
                "{name}: {path}"
            );
        }
        (Node::Object(expected), Node::Object(found)) => {
            assert_eq!(
                sent.names(),
                recorded.names(),
                "{name}: members of {path:?}"
            );
            let lifetime =
                |node: &Node| Some(node.get("exp")?.number()? - node.get("iat")?.number()?);
            assert_eq!(
                lifetime(sent),
                lifetime(recorded),
                "{name}: lifetime of {path:?}"
            );
            for ((member, expected), (_, found)) in expected.iter().zip(found) {
                compare_member(name, path, member, expected, found);
            }
        }
        (Node::Array(expected), Node::Array(found)) => {
            assert_eq!(found.len(), expected.len(), "{name}: {path}");
            for (expected, found) in expected.iter().zip(found) {
                compare(name, path, expected, found);
            }
        }
        _ => assert_eq!(sent, recorded, "{name}: {path}"),
    }
}

fn compare_member(name: &str, path: &str, member: &str, expected: &Node, found: &Node) {
    let path = format!("{path}/{member}");
    if TIMES.contains(&member) {
        let digits = |node: &Node| node.number().map(|number| number.to_string().len());
        assert_eq!(digits(found), digits(expected), "{name}: {path}");
        return;
    }
    if !RANDOM.contains(&member) {
        return compare(name, &path, expected, found);
    }
    let (expected, found) = (expected.text().expect(&path), found.text().expect(&path));
    match (jwt(expected), jwt(found)) {
        (Some(expected), Some(found)) => {
            for (part, (expected, found)) in expected.iter().zip(&found).enumerate() {
                compare(name, &format!("{path}#{part}"), expected, found);
            }
        }
        // RSA moduli are shorter than Logto's, on purpose.
        _ if member == "n" => {}
        (None, None) => assert_eq!(found.len(), expected.len(), "{name}: {path}: {found}"),
        _ => panic!("{name}: {path}: {found}"),
    }
}

/// Header and claims of a JWT.
fn jwt(token: &str) -> Option<[Node; 2]> {
    let mut parts = token
        .split('.')
        .map(|part| URL_SAFE_NO_PAD.decode(part).ok());
    let mut part = || serde_json::from_slice(&parts.next()??).ok();
    Some([part()?, part()?])
}
