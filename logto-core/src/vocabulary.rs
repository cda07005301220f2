//! Logto's identifiers: scopes, resources, prompts, pages and URNs, exactly as they are sent.
//!
//! Wherever the crate takes a scope or a resource, it also takes any string. These types prevent typing
//! errors.

use std::{fmt, str::FromStr};

/// The scopes that every sign-in requests unless
/// [`include_reserved_scopes(false)`](crate::config::LogtoConfigBuilder::include_reserved_scopes) is set, in
/// the order in which they are sent.
pub const DEFAULT_SCOPES: [&str; 3] = [
    ReservedScope::OpenId.as_str(),
    ReservedScope::OfflineAccess.as_str(),
    UserScope::Profile.as_str(),
];

const ORGANIZATION_URN_PREFIX: &str = "urn:logto:organization:";

/// The audience of an organization's tokens: `urn:logto:organization:<id>`.
pub fn organization_urn(organization_id: &str) -> String {
    format!("{ORGANIZATION_URN_PREFIX}{organization_id}")
}

/// The organization id in a URN made by [`organization_urn`]; `None` for any other string, and for a URN with
/// an empty id.
pub fn organization_id_from_urn(urn: &str) -> Option<&str> {
    urn.strip_prefix(ORGANIZATION_URN_PREFIX)
        .filter(|id| !id.is_empty())
}

/// Declares an enum whose variants are fixed identifiers of the protocol.
macro_rules! words {
    (
        $(#[$doc:meta])*
        $name:ident, $kind:literal {
            $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)+
        }
    ) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)+
        }

        impl $name {
            /// Every variant, in the order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The identifier as it is sent.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = UnknownWord;

            fn from_str(word: &str) -> Result<Self, UnknownWord> {
                Self::ALL
                    .iter()
                    .copied()
                    .find(|known| known.as_str() == word)
                    .ok_or_else(|| UnknownWord::new($kind, word))
            }
        }

        impl From<$name> for String {
            fn from(word: $name) -> Self {
                word.as_str().to_owned()
            }
        }
    };
}

words! {
    /// Scopes that the protocol itself defines.
    ReservedScope, "reserved scope" {
        /// Requests an ID token. Without it a sign-in is plain OAuth.
        OpenId = "openid",
        /// Requests a refresh token. Logto issues one only together with [`Prompt::Consent`].
        OfflineAccess = "offline_access",
    }
}

words! {
    /// Scopes that give access to parts of the user's data.
    ///
    /// | scope | claims |
    /// |---|---|
    /// | `profile` | `name`, `username`, `picture`, `created_at`, `updated_at` and the standard profile claims, those only where they are set |
    /// | `email` | `email`, `email_verified` |
    /// | `phone` | `phone_number`, `phone_number_verified` |
    /// | `address` | `address` |
    /// | `custom_data` | `custom_data` \* |
    /// | `identities` | `identities` \*, `sso_identities` \* |
    /// | `roles` | `roles` † |
    /// | `urn:logto:scope:organizations` | `organizations` †, `organization_data` \* |
    /// | `urn:logto:scope:organization_roles` | `organization_roles` † |
    ///
    /// \* From the userinfo endpoint; in the ID token only if the tenant enables it. † Also in the ID token,
    /// unless the tenant disables it.
    ///
    /// See [Logto's list of scopes and claims](https://docs.logto.io/end-user-flows/collect-user-profile).
    UserScope, "user scope" {
        /// Basic user information.
        Profile = "profile",
        /// The e-mail address.
        Email = "email",
        /// The phone number.
        Phone = "phone",
        /// The postal address.
        Address = "address",
        /// The free-form data an application stores with the user.
        CustomData = "custom_data",
        /// The linked social and enterprise identities.
        Identities = "identities",
        /// The names of the user's global roles.
        Roles = "roles",
        /// The organizations the user is a member of. Also the precondition of organization tokens.
        Organizations = "urn:logto:scope:organizations",
        /// The user's role names in each organization.
        OrganizationRoles = "urn:logto:scope:organization_roles",
        /// Sessions in the Account API; adds no claims.
        Sessions = "urn:logto:scope:sessions",
        /// Trusted devices in the Account API; adds no claims.
        TrustedDevices = "urn:logto:scope:trusted_devices",
    }
}

impl UserScope {
    /// The claims of this scope at the userinfo endpoint, if they have a value.
    pub const fn claims(self) -> &'static [&'static str] {
        match self {
            Self::Profile => &[
                "name",
                "family_name",
                "given_name",
                "middle_name",
                "nickname",
                "preferred_username",
                "profile",
                "picture",
                "website",
                "gender",
                "birthdate",
                "zoneinfo",
                "locale",
                "updated_at",
                "username",
                "created_at",
            ],
            Self::Email => &["email", "email_verified"],
            Self::Phone => &["phone_number", "phone_number_verified"],
            Self::Address => &["address"],
            Self::CustomData => &["custom_data"],
            Self::Identities => &["identities", "sso_identities"],
            Self::Roles => &["roles"],
            Self::Organizations => &["organizations", "organization_data"],
            Self::OrganizationRoles => &["organization_roles"],
            Self::Sessions | Self::TrustedDevices => &[],
        }
    }

    /// The claims of this scope in the ID token of every tenant. Its other claims are present only if the
    /// tenant's custom ID token settings include them.
    pub const fn id_token_claims(self) -> &'static [&'static str] {
        match self {
            Self::Profile | Self::Email | Self::Phone | Self::Address => self.claims(),
            _ => &[],
        }
    }
}

words! {
    /// Resource indicators that Logto reserves.
    ReservedResource, "reserved resource" {
        /// The organization template. A sign-in that requests [`UserScope::Organizations`] includes it
        /// automatically.
        Organizations = "urn:logto:resource:organizations",
    }
}

words! {
    /// What the server may or must ask the user
    /// ([OpenID Connect Core 3.1.2.1](https://openid.net/specs/openid-connect-core-1_0.html#AuthRequest)).
    ///
    /// Logto refuses `create` and `select_account`; a sign-up starts with [`FirstScreen::Register`].
    Prompt, "prompt" {
        /// No interaction: succeed with the existing session at Logto, or fail with `login_required`.
        None = "none",
        /// Ask for consent. Without it Logto issues no refresh token.
        Consent = "consent",
        /// Ask for credentials even if a session exists. Combine with [`Prompt::Consent`] to get a refresh
        /// token.
        Login = "login",
    }
}

words! {
    /// The first page of Logto's sign-in experience
    /// ([first screen](https://docs.logto.io/end-user-flows/authentication-parameters/first-screen)).
    FirstScreen, "first screen" {
        /// Sign in.
        SignIn = "sign_in",
        /// Create an account.
        Register = "register",
        /// Reset the password.
        ResetPassword = "reset_password",
        /// Sign in with the given [`Identifier`]s only.
        IdentifierSignIn = "identifier:sign_in",
        /// Create an account with the given [`Identifier`]s only.
        IdentifierRegister = "identifier:register",
        /// Enter an e-mail address for enterprise single sign-on.
        SingleSignOn = "single_sign_on",
    }
}

words! {
    /// What a user can identify with on the identifier pages of [`FirstScreen`].
    Identifier, "identifier" {
        /// The e-mail address.
        Email = "email",
        /// The phone number.
        Phone = "phone",
        /// The user name.
        Username = "username",
    }
}

/// Skips Logto's first page and goes straight to a connector
/// ([direct sign-in](https://docs.logto.io/end-user-flows/authentication-parameters/direct-sign-in)).
///
/// ```
/// # use logto_core::vocabulary::DirectSignIn;
/// assert_eq!(DirectSignIn::Social("github".into()).to_string(), "social:github");
/// assert_eq!("sso:123".parse(), Ok(DirectSignIn::Sso("123".into())));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DirectSignIn {
    /// A social connector, by its target: `github`, `google`.
    Social(String),
    /// An enterprise connector, by its connector id.
    Sso(String),
}

impl fmt::Display for DirectSignIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Social(target) => write!(f, "social:{target}"),
            Self::Sso(connector) => write!(f, "sso:{connector}"),
        }
    }
}

impl FromStr for DirectSignIn {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        match text.split_once(':') {
            Some(("social", target)) if !target.is_empty() => Ok(Self::Social(target.to_owned())),
            Some(("sso", connector)) if !connector.is_empty() => {
                Ok(Self::Sso(connector.to_owned()))
            }
            _ => Err(UnknownWord::new(
                "direct sign-in (`social:<target>` or `sso:<connector>`)",
                text,
            )),
        }
    }
}

/// A string that is not one of the identifiers of its type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{word:?} is not a {kind}")]
pub struct UnknownWord {
    kind: &'static str,
    word: String,
}

impl UnknownWord {
    fn new(kind: &'static str, word: &str) -> Self {
        const SHOWN: usize = 64;
        Self {
            kind,
            word: word.chars().take(SHOWN).collect(),
        }
    }
}
