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
/// The demo's API resource, with the scopes `read:products` and `write:products`.
pub const SHOPPING_API: &str = "https://shopping.your-app.com/api";
/// The demo's first organization: alice may read shipments in it.
pub const ACME: &str = "acme";
/// The demo's second organization: alice is a member without a role, bob may read and write shipments.
pub const GLOBEX: &str = "globex";

impl Logto {
    /// A tenant for a quickstart, to be changed or built unchanged: the users `alice` and `bob` with the
    /// password `password`, the web application [`APP_ID`] at `http://localhost:3000`, the API resource
    /// [`SHOPPING_API`], the organizations [`ACME`] and [`GLOBEX`].
    pub fn demo() -> LogtoBuilder {
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
                    .redirect_uri("http://localhost:3000/callback")
                    .post_logout_redirect_uri("http://localhost:3000/"),
            )
    }
}
