//! The discovery document: status, content type and body, as `input::response` reads them.

use logto_core::{Exchange as _, discovery::Discover, metadata::ProviderMetadata};
use logto_recordings::Recording;
use serde_json::{Map, Value};
use url::Url;

use crate::{
    Verdict,
    application::{ISSUER, NOW, config, document},
    input::{joined, recorded, response},
};

/// Handles one input.
pub fn run(data: &[u8]) -> Verdict {
    let response = response(data);
    let Ok(metadata) = Discover::new(config()).accept(response.clone(), NOW) else {
        return Verdict::Refused;
    };
    let document: Map<String, Value> =
        serde_json::from_slice(response.body()).expect("the document is JSON");
    assert!(response.status().is_success());
    assert_eq!(metadata.document(), &document);
    assert_eq!(metadata.issuer(), ISSUER);
    assert_eq!(document["issuer"], ISSUER);
    let origin = Url::parse(ISSUER).expect("the issuer is a URL").origin();
    for url in [
        metadata.authorization_endpoint(),
        metadata.token_endpoint(),
        metadata.jwks_uri(),
    ] {
        assert_eq!(url.origin(), origin, "a credential would go to {url}");
        assert!(url.username().is_empty() && url.password().is_none() && url.fragment().is_none());
    }
    for name in [
        "userinfo_endpoint",
        "revocation_endpoint",
        "introspection_endpoint",
        "end_session_endpoint",
        "device_authorization_endpoint",
        "pushed_authorization_request_endpoint",
    ] {
        let url = document.get(name).and_then(Value::as_str);
        let url = url.map(|url| Url::parse(url).expect("an endpoint is a URL"));
        assert!(
            url.is_none_or(|url| url.origin() == origin),
            "{name} is elsewhere"
        );
    }
    let again = ProviderMetadata::from_document(config(), document);
    assert_eq!(again.as_ref(), Ok(&metadata));
    Verdict::Accepted
}

/// What the fuzzer begins with.
pub fn seeds() -> Vec<Vec<u8>> {
    let document = Value::Object(document()).to_string();
    let recorded = recorded(&Recording::load(1).response);
    let moved = String::from_utf8_lossy(&recorded)
        .replace("http://localhost:3001", "https://tenant.logto.app");
    vec![
        joined([b"200", b"application/json", document.as_bytes()]),
        moved.into_bytes(),
        recorded,
        joined([b"503", b"text/html", b"<html>"]),
    ]
}
