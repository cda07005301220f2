//! Parsing the cookies of a request, whatever its headers contain.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet, btree_map::Entry},
    fmt,
    ops::Range,
    sync::{Arc, OnceLock},
};

use base64_simd::URL_SAFE_NO_PAD;
use http::{HeaderMap, HeaderValue, header::COOKIE};
use memchr::memchr;
use smallvec::{SmallVec, smallvec};

use crate::storage::{Handle, SessionReader};

/// The largest number of parts in a browser. It keeps some 180 cookies for a host, whoever sets them.
pub(super) const MAX_SLOTS: usize = 32;

/// The length of the mark that identifies the write of a piece.
pub(super) const GENERATION_LEN: usize = 8;

/// How many values of a request are tried: each may cost a read of a store.
const MAX_CANDIDATES: usize = 4;

/// The cookies of one application in one request.
///
/// They come from a browser: nothing in them is trusted, and reading them takes time proportional to their
/// length, whatever they contain. The header is parsed once, when a cookie is first asked for. `Debug` shows no
/// values.
#[derive(Clone, Default)]
pub struct RequestCookies {
    name: Arc<str>,
    header: Option<HeaderValue>,
    found: OnceLock<Found>,
    handles: OnceLock<SmallVec<[Handle; 1]>>,
}

/// Where the values are in the header.
#[derive(Clone, Default)]
struct Found {
    single: SmallVec<[Range<usize>; 1]>,
    chunks: Vec<(usize, Range<usize>)>,
    browsers: SmallVec<[Range<usize>; 1]>,
    /// Parts of the handle, in the order of their slots. A slot that comes twice with different values is empty:
    /// nobody knows which of them a response would replace.
    slots: SmallVec<[(usize, Range<usize>); 8]>,
}

impl RequestCookies {
    pub(super) fn new(name: Arc<str>, headers: &HeaderMap) -> Self {
        let mut values = headers.get_all(COOKIE).iter();
        let header = match (values.next(), values.next()) {
            // HTTP/2 may send one header for each cookie. Joined they mean the same (RFC 9113, section 8.2.3).
            (Some(_), Some(_)) => {
                let values = headers.get_all(COOKIE).iter();
                let values: Vec<&[u8]> = values.map(HeaderValue::as_bytes).collect();
                HeaderValue::from_bytes(&values.join(&b"; "[..])).ok()
            }
            (value, _) => value.cloned(),
        };
        Self {
            name,
            header,
            ..Self::default()
        }
    }

    /// The values that the request may mean, each complete: the caller takes the one that opens, and
    /// the newest of those if there are several. More than one is rare: a cookie of the same name from
    /// a parent domain, or two responses that crossed. Four are given at most.
    pub(crate) fn candidates(&self) -> SmallVec<[Cow<'_, [u8]>; 1]> {
        let mut candidates = SmallVec::new();
        let single = self.found().single.iter();
        let single = single.map(|range| Cow::Borrowed(self.value(range)));
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
    pub fn handles(&self) -> &[Handle] {
        self.handles_or_opened(|_, _| None)
    }

    /// As [`handles`](Self::handles), for a storage that may have [opened](SessionReader::opened_handle) them.
    pub(in crate::web) fn handles_for(&self, storage: &impl SessionReader) -> &[Handle] {
        self.handles_or_opened(|value, parts| storage.opened_handle(value, parts))
    }

    fn handles_or_opened<'a>(
        &'a self,
        opened: impl FnOnce(&[u8], &mut dyn Iterator<Item = &'a [u8]>) -> Option<Handle>,
    ) -> &'a [Handle] {
        self.handles.get_or_init(|| {
            let found = self.found();
            if let ([single], []) = (&*found.single, &*found.chunks) {
                // A handle that was opened is compared as a whole, so its characters need no check.
                let value = self.bytes(single);
                let parts = found.slots.iter().map(|(_, range)| self.bytes(range));
                let mut parts = parts.filter(|part| !part.is_empty());
                let is_whole = memchr(b'.', value).is_none();
                if let Some(handle) = is_whole.then(|| opened(value, &mut parts)).flatten() {
                    return smallvec![handle];
                }
            }
            let parts = found.slots.iter();
            let parts = parts.map(|(_, range)| self.value(range));
            let parts = parts.filter(|part| !part.is_empty()).take(MAX_SLOTS);
            let candidates = self.candidates().into_iter();
            candidates
                .map(|value| Handle::of_parts(&value, parts.clone()))
                .collect()
        })
    }

    /// Whether there is any session cookie to delete, readable or not.
    pub fn has_session(&self) -> bool {
        let found = self.found();
        self.has_single() || !found.chunks.is_empty() || !found.slots.is_empty()
    }

    /// The possible values of the browser's cookie. The caller uses those that open. At most four are returned.
    pub(crate) fn browsers(&self) -> Vec<&str> {
        let mut seen = BTreeSet::new();
        let values = self.found().browsers.iter();
        let values = values.map(|range| self.text(range));
        values
            .filter(|value| !value.is_empty() && seen.insert(*value))
            .take(MAX_CANDIDATES)
            .collect()
    }

    pub(super) fn slots(&self) -> BTreeMap<usize, &str> {
        let slots = self.found().slots.iter();
        slots
            .map(|(slot, range)| (*slot, self.text(range)))
            .collect()
    }

    pub(super) fn has_browser(&self) -> bool {
        !self.found().browsers.is_empty()
    }

    pub(super) fn has_single(&self) -> bool {
        !self.found().single.is_empty()
    }

    /// The numbers of the pieces that are there, each once.
    pub(super) fn chunk_indices(&self) -> impl Iterator<Item = usize> + use<> {
        let chunks = self.found().chunks.iter();
        let indices: BTreeSet<usize> = chunks.map(|(index, _)| *index).collect();
        indices.into_iter()
    }

    /// The values of which every piece is there, with one content each.
    fn whole_chunked(&self) -> Vec<String> {
        let mut writes: BTreeMap<(&str, usize), Pieces<'_>> = BTreeMap::new();
        for (index, range) in &self.found().chunks {
            let Some(piece) = Piece::parse(self.text(range)) else {
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

    fn found(&self) -> &Found {
        let parse = || Found::parse(&self.name, self.header());
        self.found.get_or_init(parse)
    }

    fn header(&self) -> &[u8] {
        self.header.as_ref().map_or(&[], HeaderValue::as_bytes)
    }

    fn bytes(&self, range: &Range<usize>) -> &[u8] {
        part(self.header(), range)
    }

    /// The value; empty if it cannot be ours. The name of its cookie is there to be deleted.
    fn value(&self, range: &Range<usize>) -> &[u8] {
        let bytes = self.bytes(range);
        match is_cookie_value(bytes) {
            true => bytes,
            false => &[],
        }
    }

    /// A [cookie value](is_cookie_value) is ASCII.
    fn text(&self, range: &Range<usize>) -> &str {
        std::str::from_utf8(self.value(range)).unwrap_or_default()
    }
}

impl fmt::Debug for RequestCookies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let found = self.found();
        f.debug_struct("RequestCookies")
            .field("single", &found.single.len())
            .field("chunks", &found.chunks.len())
            .field("browsers", &found.browsers.len())
            .field("slots", &found.slots.len())
            .finish()
    }
}

impl Found {
    fn parse(name: &str, header: &[u8]) -> Self {
        #[cfg(test)]
        parsed::count();
        let mut found = Self::default();
        for pair in split(header, b';') {
            let Some(equals) = memchr(b'=', part(header, &pair)) else {
                continue;
            };
            let equals = pair.start.saturating_add(equals);
            let full_name = part(header, &(pair.start..equals)).trim_ascii();
            let suffix = full_name.strip_prefix(name.as_bytes());
            if let Some(suffix) = suffix.and_then(|suffix| std::str::from_utf8(suffix).ok()) {
                let value = trimmed(header, equals.saturating_add(1)..pair.end);
                found.add(suffix, value, header);
            }
        }
        found
    }

    fn add(&mut self, suffix: &str, value: Range<usize>, header: &[u8]) {
        let Some(rest) = suffix.strip_prefix('.') else {
            if suffix.is_empty() {
                self.single.push(value);
            }
            return;
        };
        if rest == "browser" {
            self.browsers.push(value);
        } else if let Some(slot) = rest.strip_prefix('t').and_then(small_number) {
            self.add_to_slot(slot, value, header);
        } else if let Some(index) = small_number(rest) {
            self.chunks.push((index, value));
        }
    }

    fn add_to_slot(&mut self, slot: usize, value: Range<usize>, header: &[u8]) {
        match self.slots.binary_search_by_key(&slot, |(slot, _)| *slot) {
            Err(index) => self.slots.insert(index, (slot, value)),
            Ok(index) => {
                let there = self.slots.get_mut(index).map(|(_, there)| there);
                let is_other =
                    |there: &&mut Range<usize>| part(header, there) != part(header, &value);
                if let Some(there) = there.filter(is_other) {
                    *there = 0..0;
                }
            }
        }
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

/// What is between separators; most of it is long.
fn split(header: &[u8], separator: u8) -> impl Iterator<Item = Range<usize>> {
    let mut next = Some(0);
    std::iter::from_fn(move || {
        let begin = next.take()?;
        let rest = header.get(begin..)?;
        let Some(len) = memchr(separator, rest) else {
            return Some(begin..header.len());
        };
        let end = begin.saturating_add(len);
        next = Some(end.saturating_add(1));
        Some(begin..end)
    })
}

/// The range without the white space around it.
fn trimmed(header: &[u8], range: Range<usize>) -> Range<usize> {
    let until_end = part(header, &range).trim_ascii_end();
    let end = range.start.saturating_add(until_end.len());
    end.saturating_sub(until_end.trim_ascii_start().len())..end
}

fn part<'h>(header: &'h [u8], range: &Range<usize>) -> &'h [u8] {
    header.get(range.clone()).unwrap_or_default()
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

/// How often this thread has parsed a `Cookie` header.
#[cfg(test)]
pub(in crate::web) mod parsed {
    use std::cell::Cell;

    thread_local!(static TIMES: Cell<usize> = const { Cell::new(0) });

    pub(super) fn count() {
        TIMES.set(TIMES.get() + 1);
    }

    pub(in crate::web) fn take() -> usize {
        TIMES.take()
    }
}
