//! The few pages that people see. No script but for forms that submit themselves, no outside asset.

use crate::reply::escape;

pub(crate) struct SignInPage<'a> {
    pub(crate) client_id: &'a str,
    pub(crate) action: &'a str,
    pub(crate) interaction: &'a str,
    pub(crate) users: &'a [&'a str],
    /// What the field is filled with.
    pub(crate) identifier: &'a str,
    pub(crate) problem: Option<&'a str>,
}

pub(crate) fn sign_in(page: &SignInPage<'_>) -> String {
    let users: String = page
        .users
        .iter()
        .map(|user| format!("<option value=\"{}\">", escape(user)))
        .collect();
    let problem = page.problem.map_or_else(String::new, |problem| {
        format!(
            "<p class=\"problem\" role=\"alert\">{}</p>",
            escape(problem)
        )
    });
    let form = include_str!("pages/sign_in.html")
        .replace("{problem}", &problem)
        .replace("{users}", &users)
        .replace("{action}", &escape(page.action))
        .replace("{interaction}", &escape(page.interaction))
        .replace("{client_id}", &escape(page.client_id))
        .replace("{identifier}", &escape(page.identifier));
    layout("Sign in", &form)
}

pub(crate) fn signed_out() -> String {
    layout(
        "Signed out",
        "<h1>Signed out</h1>\n<p>You have signed out.</p>",
    )
}

/// A form of hidden fields that sends itself; without scripts there is a button.
pub(crate) fn self_submitting(action: &str, fields: &[(&'static str, String)]) -> String {
    let fields: String = fields
        .iter()
        .map(|(name, value)| {
            format!(
                "<input type=\"hidden\" name=\"{name}\" value=\"{}\">\n",
                escape(value)
            )
        })
        .collect();
    let form = format!(
        "<form method=\"post\" action=\"{}\">\n{fields}\
         <noscript><button type=\"submit\">Continue</button></noscript>\n</form>\n\
         <script>document.forms[0].submit()</script>",
        escape(action)
    );
    layout("Continue", &form)
}

fn layout(title: &str, main: &str) -> String {
    include_str!("pages/layout.html")
        .replace("{title}", title)
        .replace("{main}", main)
}
