//! The cookies of a browser, as far as [RFC 6265bis](https://datatracker.ietf.org/doc/draft-ietf-httpbis-rfc6265bis/)
//! matters to a sign-in.

use http::{HeaderMap, Method, header};
use url::Url;

use super::site::Site;

/// Browsers ignore a cookie whose name and value are longer.
const MAX_COOKIE: usize = 4096;
/// Browsers keep no cookie longer: 400 days.
const MAX_AGE: i64 = 400 * 86_400;

#[derive(Clone, Debug, Default)]
pub(super) struct Jar {
    cookies: Vec<Cookie>,
}

#[derive(Clone, Debug)]
pub(super) struct Cookie {
    pub(super) name: String,
    pub(super) value: String,
    host: String,
    path: String,
    for_subdomains: bool,
    secure: bool,
    same_site: SameSite,
    /// In seconds since 1970.
    expires_at: Option<i64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SameSite {
    Strict,
    Lax,
    None,
}

impl Jar {
    /// The `Cookie` header of a navigation to `url`.
    pub(super) fn header(
        &mut self,
        url: &Url,
        method: &Method,
        site: Site,
        now: i64,
    ) -> Option<String> {
        self.forget_expired(now);
        let mut sent: Vec<&Cookie> = self.cookies.iter().collect();
        sent.retain(|cookie| cookie.matches(url) && cookie.crosses(site, method));
        // Longer paths first.
        sent.sort_by_key(|cookie| std::cmp::Reverse(cookie.path.len()));
        let pairs: Vec<String> = sent
            .iter()
            .map(|cookie| format!("{}={}", cookie.name, cookie.value))
            .collect();
        (!pairs.is_empty()).then(|| pairs.join("; "))
    }

    /// Takes the cookies of a response from `url`.
    pub(super) fn receive(&mut self, url: &Url, headers: &HeaderMap, now: i64) {
        for set_cookie in headers.get_all(header::SET_COOKIE) {
            let set_cookie = String::from_utf8_lossy(set_cookie.as_bytes());
            if let Some(cookie) = Cookie::parse(&set_cookie, url, now) {
                self.put(cookie);
            }
        }
        self.forget_expired(now);
    }

    pub(super) fn set(&mut self, url: &Url, name: &str, value: &str) {
        self.put(Cookie {
            name: name.to_owned(),
            value: value.to_owned(),
            host: host(url),
            path: "/".to_owned(),
            for_subdomains: false,
            secure: false,
            same_site: SameSite::Lax,
            expires_at: None,
        });
    }

    pub(super) fn remove(&mut self, url: &Url, name: &str) {
        let host = host(url);
        self.cookies
            .retain(|cookie| cookie.name != name || cookie.host != host);
    }

    pub(super) fn at(&mut self, url: &Url, now: i64) -> Vec<Cookie> {
        self.forget_expired(now);
        let here = self.cookies.iter().filter(|cookie| cookie.matches(url));
        here.cloned().collect()
    }

    fn put(&mut self, new: Cookie) {
        let is_same = |cookie: &Cookie| {
            (&cookie.name, &cookie.host, &cookie.path) == (&new.name, &new.host, &new.path)
        };
        match self.cookies.iter_mut().find(|cookie| is_same(cookie)) {
            Some(cookie) => *cookie = new,
            None => self.cookies.push(new),
        }
    }

    fn forget_expired(&mut self, now: i64) {
        let is_alive = |cookie: &Cookie| cookie.expires_at.is_none_or(|at| at > now);
        self.cookies.retain(is_alive);
    }
}

impl Cookie {
    /// `None` for a cookie that a browser ignores.
    fn parse(set_cookie: &str, url: &Url, now: i64) -> Option<Self> {
        let mut parts = set_cookie.split(';').map(str::trim);
        let (name, value) = parts.next()?.split_once('=')?;
        let mut cookie = Self {
            name: name.to_owned(),
            value: value.to_owned(),
            host: host(url),
            path: default_path(url),
            for_subdomains: false,
            secure: false,
            same_site: SameSite::Lax,
            expires_at: None,
        };
        for attribute in parts {
            let (key, value) = attribute.split_once('=').unwrap_or((attribute, ""));
            match key.to_ascii_lowercase().as_str() {
                "path" if value.starts_with('/') => value.clone_into(&mut cookie.path),
                "domain" if !value.is_empty() => {
                    let domain = value.trim_start_matches('.').to_ascii_lowercase();
                    if !is_below(&cookie.host, &domain) {
                        return None;
                    }
                    cookie.host = domain;
                    cookie.for_subdomains = true;
                }
                "secure" => cookie.secure = true,
                "samesite" => {
                    cookie.same_site = match value.to_ascii_lowercase().as_str() {
                        "strict" => SameSite::Strict,
                        "none" => SameSite::None,
                        _ => SameSite::Lax,
                    };
                }
                "max-age" => {
                    let seconds: i64 = value.parse().ok()?;
                    cookie.expires_at = Some(now.saturating_add(seconds.min(MAX_AGE)));
                }
                _ => {}
            }
        }
        let may_be_set = name.len() + value.len() <= MAX_COOKIE
            && (!cookie.secure || is_trusted(url))
            && (cookie.same_site != SameSite::None || cookie.secure)
            && (!name.starts_with("__Secure-") || cookie.secure)
            && (!name.starts_with("__Host-")
                || (cookie.secure && cookie.path == "/" && !cookie.for_subdomains));
        may_be_set.then_some(cookie)
    }

    fn matches(&self, url: &Url) -> bool {
        let host = host(url);
        let host_matches = match self.for_subdomains {
            true => is_below(&host, &self.host),
            false => host == self.host,
        };
        let rest = url.path().strip_prefix(self.path.as_str());
        let path_matches = rest.is_some_and(|rest| {
            rest.is_empty() || rest.starts_with('/') || self.path.ends_with('/')
        });
        host_matches && path_matches && (!self.secure || is_trusted(url))
    }

    /// Whether a navigation from there carries the cookie: with `SameSite=Lax` a link or a redirect of another
    /// site does, and its form does not.
    fn crosses(&self, site: Site, method: &Method) -> bool {
        site != Site::Cross
            || match self.same_site {
                SameSite::Strict => false,
                SameSite::Lax => *method == Method::GET,
                SameSite::None => true,
            }
    }
}

fn host(url: &Url) -> String {
    url.host_str().unwrap_or_default().to_owned()
}

fn is_below(host: &str, domain: &str) -> bool {
    let rest = host.strip_suffix(domain);
    rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// Browsers take `localhost` for as safe as https.
fn is_trusted(url: &Url) -> bool {
    url.scheme() == "https" || matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"))
}

/// The folder of the page ([RFC 6265 section 5.1.4](https://www.rfc-editor.org/rfc/rfc6265#section-5.1.4)).
fn default_path(url: &Url) -> String {
    match url.path().rsplit_once('/') {
        Some((folder, _)) if !folder.is_empty() => folder.to_owned(),
        _ => "/".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderValue, header::SET_COOKIE};

    use super::*;

    const NOW: i64 = 1_800_000_000;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    fn jar(from: &str, cookies: &[&str]) -> Jar {
        let mut jar = Jar::default();
        let mut headers = HeaderMap::new();
        for cookie in cookies {
            headers.append(SET_COOKIE, HeaderValue::from_str(cookie).unwrap());
        }
        jar.receive(&url(from), &headers, NOW);
        jar
    }

    fn sent(jar: &mut Jar, to: &str) -> String {
        let header = jar.header(&url(to), &Method::GET, Site::Origin, NOW);
        header.unwrap_or_default()
    }

    #[test]
    fn a_cookie_goes_where_it_belongs() {
        let mut jar = jar(
            "https://app.example.com/shop/page",
            &[
                "a=1; Path=/",
                "b=2",
                "c=3; Domain=example.com; Path=/",
                "d=4; Path=/shop",
            ],
        );
        assert_eq!(
            sent(&mut jar, "https://app.example.com/shop/x"),
            "b=2; d=4; a=1; c=3"
        );
        assert_eq!(
            sent(&mut jar, "https://app.example.com/shopping"),
            "a=1; c=3"
        );
        assert_eq!(sent(&mut jar, "https://other.example.com/"), "c=3");
        assert_eq!(sent(&mut jar, "https://evilexample.com/"), "");
    }

    #[test]
    fn what_a_browser_ignores_is_ignored() {
        let long = format!("long={}", "x".repeat(MAX_COOKIE));
        for cookie in [
            "s=1; Secure",
            "n=1; SameSite=None",
            "__Host-a=1; Path=/",
            "__Secure-a=1",
            "d=1; Domain=other.example",
            long.as_str(),
        ] {
            let mut jar = jar("http://app.example/", &[cookie]);
            assert_eq!(sent(&mut jar, "http://app.example/"), "", "{cookie}");
        }
        for cookie in [
            "__Host-a=1; Path=/shop; Secure",
            "__Host-a=1; Path=/; Secure; Domain=a.example",
        ] {
            let mut jar = jar("https://a.example/", &[cookie]);
            assert_eq!(sent(&mut jar, "https://a.example/shop"), "", "{cookie}");
        }
        let mut jar = jar("http://localhost:3000/", &["s=1; Secure; Path=/"]);
        assert_eq!(sent(&mut jar, "http://localhost:3000/"), "s=1");
    }

    #[test]
    fn a_cookie_ends_with_its_time_or_by_its_deletion() {
        let mut jar = jar(
            "https://a.example/",
            &["a=1; Max-Age=60", "b=2; Max-Age=60", "b=; Max-Age=0"],
        );
        let at = url("https://a.example/");
        let mut at_time = |now| jar.header(&at, &Method::GET, Site::Origin, now);
        assert_eq!(at_time(NOW + 59).as_deref(), Some("a=1"));
        assert_eq!(at_time(NOW + 60), None);
    }

    #[test]
    fn other_sites_cause_requests_with_fewer_cookies() {
        let cookies = ["l=1", "s=2; SameSite=Strict", "n=3; SameSite=None; Secure"];
        let mut jar = jar("https://a.example/", &cookies);
        let mut caused = |method, site| jar.header(&url("https://a.example/"), &method, site, NOW);
        assert_eq!(
            caused(Method::GET, Site::Cross).as_deref(),
            Some("l=1; n=3")
        );
        assert_eq!(caused(Method::POST, Site::Cross).as_deref(), Some("n=3"));
        assert_eq!(
            caused(Method::POST, Site::Same).as_deref(),
            Some("l=1; s=2; n=3")
        );
    }
}
