//! The serialized form of a [`SignIn`], to start it again or to find out at the callback what it was.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::Value;
use url::Url;

use super::{SignIn, requested::Additions};
use crate::vocabulary::{DirectSignIn, UnknownWord};

/// The members that were set, under names of one or two letters, because they travel in URLs and cookies.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Kept {
    #[serde(rename = "u", skip_serializing_if = "Option::is_none")]
    redirect_uri: Option<Url>,
    #[serde(rename = "r", skip_serializing_if = "Option::is_none")]
    return_to: Option<String>,
    #[serde(rename = "a", skip_serializing_if = "Option::is_none")]
    app_state: Option<Value>,
    #[serde(rename = "s", skip_serializing_if = "Vec::is_empty")]
    scopes: Vec<String>,
    #[serde(rename = "i", skip_serializing_if = "Vec::is_empty")]
    resources: Vec<String>,
    #[serde(rename = "p", skip_serializing_if = "Option::is_none")]
    prompts: Option<Vec<String>>,
    #[serde(rename = "f", skip_serializing_if = "Option::is_none")]
    first_screen: Option<String>,
    #[serde(rename = "id", skip_serializing_if = "Vec::is_empty")]
    identifiers: Vec<String>,
    #[serde(rename = "h", skip_serializing_if = "Option::is_none")]
    login_hint: Option<String>,
    #[serde(rename = "d", skip_serializing_if = "Option::is_none")]
    direct_sign_in: Option<String>,
    #[serde(rename = "l", skip_serializing_if = "Vec::is_empty")]
    ui_locales: Vec<String>,
    #[serde(rename = "o", skip_serializing_if = "Option::is_none")]
    organization_id: Option<String>,
    #[serde(rename = "m", skip_serializing_if = "Option::is_none")]
    max_age: Option<u64>,
    #[serde(rename = "c", skip_serializing_if = "Vec::is_empty")]
    acr_values: Vec<String>,
    #[serde(rename = "fp", skip_serializing_if = "std::ops::Not::not")]
    form_post: bool,
    #[serde(rename = "x", skip_serializing_if = "Vec::is_empty")]
    extra: Vec<(String, String)>,
    #[serde(rename = "n", skip_serializing_if = "is_zero")]
    restarts: u8,
}

#[allow(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature that serde asks for"
)]
const fn is_zero(count: &u8) -> bool {
    *count == 0
}

impl Serialize for SignIn {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Kept::from(self.clone()).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for SignIn {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::try_from(Kept::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

impl From<SignIn> for Kept {
    fn from(sign_in: SignIn) -> Self {
        // Each field by name, so that the compiler reports a new one.
        let SignIn {
            redirect_uri,
            return_to,
            app_state,
            additions:
                Additions {
                    scopes,
                    resources,
                    prompts,
                },
            first_screen,
            identifiers,
            login_hint,
            direct_sign_in,
            ui_locales,
            organization_id,
            max_age,
            acr_values,
            form_post,
            extra,
            // Valid for one use, which has happened.
            one_time_token: _,
            google_one_tap_credential: _,
            // Belongs to a single start.
            state: _,
            restarts,
        } = sign_in;
        Self {
            redirect_uri,
            return_to: return_to.filter(|path| !path.is_empty()),
            app_state,
            scopes,
            resources,
            prompts: prompts.map(|prompts| words(&prompts)),
            first_screen: first_screen.map(|screen| screen.to_string()),
            identifiers: words(&identifiers),
            login_hint,
            direct_sign_in: direct_sign_in.map(|direct| direct.to_string()),
            ui_locales,
            organization_id,
            max_age: max_age.map(|age| age.as_secs()),
            acr_values,
            form_post,
            extra,
            restarts,
        }
    }
}

impl TryFrom<Kept> for SignIn {
    type Error = UnknownWord;

    fn try_from(kept: Kept) -> Result<Self, UnknownWord> {
        Ok(Self {
            redirect_uri: kept.redirect_uri,
            return_to: kept.return_to,
            app_state: kept.app_state,
            additions: Additions {
                scopes: kept.scopes,
                resources: kept.resources,
                prompts: kept.prompts.map(|prompts| parsed(&prompts)).transpose()?,
            },
            first_screen: kept.first_screen.map(|screen| screen.parse()).transpose()?,
            identifiers: parsed(&kept.identifiers)?,
            login_hint: kept.login_hint,
            direct_sign_in: kept
                .direct_sign_in
                .map(|direct| direct.parse::<DirectSignIn>())
                .transpose()?,
            ui_locales: kept.ui_locales,
            organization_id: kept.organization_id,
            max_age: kept.max_age.map(Duration::from_secs),
            acr_values: kept.acr_values,
            form_post: kept.form_post,
            extra: kept.extra,
            one_time_token: None,
            google_one_tap_credential: None,
            state: None,
            restarts: kept.restarts,
        })
    }
}

fn words<T: ToString>(words: &[T]) -> Vec<String> {
    words.iter().map(T::to_string).collect()
}

fn parsed<T: std::str::FromStr<Err = UnknownWord>>(
    words: &[String],
) -> Result<Vec<T>, UnknownWord> {
    words.iter().map(|word| word.parse()).collect()
}
