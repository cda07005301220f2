//! Who is signed in.

use logto::{Error, WritableSession};
use serde::Deserialize;

// ANCHOR: user_info
/// The ID token has a name; custom data comes from the userinfo endpoint.
pub async fn theme(session: &WritableSession) -> Result<String, Error> {
    let user_info = session.user_info().await?;
    let custom_data = user_info.user.custom_data.into_value().unwrap_or_default();
    let theme = custom_data.get("theme").and_then(|theme| theme.as_str());
    Ok(theme.unwrap_or("light").to_owned())
}
// ANCHOR_END: user_info

// ANCHOR: custom_claims
/// Claims of your own, from a custom token claim of the Console.
#[derive(Debug, Deserialize)]
pub struct Plan {
    /// What the user has paid for.
    pub plan: String,
}

/// The plan of the user, if the ID token names one.
pub fn plan(session: &WritableSession) -> Option<Plan> {
    session.claims().custom().ok()
}
// ANCHOR_END: custom_claims
