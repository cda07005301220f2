//! The attributes and limits of the cookies: safe defaults, and checked changes.

use std::time::Duration;

use base64_simd::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use url::{Host, Url};

use super::CookieCodec;

/// Default of [`CookieOptions::budget`]: bytes that all cookies of the application may take in a `Cookie`
/// header. Common proxies refuse a header line of 8 KiB or more, and there are other cookies.
pub const DEFAULT_BUDGET: usize = 7_168;

/// Default of [`CookieOptions::response_limit`]: bytes that the headers of one response may take when the
/// cookies are written. nginx accepts 4 KiB by default, and servers and proxies add headers of their own.
pub const DEFAULT_RESPONSE_LIMIT: usize = 3_584;

/// Longer than the longest session, so that a user whose session has reached its longest lifetime still
/// presents it and can be informed.
const DEFAULT_MAX_AGE: Duration = Duration::from_secs(194 * 24 * 60 * 60);
/// Browsers keep no cookie longer.
const MAX_AGE_LIMIT: Duration = Duration::from_secs(400 * 24 * 60 * 60);
const MIN_BUDGET: usize = 4_096;
const MAX_BUDGET: usize = 65_536;
const MIN_RESPONSE_LIMIT: usize = 2_048;

/// Options for a [`CookieCodec`].
///
/// The defaults follow the [best practice for browser-based
/// applications](https://datatracker.ietf.org/doc/html/draft-ietf-oauth-browser-based-apps#section-6.1.3.2):
/// `Secure`, `HttpOnly`, `Path=/`, no `Domain`, and the prefix `__Host-`, with which the browser keeps other
/// hosts from setting the cookie.
#[derive(Clone, Debug)]
pub struct CookieOptions {
    base_url: Url,
    other_hosts: Vec<String>,
    name: String,
    same_site: SameSite,
    cross_site_callback: bool,
    domain: Option<String>,
    max_age: Option<Duration>,
    budget: usize,
    response_limit: usize,
    partitioned: bool,
}

impl CookieOptions {
    /// The defaults for an application that browsers reach at `base_url`.
    ///
    /// An `https` URL makes the cookies secure. An `http` URL is for development: on a loopback host the
    /// cookies are neither `Secure` nor prefixed, on any other host [`build`](Self::build) refuses. Behind a
    /// proxy that terminates TLS, pass the URL that the browser sees.
    ///
    /// The name is `logto_` and the application's id, and on a loopback host the port: cookies are not
    /// separated by port, and two checkouts of one application would sign each other out. A base URL with a
    /// path adds six characters derived from the path, so that applications on one host do not share a name.
    pub fn new(base_url: &Url, app_id: &str) -> Self {
        Self {
            base_url: base_url.clone(),
            other_hosts: Vec::new(),
            name: default_name(base_url, app_id),
            same_site: SameSite::Lax,
            cross_site_callback: false,
            domain: None,
            max_age: Some(DEFAULT_MAX_AGE),
            budget: DEFAULT_BUDGET,
            response_limit: DEFAULT_RESPONSE_LIMIT,
            partitioned: false,
        }
    }

    /// The [other hosts](logto_core::LogtoConfig::other_hosts) of the application. Each has cookies of its own, of
    /// the same name, unless a [domain](Self::domain) shares them: then the domain must be above every host.
    #[must_use]
    pub fn other_hosts<H: Into<String>>(mut self, hosts: impl IntoIterator<Item = H>) -> Self {
        self.other_hosts = hosts.into_iter().map(Into::into).collect();
        self
    }

    /// Sets the name, without prefix: up to 64 letters, digits, `-` and `_`. Port and path are not added to it.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Sets `SameSite` for the session. With [`SameSite::None`], the cookie that binds sign-ins to the browser
    /// has it too, so that a sign-in within a frame can be completed. With `Strict`, that cookie stays `Lax`,
    /// because the callback is a navigation from another site.
    #[must_use]
    pub fn same_site(mut self, same_site: SameSite) -> Self {
        self.same_site = same_site;
        self
    }

    /// Keeps the cookies of a frame apart for each site that embeds the application (`Partitioned`,
    /// [CHIPS](https://developer.mozilla.org/en-US/docs/Web/Privacy/Guides/Privacy_sandbox/Partitioned_cookies)):
    /// browsers that block third-party cookies accept these. It requires [`SameSite::None`]. A user then signs
    /// in once for each site. The sign-in has to take place in the frame, because a separate window has other
    /// cookies.
    #[must_use]
    pub fn partitioned(mut self) -> Self {
        self.partitioned = true;
        self
    }

    /// Supports callbacks by cross-site POST, for `response_mode=form_post`: the cookie that binds sign-ins to
    /// the browser gets `SameSite=None`.
    #[must_use]
    pub fn cross_site_callback(mut self) -> Self {
        self.cross_site_callback = true;
        self
    }

    /// Shares the cookies with all hosts of a domain. The domain must be the host of the base URL or above it, and
    /// the same for each of the [other hosts](Self::other_hosts). Any host of the domain can then set the cookie: the
    /// prefix is only `__Secure-`.
    #[must_use]
    pub fn domain(mut self, domain: impl Into<String>) -> Self {
        self.domain = Some(domain.into());
        self
    }

    /// How long the browser keeps the session cookie after it was set: at the sign-in, and with sessions in
    /// cookies at each refresh. Use alone does not prolong it, because setting an unchanged cookie again could
    /// replace a newer one. Default: 194 days, which exceeds the default lifetimes of a session. Browsers keep
    /// no cookie for more than 400 days.
    #[must_use]
    pub fn max_age(mut self, max_age: Duration) -> Self {
        self.max_age = Some(max_age);
        self
    }

    /// Makes the session cookie last until the browser is closed.
    #[must_use]
    pub fn until_browser_closes(mut self) -> Self {
        self.max_age = None;
        self
    }

    /// How many bytes all cookies of the application may take in a `Cookie` header: 4,096 to 65,536. Default:
    /// [`DEFAULT_BUDGET`].
    #[must_use]
    pub fn budget(mut self, bytes: usize) -> Self {
        self.budget = bytes;
        self
    }

    /// How many bytes the headers of one response may take, as far as they are known when the cookies are
    /// written: 2,048 to 65,536. Default: [`DEFAULT_RESPONSE_LIMIT`]. Raise it only together with the buffers
    /// of every proxy in front, such as nginx's `proxy_buffer_size`.
    #[must_use]
    pub fn response_limit(mut self, bytes: usize) -> Self {
        self.response_limit = bytes;
        self
    }

    /// Checks the options.
    ///
    /// # Errors
    /// [`CookieConfigError`] for cookies that browsers would refuse or that would be unsafe.
    pub fn build(self) -> Result<CookieCodec, CookieConfigError> {
        let secure = self.is_secure()?;
        self.check_name()?;
        let domain = self.checked_domain()?;
        if !secure && (self.same_site == SameSite::None || self.cross_site_callback) {
            return Err(CookieConfigError::CrossSiteNeedsHttps);
        }
        if !(MIN_BUDGET..=MAX_BUDGET).contains(&self.budget) {
            return Err(CookieConfigError::BudgetOutOfRange(self.budget));
        }
        if !(MIN_RESPONSE_LIMIT..=MAX_BUDGET).contains(&self.response_limit) {
            return Err(CookieConfigError::ResponseLimitOutOfRange(
                self.response_limit,
            ));
        }
        if self.partitioned && self.same_site != SameSite::None {
            return Err(CookieConfigError::PartitionedNeedsSameSiteNone);
        }
        let max_age = match self.max_age.map(|age| age.min(MAX_AGE_LIMIT).as_secs()) {
            Some(0) => return Err(CookieConfigError::ZeroMaxAge),
            Some(seconds) => format!("; Max-Age={seconds}"),
            None => String::new(),
        };

        let prefix = match (secure, &domain) {
            (false, _) => "",
            (true, None) => "__Host-",
            (true, Some(_)) => "__Secure-",
        };
        let secure = if secure { "; Secure" } else { "" };
        let partitioned = if self.partitioned {
            "; Partitioned"
        } else {
            ""
        };
        let domain = domain.map_or_else(String::new, |domain| format!("; Domain={domain}"));
        let attributes = |same_site: SameSite| {
            format!(
                "; Path=/{secure}; HttpOnly; SameSite={}{domain}{partitioned}",
                same_site.as_str()
            )
        };
        let made_for_frames = self.same_site == SameSite::None;
        let callback = match made_for_frames || self.cross_site_callback {
            true => SameSite::None,
            false => SameSite::Lax,
        };
        Ok(CookieCodec {
            name: format!("{prefix}{}", self.name).into(),
            attributes: attributes(self.same_site),
            browser_attributes: attributes(callback),
            max_age,
            budget: self.budget,
            response_limit: self.response_limit,
            made_for_frames,
        })
    }

    fn is_secure(&self) -> Result<bool, CookieConfigError> {
        match self.base_url.scheme() {
            "https" => Ok(true),
            "http" if is_loopback(&self.base_url) => Ok(false),
            _ => Err(CookieConfigError::InsecureBaseUrl(
                self.base_url.to_string(),
            )),
        }
    }

    fn check_name(&self) -> Result<(), CookieConfigError> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        let prefixed = self.name.starts_with("__");
        if (1..=64).contains(&self.name.len()) && self.name.bytes().all(plain) && !prefixed {
            Ok(())
        } else {
            Err(CookieConfigError::InvalidName(self.name.clone()))
        }
    }

    fn checked_domain(&self) -> Result<Option<String>, CookieConfigError> {
        let Some(domain) = &self.domain else {
            return Ok(None);
        };
        let refused = || CookieConfigError::ForeignDomain(domain.clone());
        let Some(Host::Domain(host)) = self.base_url.host() else {
            return Err(refused());
        };
        let wanted = domain
            .strip_prefix('.')
            .unwrap_or(domain)
            .to_ascii_lowercase();
        let is_above = |host: &str| {
            host.strip_suffix(wanted.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        };
        let is_above_all = is_above(host) && self.other_hosts.iter().all(|host| is_above(host));
        if is_above_all && wanted.contains('.') && !wanted.starts_with('.') {
            Ok(Some(wanted))
        } else {
            Err(refused())
        }
    }
}

fn default_name(base_url: &Url, app_id: &str) -> String {
    let mut name = format!("logto_{app_id}");
    if let (true, Some(port)) = (is_loopback(base_url), base_url.port()) {
        name.push_str(&format!("-{port}"));
    }
    let path = base_url.path().trim_end_matches('/');
    if !path.is_empty() {
        let digest = URL_SAFE_NO_PAD.encode_to_string(Sha256::digest(path));
        name.push('-');
        name.extend(digest.chars().take(6));
    }
    name
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// The requests with which the browser sends the session cookie ([RFC
/// 6265bis](https://datatracker.ietf.org/doc/html/draft-ietf-httpbis-rfc6265bis#section-5.6.7)).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SameSite {
    /// Only requests from the application's own pages. A user who follows a link from another site arrives
    /// signed out.
    Strict,
    /// Also navigations from other sites, such as links.
    #[default]
    Lax,
    /// All requests, for an application in a frame of another site. The application then has to protect itself
    /// against cross-site request forgery.
    None,
}

impl SameSite {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Strict => "Strict",
            Self::Lax => "Lax",
            Self::None => "None",
        }
    }
}

/// Why cookie options are refused: the cookies would be unsafe, or browsers would drop them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CookieConfigError {
    /// The base URL is neither `https` nor `http` on a loopback host.
    #[error(
        "session cookies need https, but the base URL is {0}; give the URL that the browser sees, or use http://localhost for development"
    )]
    InsecureBaseUrl(String),
    /// The name is empty, too long, begins with `__`, or has characters beyond letters, digits, `-`, `_`.
    #[error(
        "{0:?} cannot be the name of the session cookie; use up to 64 letters, digits, - and _"
    )]
    InvalidName(String),
    /// The domain is a top-level domain, or neither equal to nor above every host of the application.
    #[error("cookies for the domain {0:?} cannot be set by every host of the application")]
    ForeignDomain(String),
    /// `SameSite=None` on an `http` base URL.
    #[error("browsers take SameSite=None only with https")]
    CrossSiteNeedsHttps,
    /// The budget is not between 4,096 and 65,536 bytes.
    #[error("a cookie budget of {0} bytes is not between 4,096 and 65,536")]
    BudgetOutOfRange(usize),
    /// The response limit is not between 2,048 and 65,536 bytes.
    #[error("a response limit of {0} bytes is not between 2,048 and 65,536")]
    ResponseLimitOutOfRange(usize),
    /// `Partitioned` without `SameSite=None`.
    #[error("partitioned cookies are for frames of other sites; set SameSite::None as well")]
    PartitionedNeedsSameSiteNone,
    /// The cookie would be deleted as soon as it is set.
    #[error("Max-Age must be at least a second")]
    ZeroMaxAge,
}
