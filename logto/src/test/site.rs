//! Who causes a request, by [Fetch Metadata](https://www.w3.org/TR/fetch-metadata/).

use http::HeaderValue;
use url::Url;

/// How the page that causes a request and its target belong together, the closest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Site {
    Origin,
    Same,
    Cross,
}

impl Site {
    /// Ports make no other site.
    pub(super) fn between(from: &Url, to: &Url) -> Self {
        if from.origin() == to.origin() {
            Self::Origin
        } else if (from.scheme(), from.host()) == (to.scheme(), to.host()) {
            Self::Same
        } else {
            Self::Cross
        }
    }

    pub(super) fn of(header: Option<&HeaderValue>) -> Self {
        match header.map(HeaderValue::as_bytes) {
            Some(b"cross-site") => Self::Cross,
            Some(b"same-site") => Self::Same,
            _ => Self::Origin,
        }
    }

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Origin => "same-origin",
            Self::Same => "same-site",
            Self::Cross => "cross-site",
        }
    }
}
