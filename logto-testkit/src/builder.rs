//! Setting up a tenant.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use url::Url;

use crate::{
    clock::{Clock, TestClock},
    context::{Addresses, SignInMode, State},
    keys::{KeyError, KeyRing, KeyType, RsaKeys},
    logto::{Inner, Logto},
    model::{App, Organization, OrganizationRole, Resource, Role, Tenant, User},
    public_key::PublicKey,
};

/// The endpoint of a Logto on the local machine.
const DEFAULT_ENDPOINT: &str = "http://localhost:3001";

/// Sets up a [`Logto`]; made by [`Logto::builder`] and [`Logto::demo`].
#[derive(Clone, Debug)]
#[must_use = "nothing happens until `build` or `listen`"]
pub struct LogtoBuilder {
    pub(crate) endpoint: Option<String>,
    users: Vec<User>,
    apps: Vec<App>,
    resources: Vec<Resource>,
    organizations: Vec<Organization>,
    roles: Vec<Role>,
    organization_roles: Vec<OrganizationRole>,
    clock: Clock,
    key_type: KeyType,
    rsa_keys: RsaKeys,
    sign_in: SignInMode,
}

/// Why a tenant is invalid.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The endpoint is not an `http` or `https` URL.
    #[error("the endpoint {0:?} is not an http or https URL")]
    Endpoint(String),
    /// Two users, applications, API resources, organizations or roles share a name or an id.
    #[error("two {kind}s are called {name:?}")]
    Duplicate {
        /// Their type.
        kind: &'static str,
        /// Their common name or id.
        name: String,
    },
    /// A reference to something that was not added to the tenant.
    #[error("there is no {kind} {name:?}, to which {by} refers")]
    Unknown {
        /// The type of the missing item.
        kind: &'static str,
        /// Its name.
        name: String,
        /// What refers to it.
        by: String,
    },
    /// An application's public key is no JWK on P-256 or Ed25519 or of RSA.
    #[error("a public key of the application {app:?} is no JWK of a type that Logto takes")]
    PublicKey {
        /// The application's client ID.
        app: String,
    },
    /// The signing key could not be made.
    #[error(transparent)]
    Keys(#[from] KeyError),
}

impl Logto {
    /// An empty tenant to fill.
    pub fn builder() -> LogtoBuilder {
        LogtoBuilder {
            endpoint: None,
            users: Vec::new(),
            apps: Vec::new(),
            resources: Vec::new(),
            organizations: Vec::new(),
            roles: Vec::new(),
            organization_roles: Vec::new(),
            clock: Clock::System,
            key_type: KeyType::Ec,
            rsa_keys: RsaKeys::default(),
            sign_in: SignInMode::Page,
        }
    }
}

impl LogtoBuilder {
    /// The endpoint, as an application configures it. Default: `http://localhost:3001`, or the address that
    /// the provider listens on. The issuer is `<endpoint>/oidc`.
    pub fn endpoint(mut self, url: impl Into<String>) -> Self {
        self.endpoint = Some(url.into());
        self
    }

    /// Adds a user.
    pub fn user(mut self, user: User) -> Self {
        self.users.push(user);
        self
    }

    /// Adds an application.
    pub fn app(mut self, app: App) -> Self {
        self.apps.push(app);
        self
    }

    /// Adds an API resource.
    pub fn resource(mut self, resource: Resource) -> Self {
        self.resources.push(resource);
        self
    }

    /// Adds an organization.
    pub fn organization(mut self, organization: Organization) -> Self {
        self.organizations.push(organization);
        self
    }

    /// Adds a role for users and machine-to-machine applications.
    pub fn role(mut self, role: Role) -> Self {
        self.roles.push(role);
        self
    }

    /// Adds a role to the organization template.
    pub fn organization_role(mut self, role: OrganizationRole) -> Self {
        self.organization_roles.push(role);
        self
    }

    /// Uses a clock that the test moves, instead of the system's.
    pub fn clock(mut self, clock: TestClock) -> Self {
        self.clock = Clock::Test(clock);
        self
    }

    /// The type of the first signing key. Default: [`KeyType::Ec`].
    pub fn signing_key(mut self, key_type: KeyType) -> Self {
        self.key_type = key_type;
        self
    }

    /// Takes RSA keys from these. Without it, the provider makes its own.
    pub fn rsa_keys(mut self, keys: &RsaKeys) -> Self {
        self.rsa_keys = keys.clone();
        self
    }

    /// Signs users in at once instead of showing the sign-in page: the user that `login_hint` names,
    /// otherwise this one. For tests that follow redirects over real sockets.
    pub fn immediate_sign_in(mut self, username: impl Into<String>) -> Self {
        self.sign_in = SignInMode::Immediate(username.into());
        self
    }

    /// The provider.
    ///
    /// # Errors
    ///
    /// The tenant is invalid: see [`BuildError`].
    pub fn build(self) -> Result<Logto, BuildError> {
        let endpoint = self.endpoint.as_deref().unwrap_or(DEFAULT_ENDPOINT);
        let url = Url::parse(endpoint)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https"))
            .ok_or_else(|| BuildError::Endpoint(endpoint.to_owned()))?;
        let keys = KeyRing::generate(self.key_type, self.rsa_keys.clone())?;
        let clock = self.clock.clone();
        let sign_in = self.sign_in.clone();
        let tenant = self.tenant()?;
        if let SignInMode::Immediate(username) = &sign_in {
            if tenant.user_by_identifier(username).is_none() {
                return Err(unknown("user", username, "the immediate sign-in"));
            }
        }
        let addresses = Addresses::new(url);
        Ok(Logto(Arc::new(Inner {
            addresses,
            clock,
            sign_in,
            state: Mutex::new(State::new(tenant, keys)),
        })))
    }

    fn tenant(mut self) -> Result<Tenant, BuildError> {
        let now = self.clock.now().milliseconds();
        for user in &mut self.users {
            user.created_at = now;
            user.updated_at = now;
        }
        unique("user", self.users.iter().map(|user| &user.username))?;
        unique("user", self.users.iter().map(|user| &user.id))?;
        let tenant = Tenant {
            apps: by_name("application", self.apps, |app| &app.id)?,
            resources: by_name("API resource", self.resources, |resource| {
                &resource.indicator
            })?,
            organizations: by_name("organization", self.organizations, |it| &it.id)?,
            roles: by_name("role", self.roles, |role| &role.name)?,
            organization_roles: by_name("organization role", self.organization_roles, |it| {
                &it.name
            })?,
            users: self.users,
        };
        check_references(&tenant)?;
        Ok(tenant)
    }
}

fn check_references(tenant: &Tenant) -> Result<(), BuildError> {
    for user in &tenant.users {
        known("role", &tenant.roles, &user.roles, &user.username)?;
    }
    for app in tenant.apps.values() {
        known("role", &tenant.roles, &app.roles, &app.id)?;
        if app
            .public_keys
            .iter()
            .any(|key| PublicKey::from_jwk(key).is_none())
        {
            return Err(BuildError::PublicKey {
                app: app.id.clone(),
            });
        }
    }
    for app in tenant.apps.values() {
        if let Some(scopes) = &app.third_party {
            let resources = scopes.resources.keys();
            let resources = resources.chain(scopes.organization_resources.keys());
            known("API resource", &tenant.resources, resources, &app.id)?;
        }
    }
    for role in tenant.roles.values() {
        known(
            "API resource",
            &tenant.resources,
            role.resources.keys(),
            &role.name,
        )?;
    }
    for role in tenant.organization_roles.values() {
        known(
            "API resource",
            &tenant.resources,
            role.resources.keys(),
            &role.name,
        )?;
    }
    for organization in tenant.organizations.values() {
        known(
            "application",
            &tenant.apps,
            organization.applications.keys(),
            &organization.name,
        )?;
        for username in organization.members.keys() {
            if !tenant.users.iter().any(|user| user.username == *username) {
                return Err(unknown("user", username, &organization.name));
            }
        }
        let roles = organization
            .members
            .values()
            .chain(organization.applications.values());
        let roles = roles.flatten();
        known(
            "organization role",
            &tenant.organization_roles,
            roles,
            &organization.name,
        )?;
    }
    Ok(())
}

fn known<'a, T>(
    kind: &'static str,
    all: &HashMap<String, T>,
    names: impl IntoIterator<Item = &'a String>,
    by: &str,
) -> Result<(), BuildError> {
    match names.into_iter().find(|name| !all.contains_key(*name)) {
        None => Ok(()),
        Some(name) => Err(unknown(kind, name, by)),
    }
}

fn unknown(kind: &'static str, name: &str, by: &str) -> BuildError {
    BuildError::Unknown {
        kind,
        name: name.to_owned(),
        by: by.to_owned(),
    }
}

fn unique<'a>(
    kind: &'static str,
    names: impl Iterator<Item = &'a String>,
) -> Result<(), BuildError> {
    let mut seen = std::collections::HashSet::new();
    for name in names {
        if !seen.insert(name) {
            return Err(BuildError::Duplicate {
                kind,
                name: name.clone(),
            });
        }
    }
    Ok(())
}

fn by_name<T>(
    kind: &'static str,
    items: Vec<T>,
    name: impl Fn(&T) -> &String,
) -> Result<HashMap<String, T>, BuildError> {
    unique(kind, items.iter().map(&name))?;
    Ok(items
        .into_iter()
        .map(|item| (name(&item).clone(), item))
        .collect())
}
