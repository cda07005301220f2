//! The other hosts at which browsers reach the application.
//!
//! A request names its host itself, and anyone can send a request with any host. The host decides where Logto
//! sends the code of a sign-in: an attacker who starts a sign-in with a host under their control, and gets
//! another user to complete it, takes over that user's session. So only hosts in this list are accepted, each
//! compared as a whole, and a host that no browser would send is refused.

use url::{Host, Url};

use super::rules;
use crate::error::ConfigProblem;

/// The longest name in DNS, and the longest label ([RFC 1035 section
/// 2.3.4](https://www.rfc-editor.org/rfc/rfc1035#section-2.3.4)).
const MAX_NAME: usize = 253;
const MAX_LABEL: usize = 63;

const WILDCARD: &str = "*.";

/// Characters that are not part of a host, and the name of the part that they mark.
const OTHER_PARTS: [(&str, &str); 6] = [
    ("://", "scheme"),
    ("@", "user name or password"),
    ("/", "path"),
    ("?", "query"),
    ("#", "fragment"),
    (":", "port"),
];

/// A host as configured, or a pattern that begins with `*.`, in the form in which browsers send it.
pub(super) fn host(text: &str, base_url: &Url) -> Result<String, ConfigProblem> {
    rules::token(text)?;
    let (prefix, name) = match text.strip_prefix(WILDCARD) {
        Some(name) => (WILDCARD, name),
        None => ("", text),
    };
    let mut parts = OTHER_PARTS.iter();
    let other_part = parts.find(|(mark, _)| !name.starts_with('[') && name.contains(mark));
    if let Some((_, part)) = other_part {
        return Err(ConfigProblem::UnexpectedUrlPart(part));
    }
    // The parser drops, decodes or replaces many other characters.
    let is_plain = name
        .chars()
        .all(|c| c.is_alphanumeric() || "-.".contains(c));
    if !is_plain && name != "[::1]" {
        return Err(ConfigProblem::NotAHost);
    }
    let url = Url::parse(&format!("{}://{name}", base_url.scheme()));
    let url = url.map_err(|_| ConfigProblem::NotAHost)?;
    let is_wildcard = !prefix.is_empty();
    let is_host = match url.host() {
        // The names below a top-level domain have many owners.
        Some(Host::Domain(name)) => {
            is_name(name) && (!is_wildcard || name.contains('.') || name == "localhost")
        }
        Some(Host::Ipv4(address)) => address.is_loopback() && !is_wildcard,
        Some(Host::Ipv6(address)) => address.is_loopback() && !is_wildcard,
        None => false,
    };
    let host = url.host_str().filter(|_| is_host);
    let host = host.ok_or(ConfigProblem::NotAHost)?;
    // Session cookies would be sent in plain text.
    if !rules::is_allowed_transport(&url, false) {
        return Err(ConfigProblem::HostNeedsHttps);
    }
    Ok(format!("{prefix}{host}"))
}

/// The base URL with the host that a request names, if that is one of `hosts`. The port has to be the base URL's.
pub(super) fn base_url_at(base_url: &Url, hosts: &[String], requested: &str) -> Option<Url> {
    if hosts.is_empty() {
        return None;
    }
    let requested = requested.to_ascii_lowercase();
    let (host, port) = match requested.rsplit_once(':') {
        // An IPv6 address without a port.
        Some((_, port)) if port.ends_with(']') => (requested.as_str(), None),
        Some((host, port)) => (host, Some(port)),
        None => (requested.as_str(), None),
    };
    let is_own_port = match port {
        Some(port) => port == base_url.port_or_known_default()?.to_string(),
        None => base_url.port().is_none(),
    };
    if !is_own_port || !hosts.iter().any(|pattern| matches(pattern, host)) {
        return None;
    }
    let mut url = base_url.clone();
    url.set_host(Some(host)).ok()?;
    // The URL parser reads this host as a different one, and a redirect would lead there.
    (url.host_str() == Some(host)).then_some(url)
}

fn matches(pattern: &str, host: &str) -> bool {
    match pattern.strip_prefix('*') {
        Some(domain) => host.len() <= MAX_NAME && host.strip_suffix(domain).is_some_and(is_label),
        None => host == pattern,
    }
}

fn is_name(name: &str) -> bool {
    name.len() <= MAX_NAME && name.split('.').all(is_label)
}

/// Letters, digits and inner hyphens, the characters of host names ([RFC 1123 section
/// 2.1](https://www.rfc-editor.org/rfc/rfc1123#section-2)).
fn is_label(label: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    (1..=MAX_LABEL).contains(&label.len())
        && label.bytes().all(is_plain)
        && !label.starts_with('-')
        && !label.ends_with('-')
}
