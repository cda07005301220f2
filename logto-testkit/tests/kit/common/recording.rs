//! A recorded exchange with a real Logto: sent again to the kit, and compared.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use http::{Request, Response, header};
use logto_testkit::Logto;
use url::form_urlencoded;

use super::ordered::Node;

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

pub(crate) struct Recording {
    pub(crate) name: String,
    whole: Node,
}

impl Recording {
    pub(crate) fn load(number: u32) -> Self {
        let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/recordings");
        let prefix = format!("{number:03}-");
        let mut files = std::fs::read_dir(directory)
            .expect("the recordings")
            .map(Result::unwrap);
        let file = files
            .find(|file| file.file_name().to_string_lossy().starts_with(&prefix))
            .unwrap_or_else(|| panic!("no recording {number}"));
        let text = std::fs::read_to_string(file.path()).expect("a readable recording");
        Self {
            name: file.file_name().to_string_lossy().into_owned(),
            whole: serde_json::from_str(&text).expect("JSON"),
        }
    }

    fn request(&self, name: &str) -> &Node {
        self.whole
            .get("request")
            .and_then(|request| request.get(name))
            .expect(name)
    }

    fn response(&self, name: &str) -> Option<&Node> {
        self.whole
            .get("response")
            .and_then(|response| response.get(name))
    }

    /// A parameter of the recorded body.
    pub(crate) fn param(&self, name: &str) -> Option<String> {
        let body = self.request("body").text().expect("a form");
        let mut pairs = form_urlencoded::parse(body.as_bytes());
        pairs
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.into_owned())
    }

    /// Sends the recorded request, with the values that the kit itself made up in place of the recorded ones:
    /// parameters by name, the token of `Authorization: Bearer` as `bearer`.
    pub(crate) fn replay(&self, logto: &Logto, values: &[(&str, &str)]) -> Response<Bytes> {
        let value = |name: &str| {
            values
                .iter()
                .find(|(key, _)| *key == name)
                .map(|(_, value)| *value)
        };
        let mut request = Request::builder()
            .method(self.request("method").text().expect("a method"))
            .uri(self.request("target").text().expect("a target"));
        for pair in self.request("headers").items() {
            let [name, recorded] = pair.items() else {
                panic!("a header")
            };
            let (name, recorded) = (name.text().unwrap(), recorded.text().unwrap());
            let sent = match (recorded.starts_with("Bearer "), value("bearer")) {
                (true, Some(token)) => format!("Bearer {token}"),
                _ => recorded.to_owned(),
            };
            let sent = match (name, value("if-none-match")) {
                ("if-none-match", Some(tag)) => tag.to_owned(),
                _ => sent,
            };
            request = request.header(name, sent);
        }
        let mut body = String::new();
        if let Some(recorded) = self
            .whole
            .get("request")
            .and_then(|request| request.get("body"))
        {
            let mut form = form_urlencoded::Serializer::new(String::new());
            for (name, recorded) in form_urlencoded::parse(recorded.text().unwrap().as_bytes()) {
                form.append_pair(&name, value(&name).unwrap_or(&recorded));
            }
            body = form.finish();
        }
        logto.handle(request.body(Bytes::from(body)).expect("a request"))
    }

    /// Panics unless the response is what Logto sent, but for what is random.
    pub(crate) fn assert_answered_by(&self, response: &Response<Bytes>) {
        let name = &self.name;
        let body = String::from_utf8_lossy(response.body());
        let recorded = self.response("status").and_then(Node::number);
        assert_eq!(
            Some(u64::from(response.status().as_u16())),
            recorded,
            "{name}: {body}"
        );
        self.assert_headers(response);
        if let Some(recorded) = self.response("json") {
            let sent: Node = serde_json::from_slice(response.body())
                .unwrap_or_else(|error| panic!("{name}: {error}: {body}"));
            compare(name, "", recorded, &sent);
        } else if let Some(recorded) = self.response("body").and_then(Node::text) {
            assert_eq!(body, recorded, "{name}");
        } else {
            assert_eq!(body, "", "{name}");
        }
    }

    /// As [`Self::assert_answered_by`] for an error page, whose `state` is the request's own.
    pub(crate) fn assert_error_page(&self, response: &Response<Bytes>) {
        self.assert_answered_by(response);
        let sent: Node = serde_json::from_slice(response.body()).unwrap();
        let recorded = self.response("json").expect("JSON");
        assert_eq!(sent.get("state"), recorded.get("state"), "{}", self.name);
    }

    fn assert_headers(&self, response: &Response<Bytes>) {
        let name = &self.name;
        let recorded = self.response("headers").expect("headers").items();
        for header in HEADERS {
            let recorded = recorded.iter().find_map(|pair| match pair.items() {
                [key, value] if key.text() == Some(header) => value.text(),
                _ => None,
            });
            let sent = response
                .headers()
                .get(header)
                .map(|value| value.to_str().unwrap());
            assert_eq!(sent, recorded, "{name}: header {header}");
        }
        let recorded = recorded
            .iter()
            .any(|pair| pair.items()[0].text() == Some("etag"));
        if recorded && response.status().is_success() {
            assert!(
                response.headers().contains_key(header::ETAG),
                "{name}: no etag"
            );
        }
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
