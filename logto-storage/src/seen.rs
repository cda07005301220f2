//! Recently opened sessions.
//!
//! A browser sends the same cookies with every request until they change, and a store returns the same record.
//! Opening and decoding them again gives the same session, so it is kept for a minute.
//!
//! An entry is found by the beginning of the sealed bytes, which contains a random nonce, and is used only if
//! all of the sealed bytes are equal. A client that can present them has the session anyway, and bytes that do
//! not open are never kept: made-up cookies can neither fill this map nor find another user in it. A map
//! belongs to one storage, and therefore to one issuer, one application, one name of a cookie and one key ring.
//!
//! Entries contain tokens in clear. They are overwritten when the last request that uses one drops it.

use std::{
    collections::hash_map::RandomState,
    hint, ptr,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use logto_client::storage::Handle;
use logto_core::UnixTime;
use lru::LruCache;

/// The default limit, in bytes: some 1,000 sessions.
pub(crate) const DEFAULT_LIMIT: usize = 16 << 20;

/// How long a session is kept after it was opened.
const ENTRY_LIFETIME: Duration = Duration::from_secs(60);

/// How many bytes are compared at a time.
const BLOCK_LEN: usize = 64;

/// Format, id of the key and a nonce of 96 bits, in bytes or base64url.
const KEY_LEN: usize = 20;

type Key = [u8; KEY_LEN];

/// Opened values, by the sealed bytes that they were opened from.
pub(crate) struct Seen<S, T> {
    limit: usize,
    kept: Mutex<Kept<S, T>>,
}

struct Kept<S, T> {
    /// The oldest entry is dropped first.
    entries: LruCache<Key, Entry<S, T>, RandomState>,
    bytes: usize,
}

struct Entry<S, T> {
    sealed: S,
    opened: T,
    bytes: usize,
    opened_at: UnixTime,
}

/// The sealed source of an entry.
pub(crate) trait Sealed {
    fn bytes(&self) -> &[u8];
}

impl Sealed for Handle {
    fn bytes(&self) -> &[u8] {
        self.expose().as_bytes()
    }
}

impl Sealed for Vec<u8> {
    fn bytes(&self) -> &[u8] {
        self
    }
}

impl<S: Sealed, T: Clone> Seen<S, T> {
    /// Keeps up to `limit` bytes; none if that is zero.
    pub(crate) fn new(limit: usize) -> Self {
        let kept = Kept {
            entries: LruCache::unbounded_with_hasher(RandomState::new()),
            bytes: 0,
        };
        Self {
            limit,
            kept: Mutex::new(kept),
        }
    }

    /// The value that was opened from exactly these bytes in the last minute.
    pub(crate) fn get(&self, sealed: &[u8], now: UnixTime) -> Option<T> {
        let mut kept = self.kept();
        kept.remove_old(now);
        let entry = kept.entries.peek(&key(sealed))?;
        is_same(entry.sealed.bytes(), sealed).then(|| entry.opened.clone())
    }

    /// Keeps the value that was opened from `sealed`, which takes `bytes` of memory.
    pub(crate) fn insert(&self, sealed: S, opened: T, bytes: usize, now: UnixTime) {
        let bytes = bytes
            .saturating_add(sealed.bytes().len())
            .saturating_add(size_of::<(Key, Entry<S, T>)>());
        let key = key(sealed.bytes());
        let mut kept = self.kept();
        kept.remove_old(now);
        kept.remove(&key);
        if bytes > self.limit {
            return;
        }
        while kept.bytes > self.limit.saturating_sub(bytes) && kept.remove_oldest() {}
        kept.bytes = kept.bytes.saturating_add(bytes);
        let entry = Entry {
            sealed,
            opened,
            bytes,
            opened_at: now,
        };
        kept.entries.put(key, entry);
    }

    /// Removes the value that was opened from `sealed`, and returns it.
    pub(crate) fn remove(&self, sealed: &[u8]) -> Option<T> {
        self.kept().remove(&key(sealed))
    }

    /// Removes all values for which `is_over` returns true.
    pub(crate) fn remove_all(&self, is_over: impl Fn(&T) -> bool) {
        let mut kept = self.kept();
        let over = kept.entries.iter();
        let over = over.filter(|(_, entry)| is_over(&entry.opened));
        let over: Vec<Key> = over.map(|(key, _)| *key).collect();
        for key in over {
            kept.remove(&key);
        }
    }
}

impl<T> Seen<Handle, T> {
    /// The handle of an entry that consists of exactly this value and these parts. [`get`](Self::get) recognizes it
    /// by its address and does not compare it again.
    pub(crate) fn handle(
        &self,
        value: &[u8],
        parts: &mut dyn Iterator<Item = &[u8]>,
    ) -> Option<Handle> {
        let kept = self.kept();
        let sealed = &kept.entries.peek(&key(value))?.sealed;
        consists_of(sealed.bytes(), value, parts).then(|| sealed.clone())
    }
}

impl<S, T> Seen<S, T> {
    /// A panic elsewhere while the lock was held leaves at worst a size that is too large.
    fn kept(&self) -> MutexGuard<'_, Kept<S, T>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S, T> Kept<S, T> {
    fn remove(&mut self, key: &Key) -> Option<T> {
        let entry = self.entries.pop(key)?;
        self.bytes = self.bytes.saturating_sub(entry.bytes);
        Some(entry.opened)
    }

    fn remove_oldest(&mut self) -> bool {
        let oldest = self.entries.peek_lru().map(|(key, _)| *key);
        oldest.is_some_and(|key| self.remove(&key).is_some())
    }

    /// Removes entries older than a minute, and entries from the future, which exist if the clock was set back.
    fn remove_old(&mut self, now: UnixTime) {
        let is_old = |entry: &Entry<S, T>| {
            now < entry.opened_at || now.since(entry.opened_at) >= ENTRY_LIFETIME
        };
        while self
            .entries
            .peek_lru()
            .is_some_and(|(_, oldest)| is_old(oldest))
        {
            self.remove_oldest();
        }
    }
}

fn key(sealed: &[u8]) -> Key {
    let mut key = [0; KEY_LEN];
    for (to, from) in key.iter_mut().zip(sealed) {
        *to = *from;
    }
    key
}

/// Compares in a time that depends only on the lengths, which are not secret.
fn is_same(a: &[u8], b: &[u8]) -> bool {
    // The same memory has the same content.
    ptr::eq(a, b) || a.len() == b.len() && hint::black_box(difference(a, b)) == 0
}

/// The bits that differ in any byte. Without an early exit and with blocks of a fixed length, the compiler vectorizes
/// the loop; `subtle` compares one byte at a time.
fn difference(a: &[u8], b: &[u8]) -> u8 {
    let (a_blocks, b_blocks) = (a.chunks_exact(BLOCK_LEN), b.chunks_exact(BLOCK_LEN));
    let rest = a_blocks.remainder().iter().zip(b_blocks.remainder());
    let rest = rest.fold(0, |difference, (a, b)| difference | (a ^ b));
    let mut difference = [0; BLOCK_LEN];
    for (a, b) in a_blocks.zip(b_blocks) {
        for ((difference, a), b) in difference.iter_mut().zip(a).zip(b) {
            *difference |= a ^ b;
        }
    }
    difference.iter().fold(rest, |all, bits| all | bits)
}

/// Whether `text` consists of `value` and `parts` with dots between them, compared as in [`is_same`].
fn consists_of(text: &[u8], value: &[u8], parts: &mut dyn Iterator<Item = &[u8]>) -> bool {
    let Some((begin, mut rest)) = text.split_at_checked(value.len()) else {
        return false;
    };
    let mut is_same_so_far = is_same(begin, value);
    for part in parts {
        let Some(([separator], after)) = rest.split_first_chunk() else {
            return false;
        };
        let Some((begin, after)) = after.split_at_checked(part.len()) else {
            return false;
        };
        is_same_so_far &= is_same(&[*separator], b".") & is_same(begin, part);
        rest = after;
    }
    is_same_so_far && rest.is_empty()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    const NOW: UnixTime = UnixTime::from_secs(1_800_000_000);

    fn at(seconds: u64) -> UnixTime {
        NOW.plus(Duration::from_secs(seconds))
    }

    fn sealed(beginning: u8, end: u8) -> Vec<u8> {
        let mut bytes = vec![beginning; KEY_LEN];
        bytes.extend([end; 100]);
        bytes
    }

    fn numbers() -> Seen<Vec<u8>, Arc<u32>> {
        Seen::new(10_000)
    }

    #[test]
    fn what_has_the_same_beginning_is_not_the_same() {
        let seen = numbers();
        seen.insert(sealed(1, 1), Arc::new(1), 1, NOW);
        assert_eq!(seen.get(&sealed(1, 1), NOW).as_deref(), Some(&1));
        let mut longer = sealed(1, 1);
        longer.push(0);
        for other in [
            sealed(1, 2),
            sealed(2, 1),
            longer,
            sealed(1, 1)[..KEY_LEN].to_vec(),
            Vec::new(),
        ] {
            assert_eq!(seen.get(&other, NOW), None);
        }
        for place in 0..sealed(1, 1).len() {
            let mut other = sealed(1, 1);
            other[place] ^= 0x80;
            assert_eq!(seen.get(&other, NOW), None, "{place}");
        }
        seen.insert(sealed(1, 2), Arc::new(2), 1, NOW);
        assert_eq!(seen.get(&sealed(1, 1), NOW), None);
        assert_eq!(seen.get(&sealed(1, 2), NOW).as_deref(), Some(&2));
    }

    #[test]
    fn a_handle_is_known_by_all_of_its_parts_in_their_order() {
        let seen = Seen::new(10_000);
        let value = "v".repeat(100);
        let handle = Handle::new(&value).with_parts(["one", "three"]);
        seen.insert(handle.clone(), (), 1, NOW);
        let known = |value: &str, parts: &[&str]| {
            let mut parts = parts.iter().map(|part| part.as_bytes());
            seen.handle(value.as_bytes(), &mut parts)
        };
        let found = known(&value, &["one", "three"]).unwrap();
        assert!(ptr::eq(found.expose(), handle.expose()) && found == handle);
        let other = format!("{}w", &value[1..]);
        for (value, parts) in [
            (value.as_str(), &[][..]),
            (&value, &["one"]),
            (&value, &["three", "one"]),
            (&value, &["onethree"]),
            (&value, &["one", "thre"]),
            (&value, &["one", "thref"]),
            (&value, &["one", "three", ""]),
            (&value, &["one", "three", "four"]),
            (&value[1..], &["one", "three"]),
            (&other, &["one", "three"]),
            ("", &[]),
        ] {
            assert_eq!(known(value, parts), None, "{} {parts:?}", value.len());
        }
    }

    #[test]
    fn nothing_is_kept_for_longer_than_a_minute_or_from_the_future() {
        for (later, is_there) in [(0, true), (59, true), (60, false)] {
            let seen = numbers();
            seen.insert(sealed(1, 1), Arc::new(1), 1, NOW);
            assert_eq!(seen.get(&sealed(1, 1), at(later)).is_some(), is_there);
        }
        let seen = numbers();
        let kept = Arc::new(1);
        seen.insert(sealed(1, 1), Arc::clone(&kept), 1, at(1));
        assert_eq!(seen.get(&sealed(2, 2), NOW), None);
        assert_eq!(Arc::strong_count(&kept), 1, "the clock was set back");
        seen.insert(sealed(1, 1), Arc::clone(&kept), 1, NOW);
        seen.insert(sealed(2, 2), Arc::new(2), 1, at(60));
        assert_eq!(Arc::strong_count(&kept), 1, "another one was opened");
    }

    #[test]
    fn w6_no_more_is_kept_than_the_limit_says() {
        let one = 100 + sealed(0, 0).len() + size_of::<(Key, Entry<Vec<u8>, Arc<u32>>)>();
        let seen = Seen::new(3 * one);
        for n in 0..100 {
            seen.insert(sealed(n, n), Arc::new(u32::from(n)), 100, NOW);
            seen.insert(sealed(n, n), Arc::new(u32::from(n)), 100, NOW);
        }
        let is_there = |n| seen.get(&sealed(n, n), NOW).is_some();
        assert_eq!([96, 97, 98, 99].map(is_there), [false, true, true, true]);
        seen.insert(sealed(100, 0), Arc::new(0), 10 * one, NOW);
        assert_eq!([97, 98, 99].map(is_there), [true; 3], "it is too large");
        assert_eq!(seen.remove(&sealed(98, 98)).as_deref(), Some(&98));
        assert_eq!(seen.kept().bytes, 2 * one);
        seen.remove_all(|n| **n == 97);
        assert_eq!([97, 98, 99].map(is_there), [false, false, true]);
        assert_eq!(seen.kept().bytes, one);
        seen.remove_all(|_| true);
        let kept = seen.kept();
        assert_eq!((kept.bytes, kept.entries.len()), (0, 0));
    }

    #[test]
    fn zero_keeps_nothing() {
        let seen = Seen::new(0);
        seen.insert(sealed(1, 1), 1, 0, NOW);
        assert_eq!(seen.get(&sealed(1, 1), NOW), None);
    }
}
