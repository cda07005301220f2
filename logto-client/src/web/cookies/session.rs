//! The cookies of a session: the whole handle first, then each of its parts in a cookie of its own, as far as
//! they fit.
//!
//! Space is limited in both directions: by the budget for what a browser sends, and by the response limit for
//! what one response sets. A proxy answers longer headers with an error, and does so again whatever the user
//! does.

use std::collections::BTreeMap;

use base64_simd::URL_SAFE_NO_PAD;
use http::{HeaderMap, HeaderValue, header};
use sha2::{Digest, Sha256};

use super::{
    BROWSER_SUFFIX, CookieCodec, CookieError, MAX_BROWSER_LEN, MAX_COOKIE_LEN, RequestCookies,
    request_cookies::{GENERATION_LEN, MAX_SLOTS, is_cookie_value},
    sum,
};
use crate::storage::Handle;

/// Bytes of a response's headers that are reserved for others than the session: the status line, the cookie of
/// the browser, and the headers that forbid caching.
const OTHER_HEADERS: usize = 512;

const SET_COOKIE_LEN: usize = "set-cookie: \r\n".len();

/// The index in the name and, in the value, generation and count, at their longest.
const MARKS_LEN: usize = ".00".len() + GENERATION_LEN + ".00.".len();

const SLOT_LEN: usize = ".t00".len();

/// The result of [`CookieCodec::write`].
#[derive(Clone, Debug)]
#[must_use]
pub struct SessionCookies {
    /// The `Set-Cookie` values: append them all to the response.
    pub set_cookies: Vec<HeaderValue>,
    /// The size of the response's headers with these cookies, in bytes.
    pub size: usize,
    /// How many parts of the handle are left out, because they do not fit into this response or into later
    /// requests.
    pub left_out: usize,
}

/// The headers of a response that is being written.
struct Response {
    set_cookies: Vec<HeaderValue>,
    size: usize,
    limit: usize,
}

impl Response {
    fn push(&mut self, set_cookie: HeaderValue) {
        self.size = self.size.saturating_add(line_len(&set_cookie));
        self.set_cookies.push(set_cookie);
    }

    /// Adds a cookie if it fits, and returns whether it did.
    fn push_if_it_fits(&mut self, set_cookie: HeaderValue) -> bool {
        let fits = self.size.saturating_add(line_len(&set_cookie)) <= self.limit;
        if fits {
            self.push(set_cookie);
        }
        fits
    }
}

impl CookieCodec {
    /// The longest handle, in bytes and without its parts, that [`write`](Self::write) takes.
    pub fn capacity(&self) -> usize {
        self.capacity_for(self.session_budget())
    }

    /// The longest handle, in bytes and without its parts, that leaves space for a part of this length.
    pub fn capacity_beside(&self, part_len: usize) -> usize {
        let part = self.carried_part_len(part_len);
        self.capacity_for(self.session_budget().saturating_sub(part))
    }

    fn capacity_for(&self, limit: usize) -> usize {
        longest(limit, |len| self.carried_len(len) <= limit)
    }

    /// The longest handle, in bytes and without its parts, that fits into one response beside other headers.
    pub fn response_capacity(&self) -> usize {
        let limit = self.response_limit.saturating_sub(OTHER_HEADERS);
        let around = sum([
            SET_COOKIE_LEN,
            "=".len(),
            self.attributes.len(),
            self.max_age.len(),
        ]);
        longest(limit, |len| {
            let lines = self.pieces(len).saturating_mul(around);
            self.carried_len(len).saturating_add(lines) <= limit
        })
        .min(self.capacity())
    }

    /// How many of the parts of these lengths, from the first on, fit into a request beside a handle of this
    /// length.
    pub fn fitting_parts(
        &self,
        handle_len: usize,
        part_lens: impl IntoIterator<Item = usize>,
    ) -> usize {
        let mut total = self.carried_len(handle_len);
        let limit = self.session_budget();
        let part_lens = part_lens.into_iter().take(MAX_SLOTS);
        part_lens
            .take_while(|len| {
                total = total.saturating_add(self.carried_part_len(*len));
                *len <= self.room(SLOT_LEN) && total <= limit
            })
            .count()
    }

    /// The cookies that replace the browser's handle with `handle`.
    ///
    /// The handle itself always comes first, unless the request has it already; then nothing of it is set or
    /// deleted. The remains of a longer handle, or of the other form, are deleted. Then come its parts in their
    /// order, as far as they fit into a response whose other headers take `taken` bytes, and into later
    /// requests. A part that the browser has is not set again. The cookie of a part that the handle no longer
    /// has is reused for another part, or deleted.
    ///
    /// # Errors
    /// [`CookieError`] if the handle is too long or has characters that are not allowed in a cookie. The
    /// browser then keeps its cookies.
    pub fn write(
        &self,
        request_cookies: &RequestCookies,
        handle: &Handle,
        taken: usize,
    ) -> Result<SessionCookies, CookieError> {
        let value = handle.value();
        let (size, limit) = (self.carried_len(value.len()), self.session_budget());
        if !is_cookie_value(value.as_bytes()) {
            return Err(CookieError::InvalidValue);
        }
        if size > limit {
            return Err(CookieError::TooLarge { size, limit });
        }
        let mut response = Response {
            set_cookies: Vec::new(),
            size: taken,
            limit: self.response_limit,
        };
        self.write_value(request_cookies, value, &mut response)?;
        let left_out = self.write_parts(request_cookies, handle, &mut response)?;
        Ok(SessionCookies {
            set_cookies: response.set_cookies,
            size: response.size,
            left_out,
        })
    }

    fn write_value(
        &self,
        request_cookies: &RequestCookies,
        value: &str,
        response: &mut Response,
    ) -> Result<(), CookieError> {
        // A response that crosses with this one may contain a newer value, which must not be replaced with the
        // one that the browser had before.
        let mut candidates = request_cookies.candidates().into_iter();
        if candidates.any(|candidate| *candidate == *value.as_bytes()) {
            return Ok(());
        }
        let pieces = self.pieces(value.len());
        if pieces == 1 {
            response.push(self.set(&self.name, value)?);
        } else {
            let generation = generation(value);
            for (index, piece) in value.as_bytes().chunks(self.piece_room()).enumerate() {
                let piece = String::from_utf8_lossy(piece);
                let name = self.chunk_name(index);
                response.push(self.set(&name, &format!("{generation}.{pieces}.{piece}"))?);
            }
        }
        if pieces > 1 && request_cookies.has_single() {
            response.push(self.delete(&self.name)?);
        }
        let indices = request_cookies.chunk_indices();
        let stale = indices.filter(|index| pieces == 1 || *index >= pieces);
        self.delete_chunks(stale, response);
        Ok(())
    }

    /// Writes the parts that the browser does not have, and returns how many are left out.
    fn write_parts(
        &self,
        request_cookies: &RequestCookies,
        handle: &Handle,
        response: &mut Response,
    ) -> Result<usize, CookieError> {
        let handle_len = handle.value().len();
        let parts = handle.parts();
        let lens = parts.iter().map(|part| part.len());
        let fitting = self.fitting_parts(handle_len, lens);
        let (fitting, beyond) = parts.split_at(fitting);

        let mut slots = request_cookies.slots();
        let is_kept = |value: &str| fitting.contains(&value);
        let mut stale: BTreeMap<usize, &str> = BTreeMap::new();
        slots.retain(|slot, value| {
            let kept = is_kept(value);
            if !kept {
                stale.insert(*slot, value);
            }
            kept
        });
        let mut request_len = slots
            .values()
            .chain(stale.values())
            .map(|value| self.carried_part_len(value.len()))
            .fold(self.carried_len(handle_len), usize::saturating_add);

        // A request that is too long never reaches the application, which could shorten it. So deletions come
        // before the parts.
        while request_len > self.session_budget() {
            let Some((slot, value)) = stale.pop_last() else {
                break;
            };
            request_len = request_len.saturating_sub(self.carried_part_len(value.len()));
            response.push(self.delete(&self.slot_name(slot))?);
        }

        let mut left_out = beyond.len();
        let has = |part: &&str| slots.values().any(|value| value == part);
        let missing = fitting.iter().filter(|part| !has(part));
        let unused = (0..MAX_SLOTS).filter(|slot| !slots.contains_key(slot));
        // Slots with stale values first: setting them saves a deletion.
        let mut unused: Vec<usize> = unused.collect();
        unused.sort_by_key(|slot| !stale.contains_key(slot));
        let mut unused = unused.into_iter().peekable();
        for part in missing {
            let Some(slot) = unused.peek().copied() else {
                left_out = left_out.saturating_add(1);
                continue;
            };
            let before = stale
                .get(&slot)
                .map_or(0, |old| self.carried_part_len(old.len()));
            let after = request_len
                .saturating_sub(before)
                .saturating_add(self.carried_part_len(part.len()));
            let set_cookie = self.set(&self.slot_name(slot), part)?;
            if after <= self.session_budget() && response.push_if_it_fits(set_cookie) {
                request_len = after;
                stale.remove(&slot);
                unused.next();
            } else {
                left_out = left_out.saturating_add(1);
            }
        }

        for slot in stale.into_keys() {
            response.push_if_it_fits(self.delete(&self.slot_name(slot))?);
        }
        Ok(left_out)
    }

    /// The `Set-Cookie` values that delete every session cookie of the request, as far as they fit into a
    /// response whose other headers take `taken` bytes. The handle, or its first piece, is always deleted; the
    /// rest is useless without it.
    pub fn clear(&self, request_cookies: &RequestCookies, taken: usize) -> Vec<HeaderValue> {
        let mut response = Response {
            set_cookies: Vec::new(),
            size: taken,
            limit: self.response_limit,
        };
        if let (true, Ok(deletion)) = (request_cookies.has_single(), self.delete(&self.name)) {
            response.push(deletion);
        }
        self.delete_chunks(request_cookies.chunk_indices(), &mut response);
        let slots = request_cookies.slots().into_keys();
        let slots = slots.map(|slot| self.slot_name(slot));
        for set_cookie in slots.filter_map(|name| self.delete(&name).ok()) {
            response.push_if_it_fits(set_cookie);
        }
        response.set_cookies
    }

    /// Whether a response sets or deletes the handle of a session.
    pub(in crate::web) fn sets_session(&self, response: &HeaderMap) -> bool {
        let names = [self.name.to_string(), self.chunk_name(0)];
        let mut set_cookies = response.get_all(header::SET_COOKIE).iter();
        set_cookies.any(|set_cookie| {
            let name = set_cookie.as_bytes().split(|byte| *byte == b'=').next();
            names.iter().any(|known| Some(known.as_bytes()) == name)
        })
    }

    /// Deletes these pieces: always the first one, because no value is whole without it, and the others as far
    /// as they fit.
    fn delete_chunks(&self, indices: impl Iterator<Item = usize>, response: &mut Response) {
        for index in indices {
            match (index, self.delete(&self.chunk_name(index))) {
                (0, Ok(deletion)) => response.push(deletion),
                (_, Ok(deletion)) => {
                    response.push_if_it_fits(deletion);
                }
                // Names of cookies are valid in a header.
                (_, Err(_)) => {}
            }
        }
    }

    fn chunk_name(&self, index: usize) -> String {
        format!("{}.{index}", self.name)
    }

    fn slot_name(&self, slot: usize) -> String {
        format!("{}.t{slot}", self.name)
    }

    /// Bytes of the budget that a session may take, so that a sign-in always fits beside it.
    fn session_budget(&self) -> usize {
        let browser = sum([self.name.len(), BROWSER_SUFFIX.len(), "=; ".len()]);
        self.budget
            .saturating_sub(browser.saturating_add(MAX_BROWSER_LEN))
    }

    /// Bytes that a handle of this length takes in a `Cookie` header.
    fn carried_len(&self, value_len: usize) -> usize {
        let pieces = self.pieces(value_len);
        let marks = if pieces == 1 { 0 } else { MARKS_LEN };
        let around = sum([self.name.len(), marks, "=; ".len()]);
        pieces.saturating_mul(around).saturating_add(value_len)
    }

    /// Bytes that a part of this length takes in a `Cookie` header.
    fn carried_part_len(&self, part_len: usize) -> usize {
        sum([self.name.len(), SLOT_LEN, "=; ".len(), part_len])
    }

    /// How many cookies a handle of this length needs.
    fn pieces(&self, value_len: usize) -> usize {
        if value_len <= self.room(0) {
            1
        } else {
            value_len.div_ceil(self.piece_room())
        }
    }

    /// How many bytes of a handle fit into one of several cookies.
    fn piece_room(&self) -> usize {
        self.room(MARKS_LEN).max(1)
    }

    /// How many bytes fit into one cookie together with marks of this length.
    fn room(&self, marks: usize) -> usize {
        let around = sum([
            self.name.len(),
            marks,
            "=".len(),
            self.attributes.len(),
            self.max_age.len(),
        ]);
        MAX_COOKIE_LEN.saturating_sub(around)
    }
}

/// The largest length up to `limit` that fits. If a length does not fit, no larger one may fit.
fn longest(limit: usize, fits: impl Fn(usize) -> bool) -> usize {
    let (mut longest, mut beyond) = (0, limit.saturating_add(1));
    while beyond.saturating_sub(longest) > 1 {
        let middle = longest.midpoint(beyond);
        if fits(middle) {
            longest = middle;
        } else {
            beyond = middle;
        }
    }
    longest
}

fn line_len(set_cookie: &HeaderValue) -> usize {
    set_cookie.len().saturating_add(SET_COOKIE_LEN)
}

/// Identifies the write of a piece. Values are random, or sealed with a random nonce, so no two writes share
/// it.
fn generation(value: &str) -> String {
    let digest = Sha256::digest(value);
    URL_SAFE_NO_PAD.encode_to_string(digest.get(..6).unwrap_or_default())
}
