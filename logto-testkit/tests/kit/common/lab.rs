//! The recorded tenant with its ids and secrets, and requests of its clients.

use std::time::Duration;

use aws_lc_rs::digest;
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use bytes::Bytes;
use http::{Request, Response, header};
use logto_testkit::{
    App, Browser, Logto, Organization, OrganizationRole, Resource, Role, TestClock, User,
    UserConsentScopes,
};
use serde_json::json;
use url::{Url, form_urlencoded};

use super::{member, query};

pub(crate) const TRADITIONAL: Client = Client(
    "q5z3x46nt51n2jydi4jkh",
    Some("jjpOZBx3GoL24m10JcYaXDjlzzcIfNqA"),
);
pub(crate) const ALWAYS_REFRESH: Client = Client("alwaysrt", Some("always-secret"));
pub(crate) const NO_ROTATION: Client = Client("norotation", Some("no-rotation-secret"));
/// Refresh tokens of 20 seconds, ID tokens of 30.
pub(crate) const SHORT: Client = Client(
    "ngd23wn5qvvi66sprldql",
    Some("3RbT7URQs40rclYY9e8BrnFsSGoLL8Jy"),
);
pub(crate) const OTHER: Client = Client(
    "rnba7d5cdl7zqu6w5l2go",
    Some("Uv6sdXCXXP3iDQXWTd1KZAisgh3enVqD"),
);
pub(crate) const SPA: Client = Client("bekzb5ca5915jnpytwvm7", None);
/// A SPA with refresh tokens of 20 seconds.
pub(crate) const SPA_SHORT: Client = Client("z34lw1xbecjbebay1n9w0", None);
pub(crate) const NATIVE: Client = Client("hksbco2rbty58k38u9suw", None);
pub(crate) const DEVICE: Client = Client("x3rox976h53b7j5rk83xf", None);
pub(crate) const M2M: Client = Client(
    "3irckhsefd89w9crzy1we",
    Some("QzRE0Fyrf6eiqwd2BDyTVpGMx169iduU"),
);
pub(crate) const MANAGEMENT: Client = Client(
    "c45gj4kwhbxt1fgwb006u",
    Some("XtswMEZiSl0X6HV67IxfXGNse9huTWqr"),
);
pub(crate) const EXCHANGE: Client = Client(
    "qndti95v4frw5j9guqch9",
    Some("dlLTzyeBTOWVc2rFZViaDFtZ1CoS708G"),
);
/// Somebody else's application.
pub(crate) const THIRD_PARTY: Client = Client(
    "sgofkb83tiyboini0ujtn",
    Some("pWkXfQgzDsOnaULf3wPjf7OfSFLXUYp3"),
);

pub(crate) const ACME: &str = "8z8fuwxwnifo";
pub(crate) const INITECH: &str = "nsa935aaxlak";
pub(crate) const GLOBEX: &str = "faxv7mzzxdp2";
pub(crate) const SHOPPING: &str = "https://shopping.your-app.com/api";
pub(crate) const BILLING: &str = "https://billing.your-app.com/api";
pub(crate) const ORGANIZATIONS: &str = "urn:logto:resource:organizations";
pub(crate) const CALLBACK: &str = "http://localhost:4000/callback";
/// What the lab's sign-ins asked for.
pub(crate) const EVERYTHING: &str = "openid offline_access profile email roles urn:logto:scope:organizations \
     urn:logto:scope:organization_roles read:products write:products read:shipments write:shipments";

/// A client ID and perhaps a secret.
#[derive(Clone, Copy)]
pub(crate) struct Client(pub(crate) &'static str, pub(crate) Option<&'static str>);

/// An authorization request.
#[derive(Clone, Copy)]
pub(crate) struct Ask<'a> {
    pub(crate) client: Client,
    pub(crate) user: &'a str,
    pub(crate) scope: &'a str,
    pub(crate) resources: &'a [&'a str],
    pub(crate) prompt: Option<&'a str>,
    pub(crate) verifier: Option<&'a str>,
    pub(crate) extra: &'a [(&'a str, &'a str)],
}

pub(crate) const VERIFIER: &str =
    "hu8bMaFsbL4x20tnSTrdzKuloAkVFyYqAKFjYyMByGOY2bvY2NETCEWpmZIuy_kx";

impl Default for Ask<'_> {
    fn default() -> Self {
        Self {
            client: TRADITIONAL,
            user: "alice",
            scope: "openid offline_access profile",
            resources: &[],
            prompt: Some("consent"),
            verifier: Some(VERIFIER),
            extra: &[],
        }
    }
}

pub(crate) struct Lab {
    pub(crate) logto: Logto,
    pub(crate) clock: TestClock,
}

impl Lab {
    pub(crate) fn new() -> Self {
        // The moment of the first recording.
        let clock = TestClock::at_unix_seconds(1_795_335_764);
        let logto = tenant().clock(clock.clone()).build().expect("a lab");
        Self { logto, clock }
    }

    pub(crate) fn wait(&self, milliseconds: u64) {
        self.clock.advance(Duration::from_millis(milliseconds));
    }

    /// The code of a sign-in in a browser of its own.
    pub(crate) fn code(&self, ask: &Ask<'_>) -> String {
        self.code_in(&self.logto.browser(), ask)
    }

    pub(crate) fn code_in(&self, browser: &Browser, ask: &Ask<'_>) -> String {
        let callback = browser
            .sign_in(&authorization_url(ask), ask.user)
            .expect("a callback");
        query(&callback, "code").unwrap_or_else(|| panic!("no code in {callback}"))
    }

    /// The token response of a sign-in.
    pub(crate) fn sign_in(&self, ask: &Ask<'_>) -> Response<Bytes> {
        self.sign_in_for(ask, None)
    }

    /// The token response of a sign-in, for an API resource.
    pub(crate) fn sign_in_for(&self, ask: &Ask<'_>, resource: Option<&str>) -> Response<Bytes> {
        self.redeem(ask.client, &self.code(ask), ask.verifier, resource)
    }

    pub(crate) fn redeem(
        &self,
        client: Client,
        code: &str,
        verifier: Option<&str>,
        resource: Option<&str>,
    ) -> Response<Bytes> {
        let mut form = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", CALLBACK),
        ];
        form.extend(verifier.map(|verifier| ("code_verifier", verifier)));
        form.extend(resource.map(|resource| ("resource", resource)));
        self.token(client, &form)
    }

    /// The refresh token of a sign-in.
    pub(crate) fn refresh_token(&self, ask: &Ask<'_>) -> String {
        member(&self.sign_in(ask), "refresh_token")
    }

    pub(crate) fn refresh(
        &self,
        client: Client,
        token: &str,
        more: &[(&str, &str)],
    ) -> Response<Bytes> {
        let mut form = vec![("grant_type", "refresh_token"), ("refresh_token", token)];
        form.extend(more);
        self.token(client, &form)
    }

    pub(crate) fn token(&self, client: Client, form: &[(&str, &str)]) -> Response<Bytes> {
        self.post("/oidc/token", client, form)
    }

    pub(crate) fn post(
        &self,
        path: &str,
        client: Client,
        form: &[(&str, &str)],
    ) -> Response<Bytes> {
        let mut body = form_urlencoded::Serializer::new(String::new());
        body.extend_pairs(form);
        let mut request =
            Request::post(path).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        match client {
            Client(id, Some(secret)) => {
                let credentials = STANDARD.encode(format!("{id}:{secret}"));
                request = request.header(header::AUTHORIZATION, format!("Basic {credentials}"));
            }
            Client(id, None) => {
                body.append_pair("client_id", id);
            }
        }
        self.logto
            .handle(request.body(Bytes::from(body.finish())).unwrap())
    }

    pub(crate) fn userinfo(&self, token: &str) -> Response<Bytes> {
        let bearer = format!("Bearer {token}");
        let request = Request::get("/oidc/me").header(header::AUTHORIZATION, bearer);
        self.logto.handle(request.body(Bytes::new()).unwrap())
    }

    pub(crate) fn get(&self, target: &str) -> Response<Bytes> {
        self.logto
            .handle(Request::get(target).body(Bytes::new()).unwrap())
    }
}

pub(crate) fn authorization_url(ask: &Ask<'_>) -> Url {
    let mut url = Url::parse("http://localhost:3001/oidc/auth").unwrap();
    {
        let mut query = url.query_pairs_mut();
        query
            .append_pair("client_id", ask.client.0)
            .append_pair("redirect_uri", CALLBACK)
            .append_pair("response_type", "code")
            .append_pair("scope", ask.scope)
            .append_pair("state", "8XdVPfvD6yJLcRmV7aV6MQ")
            .append_pair("nonce", "Q1rSyedAWtL-IMwx0D7kOw");
        if let Some(prompt) = ask.prompt {
            query.append_pair("prompt", prompt);
        }
        if let Some(verifier) = ask.verifier {
            query
                .append_pair("code_challenge", &challenge(verifier))
                .append_pair("code_challenge_method", "S256");
        }
        for resource in ask.resources {
            query.append_pair("resource", resource);
        }
        query.extend_pairs(ask.extra);
    }
    url
}

pub(crate) fn challenge(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, verifier.as_bytes()))
}

pub(crate) fn tenant() -> logto_testkit::LogtoBuilder {
    let logto = Logto::builder()
        .resource(Resource::new(SHOPPING).scopes(["read:products", "write:products"]))
        .resource(Resource::new(BILLING).scopes(["read:invoices"]))
        .resource(Resource::new("https://default.logto.app/api").scopes(["all"]))
        .role(Role::new("shopper").permissions(SHOPPING, ["read:products", "write:products"]))
        .role(Role::new("manager").permissions("https://default.logto.app/api", ["all"]))
        .organization_role(
            OrganizationRole::new("logistics-member")
                .permissions(["read:shipments"])
                .resource_permissions(SHOPPING, ["read:products"]),
        )
        .organization_role(
            OrganizationRole::new("logistics-admin")
                .permissions(["write:shipments", "read:shipments"])
                .resource_permissions(SHOPPING, ["read:products", "write:products"]),
        );
    applications(users(logto))
}

fn users(logto: logto_testkit::LogtoBuilder) -> logto_testkit::LogtoBuilder {
    let alice = User::new("alice")
        .id("dknhv6vsaxt5")
        .password("correct horse")
        .name("Alice Lab")
        .picture("https://example.com/alice.png")
        .email("alice@example.com")
        .phone("12025550123")
        .claim("family_name", "Lab")
        .claim("given_name", "Alice")
        .claim("nickname", "ali")
        .claim("preferred_username", "alice")
        .claim("website", "https://alice.example.com")
        .claim("gender", "female")
        .claim("birthdate", "1990-01-02")
        .claim("zoneinfo", "Europe/Berlin")
        .claim("locale", "en-US")
        .claim(
            "address",
            json!({"country": "US", "formatted": "1 Lab St, Testville"}),
        )
        .custom_data(json!({"plan": "gold", "nested": {"n": 1}}))
        .role("shopper");
    logto
        .user(alice)
        .user(User::new("bob"))
        .user(User::new("carol"))
        .organization(
            Organization::new(ACME, "Acme")
                .description("Acme (lab)")
                .member("alice", ["logistics-member"])
                .member("carol", ["logistics-member"])
                .application(M2M.0, ["logistics-member"]),
        )
        .organization(
            Organization::new(INITECH, "Initech")
                .description("Initech (lab)")
                .member::<String>("alice", []),
        )
        .organization(
            Organization::new(GLOBEX, "Globex")
                .description("Globex (lab)")
                .member("bob", ["logistics-admin"])
                .member("carol", ["logistics-admin"]),
        )
}

fn applications(logto: logto_testkit::LogtoBuilder) -> logto_testkit::LogtoBuilder {
    let secret = |client: Client| client.1.unwrap_or_default();
    let web = |client: Client| {
        App::traditional(client.0, secret(client))
            .redirect_uri(CALLBACK)
            .redirect_uri("http://localhost:3000/callback")
            .post_logout_redirect_uri("http://localhost:4000/")
    };
    let short = Duration::from_secs(20);
    logto
        .app(web(TRADITIONAL))
        .app(web(OTHER))
        .app(web(ALWAYS_REFRESH).always_issue_refresh_token(true))
        .app(
            web(NO_ROTATION)
                .rotate_refresh_token(false)
                .refresh_token_ttl(short),
        )
        .app(
            web(SHORT)
                .refresh_token_ttl(short)
                .id_token_ttl(Duration::from_secs(30)),
        )
        .app(web(EXCHANGE).allow_token_exchange())
        .app(
            web(THIRD_PARTY).third_party(
                UserConsentScopes::new()
                    .user(["profile", "email", "urn:logto:scope:organizations"])
                    .resource(SHOPPING, ["read:products"])
                    .organization(["read:shipments"]),
            ),
        )
        .app(App::spa(SPA.0).redirect_uri(CALLBACK))
        .app(
            App::spa(SPA_SHORT.0)
                .redirect_uri(CALLBACK)
                .refresh_token_ttl(short),
        )
        .app(
            App::native(NATIVE.0)
                .redirect_uri(CALLBACK)
                .redirect_uri("io.logto.lab://callback"),
        )
        .app(App::native(DEVICE.0).device_flow())
        .app(App::machine_to_machine(M2M.0, secret(M2M)).role("shopper"))
        .app(App::machine_to_machine(MANAGEMENT.0, secret(MANAGEMENT)).role("manager"))
}
