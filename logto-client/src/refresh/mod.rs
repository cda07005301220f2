//! The one refresher. All refresh tokens are spent here.
//!
//! For each session one refresh runs at a time; callers for the same token share it, callers for
//! others queue behind it and find the newest refresh token. Before anything is sent the session is
//! read again and brought up to date by the ledger; after an answer the new refresh token goes into
//! the ledger first, then into the storage, and only then the rest of the answer is judged.

mod commit;
mod end;
mod lease;
mod newest;
mod send;
mod shared;

use self::lease::Leased;
pub(crate) use self::{end::Revocation, shared::Shared};

use std::{sync::Arc, time::Duration};

use futures_util::FutureExt;
use logto_core::{
    AccessToken, Machine, Secret, Session, Step, TokenTarget,
    error::OAuthErrorCode,
    machine::{ObtainToken, Obtained},
    session::{SessionDelta, SessionId},
};

use crate::{
    error::{Error, SessionEnd},
    event::Event,
    ledger::{self, SharedLedger},
    provider::Provider,
    storage::{Handle, SessionStorage, Stored, Version},
};

/// Whether a token that is still good will do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Need {
    /// A token that is usable now.
    Usable,
    /// A token that lives at least this long.
    Living(Duration),
    /// A token fetched now.
    New,
}

/// Where the refreshed session goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Persist {
    /// Into the storage.
    Stored,
    /// Only into the ledger.
    LedgerOnly,
}

/// A session as a caller holds it.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    pub(crate) handle: Handle,
    pub(crate) session: Session,
    pub(crate) version: Version,
    /// Whether the ledger knew more than the storage.
    pub(crate) ahead: bool,
}

/// What a flight brings home: the token or why there is none, and the session as it is now.
#[derive(Clone, Debug)]
pub(crate) struct Flown {
    pub(crate) token: Result<AccessToken, Error>,
    pub(crate) held: Held,
}

/// Callers of the same route share a flight.
pub(crate) type Route = (SessionId, [u8; 32], TokenTarget, Need, Persist);

#[derive(Debug)]
pub(crate) struct Refresher {
    provider: Arc<Provider>,
    storage: Arc<dyn SessionStorage>,
    shared: Arc<Shared>,
    shared_ledger: Option<SharedLedger>,
    single_process: bool,
}

impl Refresher {
    /// `single_process` promises that no other process can have spent a refresh token unnoticed.
    pub(crate) fn new(
        provider: Arc<Provider>,
        storage: Arc<dyn SessionStorage>,
        shared: Arc<Shared>,
        shared_ledger: Option<SharedLedger>,
        single_process: bool,
    ) -> Self {
        Self {
            provider,
            storage,
            shared,
            shared_ledger,
            single_process,
        }
    }

    /// How much the refresher remembers: flights, queues and spent tokens.
    pub(crate) fn stats(&self) -> (usize, usize, usize) {
        let shared = &self.shared;
        (
            shared.flights.len(),
            shared.turns.len(),
            shared.ledger.len(),
        )
    }

    /// Brings a session up to date with what this process knows.
    pub(crate) fn catch_up(&self, session: &mut Session) -> bool {
        self.shared.ledger.catch_up(session, self.provider.now())
    }

    /// A token for `target` from a flight.
    ///
    /// When the provider is in trouble, a token that has not expired yet is as good an answer as a new
    /// one would be.
    pub(crate) async fn obtain(
        self: &Arc<Self>,
        held: Held,
        target: TokenTarget,
        need: Need,
        persist: Persist,
    ) -> Flown {
        let spent = held
            .session
            .refresh_token()
            .map_or([0; 32], ledger::fingerprint);
        let route = (
            held.session.id().clone(),
            spent,
            target.clone(),
            need,
            persist,
        );
        let flight = self
            .shared
            .flights
            .join(&*self.provider.runtime, route, || {
                let (refresher, held, target) = (Arc::clone(self), held.clone(), target.clone());
                async move {
                    let mut held = held;
                    let token = refresher.fly(&mut held, &target, need, persist).await;
                    Flown { token, held }
                }
                .boxed()
            });
        let mut flown = flight.await;
        if let (Err(error), Need::Usable) = (&flown.token, need) {
            if matches!(error, Error::Storage(_)) || error.advice().is_retry() {
                if let Some(token) = self.not_yet_expired(&flown.held.session, &target) {
                    flown.token = Ok(token);
                }
            }
        }
        flown
    }

    fn not_yet_expired(&self, session: &Session, target: &TokenTarget) -> Option<AccessToken> {
        let token = session.access_tokens().get(target)?;
        token
            .is_usable(self.provider.now(), Duration::ZERO)
            .then(|| token.clone())
    }

    async fn fly(
        &self,
        held: &mut Held,
        target: &TokenTarget,
        need: Need,
        persist: Persist,
    ) -> Result<AccessToken, Error> {
        let _turn = self.shared.turns.take(held.session.id().clone()).await;
        self.reload(held, target).await?;
        if let Some(token) = self.at_hand(held, target, need, persist).await {
            return Ok(token);
        }
        // Fetched now, if they are old, rather than under the lease.
        self.provider.machine_keys().await?;
        let lease = match self.lease(held, target, need, persist).await? {
            Leased::Ours(lease) => lease,
            Leased::Served(token) => return Ok(token),
        };
        let single_process = self.knows_newest(&lease);
        let outcome = self
            .refresh(held, target, need, persist, single_process)
            .await;
        self.release(lease).await;
        outcome
    }

    /// The newest state of a session that anybody here knows.
    async fn reload(&self, held: &mut Held, target: &TokenTarget) -> Result<(), Error> {
        let now = self.provider.now();
        let stored = match self.is_over(&held.session) {
            true => None,
            false => self.storage.load(&held.handle, now).await?,
        };
        let Some(Stored {
            mut session,
            version,
        }) = stored
        else {
            return Err(self.ended(held.session.id(), SessionEnd::Removed));
        };
        let mut ahead = self.shared.ledger.catch_up(&mut session, now);
        ahead |= self.learn_from_others(&mut session, target).await;
        *held = Held {
            handle: held.handle.clone(),
            session,
            version,
            ahead,
        };
        Ok(())
    }

    /// What other processes did with this session: a newer refresh token, and the token for `target` if
    /// it is missing. Says whether that was news.
    async fn learn_from_others(&self, session: &mut Session, target: &TokenTarget) -> bool {
        let Some(shared) = &self.shared_ledger else {
            return false;
        };
        let mut learned = false;
        while let Some(refresh_token) = session.refresh_token().cloned() {
            let Some(delta) = shared.successor(&refresh_token).await else {
                break;
            };
            let news = self.learn(session, &refresh_token, &delta);
            learned |= news;
            if !news || session.refresh_token() == Some(&refresh_token) {
                break;
            }
        }
        let now = self.provider.now();
        let missing = session
            .usable_token(&self.provider.config, target, now)
            .is_none();
        if let (true, Some(refresh_token)) = (missing, session.refresh_token().cloned()) {
            if let Some(delta) = shared.access_token(session.id(), target).await {
                learned |= self.learn(session, &refresh_token, &delta);
            }
        }
        learned
    }

    fn learn(&self, session: &mut Session, refresh_token: &Secret, delta: &SessionDelta) -> bool {
        let now = self.provider.now();
        self.shared.ledger.record(refresh_token, delta, now);
        self.shared.ledger.catch_up(session, now)
    }

    /// The token, if nothing has to be fetched any more. A session that is ahead of its storage is
    /// written back on the way.
    async fn at_hand(
        &self,
        held: &mut Held,
        target: &TokenTarget,
        need: Need,
        persist: Persist,
    ) -> Option<AccessToken> {
        let ahead = match need {
            Need::Usable => Duration::ZERO,
            Need::Living(ahead) => ahead,
            Need::New => return None,
        };
        let now = self.provider.now();
        let token = held
            .session
            .usable_token(&self.provider.config, target, now)
            .filter(|token| token.is_usable(now, ahead))?
            .clone();
        if held.ahead && persist == Persist::Stored {
            self.write_back(held).await;
        }
        Some(token)
    }

    /// Spends the refresh token. The turn and the lease are ours; unless we are single_process, another process
    /// may have spent it nevertheless.
    async fn refresh(
        &self,
        held: &mut Held,
        target: &TokenTarget,
        need: Need,
        persist: Persist,
        single_process: bool,
    ) -> Result<AccessToken, Error> {
        loop {
            self.shared.cooldown.check(self.provider.now())?;
            let metadata = self.provider.metadata().await?;
            let keys = self.provider.machine_keys().await?;
            let (config, now) = (&self.provider.config, self.provider.now());
            let machine = match need {
                Need::Usable => {
                    ObtainToken::new(config, &metadata, &held.session, target, keys, now)?
                }
                Need::Living(_) | Need::New => {
                    ObtainToken::anew(config, &metadata, &held.session, target, keys, now)?
                }
            };
            let spent = held.session.refresh_token().cloned();
            if !single_process {
                self.assure_newest(held).await?;
            }
            match self.run(machine, held, spent.as_ref(), persist).await {
                Err(error) if error.is_oauth(&OAuthErrorCode::InvalidGrant) => {
                    // Believed only if nobody has a newer refresh token.
                    self.reload(held, target).await?;
                    if held.session.refresh_token() == spent.as_ref() {
                        return Err(self.refused(held, persist).await);
                    }
                    if let Some(token) = self.at_hand(held, target, need, persist).await {
                        return Ok(token);
                    }
                }
                Err(error) => {
                    self.shared.cooldown.learn(&error, self.provider.now());
                    if error.is_oauth(&OAuthErrorCode::InvalidClient) {
                        self.provider.observer.on_event(&Event::ClientRefused);
                    }
                    return Err(error);
                }
                Ok(token) => return Ok(token),
            }
        }
    }

    /// Drives one refresh. Whatever comes of it, `held` has the newest refresh token afterwards.
    async fn run(
        &self,
        mut machine: ObtainToken,
        held: &mut Held,
        spent: Option<&Secret>,
        persist: Persist,
    ) -> Result<AccessToken, Error> {
        let sent_at = self.provider.now();
        loop {
            match machine.poll(self.provider.now()) {
                Step::Send { endpoint, request } if endpoint.only_reads() => {
                    // This fetch of keys may fail; the new refresh token is safe before.
                    if let Some(delta) = machine.rotated().cloned() {
                        self.commit(held, spent, &delta, persist).await?;
                    }
                    let answer = self.provider.send(endpoint, request).await?;
                    machine.handle(answer, self.provider.now());
                }
                Step::Send { request, .. } => {
                    let answer = self.send(held.session.id(), request).await?;
                    machine.handle(answer, self.provider.now());
                }
                Step::Done(Obtained {
                    token, delta, keys, ..
                }) => {
                    self.provider.put_keys(keys);
                    self.commit(held, spent, &delta, persist).await?;
                    if let Some(refresh_token) = held.session.refresh_token() {
                        self.note_newest(refresh_token, sent_at);
                    }
                    return Ok(token.inspect(|_| self.tell_refreshed(held, &delta))?);
                }
            }
        }
    }

    fn tell_refreshed(&self, held: &Held, delta: &SessionDelta) {
        if let Some((target, _)) = &delta.access_token {
            self.provider.observer.on_event(&Event::Refreshed {
                session: held.session.id().clone(),
                target: target.clone(),
                rotated: delta.refresh_token.is_some(),
            });
        }
    }
}
