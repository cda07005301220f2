//! The pages for requests that fail.

use std::borrow::Cow;

use bytes::Bytes;
use http::{HeaderValue, Response, header};
use logto_core::error::Advice;

use crate::{
    error::Error,
    runtime::{MaybeSend, MaybeSync},
    web::{public_description, respond},
};

/// A failed request, for an [`ErrorPage`].
#[derive(Debug)]
#[non_exhaustive]
pub struct ErrorContext<'a> {
    /// The error. Its text is for operators; visitors are shown
    /// [`public_description`](crate::web::public_description).
    pub error: &'a Error,
    /// Whether the client is a browser that shows a page. Otherwise it is a script or another server, which
    /// expects JSON.
    pub wants_page: bool,
    /// Whether the browser and the application are on the same machine, as in development. The default page
    /// then shows the [`hint`](Self::hint).
    pub is_local: bool,
    /// The target of a link on the page: the sign-in, the same page, or the start page.
    pub next: &'a str,
}

impl ErrorContext<'_> {
    /// What a developer has to change. `None` unless the visitor is on the same machine. It contains no value
    /// of the configuration.
    pub fn hint(&self) -> Option<&'static str> {
        self.is_local.then(|| hint(self.error)).flatten()
    }
}

/// Shows errors in the application's own design.
///
/// A function with this signature implements it:
///
/// ```
/// use bytes::Bytes;
/// use http::Response;
/// use logto_client::web::{ErrorContext, ErrorPage, public_description};
///
/// fn error_page(context: &ErrorContext<'_>) -> Option<Response<Bytes>> {
///     let text = public_description(context.error);
///     let page = format!("<h1>{text}</h1><a href=\"{}\">Continue</a>", context.next);
///     context.wants_page.then(|| Response::new(page.into()))
/// }
/// # fn is_one(_: impl ErrorPage) {}
/// # is_one(error_page);
/// ```
pub trait ErrorPage: MaybeSend + MaybeSync {
    /// Returns the response, or `None` for the default. The status of the error and headers that forbid caching
    /// are added to it.
    fn show(&self, context: &ErrorContext<'_>) -> Option<Response<Bytes>>;
}

impl<F> ErrorPage for F
where
    F: Fn(&ErrorContext<'_>) -> Option<Response<Bytes>> + MaybeSend + MaybeSync,
{
    fn show(&self, context: &ErrorContext<'_>) -> Option<Response<Bytes>> {
        self(context)
    }
}

/// The default page: one sentence and one link.
pub(super) fn default_page(context: &ErrorContext<'_>) -> Response<Bytes> {
    let label = match context.error.advice() {
        Advice::SignInAgain => "Sign in",
        Advice::Retry { .. } => "Try again",
        Advice::Refused | Advice::FixConfiguration => "Continue",
    };
    let sentence = match context.error {
        // The application wrote this text for the user.
        Error::SignInRefused(refused) => escape(&refused.reason),
        error => public_description(error).into(),
    };
    let hint = match context.hint() {
        Some(hint) => format!("<p>For the developer: {hint}</p>\n"),
        None => String::new(),
    };
    let page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>{sentence}</title>\n\
         <h1>{sentence}</h1>\n{hint}<p><a href=\"{}\">{label}</a></p>\n",
        escape(context.next)
    );
    let mut response = Response::new(Bytes::from(page));
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; frame-ancestors 'none'",
        ),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// What a developer has to change. It never contains a value of the configuration.
fn hint(error: &Error) -> Option<&'static str> {
    match error {
        Error::Transport { .. } => {
            return Some(
                "Logto cannot be reached. Check LOGTO_ENDPOINT, and that Logto is running.",
            );
        }
        Error::Storage(_) => {
            return Some("The session storage failed. The log contains the reason.");
        }
        _ => {}
    }
    match error.code() {
        "invalid_client" => Some(
            "Logto refuses the application. Compare LOGTO_APP_ID and LOGTO_APP_SECRET with the Console.",
        ),
        "sign_in_session_not_found" => Some(
            "The browser did not send the cookie of the sign-in. Open the application at LOGTO_BASE_URL, with the same scheme and host.",
        ),
        "invalid_target" | "resource_not_requested" => Some(
            "Register the API resource in the Console, and name its indicator in LOGTO_RESOURCES.",
        ),
        "invalid_scope" => {
            Some("A scope in LOGTO_SCOPES is unknown to Logto, or not granted by the user's roles.")
        }
        _ if error.advice() == Advice::FixConfiguration => Some("The log contains what to change."),
        _ => None,
    }
}

/// Adds the status and the headers that every response to this error has.
pub(super) fn complete(error: &Error, page: Response<Bytes>) -> Response<Bytes> {
    let (page, body) = page.into_parts();
    let mut response = respond::refusal(error).map(|_| body);
    for name in page.headers.keys() {
        response.headers_mut().remove(name);
    }
    response.headers_mut().extend(page.headers);
    response
}

fn escape(text: &str) -> Cow<'_, str> {
    if !text.contains(['&', '<', '>', '"', '\'']) {
        return text.into();
    }
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            character => escaped.push(character),
        }
    }
    escaped.into()
}

#[cfg(test)]
mod tests {
    use logto_core::error::UsageError;

    use super::*;
    use crate::error::SignInRefused;

    fn page(error: &Error, next: &str) -> String {
        let context = ErrorContext {
            error,
            wants_page: true,
            is_local: false,
            next,
        };
        let response = complete(error, default_page(&context));
        assert_eq!(response.status(), error.status());
        assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store");
        let content_types = response.headers().get_all(header::CONTENT_TYPE);
        assert_eq!(content_types.iter().count(), 1);
        String::from_utf8(response.into_body().to_vec()).unwrap()
    }

    #[test]
    fn nothing_that_a_stranger_wrote_becomes_markup() {
        let refused = SignInRefused::new("<script>alert(\"1\")</script> & 'more'");
        let page = page(&refused.into(), "/?a=1&b=\"><script>");
        assert!(!page.contains("<script>"), "{page}");
        assert!(
            page.contains("&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt; &amp; &#39;more&#39;")
        );
        assert!(page.contains("href=\"/?a=1&amp;b=&quot;&gt;&lt;script&gt;\""));
    }

    #[test]
    fn the_link_says_what_helps() {
        for (error, label) in [
            (UsageError::NotSignedIn.into(), ">Sign in<"),
            (Error::Busy, ">Try again<"),
            (SignInRefused::new("no").into(), ">Continue<"),
        ] {
            assert!(page(&error, "/").contains(label), "{error:?}");
        }
    }
}
