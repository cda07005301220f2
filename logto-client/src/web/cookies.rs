//! Cookies: from a `Cookie` header to a value and back to `Set-Cookie` headers, for any framework.
//!
//! A [`CookieCodec`] keeps two kinds of values in a browser and knows nothing of what is in them:
//!
//! | cookie | holds |
//! |---|---|
//! | `<name>` | the session's [`Handle`](crate::storage::Handle), when it fits into one cookie |
//! | `<name>.0`, `<name>.1`, … | the same handle in pieces, when it does not |
//! | `<name>.t0`, `<name>.t1`, … | a part of the handle each, which the session can do without: an access token, or when the session was last in use |
//! | `<name>.browser` | what binds the sign-ins under way to this browser |
//!
//! Browsers drop a cookie of more than 4,096 bytes without a word, so no `Set-Cookie` is longer, its
//! attributes included. Every piece says how many there are and which write it comes from: a value is
//! read whole or not at all, never mixed from two writes. All cookies together keep within a budget,
//! because proxies refuse requests with long headers, and the cookies of one response within a limit,
//! because they refuse those too.
//!
//! ```
//! use http::{HeaderMap, header};
//! use logto_client::{storage::Handle, web::cookies::CookieOptions};
//! use url::Url;
//!
//! let codec = CookieOptions::new(&Url::parse("https://app.example.com")?, "my-app").build()?;
//!
//! // A response sets what a later request carries.
//! let mut request = HeaderMap::new();
//! let written = codec.write(&codec.read(&request), &Handle::new("value"), 0)?;
//! assert_eq!(
//!     written.set_cookies[0],
//!     "__Host-logto_my-app=value; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=16761600",
//! );
//!
//! request.append(header::COOKIE, "theme=dark; __Host-logto_my-app=value".parse()?);
//! assert_eq!(codec.read(&request).handles(), [Handle::new("value")]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod options;
mod request_cookies;
mod session;

use http::{HeaderMap, HeaderValue, header::COOKIE};

pub use self::{
    options::{CookieConfigError, CookieOptions, DEFAULT_BUDGET, DEFAULT_RESPONSE_LIMIT, SameSite},
    request_cookies::RequestCookies,
    session::SessionCookies,
};

/// Reads and writes the cookies of one application. Made by [`CookieOptions::build`].
#[derive(Clone, Debug)]
pub struct CookieCodec {
    name: String,
    attributes: String,
    browser_attributes: String,
    max_age: String,
    budget: usize,
    response_limit: usize,
    made_for_frames: bool,
}

impl CookieCodec {
    /// The name of the session cookie, prefix included: what a sealed session is bound to.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What the `Cookie` headers of a request carry for this application. Cookies of other names are
    /// not looked at; headers that cannot be read carry nothing.
    pub fn read<'h>(&self, headers: &'h HeaderMap) -> RequestCookies<'h> {
        self.read_values(headers.get_all(COOKIE))
    }

    /// The same, from the values of these headers.
    pub(super) fn read_values<'h>(
        &self,
        headers: impl IntoIterator<Item = &'h HeaderValue>,
    ) -> RequestCookies<'h> {
        RequestCookies::parse(&self.name, headers)
    }

    /// Bytes that the headers of one response may take; see [`CookieOptions::response_limit`].
    pub const fn response_limit(&self) -> usize {
        self.response_limit
    }

    /// Whether the cookies are sent from frames of other sites ([`SameSite::None`]).
    pub(crate) const fn allows_frames(&self) -> bool {
        self.made_for_frames
    }

    /// The name of the cookie that binds sign-ins to a browser: what its sealed value is bound to.
    pub(super) fn browser_name(&self) -> String {
        format!("{}{BROWSER_SUFFIX}", self.name)
    }

    /// The `Set-Cookie` value that makes the browser carry `value` for an hour, as long as Logto waits for
    /// the user.
    pub(super) fn set_browser(&self, value: &str) -> Result<HeaderValue, CookieError> {
        let name = self.browser_name();
        let attributes = &self.browser_attributes;
        header(&format!("{name}={value}{attributes}{BROWSER_MAX_AGE}"))
            .ok_or(CookieError::InvalidValue)
    }

    /// The `Set-Cookie` value that deletes it, if the request carries one. Sign-ins under way in other tabs
    /// then have to be started again.
    pub(super) fn clear_browser(
        &self,
        request_cookies: &RequestCookies<'_>,
    ) -> Option<HeaderValue> {
        let name = self.browser_name();
        let attributes = &self.browser_attributes;
        match request_cookies.has_browser() {
            true => header(&format!("{name}={attributes}{DELETED}")),
            false => None,
        }
    }

    fn set(&self, name: &str, value: &str) -> Result<HeaderValue, CookieError> {
        header(&format!(
            "{name}={value}{}{}",
            self.attributes, self.max_age
        ))
        .ok_or(CookieError::InvalidValue)
    }

    fn delete(&self, name: &str) -> Result<HeaderValue, CookieError> {
        header(&format!("{name}={}{DELETED}", self.attributes)).ok_or(CookieError::InvalidValue)
    }
}

/// Why a value cannot be put into cookies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CookieError {
    /// It takes more room than there is.
    #[error(
        "the cookies would take {size} bytes and {limit} are allowed; keep sessions in a store on the server (`MemoryStorage` or `ExternalStorage`), or raise the budget if every proxy in between takes such headers"
    )]
    TooLarge {
        /// Bytes that it would take.
        size: usize,
        /// Bytes that are allowed.
        limit: usize,
    },
    /// It is empty or has characters that cannot stand in a cookie. Storages make base64url.
    #[error("the value cannot stand in a cookie; use base64url")]
    InvalidValue,
}

/// What browsers keep of a cookie, name, value and attributes together.
const COOKIE_LIMIT: usize = 4_096;

const BROWSER_SUFFIX: &str = ".browser";
const BROWSER_MAX_AGE: &str = "; Max-Age=3600";
/// The longest value of the browser's cookie: a sealed id, and what became of eight callbacks.
const MAX_BROWSER_LEN: usize = 168;

const DELETED: &str = "; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT";

fn header(cookie: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(cookie).ok()?;
    value.set_sensitive(true);
    Some(value)
}

fn sum<const N: usize>(lengths: [usize; N]) -> usize {
    lengths.into_iter().fold(0, usize::saturating_add)
}
