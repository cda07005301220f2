//! The few pages that people see. No script but for forms that submit themselves, no outside asset.

use crate::reply::escape;

/// How many users the sign-in page names.
const MAX_NAMED: usize = 5;

pub(crate) struct SignInPage<'a> {
    pub(crate) client_id: &'a str,
    pub(crate) action: &'a str,
    pub(crate) interaction: &'a str,
    /// The usernames with their passwords; without one any is right.
    pub(crate) users: &'a [(&'a str, Option<&'a str>)],
    /// What the field is filled with.
    pub(crate) identifier: &'a str,
    pub(crate) problem: Option<&'a str>,
}

pub(crate) fn sign_in(page: &SignInPage<'_>) -> String {
    let users: String = page
        .users
        .iter()
        .map(|(user, _)| format!("<option value=\"{}\">", escape(user)))
        .collect();
    let form = include_str!("pages/sign_in.html")
        .replace("{problem}", &alert(page.problem))
        .replace("{users}", &users)
        .replace("{whom}", &whom(page.users))
        .replace("{action}", &escape(page.action))
        .replace("{interaction}", &escape(page.interaction))
        .replace("{client_id}", &escape(page.client_id))
        .replace("{identifier}", &escape(page.identifier));
    layout("Sign in", &form)
}

/// Whom to sign in as, for people who have not set the tenant up.
fn whom(users: &[(&str, Option<&str>)]) -> String {
    let known = users.iter().take(MAX_NAMED).map(|(user, password)| {
        let user = escape(user);
        match password {
            Some(password) => format!(
                "<strong>{user}</strong>, password <strong>{}</strong>",
                escape(password)
            ),
            None => format!("<strong>{user}</strong>, any password"),
        }
    });
    let known: Vec<String> = known.collect();
    match known.is_empty() {
        true => String::new(),
        false => format!("Sign in as {}.", known.join(", or ")),
    }
}

pub(crate) struct ConsentPage<'a> {
    pub(crate) client_id: &'a str,
    pub(crate) action: &'a str,
    pub(crate) interaction: &'a str,
    pub(crate) scopes: &'a [String],
    /// Ids and names; the first is selected.
    pub(crate) organizations: &'a [(&'a str, &'a str)],
    /// Where a user goes who does not consent, as on Logto's page: the redirect URI without any parameter.
    pub(crate) cancel: Option<&'a str>,
}

pub(crate) fn consent(page: &ConsentPage<'_>) -> String {
    let item = |scope: &String| format!("<li>{}</li>", escape(scope));
    let scopes: String = page.scopes.iter().map(item).collect();
    let option = |(id, name): &(&str, &str)| {
        format!("<option value=\"{}\">{}</option>", escape(id), escape(name))
    };
    let options: String = page.organizations.iter().map(option).collect();
    let organizations = if options.is_empty() {
        String::new()
    } else {
        format!(
            "<label for=\"organization\">Organization</label>\n\
             <select id=\"organization\" name=\"organization_id\">{options}</select>"
        )
    };
    let cancel = page.cancel.map_or_else(String::new, |uri| {
        format!("<a class=\"second\" href=\"{}\">Cancel</a>", escape(uri))
    });
    let form = include_str!("pages/consent.html")
        .replace("{scopes}", &scopes)
        .replace("{organizations}", &organizations)
        .replace("{cancel}", &cancel)
        .replace("{action}", &escape(page.action))
        .replace("{interaction}", &escape(page.interaction))
        .replace("{client_id}", &escape(page.client_id));
    layout("Authorize", &form)
}

pub(crate) fn enter_user_code(action: &str, user_code: &str, problem: Option<&str>) -> String {
    let form = include_str!("pages/enter_user_code.html")
        .replace("{problem}", &alert(problem))
        .replace("{action}", &escape(action))
        .replace("{user_code}", &escape(user_code));
    layout("Connect a device", &form)
}

pub(crate) struct DevicePage<'a> {
    pub(crate) client_id: &'a str,
    pub(crate) action: &'a str,
    pub(crate) user_code: &'a str,
}

pub(crate) fn confirm_device(page: &DevicePage<'_>) -> String {
    let form = include_str!("pages/confirm_device.html")
        .replace("{action}", &escape(page.action))
        .replace("{user_code}", &escape(page.user_code))
        .replace("{client_id}", &escape(page.client_id));
    layout("Connect a device", &form)
}

/// A page that says something and asks nothing.
pub(crate) fn message(title: &str, text: &str) -> String {
    layout(title, &format!("<h1>{title}</h1>\n<p>{text}</p>"))
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

fn alert(problem: Option<&str>) -> String {
    problem.map_or_else(String::new, |problem| {
        format!(
            "<p class=\"problem\" role=\"alert\">{}</p>",
            escape(problem)
        )
    })
}

fn layout(title: &str, main: &str) -> String {
    include_str!("pages/layout.html")
        .replace("{title}", title)
        .replace("{main}", main)
}
