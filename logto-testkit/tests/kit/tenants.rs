//! Valid and invalid tenants.

use bytes::Bytes;
use http::Request;
use logto_testkit::{App, BuildError, Logto, LogtoBuilder, Organization, Role, User};

fn refused(builder: LogtoBuilder) -> String {
    builder.build().unwrap_err().to_string()
}

#[test]
fn a_tenant_that_makes_no_sense_is_refused_with_what_is_wrong() {
    let builder = Logto::builder;
    for (builder, problem) in [
        (
            builder().endpoint("localhost"),
            "the endpoint \"localhost\" is not an http or https URL",
        ),
        (
            builder().user(User::new("alice")).user(User::new("alice")),
            "two users are called \"alice\"",
        ),
        (
            builder().app(App::spa("a")).app(App::native("a")),
            "two applications are called \"a\"",
        ),
        (
            builder().user(User::new("alice").role("admin")),
            "there is no role \"admin\", to which alice refers",
        ),
        (
            builder().role(Role::new("r").permissions("urn:x", ["read"])),
            "there is no API resource \"urn:x\", to which r refers",
        ),
        (
            builder().organization(Organization::new("o", "Org").member("bob", ["member"])),
            "there is no user \"bob\", to which Org refers",
        ),
        (
            builder().immediate_sign_in("bob"),
            "there is no user \"bob\", to which the immediate sign-in refers",
        ),
    ] {
        assert_eq!(refused(builder), problem);
    }
}

#[test]
fn the_endpoint_may_have_a_path() {
    let logto = Logto::demo()
        .endpoint("https://example.com/auth/")
        .build()
        .unwrap();
    assert_eq!(logto.issuer(), "https://example.com/auth/oidc");
    for uri in ["https://example.com/auth/oidc/jwks", "/auth/oidc/jwks"] {
        let request = Request::get(uri).body(Bytes::new()).unwrap();
        assert_eq!(logto.handle(request).status(), 200, "{uri}");
    }
}

#[test]
fn nothing_secret_is_shown_by_debug() {
    let builder = Logto::demo();
    let shown = format!("{builder:?} {:?}", builder.clone().build().unwrap());
    for secret in ["password", logto_testkit::demo::APP_SECRET] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

#[test]
fn errors_are_errors() {
    fn is_error<T: std::error::Error + Send + Sync + 'static>() {}
    fn is_shared<T: Clone + Send + Sync + std::fmt::Debug + 'static>() {}
    is_error::<BuildError>();
    is_shared::<Logto>();
}
