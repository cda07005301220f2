//! Cookies: from a `Cookie` header to a value and back to `Set-Cookie` headers, for any framework.
//!
//! A [`CookieCodec`] keeps two kinds of opaque values in a browser:
//!
//! | cookie | holds |
//! |---|---|
//! | `<name>` | the session's [`Handle`](crate::storage::Handle), when it fits into one cookie |
//! | `<name>.0`, `<name>.1`, … | the same handle in pieces, when it does not |
//! | `<name>.t0`, `<name>.t1`, … | one optional part of the handle each: an access token, or when the session was last in use |
//! | `<name>.browser` | the id that binds pending sign-ins to this browser |
//!
//! Browsers silently drop a cookie of more than 4,096 bytes, so no `Set-Cookie` is longer, including its
//! attributes. Every piece contains the number of pieces and the write that it belongs to: a value is read
//! whole or not at all, and never mixed from two writes. All cookies together keep within a budget, because
//! proxies refuse requests with long headers, and the cookies of one response within a limit, because proxies
//! refuse long responses too.
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

use std::sync::Arc;

use http::{HeaderMap, HeaderValue};

#[cfg(test)]
pub(super) use self::request_cookies::parsed;
pub use self::{
    options::{CookieConfigError, CookieOptions, DEFAULT_BUDGET, DEFAULT_RESPONSE_LIMIT, SameSite},
    request_cookies::RequestCookies,
    session::SessionCookies,
};

/// The largest cookie that browsers keep, in bytes, with name, value and attributes.
const MAX_COOKIE_LEN: usize = 4_096;

const BROWSER_SUFFIX: &str = ".browser";
const BROWSER_MAX_AGE: &str = "; Max-Age=3600";
/// The longest value of the browser's cookie, in bytes: a sealed id and the results of eight callbacks.
const MAX_BROWSER_LEN: usize = 168;

const DELETED: &str = "; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT";

/// Reads and writes the cookies of one application. Created by [`CookieOptions::build`].
#[derive(Clone, Debug)]
pub struct CookieCodec {
    name: Arc<str>,
    attributes: String,
    browser_attributes: String,
    max_age: String,
    budget: usize,
    response_limit: usize,
    made_for_frames: bool,
}

impl CookieCodec {
    /// The name of the session cookie, including its prefix. A sealed session is bound to it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Reads the cookies of this application from the `Cookie` headers of a request. Ignores cookies of other
    /// names and malformed headers. The headers are parsed when a cookie is first asked for.
    pub fn read(&self, headers: &HeaderMap) -> RequestCookies {
        RequestCookies::new(Arc::clone(&self.name), headers)
    }

    /// Bytes that the headers of one response may take; see [`CookieOptions::response_limit`].
    pub const fn response_limit(&self) -> usize {
        self.response_limit
    }

    /// Whether the cookies are sent from frames of other sites ([`SameSite::None`]).
    pub(crate) const fn allows_frames(&self) -> bool {
        self.made_for_frames
    }

    /// The name of the cookie that binds sign-ins to a browser. Its sealed value is bound to this name.
    pub(super) fn browser_name(&self) -> String {
        format!("{}{BROWSER_SUFFIX}", self.name)
    }

    /// The `Set-Cookie` value that keeps `value` in the browser for an hour, as long as Logto waits for the
    /// user.
    pub(super) fn set_browser(&self, value: &str) -> Result<HeaderValue, CookieError> {
        let name = self.browser_name();
        let attributes = &self.browser_attributes;
        header(&format!("{name}={value}{attributes}{BROWSER_MAX_AGE}"))
            .ok_or(CookieError::InvalidValue)
    }

    /// The `Set-Cookie` value that deletes the browser's cookie, if the request has one. Pending sign-ins in
    /// other tabs then have to be started again.
    pub(super) fn clear_browser(&self, request_cookies: &RequestCookies) -> Option<HeaderValue> {
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
    /// It is too large.
    #[error(
        "the cookies would take {size} bytes and {limit} are allowed; keep sessions in a store on the server (`MemoryStorage` or `ExternalStorage`), or raise the budget if every proxy in between accepts such headers"
    )]
    TooLarge {
        /// The size of the cookies, in bytes.
        size: usize,
        /// The allowed size, in bytes.
        limit: usize,
    },
    /// It is empty or has characters that are not allowed in a cookie. Storages return base64url.
    #[error("the value is empty or has characters that are not allowed in a cookie; use base64url")]
    InvalidValue,
}

fn header(cookie: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(cookie).ok()?;
    value.set_sensitive(true);
    Some(value)
}

fn sum<const N: usize>(lengths: [usize; N]) -> usize {
    lengths.into_iter().fold(0, usize::saturating_add)
}
