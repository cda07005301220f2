//! What the examples of the web frameworks show: the same pages, so that the examples differ in nothing but their
//! framework.

use logto::AccessToken;
use logto::core::claims::IdTokenClaims;

/// The beginning of the page that streams.
pub const LOADING: &str = "<!doctype html><title>Streaming</title><p>Loading</p>\n";

/// The front page, for a user or for a visitor.
pub fn home(framework: &str, user: Option<&IdTokenClaims>) -> String {
    let page = match user {
        Some(user) => {
            let name = user.user.name.as_deref().unwrap_or(&user.sub);
            include_str!("signed_in.html").replace("{name}", &escape(name))
        }
        None => include_str!("signed_out.html").to_owned(),
    };
    page.replace("{framework}", framework)
}

/// The claims of the user's ID token.
pub fn claims(user: &IdTokenClaims) -> String {
    let claims = serde_json::to_string_pretty(&user.to_map()).unwrap_or_default();
    format!(
        "<!doctype html><title>Private</title><pre>{}</pre>",
        escape(&claims)
    )
}

/// The end of the page that streams.
pub fn end(token: Option<&AccessToken>) -> String {
    match token {
        Some(token) => {
            let scopes: Vec<&str> = token.scopes.iter().map(String::as_str).collect();
            format!("<p>scopes: {}</p>", escape(&scopes.join(" ")))
        }
        None => "<p>needs refresh</p>".to_owned(),
    }
}

fn escape(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;");
    text.replace('"', "&quot;")
}
