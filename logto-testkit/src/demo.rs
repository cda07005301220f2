//! A demo tenant.

use crate::{
    builder::LogtoBuilder,
    logto::Logto,
    model::{App, Organization, OrganizationRole, Resource, Role, User},
};

/// The demo's web application.
pub const APP_ID: &str = "demo-web-app";
/// The secret of the demo's web application.
pub const APP_SECRET: &str = "demo-secret";
/// Where the demo's web application is, unless something else is said.
pub const BASE_URL: &str = "http://localhost:3000";
/// Whom to sign in as, as a sentence for people.
pub const USERS: &str = "alice or bob, password \"password\"";
/// The demo's API resource, with the scopes `read:products` and `write:products`.
pub const SHOPPING_API: &str = "https://shop.example.com/api";
/// The demo's first organization: alice may read shipments in it.
pub const ACME: &str = "acme";
/// The demo's second organization: alice is a member without a role, bob may read and write shipments.
pub const GLOBEX: &str = "globex";

/// The scopes that show everything there is in the demo.
const SCOPES: &str = "email roles urn:logto:scope:organizations urn:logto:scope:organization_roles \
                      read:products write:products read:shipments write:shipments";

/// The environment variables with which the Logto SDK for Rust signs users in at this demo, as the application
/// [`APP_ID`] at `base_url`. Others read the same values under their own names.
pub fn variables(logto: &Logto, base_url: &str) -> [(&'static str, String); 6] {
    [
        ("LOGTO_ENDPOINT", logto.endpoint().to_owned()),
        ("LOGTO_APP_ID", APP_ID.to_owned()),
        ("LOGTO_APP_SECRET", APP_SECRET.to_owned()),
        ("LOGTO_BASE_URL", base_url.to_owned()),
        ("LOGTO_RESOURCES", SHOPPING_API.to_owned()),
        ("LOGTO_SCOPES", SCOPES.to_owned()),
    ]
}

impl Logto {
    /// A tenant for a quickstart, to be changed or built unchanged: the users `alice` and `bob` with the
    /// password `password`, the web application [`APP_ID`] at `http://localhost:3000`, the API resource
    /// [`SHOPPING_API`], the organizations [`ACME`] and [`GLOBEX`].
    pub fn demo() -> LogtoBuilder {
        Self::demo_for(BASE_URL, "/callback")
    }

    /// As [`Logto::demo`], with the web application at another base URL and its redirect URI at this path
    /// below it. The application is told of logouts at `/back-channel-logout`.
    pub fn demo_for(base_url: &str, callback_path: &str) -> LogtoBuilder {
        let root = base_url.trim_end_matches('/');
        Self::builder()
            .resource(Resource::new(SHOPPING_API).scopes(["read:products", "write:products"]))
            .role(
                Role::new("shopper").permissions(SHOPPING_API, ["read:products", "write:products"]),
            )
            .organization_role(
                OrganizationRole::new("member")
                    .permissions(["read:shipments"])
                    .resource_permissions(SHOPPING_API, ["read:products"]),
            )
            .organization_role(
                OrganizationRole::new("manager")
                    .permissions(["read:shipments", "write:shipments"])
                    .resource_permissions(SHOPPING_API, ["read:products", "write:products"]),
            )
            .user(
                User::new("alice")
                    .password("password")
                    .name("Alice Lab")
                    .email("alice@example.com")
                    .claim("given_name", "Alice")
                    .claim("family_name", "Lab")
                    .role("shopper"),
            )
            .user(
                User::new("bob")
                    .password("password")
                    .name("Bob Lab")
                    .email("bob@example.com"),
            )
            .organization(Organization::new(ACME, "Acme").member("alice", ["member"]))
            .organization(
                Organization::new(GLOBEX, "Globex")
                    .member::<String>("alice", [])
                    .member("bob", ["manager"]),
            )
            .app(
                App::traditional(APP_ID, APP_SECRET)
                    .redirect_uri(format!("{root}{callback_path}"))
                    .post_logout_redirect_uri(format!("{root}/"))
                    .post_logout_redirect_uri(root)
                    .backchannel_logout_uri(format!("{root}/back-channel-logout")),
            )
    }
}
