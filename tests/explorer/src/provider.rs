//! Logto's side: refresh tokens that are replaced, three sliding seconds, and the end of a grant.

/// How long a refresh token that was replaced still works, counted from its last use.
pub(crate) const LEEWAY: u64 = 3_000;

/// When a use replaces the refresh token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rotation {
    /// At every use: an application without a secret.
    EachUse,
    /// Past 70 % of its life, where the first refresh token of the world is. What replaces it is young.
    Past70Percent,
}

/// One grant: what a user allowed an application at a sign-in.
#[derive(Clone, Debug, Hash)]
pub(crate) struct Provider {
    pub(crate) grant: Grant,
    /// Refresh tokens by number, in the order in which they were issued.
    pub(crate) tokens: Vec<RefreshToken>,
    /// When the first one expires, whether it was replaced or not.
    pub(crate) first_expires_at: Option<u64>,
    was_redeemed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Grant {
    Alive,
    /// A refresh token was used more than three seconds after its last use.
    EndedByLateReplay,
    /// A code was redeemed twice.
    EndedByCodeReplay,
    /// One of its refresh tokens was revoked.
    Revoked,
    /// An administrator, or the user, withdrew it; or the user was suspended.
    Withdrawn,
}

#[derive(Clone, Debug, Hash)]
pub(crate) struct RefreshToken {
    /// The token that this one replaced.
    parent: Option<u8>,
    used_at: Option<u64>,
    pub(crate) fate: Fate,
    /// Whether an answer to its use was lost, and its request was not sent once more although there was time.
    pub(crate) was_given_up: bool,
    /// Whether it was sent without a lease, because the ledger failed.
    pub(crate) was_sent_alone: bool,
    /// Whether the place where it was to be kept has failed to take it.
    pub(crate) was_not_kept: bool,
}

/// What became of the only answer that had a refresh token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Fate {
    /// The process that asked has read it, or may still do so.
    Received,
    /// It never arrived, or when nobody listened any more. Its request was sent once more, or it was too late
    /// for that.
    AnswerLost,
    /// It never arrived, and there was time to send its request once more, but nobody did.
    NotReplayed,
    /// The process that asked was killed before it read it, or before it sent its request once more.
    ReceiverKilled,
    /// The process that read it was killed before anybody else knew.
    HolderKilled,
    /// The same, after the place where it was to be kept had failed.
    KeeperKilled,
}

/// What ended a session that nobody wanted to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Cause {
    /// The browser, the store and the ledgers lead to no refresh token that works. This became of the newest.
    Unheld(Fate),
    /// One process has the newest refresh token, and the others and the browser do not.
    HeldElsewhere,
    /// The same, after the place where it was to be kept had failed.
    HeldByKeeper,
    /// A refresh token was used too late, without delay on its way.
    LateReplay,
    /// The same, under a lease that two processes have, because it was forgotten.
    LateReplayTwoLeases,
    /// The same, of a token that was replaced while the ledger failed: others could not find its successor, or were
    /// not kept from using it.
    LateReplayGap,
    /// The same, by a request that was on its way for long.
    LateReplaySlow,
    /// The same, by a request that nobody waited for any more.
    LateReplayAdrift,
    /// A code was redeemed twice.
    CodeReplayed,
    /// A refresh token was revoked, and with it the grant.
    Revoked,
    /// The cookie, or the record, was removed while its refresh token was the newest one and worked.
    Removed,
}

/// A refresh token that was issued, or was given back as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Issued {
    pub(crate) token: u8,
    pub(crate) is_new: bool,
}

impl Provider {
    pub(crate) fn new(first_expires_at: Option<u64>) -> Self {
        let mut provider = Self {
            grant: Grant::Alive,
            tokens: Vec::new(),
            first_expires_at,
            was_redeemed: false,
        };
        provider.issue(None);
        provider
    }

    fn issue(&mut self, parent: Option<u8>) -> u8 {
        self.tokens.push(RefreshToken {
            parent,
            used_at: None,
            fate: Fate::Received,
            was_given_up: false,
            was_sent_alone: false,
            was_not_kept: false,
        });
        u8::try_from(self.tokens.len() - 1).unwrap()
    }

    /// Spends a refresh token; `None` if it is refused.
    pub(crate) fn refresh(&mut self, token: u8, rotation: Rotation, now: u64) -> Option<Issued> {
        // Whether it was used before does not matter then: the grant goes on.
        if self.grant != Grant::Alive || self.has_expired(token, now) {
            return None;
        }
        if self.is_too_late(token, now) {
            self.grant = Grant::EndedByLateReplay;
            return None;
        }
        let is_new = rotation == Rotation::EachUse || token == 0;
        let token = match is_new {
            true => {
                self.tokens[usize::from(token)].used_at = Some(now);
                self.issue(Some(token))
            }
            false => token,
        };
        Some(Issued { token, is_new })
    }

    /// Whether a refresh token works, which is what introspection says: for three seconds also after it was
    /// replaced.
    pub(crate) fn is_active(&self, token: u8, now: u64) -> bool {
        self.grant == Grant::Alive && !self.has_expired(token, now) && !self.is_too_late(token, now)
    }

    /// Whether a use of the refresh token ends the grant.
    pub(crate) fn is_too_late(&self, token: u8, now: u64) -> bool {
        let used_at = self.tokens[usize::from(token)].used_at;
        used_at.is_some_and(|used_at| now > used_at + LEEWAY) && !self.has_expired(token, now)
    }

    pub(crate) fn has_expired(&self, token: u8, now: u64) -> bool {
        token == 0 && self.first_expires_at.is_some_and(|at| at <= now)
    }

    /// Whether the first refresh token has expired, and was never used.
    pub(crate) fn has_expired_unused(&self, now: u64) -> bool {
        self.tokens[0].used_at.is_none() && self.has_expired(0, now)
    }

    /// The refresh tokens that nobody has used.
    pub(crate) fn unused(&self) -> impl Iterator<Item = (u8, Fate)> {
        let tokens = (0_u8..).zip(&self.tokens);
        let unused = tokens.filter(|(_, token)| token.used_at.is_none());
        unused.map(|(number, token)| (number, self.fate(token)))
    }

    /// Whether the place has failed where the newest refresh token was to be kept.
    pub(crate) fn has_unkept(&self) -> bool {
        let mut tokens = self.tokens.iter();
        tokens.any(|token| token.used_at.is_none() && token.was_not_kept)
    }

    fn fate(&self, token: &RefreshToken) -> Fate {
        let spent = token.parent.map(|parent| &self.tokens[usize::from(parent)]);
        match token.fate {
            Fate::AnswerLost if spent.is_some_and(|spent| spent.was_given_up) => Fate::NotReplayed,
            fate => fate,
        }
    }

    /// Whether the ledger has failed while `spent` was replaced.
    pub(crate) fn has_gap(&self, spent: u8) -> bool {
        let mut tokens = self.tokens.iter();
        let is_kept = !tokens.any(|token| token.parent == Some(spent) && token.was_not_kept);
        self.tokens[usize::from(spent)].was_sent_alone || !is_kept
    }

    /// The process that could have sent the request with `spent` once more is killed.
    pub(crate) fn lose_receiver(&mut self, spent: u8) {
        for token in &mut self.tokens {
            if token.parent == Some(spent) && token.fate == Fate::AnswerLost {
                token.fate = Fate::ReceiverKilled;
            }
        }
    }

    /// Whether `token` came, over any number of replacements, from `ancestor`.
    pub(crate) fn descends(&self, token: u8, ancestor: u8) -> bool {
        let parent = self.tokens[usize::from(token)].parent;
        parent.is_some_and(|parent| parent == ancestor || self.descends(parent, ancestor))
    }

    /// Revoking any refresh token of a grant ends it.
    pub(crate) fn revoke(&mut self) {
        if self.grant == Grant::Alive {
            self.grant = Grant::Revoked;
        }
    }

    /// Whether a code is redeemed. The second time ends the grant.
    pub(crate) fn redeem(&mut self) -> bool {
        let is_first = !std::mem::replace(&mut self.was_redeemed, true);
        if !is_first {
            self.grant = Grant::EndedByCodeReplay;
        }
        is_first
    }
}
