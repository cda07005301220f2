//! An opened record whose content is decoded on demand.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    ops::Range,
    sync::OnceLock,
};

use logto_client::seal::Plaintext;
use logto_core::{
    AccessToken, Secret, TokenTarget,
    session::{SessionData, StoredContent},
};
use serde::Deserialize;
use smallvec::SmallVec;

use super::{Target, owned, packed::Unpacked, read};

/// The opened content of a record, with the positions of its parts. Their form was checked, and they were
/// written from a session that could be read.
pub(super) struct Content {
    pub(super) bytes: Plaintext,
    pub(super) id_token: Range<usize>,
    pub(super) refresh_token: Range<usize>,
    pub(super) access_tokens: SmallVec<[StoredToken; 4]>,
    pub(super) requested_scopes: Range<usize>,
    pub(super) requested_resources: Range<usize>,
    pub(super) granted_scopes: Range<usize>,
    /// Empty if there is none.
    pub(super) data: Range<usize>,
}

pub(super) struct StoredToken {
    at: Range<usize>,
    read: OnceLock<Option<AccessToken>>,
}

impl StoredToken {
    pub(super) fn at(at: Range<usize>) -> Self {
        Self {
            at,
            read: OnceLock::new(),
        }
    }
}

impl Content {
    fn read<'a, T: Deserialize<'a>>(&'a self, at: &Range<usize>) -> Option<T> {
        postcard::from_bytes(self.bytes.get(at.clone())?).ok()
    }

    fn names(&self, at: &Range<usize>) -> BTreeSet<String> {
        self.read(at).map(owned).unwrap_or_default()
    }

    fn token<'a>(&'a self, stored: &'a StoredToken) -> Option<&'a AccessToken> {
        let decode = || Some(read(self.read(&stored.at)?).1);
        stored.read.get_or_init(decode).as_ref()
    }
}

impl StoredContent for Content {
    fn id_token(&self) -> Secret {
        let token = self.read::<Unpacked>(&self.id_token);
        token.map_or_else(|| "".into(), |token| token.0)
    }

    fn refresh_token(&self) -> Option<Secret> {
        let token = self.read::<Option<Unpacked>>(&self.refresh_token);
        token.flatten().map(|token| token.0)
    }

    /// Of two tokens for one target, which crossed responses have left, the one issued last counts.
    fn access_token(&self, target: &TokenTarget) -> Option<&AccessToken> {
        let is_meant = |token: &&StoredToken| {
            let found = self.read::<Target<'_>>(&token.at);
            found.is_some_and(|found| found.is(target))
        };
        let tokens = self.access_tokens.iter().filter(is_meant);
        tokens
            .filter_map(|token| self.token(token))
            .reduce(|held, token| match held.issued_at < token.issued_at {
                true => token,
                false => held,
            })
    }

    fn access_tokens(&self) -> BTreeMap<TokenTarget, AccessToken> {
        let mut tokens = BTreeMap::<_, AccessToken>::new();
        for token in &self.access_tokens {
            let target = self.read::<Target<'_>>(&token.at);
            let (Some(target), Some(token)) = (target, self.token(token)) else {
                continue;
            };
            let target = target.into();
            let held = tokens.get(&target);
            if held.is_none_or(|held| held.issued_at < token.issued_at) {
                tokens.insert(target, token.clone());
            }
        }
        tokens
    }

    fn requested_scopes(&self) -> BTreeSet<String> {
        self.names(&self.requested_scopes)
    }

    fn requested_resources(&self) -> BTreeSet<String> {
        self.names(&self.requested_resources)
    }

    fn granted_scopes(&self) -> BTreeSet<String> {
        self.names(&self.granted_scopes)
    }

    fn data(&self) -> Option<SessionData> {
        self.read::<&str>(&self.data).map(SessionData::from_stored)
    }
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Content([redacted])")
    }
}
