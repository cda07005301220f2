//! A session as bytes: small, versioned, with its own expiry inside.
//!
//! One byte of format, then [postcard](https://postcard.jamesmunns.com/wire-format). Most of a session consists
//! of tokens, and tokens are base64url: its parts are stored decoded, in three quarters of the space. A part of
//! more than a kibibyte, such as the claims of a user with many organizations, is compressed as well. Each part
//! is compressed alone: if secrets were compressed together with text that an attacker chooses, the size of the
//! record would reveal them.
//!
//! Reading a record locates its parts and checks their form. Their content is decoded on demand.

mod content;
mod packed;

use std::{collections::BTreeSet, ops::Range, sync::Arc};

use logto_client::seal::Plaintext;
use logto_core::{
    AccessToken, Secret, Session, TokenTarget, UnixTime,
    session::{SessionData, SessionId, StoredHead},
};
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;
use zeroize::Zeroizing;

use self::{
    content::{Content, StoredToken},
    packed::{Names, Packed, Skimmed, Unpacked},
};
use crate::lifetimes::Expiry;

/// With the data of the application at its end. Only sessions with data are written in this format: those
/// without stay readable for processes of an older release.
const FORMAT_WITH_DATA: u8 = 3;
const FORMAT: u8 = 2;
/// Without [`Issued`] before the fields. Such records are still read, but no longer written.
const FORMAT_WITHOUT_ISSUED: u8 = 1;
/// The format of an access token in a cookie of its own.
const TOKEN_FORMAT: u8 = 1;

/// The record that a storage keeps.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Record {
    pub(crate) version: u64,
    pub(crate) expiry: Expiry,
    pub(crate) session: Arc<Session>,
}

/// Why bytes are not a record. They do not sign a user in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unreadable {
    /// A newer release wrote them; during an update another process can read them.
    Newer,
    /// They are not a record.
    Malformed,
}

impl Record {
    /// # Errors
    /// The claims of the session cannot be read. Readers of the record rely on them.
    pub(crate) fn encode(&self) -> Result<Zeroizing<Vec<u8>>, postcard::Error> {
        let session = &self.session;
        if !session.is_readable() {
            return Err(postcard::Error::SerdeSerCustom);
        }
        let fields = Fields {
            id: *session.id().as_bytes(),
            id_token: Packed(session.kept_id_token().expose()),
            refresh_token: session.refresh_token().map(|token| Packed(token.expose())),
            access_tokens: session.access_tokens().iter().map(entry).collect(),
            requested_scopes: session
                .requested_scopes()
                .iter()
                .map(String::as_str)
                .collect(),
            requested_resources: session
                .requested_resources()
                .iter()
                .map(String::as_str)
                .collect(),
            granted_scopes: session
                .granted_scopes()
                .iter()
                .map(String::as_str)
                .collect(),
            began_at: session.began_at(),
            created_at: session.created_at(),
            changed_at: session.changed_at(),
        };
        let header = (self.version, self.expiry.idle, self.expiry.absolute);
        // Allocated at full size: a vector that grows leaves copies of tokens behind.
        let mut bytes = Vec::with_capacity(packed_len_at_most(session));
        let data = session.data().map(SessionData::as_json);
        bytes.push(data.map_or(FORMAT, |_| FORMAT_WITH_DATA));
        let issued: Issued = session.refresh_token_issued_at();
        let mut bytes = postcard::to_extend(&(header, issued, fields), bytes)?;
        if let Some(data) = data {
            bytes = postcard::to_extend(data, bytes)?;
        }
        Ok(Zeroizing::new(bytes))
    }

    /// Reads the bytes of [`encode`](Self::encode), whether or not the [`expiry`](Self::expiry) has come. The
    /// content of the session is decoded on demand.
    pub(crate) fn decode(opened: Plaintext) -> Result<Self, Unreadable> {
        let record = 0..opened.len();
        Self::decode_with(opened, record, []).map(|(record, _)| record)
    }

    /// As [`decode`](Self::decode), from a part of the opened bytes, with access tokens of the session that
    /// were [found](PackedToken::find) in other parts. Also returns the approximate size of the session in
    /// memory, in bytes, once all of it is decoded.
    pub(crate) fn decode_with(
        opened: Plaintext,
        record: Range<usize>,
        tokens: impl IntoIterator<Item = PackedToken, IntoIter: ExactSizeIterator>,
    ) -> Result<(Self, usize), Unreadable> {
        let mut cursor = Cursor {
            bytes: opened.get(..record.end).unwrap_or_default(),
            at: record.start,
        };
        let Header {
            has_data,
            mut version,
            expiry,
            issued,
            id,
        } = Header::read(&mut cursor)?;
        let tokens = tokens.into_iter();
        let (id_token, Skimmed(id_token_len)) = cursor.skim()?;
        let (refresh_token, _) = cursor.skim::<Option<Skimmed>>()?;
        let mut access_tokens = SmallVec::with_capacity(tokens.len());
        for _ in 0..cursor.take::<u64>()? {
            access_tokens.push(StoredToken::at(cursor.skim::<SkimmedEntry<'_>>()?.0));
        }
        let (requested_scopes, _) = cursor.skim::<Names>()?;
        let (requested_resources, _) = cursor.skim::<Names>()?;
        let (granted_scopes, _) = cursor.skim::<Names>()?;
        let (began_at, created_at, changed_at) = cursor.take()?;
        let data = match has_data {
            true => cursor.skim::<&str>()?.0,
            false => 0..0,
        };
        for token in tokens {
            version = version.max(token.version);
            access_tokens.push(StoredToken::at(token.entry));
        }
        // Text is longer than bytes by a third, and claims are kept as text and as values.
        let texts = opened.len().saturating_mul(2);
        let memory = id_token_len
            .saturating_mul(4)
            .saturating_add(texts)
            .saturating_add(size_of::<Session>().saturating_mul(2));
        let head = StoredHead {
            id,
            refresh_token_issued_at: issued,
            began_at,
            created_at,
            changed_at,
        };
        let content = Content {
            bytes: opened,
            id_token,
            refresh_token,
            access_tokens,
            requested_scopes,
            requested_resources,
            granted_scopes,
            data,
        };
        let record = Self {
            version,
            expiry,
            session: Arc::new(Session::from_stored(head, Arc::new(content))),
        };
        Ok((record, memory))
    }
}

/// The beginning of a record.
struct Header {
    has_data: bool,
    version: u64,
    expiry: Expiry,
    issued: Issued,
    id: SessionId,
}

impl Header {
    fn read(cursor: &mut Cursor<'_>) -> Result<Self, Unreadable> {
        let format = cursor.byte()?;
        let (version, idle, absolute) = cursor.take()?;
        let issued = match format {
            FORMAT | FORMAT_WITH_DATA => cursor.take::<Issued>()?,
            FORMAT_WITHOUT_ISSUED => None,
            format if format > FORMAT_WITH_DATA => return Err(Unreadable::Newer),
            _ => return Err(Unreadable::Malformed),
        };
        Ok(Self {
            has_data: format == FORMAT_WITH_DATA,
            version,
            expiry: Expiry { idle, absolute },
            issued,
            id: SessionId::from_random(cursor.take()?),
        })
    }
}

/// The id of the session in a record.
pub(crate) fn session_id(bytes: &[u8]) -> Result<SessionId, Unreadable> {
    Header::read(&mut Cursor { bytes, at: 0 }).map(|header| header.id)
}

/// One access token as bytes, for a cookie of its own, with the version of the write that it came with.
///
/// # Errors
/// No token causes one.
pub(crate) fn encode_access_token(
    version: u64,
    target: &TokenTarget,
    token: &AccessToken,
) -> Result<Zeroizing<Vec<u8>>, postcard::Error> {
    let mut bytes = Vec::with_capacity(token.token.expose().len().saturating_add(512));
    bytes.push(TOKEN_FORMAT);
    postcard::to_extend(&(version, entry((target, token))), bytes).map(Zeroizing::new)
}

/// The bytes of [`encode_access_token`], among others.
pub(crate) struct PackedToken {
    /// The version of the write that it came with.
    version: u64,
    entry: Range<usize>,
}

impl PackedToken {
    /// Finds the token at the beginning of this part of the opened bytes.
    pub(crate) fn find(opened: &[u8], part: Range<usize>) -> Option<Self> {
        let mut cursor = Cursor {
            bytes: opened.get(..part.end)?,
            at: part.start,
        };
        let format = cursor.byte().ok()?;
        (format == TOKEN_FORMAT).then_some(())?;
        let version = cursor.take().ok()?;
        let (entry, _) = cursor.skim::<SkimmedEntry<'_>>().ok()?;
        Some(Self { version, entry })
    }

    /// Reads it.
    pub(crate) fn decode(&self, opened: &[u8]) -> Option<(TokenTarget, AccessToken)> {
        let entry = opened.get(self.entry.clone())?;
        Some(read(postcard::from_bytes(entry).ok()?))
    }
}

/// A session, field by field. `T` is how a token is written.
#[derive(Serialize)]
struct Fields<'a, T> {
    id: [u8; 16],
    id_token: T,
    refresh_token: Option<T>,
    access_tokens: Vec<(Target<'a>, Access<'a, T>)>,
    requested_scopes: Vec<&'a str>,
    requested_resources: Vec<&'a str>,
    granted_scopes: Vec<&'a str>,
    began_at: UnixTime,
    created_at: UnixTime,
    changed_at: UnixTime,
}

#[derive(Serialize, Deserialize)]
struct Target<'a> {
    resource: Option<&'a str>,
    organization_id: Option<&'a str>,
    #[serde(borrow)]
    scopes: Vec<&'a str>,
}

impl Target<'_> {
    fn is(&self, target: &TokenTarget) -> bool {
        self.resource == target.resource_indicator()
            && self.organization_id == target.organization_id()
            && self.scopes.iter().eq(target.scopes())
    }
}

impl From<Target<'_>> for TokenTarget {
    fn from(target: Target<'_>) -> Self {
        let mut it = Self::user_info();
        if let Some(resource) = target.resource {
            it = Self::resource(resource);
        }
        if let Some(organization_id) = target.organization_id {
            it = it.in_organization(organization_id);
        }
        it.with_scopes(target.scopes)
    }
}

#[derive(Serialize, Deserialize)]
struct Access<'a, T> {
    token: T,
    #[serde(borrow)]
    scopes: Vec<&'a str>,
    issued_at: UnixTime,
    expires_at: UnixTime,
    last_used: UnixTime,
}

fn entry<'a>(
    (target, token): (&'a TokenTarget, &'a AccessToken),
) -> (Target<'a>, Access<'a, Packed<'a>>) {
    let target = Target {
        resource: target.resource_indicator(),
        organization_id: target.organization_id(),
        scopes: target.scopes().iter().map(String::as_str).collect(),
    };
    let access = Access {
        token: Packed(token.token.expose()),
        scopes: token.scopes.iter().map(String::as_str).collect(),
        issued_at: token.issued_at,
        expires_at: token.expires_at,
        last_used: token.last_used,
    };
    (target, access)
}

fn packed_len_at_most(session: &Session) -> usize {
    let tokens = session
        .access_tokens()
        .values()
        .map(|token| token.token.expose());
    let scopes = session
        .access_tokens()
        .values()
        .flat_map(|token| &token.scopes);
    let targets = session.access_tokens().keys();
    let targets = targets.flat_map(|target| {
        let names = target
            .resource_indicator()
            .into_iter()
            .chain(target.organization_id());
        names.chain(target.scopes().iter().map(String::as_str))
    });
    tokens
        .chain(scopes.map(String::as_str))
        .chain(targets)
        .chain([session.kept_id_token().expose()])
        .chain(session.refresh_token().map(Secret::expose))
        .chain(session.data().map(SessionData::as_json))
        .chain(session.requested_scopes().iter().map(String::as_str))
        .chain(session.requested_resources().iter().map(String::as_str))
        .chain(session.granted_scopes().iter().map(String::as_str))
        .fold(64, |sum: usize, text| {
            sum.saturating_add(text.len()).saturating_add(16)
        })
}

/// When the refresh token was issued.
type Issued = Option<UnixTime>;

/// A position in bytes that are read one value after the other.
struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    fn byte(&mut self) -> Result<u8, Unreadable> {
        let byte = self.bytes.get(self.at).ok_or(Unreadable::Malformed)?;
        self.at = self.at.saturating_add(1);
        Ok(*byte)
    }

    fn take<T: Deserialize<'a>>(&mut self) -> Result<T, Unreadable> {
        let rest = self.bytes.get(self.at..).ok_or(Unreadable::Malformed)?;
        let (value, rest) = postcard::take_from_bytes(rest).map_err(|_| Unreadable::Malformed)?;
        self.at = self.bytes.len().saturating_sub(rest.len());
        Ok(value)
    }

    /// The position of a value that is not decoded yet, and its form.
    fn skim<T: Deserialize<'a>>(&mut self) -> Result<(Range<usize>, T), Unreadable> {
        let begin = self.at;
        let skimmed = self.take::<T>()?;
        Ok((begin..self.at, skimmed))
    }
}

/// The inverse of [`entry`].
fn read((target, access): (Target<'_>, Access<'_, Unpacked>)) -> (TokenTarget, AccessToken) {
    let mut token = AccessToken::new(
        access.token.0,
        owned(access.scopes),
        access.issued_at,
        access.expires_at,
    );
    token.last_used = access.last_used;
    (target.into(), token)
}

fn owned(names: Vec<&str>) -> BTreeSet<String> {
    names.into_iter().map(str::to_owned).collect()
}

/// An access token and its target, of which nothing is kept: as [`Target`] and [`Access`].
type SkimmedEntry<'a> = (
    (Option<&'a str>, Option<&'a str>, Names),
    (Skimmed, Names, UnixTime, UnixTime, UnixTime),
);

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use logto_core::LogtoConfig;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::{Lifetimes, conformance::Sample};

    const NOW: UnixTime = UnixTime::from_secs(1_800_000_000);

    fn record(sample: &Sample) -> Record {
        let session = sample.build().unwrap();
        let expiry = Expiry::of(&session, Lifetimes::default(), NOW);
        Record {
            version: 7,
            expiry,
            session: Arc::new(session),
        }
    }

    fn data_of_the_sample() -> Value {
        json!({ "user_id": 42, "theme": "dark" })
    }

    fn with_data() -> Record {
        record(&Sample {
            data: Some(data_of_the_sample()),
            ..Sample::default()
        })
    }

    fn decode(bytes: &[u8]) -> Result<Record, Unreadable> {
        Record::decode(bytes.to_vec().into())
    }

    /// Decodes a record with all its content.
    fn read_all(bytes: &[u8]) {
        if let Ok(record) = decode(bytes) {
            let session = &record.session;
            let _ = session.usable_token(&config(), &TokenTarget::user_info(), NOW);
            let _ = (session.claims(), format!("{session:?}"), record.encode());
            let _ = session.data().map(SessionData::read::<Value>);
            assert_eq!(**session, Session::clone(session));
        }
    }

    fn config() -> LogtoConfig {
        LogtoConfig::builder("https://tenant.logto.app", "app")
            .build()
            .unwrap()
    }

    fn with_id_token(id_token: &str) -> Result<Session, postcard::Error> {
        let mut session = serde_json::to_value(Sample::default().build().unwrap()).unwrap();
        session["id_token"] = id_token.into();
        serde_json::from_value(session).map_err(|_| postcard::Error::SerdeDeCustom)
    }

    #[test]
    fn b6_a_record_is_smaller_than_json_and_comes_back_whole() {
        for (organizations, access_tokens, at_most_percent) in
            [(0, 0, 80), (2, 4, 75), (1_000, 12, 45)]
        {
            let record = record(&Sample {
                organizations,
                access_tokens,
                ..Sample::default()
            });
            let bytes = record.encode().unwrap();
            assert_eq!(decode(&bytes), Ok(record.clone()));
            let json = serde_json::to_vec(&*record.session).unwrap();
            assert!(
                bytes.len() * 100 <= json.len() * at_most_percent,
                "{} of {}",
                bytes.len(),
                json.len()
            );
            assert!(
                bytes.capacity() <= packed_len_at_most(&record.session),
                "it was copied while it grew"
            );
        }
    }

    #[test]
    fn b5_the_end_is_inside() {
        let record = record(&Sample::default());
        let bytes = record.encode().unwrap();
        let read = decode(&bytes).unwrap().expiry;
        assert_eq!(read, record.expiry);
        let last = record.expiry.idle.minus(Duration::from_secs(1));
        assert!(!read.is_over(last));
        assert!(read.is_over(record.expiry.idle));
        assert!(read.is_over(UnixTime::from_secs(i64::MAX)));
    }

    #[test]
    fn f33_other_formats_are_told_apart() {
        let mut bytes = record(&Sample::default()).encode().unwrap();
        for (format, expected) in [
            (0, Unreadable::Malformed),
            (FORMAT_WITH_DATA, Unreadable::Malformed),
            (FORMAT_WITH_DATA + 1, Unreadable::Newer),
            (255, Unreadable::Newer),
        ] {
            bytes[0] = format;
            assert_eq!(decode(&bytes), Err(expected), "{format}");
        }
        assert_eq!(decode(&[]), Err(Unreadable::Malformed));
        assert_eq!(decode(&[FORMAT]), Err(Unreadable::Malformed));
        bytes[0] = FORMAT;
        for bytes in [bytes, with_data().encode().unwrap()] {
            for length in 0..bytes.len() {
                assert!(decode(&bytes[..length]).is_err(), "{length}");
            }
        }
    }

    #[test]
    fn data_is_kept_and_without_any_nothing_is_written_for_it() {
        let with = with_data();
        let bytes = with.encode().unwrap();
        assert_eq!(bytes[0], FORMAT_WITH_DATA);
        let read = decode(&bytes).unwrap();
        assert_eq!(read, with);
        let data = read.session.data().unwrap();
        assert_eq!(data.read(), Ok(Some(data_of_the_sample())));
        assert!(!format!("{read:?}").contains("dark"));
        assert!(bytes.capacity() <= packed_len_at_most(&with.session));

        let without = record(&Sample::default());
        let shorter = without.encode().unwrap();
        assert_eq!(shorter[0], FORMAT, "an older release reads it");
        let json = data_of_the_sample().to_string();
        assert_eq!(bytes[1..shorter.len()], shorter[1..]);
        assert_eq!(bytes[shorter.len() + 1..], *json.as_bytes());
        assert_eq!(decode(&shorter).unwrap().session.data(), None);

        let mut garbled = bytes.to_vec();
        *garbled.last_mut().unwrap() = 0xff;
        assert_eq!(decode(&garbled), Err(Unreadable::Malformed), "no text");
        garbled.pop();
        garbled.push(b'?');
        let data = decode(&garbled).unwrap().session.data().cloned();
        assert!(data.unwrap().read::<Value>().is_err(), "no JSON");
    }

    #[test]
    fn a_record_of_an_older_release_is_read() {
        let new = record(&Sample::default());
        let bytes = new.encode().unwrap();
        // Without when the refresh token was issued, which a sample does not say: one byte behind the header.
        let header = (new.version, new.expiry.idle, new.expiry.absolute);
        let header = postcard::to_allocvec(&header).unwrap().len() + 1;
        let mut old = bytes.to_vec();
        assert_eq!(old.remove(header), 0, "none");
        old[0] = FORMAT_WITHOUT_ISSUED;
        assert_eq!(decode(&old), Ok(new));
    }

    #[test]
    fn when_the_refresh_token_was_issued_is_kept() {
        let mut record = record(&Sample::default());
        let mut delta = logto_core::session::SessionDelta::default();
        delta.refresh_token = Some("another".into());
        delta.at = Some(NOW);
        Arc::make_mut(&mut record.session).apply(&delta);
        assert_eq!(record.session.refresh_token_issued_at(), Some(NOW));
        assert_eq!(decode(&record.encode().unwrap()), Ok(record));
    }

    #[test]
    fn b6_what_is_in_a_record_is_read_when_it_is_asked_for_and_once() {
        let written = record(&Sample {
            access_tokens: 4,
            ..Sample::default()
        });
        let (written, bytes) = (&written.session, written.encode().unwrap());
        for (target, token) in written.access_tokens() {
            let read = decode(&bytes).unwrap().session;
            let now = token.issued_at;
            let found = read.usable_token(&config(), target, now).unwrap();
            assert_eq!(found, token);
            let again = read.usable_token(&config(), target, now).unwrap();
            assert!(std::ptr::eq(found, again));
            assert_eq!(read.access_tokens(), written.access_tokens());
        }
        let read = decode(&bytes).unwrap().session;
        let other = TokenTarget::resource("https://other.example.com");
        assert_eq!(read.usable_token(&config(), &other, NOW), None);
        assert_eq!(read.claims(), written.claims());
        assert_eq!(read.refresh_token(), written.refresh_token());
        assert_eq!(read.requested_scopes(), written.requested_scopes());
        assert_eq!(read.requested_resources(), written.requested_resources());
        assert_eq!(read.granted_scopes(), written.granted_scopes());
        assert_eq!(read.id_token(), written.id_token());
    }

    #[test]
    fn b6_of_two_tokens_for_one_target_the_one_issued_last_counts() {
        let session = Sample {
            access_tokens: 2,
            ..Sample::default()
        };
        let record = record(&session);
        let (target, token) = record.session.access_tokens().iter().next().unwrap();
        let issued = |later: u64| {
            let issued_at = token.issued_at.plus(Duration::from_secs(later));
            let text = format!("issued {later} s later").into();
            AccessToken::new(text, BTreeSet::new(), issued_at, token.expires_at)
        };
        for (order, newest) in [([1, 2], 2), ([2, 1], 2), ([0, 0], 0)] {
            let mut bytes = record.encode().unwrap();
            let end = bytes.len();
            let tokens = order.map(|later| {
                let begin = bytes.len();
                let token = encode_access_token(9, target, &issued(later)).unwrap();
                bytes.extend_from_slice(&token);
                PackedToken::find(&bytes, begin..bytes.len()).unwrap()
            });
            let (decoded, _) = Record::decode_with(bytes.to_vec().into(), 0..end, tokens).unwrap();
            assert_eq!(decoded.version, 9);
            let session = decoded.session;
            let expected = match newest {
                0 => token.clone(),
                later => issued(later),
            };
            let found = session.usable_token(&config(), target, expected.issued_at);
            assert_eq!(found, Some(&expected), "{order:?}");
            assert_eq!(session.access_tokens()[target], expected, "{order:?}");
        }
    }

    #[test]
    fn a_session_needs_an_id_token_that_can_be_read() {
        assert!(with_id_token("not a token").is_err());
    }

    proptest! {
        #[test]
        fn f33_no_bytes_break_the_reader(
            garbage in prop::collection::vec(any::<u8>(), 0..300),
            place in any::<prop::sample::Index>(),
            byte in any::<u8>(),
        ) {
            read_all(&garbage);
            let sample = Sample { organizations: 60, ..Sample::default() };
            for data in [None, Some(data_of_the_sample())] {
                let mut bytes = record(&Sample { data, ..sample.clone() }).encode().unwrap();
                let place = place.index(bytes.len());
                bytes[place] = byte;
                read_all(&bytes);
            }
        }
    }
}
