//! The checks of single settings.

use url::{Host, Origin, Url};

use crate::error::ConfigProblem;

/// Whether `url` is https, or http where that is acceptable.
pub(super) fn is_allowed_transport(url: &Url, allow_http: bool) -> bool {
    match url.scheme() {
        "https" => true,
        "http" => allow_http || is_loopback(url),
        _ => false,
    }
}

/// The root of a web site: no query, and a trailing slash makes no difference.
pub(super) fn root_url(text: &str, allow_http: bool) -> Result<Url, ConfigProblem> {
    let mut url = web_url(text, allow_http)?;
    if url.query().is_some() {
        return Err(ConfigProblem::UnexpectedUrlPart("query"));
    }
    let path = url.path().trim_end_matches('/').to_owned();
    url.set_path(&path);
    Ok(url)
}

/// A scheme, a host and a port.
pub(super) fn origin(text: &str, allow_http: bool) -> Result<Origin, ConfigProblem> {
    let url = root_url(text, allow_http)?;
    if url.path() != "/" {
        return Err(ConfigProblem::UnexpectedUrlPart("path"));
    }
    Ok(url.origin())
}

/// An absolute web URL without user information and fragment.
pub(super) fn web_url(text: &str, allow_http: bool) -> Result<Url, ConfigProblem> {
    if text.is_empty() {
        return Err(ConfigProblem::Missing);
    }
    // The URL parser drops these characters silently.
    no_white_space(text)?;
    let url = Url::parse(text).map_err(|_| ConfigProblem::NotAWebUrl)?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(ConfigProblem::NotAWebUrl);
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(ConfigProblem::UnexpectedUrlPart("user name or password"));
    }
    if url.fragment().is_some() {
        return Err(ConfigProblem::UnexpectedUrlPart("fragment"));
    }
    if !is_allowed_transport(&url, allow_http) {
        return Err(ConfigProblem::PlainHttp);
    }
    Ok(url)
}

/// `root` followed by an absolute `path`.
pub(super) fn join(root: &Url, path: &str) -> Url {
    let mut url = root.clone();
    url.set_path(&format!("{}{path}", root.path().trim_end_matches('/')));
    url
}

/// A path that a URL keeps unchanged.
pub(super) fn path(path: &str) -> Result<(), ConfigProblem> {
    let is_plain = path.starts_with('/')
        && !path.contains("//")
        && Url::parse("https://localhost").is_ok_and(|root| join(&root, path).path() == path);
    if is_plain {
        Ok(())
    } else {
        Err(ConfigProblem::NotAPath)
    }
}

/// A value that is compared or sent unchanged.
pub(super) fn token(text: &str) -> Result<(), ConfigProblem> {
    if text.is_empty() {
        return Err(ConfigProblem::Missing);
    }
    no_white_space(text)
}

/// A client secret. Unlike other values it may contain spaces, but not at its ends.
pub(super) fn secret(text: &str) -> Result<(), ConfigProblem> {
    if text.is_empty() {
        return Err(ConfigProblem::EmptySecret);
    }
    if text.trim() != text || text.chars().any(char::is_control) {
        return Err(ConfigProblem::WhiteSpace);
    }
    Ok(())
}

/// A `scope-token` of RFC 6749 section 3.3.
pub(crate) fn scope(text: &str) -> Result<(), ConfigProblem> {
    let is_scope_token = !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\'));
    if is_scope_token {
        Ok(())
    } else {
        Err(ConfigProblem::NotAScope(text.to_owned()))
    }
}

/// A resource indicator of RFC 8707 section 2.
pub(crate) fn resource(text: &str) -> Result<(), ConfigProblem> {
    let is_indicator =
        no_white_space(text).is_ok() && !text.contains('#') && Url::parse(text).is_ok();
    if is_indicator {
        Ok(())
    } else {
        Err(ConfigProblem::NotAResource(text.to_owned()))
    }
}

fn no_white_space(text: &str) -> Result<(), ConfigProblem> {
    if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err(ConfigProblem::WhiteSpace);
    }
    Ok(())
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}
