//! Cookies: from a `Cookie` header to a value and back to `Set-Cookie` headers, for any framework.
//!
//! A [`CookieCodec`] keeps two kinds of values in a browser and knows nothing of what is in them:
//!
//! | cookie | holds |
//! |---|---|
//! | `<name>` | the session's handle, when it fits into one cookie |
//! | `<name>.0`, `<name>.1`, … | the same handle in pieces, when it does not |
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
//! use logto_client::web::cookies::CookieOptions;
//! use url::Url;
//!
//! let codec = CookieOptions::new(&Url::parse("https://app.example.com")?, "my-app").build()?;
//!
//! // A response sets what a later request carries.
//! let mut request = HeaderMap::new();
//! let set_cookies = codec.write(&codec.read(&request), "value")?;
//! assert_eq!(
//!     set_cookies[0],
//!     "__Host-logto_my-app=value; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=15552000",
//! );
//!
//! request.append(header::COOKIE, "theme=dark; __Host-logto_my-app=value".parse()?);
//! assert_eq!(codec.read(&request).candidates(), ["value"]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod options;
mod request_cookies;

use base64_simd::URL_SAFE_NO_PAD;
use http::{HeaderMap, HeaderValue};
use sha2::{Digest, Sha256};

pub use self::{
    options::{CookieConfigError, CookieOptions, DEFAULT_BUDGET, DEFAULT_RESPONSE_LIMIT, SameSite},
    request_cookies::RequestCookies,
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

    /// The longest value, in bytes, that [`write`](Self::write) takes.
    pub fn capacity(&self) -> usize {
        let limit = self.session_budget();
        let (mut fits, mut beyond) = (0, limit.saturating_add(1));
        while beyond.saturating_sub(fits) > 1 {
            let middle = fits.midpoint(beyond);
            if self.carried_len(middle) <= limit {
                fits = middle;
            } else {
                beyond = middle;
            }
        }
        fits
    }

    /// What the `Cookie` headers of a request carry for this application. Cookies of other names are
    /// not looked at; headers that cannot be read carry nothing.
    pub fn read<'h>(&self, headers: &'h HeaderMap) -> RequestCookies<'h> {
        RequestCookies::parse(&self.name, headers)
    }

    /// The `Set-Cookie` values that make the browser carry `value` and no older one: append them all
    /// to the response. What is left of a longer value, or of the other form, is deleted.
    ///
    /// # Errors
    /// [`CookieError`] when the value is too long or cannot stand in a cookie. The browser then keeps
    /// what it has.
    pub fn write(
        &self,
        request_cookies: &RequestCookies<'_>,
        value: &str,
    ) -> Result<Vec<HeaderValue>, CookieError> {
        check(value)?;
        let (size, limit) = (self.carried_len(value.len()), self.session_budget());
        if size > limit {
            return Err(CookieError::TooLarge { size, limit });
        }

        let pieces = self.pieces(value.len());
        let mut headers = Vec::new();
        if pieces == 1 {
            headers.push(self.set(&self.name, value)?);
        } else {
            let generation = generation(value);
            for (index, piece) in value.as_bytes().chunks(self.piece_room()).enumerate() {
                let piece = String::from_utf8_lossy(piece);
                let name = self.chunk_name(index);
                headers.push(self.set(&name, &format!("{generation}.{pieces}.{piece}"))?);
            }
            if request_cookies.has_single() {
                headers.extend(self.delete(&self.name));
            }
        }
        for index in request_cookies
            .chunk_indices()
            .filter(|index| pieces == 1 || *index >= pieces)
        {
            headers.extend(self.delete(&self.chunk_name(index)));
        }
        Ok(headers)
    }

    /// The `Set-Cookie` values that delete every trace of a session that the request carries.
    pub fn clear(&self, request_cookies: &RequestCookies<'_>) -> Vec<HeaderValue> {
        let single = request_cookies.has_single().then(|| self.name.clone());
        let chunks = request_cookies
            .chunk_indices()
            .map(|index| self.chunk_name(index));
        single
            .into_iter()
            .chain(chunks)
            .filter_map(|name| self.delete(&name))
            .collect()
    }

    /// Bytes that the headers of one response may take; see [`CookieOptions::response_limit`].
    pub const fn response_limit(&self) -> usize {
        self.response_limit
    }

    /// Whether the cookies are sent from frames of other sites ([`SameSite::None`]).
    pub const fn allows_frames(&self) -> bool {
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

    fn delete(&self, name: &str) -> Option<HeaderValue> {
        header(&format!("{name}={}{DELETED}", self.attributes))
    }

    fn chunk_name(&self, index: usize) -> String {
        format!("{}.{index}", self.name)
    }

    /// Bytes of the budget that a session may take, so that a sign-in always has room beside it.
    fn session_budget(&self) -> usize {
        let browser = sum([self.name.len(), BROWSER_SUFFIX.len(), "=; ".len()]);
        self.budget
            .saturating_sub(browser.saturating_add(MAX_BROWSER_LEN))
    }

    /// Bytes that a value of this length takes in a `Cookie` header.
    fn carried_len(&self, value_len: usize) -> usize {
        let pieces = self.pieces(value_len);
        let marks = if pieces == 1 { 0 } else { MARKS_LEN };
        let around = sum([self.name.len(), marks, "=; ".len()]);
        pieces.saturating_mul(around).saturating_add(value_len)
    }

    /// How many cookies a value of this length needs.
    fn pieces(&self, value_len: usize) -> usize {
        if value_len <= self.room(0) {
            1
        } else {
            value_len.div_ceil(self.piece_room())
        }
    }

    /// How much of a value goes into one of several cookies.
    fn piece_room(&self) -> usize {
        self.room(MARKS_LEN).max(1)
    }

    /// How much of a value goes into one cookie together with marks of this length.
    fn room(&self, marks: usize) -> usize {
        let name = self.name.len();
        let around = sum([
            name,
            marks,
            "=".len(),
            self.attributes.len(),
            self.max_age.len(),
        ]);
        COOKIE_LIMIT.saturating_sub(around)
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
/// The longest value of the browser's cookie: a sealed id and eight fingerprints.
const MAX_BROWSER_LEN: usize = 168;

const DELETED: &str = "; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT";

/// The index in the name and, in the value, generation and count, at their longest.
const MARKS_LEN: usize = ".00".len() + GENERATION_LEN + ".00.".len();
const GENERATION_LEN: usize = 8;

/// Tells the write that a piece comes from. Values are sealed with a random nonce or random
/// themselves, so that no two writes share it.
fn generation(value: &str) -> String {
    let digest = Sha256::digest(value);
    URL_SAFE_NO_PAD.encode_to_string(digest.get(..6).unwrap_or_default())
}

fn check(value: &str) -> Result<(), CookieError> {
    if request_cookies::is_cookie_value(value.as_bytes()) {
        Ok(())
    } else {
        Err(CookieError::InvalidValue)
    }
}

fn header(cookie: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(cookie).ok()?;
    value.set_sensitive(true);
    Some(value)
}

fn sum<const N: usize>(lengths: [usize; N]) -> usize {
    lengths.into_iter().fold(0, usize::saturating_add)
}
