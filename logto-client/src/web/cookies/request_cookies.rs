//! Parsing the cookies of a request, whatever its headers contain.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet, btree_map::Entry},
    fmt,
};

use base64_simd::URL_SAFE_NO_PAD;
use http::HeaderValue;
use memchr::memchr;
use smallvec::SmallVec;

use crate::storage::Handle;

/// The largest number of parts in a browser. It keeps some 180 cookies for a host, whoever sets them.
pub(super) const MAX_SLOTS: usize = 32;

/// The length of the mark that identifies the write of a piece.
pub(super) const GENERATION_LEN: usize = 8;

/// How many values of a request are tried: each may cost a read of a store.
const MAX_CANDIDATES: usize = 4;

/// The cookies of one application in one request.
///
/// They come from a browser: nothing in them is trusted, and reading them takes time proportional to their
/// length, whatever they contain. `Debug` shows no values.
#[derive(Clone, Default)]
pub struct RequestCookies<'h> {
    single: SmallVec<[&'h [u8]; 1]>,
    chunks: Vec<(usize, &'h str)>,
    browsers: SmallVec<[&'h str; 1]>,
    /// Parts of the handle, in the order of their slots. A slot that occurs twice with different values is
    /// empty: it is unknown which of them a response would replace. The parts are bytes here, because the
    /// assembled handle becomes text as a whole.
    slots: SmallVec<[(usize, &'h [u8]); 8]>,
}

impl<'h> RequestCookies<'h> {
    pub(super) fn parse(name: &str, headers: impl IntoIterator<Item = &'h HeaderValue>) -> Self {
        let mut request_cookies = Self::default();
        let pairs = headers.into_iter().flat_map(|header| {
            split(header.as_bytes(), b';').filter_map(|pair| {
                let pair = pair.trim_ascii();
                let (name, value) = pair.split_at_checked(memchr(b'=', pair)?)?;
                Some((name.trim_ascii_end(), value.get(1..)?.trim_ascii_start()))
            })
        });
        for (full_name, value) in pairs {
            let Some(suffix) = full_name.strip_prefix(name.as_bytes()) else {
                continue;
            };
            let Ok(suffix) = std::str::from_utf8(suffix) else {
                continue;
            };
            // A value that this codec never writes is ignored, but its name is kept for deletion.
            let value = match is_cookie_value(value) {
                true => value,
                false => &[],
            };
            match suffix.strip_prefix('.') {
                None if suffix.is_empty() => request_cookies.single.push(value),
                None => {}
                Some(rest) => {
                    if rest == "browser" {
                        request_cookies.browsers.push(text(value));
                    } else if let Some(slot) = rest.strip_prefix('t').and_then(small_number) {
                        request_cookies.add_to_slot(slot, value);
                    } else if let Some(index) = small_number(rest) {
                        request_cookies.chunks.push((index, text(value)));
                    }
                }
            }
        }
        request_cookies
    }

    fn add_to_slot(&mut self, slot: usize, value: &'h [u8]) {
        match self.slots.binary_search_by_key(&slot, |(slot, _)| *slot) {
            Err(place) => self.slots.insert(place, (slot, value)),
            Ok(place) => {
                let there = self.slots.get_mut(place);
                if let Some((_, there)) = there.filter(|(_, there)| *there != value) {
                    *there = &[];
                }
            }
        }
    }

    /// The complete values in the request. The caller uses the one that opens, and the newest if several do.
    /// More than one is rare: a cookie of the same name from a parent domain, or two responses that crossed. At
    /// most four are returned.
    pub(crate) fn candidates(&self) -> SmallVec<[Cow<'h, [u8]>; 1]> {
        let mut candidates = SmallVec::new();
        let single = self.single.iter().map(|value| Cow::Borrowed(*value));
        let chunked = self.whole_chunked().into_iter().map(String::into_bytes);
        let values = single.chain(chunked.map(Cow::Owned));
        // Text after a dot would be read as a part.
        for value in values.filter(|value| !value.is_empty() && memchr(b'.', value).is_none()) {
            if candidates.len() < MAX_CANDIDATES && !candidates.contains(&value) {
                candidates.push(value);
            }
        }
        candidates
    }

    /// The handles in the request: the candidates, each with all parts. The storage finds out which parts
    /// belong to which handle.
    pub fn handles(&self) -> Vec<Handle> {
        self.presented().into_vec()
    }

    /// As [`handles`](Self::handles), without a list on the heap if there is one handle.
    pub(crate) fn presented(&self) -> SmallVec<[Handle; 1]> {
        let parts = self.slots.iter().map(|(_, part)| *part);
        let parts = parts.filter(|part| !part.is_empty()).take(MAX_SLOTS);
        let candidates = self.candidates().into_iter();
        candidates
            .map(|value| Handle::of_parts(&value, parts.clone()))
            .collect()
    }

    /// Whether there is any session cookie to delete, readable or not.
    pub fn has_session(&self) -> bool {
        self.has_single() || !self.chunks.is_empty() || !self.slots.is_empty()
    }

    /// The possible values of the browser's cookie. The caller uses those that open. At most four are returned.
    pub(crate) fn browsers(&self) -> Vec<&'h str> {
        let mut seen = BTreeSet::new();
        let values = self.browsers.iter().copied();
        values
            .filter(|value| !value.is_empty() && seen.insert(*value))
            .take(MAX_CANDIDATES)
            .collect()
    }

    pub(super) fn slots(&self) -> BTreeMap<usize, &'h str> {
        let slots = self.slots.iter();
        slots.map(|(slot, value)| (*slot, text(value))).collect()
    }

    pub(super) fn has_browser(&self) -> bool {
        !self.browsers.is_empty()
    }

    pub(super) fn has_single(&self) -> bool {
        !self.single.is_empty()
    }

    /// The numbers of the pieces that are there, each once.
    pub(super) fn chunk_indices(&self) -> impl Iterator<Item = usize> + use<> {
        let indices: BTreeSet<usize> = self.chunks.iter().map(|(index, _)| *index).collect();
        indices.into_iter()
    }

    /// The values of which every piece is there, with one content each.
    fn whole_chunked(&self) -> Vec<String> {
        let mut writes: BTreeMap<(&str, usize), Pieces<'h>> = BTreeMap::new();
        for (index, value) in &self.chunks {
            let Some(piece) = Piece::parse(value) else {
                continue;
            };
            if *index >= piece.count {
                continue;
            }
            let pieces = writes.entry((piece.generation, piece.count)).or_default();
            match pieces.contents.entry(*index) {
                Entry::Vacant(vacant) => {
                    vacant.insert(piece.content);
                }
                Entry::Occupied(there) => pieces.contradictory |= *there.get() != piece.content,
            }
        }
        writes
            .into_iter()
            .filter(|((_, count), pieces)| !pieces.contradictory && pieces.contents.len() == *count)
            .map(|(_, pieces)| Vec::from_iter(pieces.contents.into_values()).concat())
            .collect()
    }
}

impl fmt::Debug for RequestCookies<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestCookies")
            .field("single", &self.single.len())
            .field("chunks", &self.chunks.len())
            .field("browsers", &self.browsers.len())
            .field("slots", &self.slots.len())
            .finish()
    }
}

/// The pieces of one write that were found.
#[derive(Default)]
struct Pieces<'h> {
    contents: BTreeMap<usize, &'h str>,
    contradictory: bool,
}

/// One piece: `<generation>.<count>.<content>`.
struct Piece<'h> {
    generation: &'h str,
    count: usize,
    content: &'h str,
}

impl<'h> Piece<'h> {
    fn parse(value: &'h str) -> Option<Self> {
        let (generation, rest) = value.split_once('.')?;
        let (count, content) = rest.split_once('.')?;
        let count = small_number(count)?;
        (generation.len() == GENERATION_LEN).then_some(Self {
            generation,
            count,
            content,
        })
    }
}

/// A [cookie value](is_cookie_value), which is ASCII.
fn text(value: &[u8]) -> &str {
    std::str::from_utf8(value).unwrap_or_default()
}

/// The text between separators; most of it is long.
fn split(bytes: &[u8], separator: u8) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(bytes);
    std::iter::from_fn(move || {
        let all = rest.take()?;
        let Some(end) = memchr(separator, all) else {
            return Some(all);
        };
        rest = all.get(end.saturating_add(1)..);
        all.get(..end)
    })
}

/// A number below 100 in its canonical form.
fn small_number(digits: &str) -> Option<usize> {
    let canonical = match digits.as_bytes() {
        [digit] => digit.is_ascii_digit(),
        [b'1'..=b'9', digit] => digit.is_ascii_digit(),
        _ => false,
    };
    canonical.then(|| digits.parse().ok()).flatten()
}

/// Whether these bytes can be a value of this codec: base64url, and the dots between the fields of a piece.
pub(super) fn is_cookie_value(value: &[u8]) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() | matches!(byte, b'-' | b'_' | b'.');
    // Without an early exit, the compiler vectorizes the loop.
    !value.is_empty()
        && (URL_SAFE_NO_PAD.check(value).is_ok()
            || value.iter().fold(true, |all, byte| all & allowed(*byte)))
}
