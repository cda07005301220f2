//! A session as bytes: small, versioned, with its own expiry inside.
//!
//! One byte of format, then [postcard](https://postcard.jamesmunns.com/wire-format). Most of a session are
//! tokens, and tokens are base64url: its parts are stored decoded, in three quarters of the space. A part of
//! more than a kibibyte, such as the claims of a user with many organizations, is compressed as well. Each
//! part is compressed alone: if secrets were compressed together with text that an attacker chooses, the size
//! of the record would reveal them.

use std::{collections::BTreeSet, sync::Arc};

use base64_simd::URL_SAFE_NO_PAD;
use logto_core::{
    AccessToken, Secret, Session, TokenTarget, UnixTime,
    session::{SessionId, SessionParts},
};
use miniz_oxide::{deflate::compress_to_vec, inflate::decompress_to_vec_with_limit};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser::SerializeSeq};
use serde_bytes::Bytes;
use zeroize::{Zeroize, Zeroizing};

use crate::lifetimes::Expiry;

const FORMAT: u8 = 2;
/// Has no [`Issued`] behind the fields. Such records are read, and no longer written.
const FORMAT_WITHOUT_ISSUED: u8 = 1;
/// The format of an access token in a cookie of its own.
const TOKEN_FORMAT: u8 = 1;

/// The parts of tokens from this length on are compressed.
const COMPRESS_FROM: usize = 1_024;
/// No part is compressed that would be longer when it is read again.
const COMPRESS_UP_TO: usize = 1 << 20;
const COMPRESSION_LEVEL: u8 = 6;

/// What a storage keeps.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Record {
    pub(crate) version: u64,
    pub(crate) expiry: Expiry,
    pub(crate) session: Arc<Session>,
}

/// Why bytes are not a record. They sign nobody in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unreadable {
    /// A newer release wrote them; during an update another process can read them.
    Newer,
    /// They are not a record.
    Malformed,
}

impl Record {
    /// # Errors
    /// None that a session can cause.
    pub(crate) fn encode(&self) -> Result<Zeroizing<Vec<u8>>, postcard::Error> {
        let session = &self.session;
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
        // Room for everything at once: a vector that grows leaves copies of tokens behind.
        let mut bytes = Vec::with_capacity(packed_len_at_most(session));
        bytes.push(FORMAT);
        let issued: Issued = session.refresh_token_issued_at();
        postcard::to_extend(&(header, issued, fields), bytes).map(Zeroizing::new)
    }

    /// Reads what [`encode`](Self::encode) wrote, whether or not its [`expiry`](Self::expiry) has come.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, Unreadable> {
        let (format, bytes) = bytes.split_first().ok_or(Unreadable::Malformed)?;
        let ((version, idle, absolute), bytes) = take::<(u64, UnixTime, UnixTime)>(bytes)?;
        let (issued, fields) = match *format {
            FORMAT => take::<Issued>(bytes)?,
            FORMAT_WITHOUT_ISSUED => (None, bytes),
            format if format > FORMAT => return Err(Unreadable::Newer),
            _ => return Err(Unreadable::Malformed),
        };
        Ok(Self {
            version,
            expiry: Expiry { idle, absolute },
            session: Arc::new(session_from(fields, issued)?),
        })
    }
}

/// One access token as bytes, for a cookie of its own, with the version of the write that it came with.
///
/// # Errors
/// None that a token can cause.
pub(crate) fn encode_access_token(
    version: u64,
    target: &TokenTarget,
    token: &AccessToken,
) -> Result<Zeroizing<Vec<u8>>, postcard::Error> {
    let mut bytes = Vec::with_capacity(token.token.expose().len().saturating_add(512));
    bytes.push(TOKEN_FORMAT);
    postcard::to_extend(&(version, entry((target, token))), bytes).map(Zeroizing::new)
}

/// Reads what [`encode_access_token`] wrote.
pub(crate) fn decode_access_token(bytes: &[u8]) -> Option<(u64, TokenTarget, AccessToken)> {
    let (TOKEN_FORMAT, bytes) = bytes.split_first().map(|(format, rest)| (*format, rest))? else {
        return None;
    };
    let (version, entry): (u64, (Target<'_>, Access<'_, Unpacked>)) =
        postcard::from_bytes(bytes).ok()?;
    let (target, token) = read(entry);
    Some((version, target, token))
}

/// A session, field by field. `T` is how a token is written.
#[derive(Serialize, Deserialize)]
struct Fields<'a, T> {
    id: [u8; 16],
    id_token: T,
    refresh_token: Option<T>,
    #[serde(borrow)]
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
        .chain(session.requested_scopes().iter().map(String::as_str))
        .chain(session.requested_resources().iter().map(String::as_str))
        .chain(session.granted_scopes().iter().map(String::as_str))
        .fold(64, |sum: usize, text| {
            sum.saturating_add(text.len()).saturating_add(16)
        })
}

/// When the refresh token was issued.
type Issued = Option<UnixTime>;

fn take<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<(T, &'a [u8]), Unreadable> {
    postcard::take_from_bytes(bytes).map_err(|_| Unreadable::Malformed)
}

fn session_from(fields: &[u8], issued: Issued) -> Result<Session, Unreadable> {
    let fields: Fields<'_, Unpacked> =
        postcard::from_bytes(fields).map_err(|_| Unreadable::Malformed)?;
    let parts = SessionParts {
        id: SessionId::from_random(fields.id),
        id_token: fields.id_token.0,
        refresh_token: fields.refresh_token.map(|token| token.0),
        refresh_token_issued_at: issued,
        access_tokens: fields.access_tokens.into_iter().map(read).collect(),
        requested_scopes: owned(fields.requested_scopes),
        requested_resources: owned(fields.requested_resources),
        granted_scopes: owned(fields.granted_scopes),
        began_at: fields.began_at,
        created_at: fields.created_at,
        changed_at: fields.changed_at,
    };
    parts.try_into().map_err(|_| Unreadable::Malformed)
}

/// The inverse of [`entry`].
fn read((target, access): (Target<'_>, Access<'_, Unpacked>)) -> (TokenTarget, AccessToken) {
    let mut token_target = TokenTarget::user_info();
    if let Some(resource) = target.resource {
        token_target = TokenTarget::resource(resource);
    }
    if let Some(organization_id) = target.organization_id {
        token_target = token_target.in_organization(organization_id);
    }
    let mut token = AccessToken::new(
        access.token.0,
        owned(access.scopes),
        access.issued_at,
        access.expires_at,
    );
    token.last_used = access.last_used;
    (token_target.with_scopes(target.scopes), token)
}

fn owned(names: Vec<&str>) -> BTreeSet<String> {
    names.into_iter().map(str::to_owned).collect()
}

/// A token that is written packed.
struct Packed<'a>(&'a str);

/// A token that is read packed.
struct Unpacked(Secret);

/// What stands between the dots of a token.
#[derive(Serialize, Deserialize)]
enum Part<'a> {
    /// As it is.
    Text(&'a str),
    /// Base64url, decoded.
    Binary(#[serde(borrow)] &'a Bytes),
    /// Base64url, decoded and compressed.
    Compressed(#[serde(borrow)] &'a Bytes),
}

impl Part<'_> {
    /// Bytes that it takes in the token, with the dot behind it; known only when it is not compressed.
    fn unpacked_len(&self) -> usize {
        1 + match self {
            Self::Text(text) => text.len(),
            Self::Binary(binary) => URL_SAFE_NO_PAD.encoded_length(binary.len()),
            Self::Compressed(_) => 0,
        }
    }
}

impl Serialize for Packed<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let parts = self.0.split('.');
        let mut sequence = serializer.serialize_seq(Some(parts.clone().count()))?;
        for part in parts {
            let binary = URL_SAFE_NO_PAD.decode_to_vec(part).map(Zeroizing::new);
            let compressed = match &binary {
                Ok(binary) if (COMPRESS_FROM..=COMPRESS_UP_TO).contains(&binary.len()) => {
                    let compressed = Zeroizing::new(compress_to_vec(binary, COMPRESSION_LEVEL));
                    Some(compressed).filter(|compressed| compressed.len() < binary.len())
                }
                _ => None,
            };
            sequence.serialize_element(&match (&compressed, &binary) {
                (Some(compressed), _) => Part::Compressed(Bytes::new(compressed)),
                (None, Ok(binary)) => Part::Binary(Bytes::new(binary)),
                (None, Err(_)) => Part::Text(part),
            })?;
        }
        sequence.end()
    }
}

impl<'de> Deserialize<'de> for Unpacked {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let parts = Vec::<Part<'de>>::deserialize(deserializer)?;
        let len = parts.iter().map(Part::unpacked_len);
        let mut token = Zeroizing::new(String::with_capacity(len.sum()));
        for (index, part) in parts.iter().enumerate() {
            if index > 0 {
                token.push('.');
            }
            match part {
                Part::Text(text) => token.push_str(text),
                Part::Binary(binary) => URL_SAFE_NO_PAD.encode_append(binary, &mut *token),
                Part::Compressed(compressed) => {
                    let mut binary = decompress_to_vec_with_limit(compressed, COMPRESS_UP_TO)
                        .map_err(|_| de::Error::custom("a part that cannot be decompressed"))?;
                    URL_SAFE_NO_PAD.encode_append(&binary, &mut *token);
                    binary.zeroize();
                }
            }
        }
        Ok(Self(std::mem::take(&mut *token).into()))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

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
            assert_eq!(Record::decode(&bytes), Ok(record.clone()));
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
        let read = Record::decode(&bytes).unwrap().expiry;
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
            (3, Unreadable::Newer),
            (255, Unreadable::Newer),
        ] {
            bytes[0] = format;
            assert_eq!(Record::decode(&bytes), Err(expected), "{format}");
        }
        assert_eq!(Record::decode(&[]), Err(Unreadable::Malformed));
        assert_eq!(Record::decode(&[FORMAT]), Err(Unreadable::Malformed));
        for length in 0..bytes.len() {
            bytes[0] = FORMAT;
            assert!(Record::decode(&bytes[..length]).is_err(), "{length}");
        }
    }

    #[test]
    fn c_a_record_of_an_older_release_is_read() {
        let new = record(&Sample::default());
        let bytes = new.encode().unwrap();
        // Without when the refresh token was issued, which a sample does not say: one byte behind the header.
        let header = (new.version, new.expiry.idle, new.expiry.absolute);
        let header = postcard::to_allocvec(&header).unwrap().len() + 1;
        let mut old = bytes.to_vec();
        assert_eq!(old.remove(header), 0, "none");
        old[0] = FORMAT_WITHOUT_ISSUED;
        assert_eq!(Record::decode(&old), Ok(new));
    }

    #[test]
    fn c_when_the_refresh_token_was_issued_is_kept() {
        let mut record = record(&Sample::default());
        let mut delta = logto_core::session::SessionDelta::default();
        delta.refresh_token = Some("another".into());
        delta.at = Some(NOW);
        Arc::make_mut(&mut record.session).apply(&delta);
        assert_eq!(record.session.refresh_token_issued_at(), Some(NOW));
        assert_eq!(Record::decode(&record.encode().unwrap()), Ok(record));
    }

    #[test]
    fn f33_a_part_that_would_fill_the_memory_is_no_session() {
        let bomb = compress_to_vec(&vec![b' '; COMPRESS_UP_TO + 1], COMPRESSION_LEVEL);
        let sequence =
            postcard::to_allocvec(&[Part::Compressed(Bytes::new(&bomb))].as_slice()).unwrap();
        assert!(postcard::from_bytes::<Unpacked>(&sequence).is_err());
    }

    #[test]
    fn tokens_of_any_form_come_back_as_they_were() {
        let payload = |json: &str| URL_SAFE_NO_PAD.encode_to_string(json);
        let long = format!(r#"{{"text":"{}"}}"#, "long ".repeat(1_000));
        for token in [
            String::new(),
            ".".to_owned(),
            "..".to_owned(),
            "opaque token with spaces".to_owned(),
            "AB".to_owned(),
            "not canonical: AC".to_owned(),
            "AAAA====".to_owned(),
            format!("a.{}.b", payload(&long)),
            "A".repeat(10_000),
            "\u{e4}\u{20ac}".to_owned(),
        ] {
            let packed = postcard::to_allocvec(&Packed(&token)).unwrap();
            let unpacked: Unpacked = postcard::from_bytes(&packed).unwrap();
            assert_eq!(unpacked.0.expose(), token);
        }
        assert!(
            with_id_token("not a token").is_err(),
            "a session needs an ID token that can be read"
        );
    }

    proptest! {
        #[test]
        fn any_token_comes_back_as_it_was(token in "[A-Za-z0-9._~+/=-]{0,300}") {
            let packed = postcard::to_allocvec(&Packed(&token)).unwrap();
            let unpacked: Unpacked = postcard::from_bytes(&packed).unwrap();
            prop_assert_eq!(unpacked.0.expose(), &token);
        }

        #[test]
        fn f33_no_bytes_break_the_reader(
            garbage in prop::collection::vec(any::<u8>(), 0..300),
            place in any::<prop::sample::Index>(),
            byte in any::<u8>(),
        ) {
            let _ = Record::decode(&garbage);
            let mut bytes = record(&Sample { organizations: 60, ..Sample::default() }).encode().unwrap();
            let place = place.index(bytes.len());
            bytes[place] = byte;
            let _ = Record::decode(&bytes);
        }
    }
}
