use std::{collections::HashMap, fmt};

use serde_json::Value;

/// A user of the tenant.
///
/// ```
/// use logto_testkit::User;
///
/// let alice = User::new("alice")
///     .password("correct horse")
///     .name("Alice Lab")
///     .email("alice@example.com")
///     .claim("given_name", "Alice")
///     .role("shopper");
/// ```
#[derive(Clone)]
pub struct User {
    pub(crate) id: String,
    pub(crate) username: String,
    pub(crate) password: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) picture: Option<String>,
    pub(crate) email: Option<String>,
    pub(crate) phone: Option<String>,
    pub(crate) profile: HashMap<String, Value>,
    pub(crate) custom_data: Value,
    pub(crate) roles: Vec<String>,
    pub(crate) suspended: bool,
    /// Milliseconds, as Logto sends them.
    pub(crate) created_at: u64,
    pub(crate) updated_at: u64,
    pub(crate) last_sign_in_at: Option<u64>,
}

impl User {
    /// A user who signs in with `username`. Their `sub` is `user-<username>` unless [`User::id`] sets it.
    pub fn new(username: impl Into<String>) -> Self {
        let username = username.into();
        Self {
            id: format!("user-{username}"),
            username,
            password: None,
            name: None,
            picture: None,
            email: None,
            phone: None,
            profile: HashMap::new(),
            custom_data: Value::Object(serde_json::Map::new()),
            roles: Vec::new(),
            suspended: false,
            created_at: 0,
            updated_at: 0,
            last_sign_in_at: None,
        }
    }

    /// The `sub` of their tokens.
    #[must_use]
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.id = id.into();
        self
    }

    /// The password for the sign-in page. Without one, the page accepts any password.
    #[must_use]
    pub fn password(mut self, password: impl Into<String>) -> Self {
        self.password = Some(password.into());
        self
    }

    /// The full name: claim `name`, `null` when not set.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// The avatar's URL: claim `picture`, `null` when not set.
    #[must_use]
    pub fn picture(mut self, picture: impl Into<String>) -> Self {
        self.picture = Some(picture.into());
        self
    }

    /// The verified email address: claims `email` and `email_verified`.
    #[must_use]
    pub fn email(mut self, email: impl Into<String>) -> Self {
        self.email = Some(email.into());
        self
    }

    /// The verified phone number, digits only: claims `phone_number` and `phone_number_verified`.
    #[must_use]
    pub fn phone(mut self, phone: impl Into<String>) -> Self {
        self.phone = Some(phone.into());
        self
    }

    /// A standard profile claim: `family_name`, `given_name`, `middle_name`, `nickname`, `preferred_username`,
    /// `profile`, `website`, `gender`, `birthdate`, `zoneinfo`, `locale` or `address`. Other names are never sent.
    #[must_use]
    pub fn claim(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.profile.insert(name.into(), value.into());
        self
    }

    /// The custom data, a JSON object: claim `custom_data` at userinfo.
    #[must_use]
    pub fn custom_data(mut self, data: impl Into<Value>) -> Self {
        self.custom_data = data.into();
        self
    }

    /// Gives the user a role of the tenant.
    #[must_use]
    pub fn role(mut self, name: impl Into<String>) -> Self {
        self.roles.push(name.into());
        self
    }
}

impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("User")
            .field("id", &self.id)
            .field("username", &self.username)
            .field("roles", &self.roles)
            .field("suspended", &self.suspended)
            .finish_non_exhaustive()
    }
}
