//! The one refresher. All refresh tokens are spent here.
//!
//! For each session one refresh runs at a time; callers for the same token share it, callers for
//! others queue behind it and find the newest refresh token. Before anything is sent the session is
//! read again and brought up to date by the ledger; after an answer the new refresh token goes into
//! the ledger first, then into the storage, and only then the rest of the answer is judged.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::FutureExt;
use http::{Request, Response, StatusCode};
use logto_core::{
    AccessToken, Machine, Secret, Session, Step, TokenTarget, UnixTime,
    error::{Endpoint, OAuthErrorCode},
    machine::{ObtainToken, Obtained},
    revocation::RevokeRefreshToken,
    session::{SessionDelta, SessionId},
};
use sha2::{Digest, Sha256};

use crate::{
    entropy::Entropy,
    error::{Error, Reach, SessionEnd},
    event::{Event, Observer},
    expiring::Expiring,
    flight::Flights,
    http::TransportError,
    ledger::{Ledger, SealedLedger},
    pause::Pause,
    provider::Provider,
    retry_budget::RetryBudget,
    storage::{Handle, Lease, Replaced, SessionStorage, StorageError, Stored, Version, Whose},
    turns::Turns,
};

/// Logto accepts a spent refresh token again for three seconds. A replay has to reach it within that
/// time, counted from when the first request can have been processed at the earliest: when it was
/// sent.
const REPLAY_WINDOW: Duration = Duration::from_millis(2500);
/// How often a request that did not leave is sent again.
const RECONNECTS: u32 = 2;
/// How long to wait for another process that refreshes the same session.
const LEASE_PATIENCE: Duration = Duration::from_secs(5);
const LEASE_POLL: Duration = Duration::from_millis(50);
/// How long a session that ended is refused by name. Its cookie may have been copied; whoever needs more
/// than that keeps sessions in a store on the server.
const OVER_LIFETIME: Duration = Duration::from_secs(24 * 3600);
/// How many ended sessions are remembered.
const MOST_OVER: usize = 100_000;
/// How often a write is repeated after a storage failed or somebody else was faster.
const WRITE_ATTEMPTS: u32 = 4;

/// Whether a token that is still good will do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Need {
    /// A token that is usable now.
    Usable,
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

type Route = (SessionId, [u8; 32], TokenTarget, Need, Persist);

#[derive(Debug)]
pub(crate) struct Refresher {
    provider: Arc<Provider>,
    storage: Arc<dyn SessionStorage>,
    ledger: Ledger,
    shared_ledger: Option<SealedLedger>,
    entropy: Arc<dyn Entropy>,
    observer: Arc<dyn Observer>,
    flights: Flights<Route, Flown>,
    turns: Turns<SessionId>,
    pause: Pause,
    retries: RetryBudget,
    /// Sessions that ended here: no refresh under way brings one back, and no copy of its cookie is
    /// worth anything in this process.
    over: Expiring<SessionId, ()>,
    /// Whose sessions the provider has ended by back-channel logout, and when: a session that began
    /// before that is over, wherever it is kept.
    logged_out: Expiring<Whose, UnixTime>,
}

/// What the refresher is made of besides the provider.
pub(crate) struct Parts {
    pub(crate) storage: Arc<dyn SessionStorage>,
    pub(crate) ledger: Ledger,
    pub(crate) shared_ledger: Option<SealedLedger>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) observer: Arc<dyn Observer>,
}

impl Refresher {
    pub(crate) fn new(provider: Arc<Provider>, parts: Parts) -> Self {
        Self {
            flights: Flights::new(Arc::clone(&provider.runtime)),
            provider,
            storage: parts.storage,
            ledger: parts.ledger,
            shared_ledger: parts.shared_ledger,
            entropy: parts.entropy,
            observer: parts.observer,
            turns: Turns::new(),
            pause: Pause::default(),
            retries: RetryBudget::default(),
            over: Expiring::new(MOST_OVER),
            logged_out: Expiring::new(MOST_OVER),
        }
    }

    /// How much the refresher remembers: flights, queues and spent tokens.
    pub(crate) fn load(&self) -> (usize, usize, usize) {
        (self.flights.len(), self.turns.len(), self.ledger.len())
    }

    /// Brings a session up to date with what this process knows.
    pub(crate) fn catch_up(&self, session: &mut Session) -> bool {
        self.ledger.catch_up(session, self.provider.now())
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
            .map_or([0; 32], |token| Sha256::digest(token.expose()).into());
        let route = (held.session.id().clone(), spent, target.clone(), need, persist);
        let flight = self.flights.join(route, || {
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
            if error.reach() == Reach::Transient {
                if let Some(token) = self.not_yet_expired(&flown.held.session, &target) {
                    flown.token = Ok(token);
                }
            }
        }
        flown
    }

    fn not_yet_expired(&self, session: &Session, target: &TokenTarget) -> Option<AccessToken> {
        let token = session.access_tokens().get(target)?;
        token.is_usable(self.provider.now(), Duration::ZERO).then(|| token.clone())
    }

    async fn fly(
        &self,
        held: &mut Held,
        target: &TokenTarget,
        need: Need,
        persist: Persist,
    ) -> Result<AccessToken, Error> {
        let _turn = self.turns.take(held.session.id().clone()).await;
        self.reload(held).await?;
        if let Some(token) = self.at_hand(held, target, need, persist).await {
            return Ok(token);
        }
        let lease = match self.lease(held, target, need, persist).await? {
            Leased::Ours(lease) => lease,
            Leased::Served(token) => return Ok(token),
        };
        let handle = held.handle.clone();
        let outcome = self.refresh(held, target, need, persist).await;
        // A lease that cannot be given back ends with its time.
        let _ = self.storage.release(&handle, lease).await;
        outcome
    }

    /// The newest state of a session that anybody here knows.
    async fn reload(&self, held: &mut Held) -> Result<(), Error> {
        let now = self.provider.now();
        let stored = match self.is_over(&held.session) {
            true => None,
            false => self.storage.load(&held.handle, now).await?,
        };
        let Some(Stored { mut session, version }) = stored else {
            return Err(self.ended(held.session.id(), SessionEnd::Removed));
        };
        let mut ahead = self.ledger.catch_up(&mut session, now);
        ahead |= self.learn_from_others(&mut session).await;
        *held = Held { handle: held.handle.clone(), session, version, ahead };
        Ok(())
    }

    /// What other processes did with this session's refresh token; whether that was news.
    async fn learn_from_others(&self, session: &mut Session) -> bool {
        let Some(shared) = &self.shared_ledger else { return false };
        let mut learned = false;
        while let Some(refresh_token) = session.refresh_token().cloned() {
            let Some(delta) = shared.find(&refresh_token).await else { break };
            let now = self.provider.now();
            self.ledger.record(&refresh_token, &delta, now);
            let news = self.ledger.catch_up(session, now);
            learned |= news;
            if !news || session.refresh_token() == Some(&refresh_token) {
                break;
            }
        }
        learned
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
        if need == Need::New {
            return None;
        }
        let now = self.provider.now();
        let token = held.session.usable_token(&self.provider.config, target, now)?.clone();
        if held.ahead && persist == Persist::Stored {
            self.write_back(held).await;
        }
        Some(token)
    }

    /// Writes what the ledger knows and the storage does not; a failure is no loss, as the ledger
    /// still knows it.
    pub(crate) async fn write_back(&self, held: &mut Held) {
        let now = self.provider.now();
        let written =
            self.storage.replace(&held.handle, held.version, &held.session, now).await;
        match written {
            Ok(Replaced::Stored { handle, version }) => {
                held.handle = handle;
                held.version = version;
                held.ahead = false;
            }
            Ok(Replaced::Conflict(Stored { mut session, version })) => {
                held.ahead = self.ledger.catch_up(&mut session, now);
                held.session = session;
                held.version = version;
            }
            Ok(Replaced::Gone) => {}
            Err(error) => self.not_stored(&held.session, &error),
        }
    }

    /// Waits for the right to refresh, against other processes.
    async fn lease(
        &self,
        held: &mut Held,
        target: &TokenTarget,
        need: Need,
        persist: Persist,
    ) -> Result<Leased, Error> {
        let started = self.provider.clock.monotonic();
        loop {
            if let Some(lease) = self.storage.lease(&held.handle, self.lease_time()).await? {
                // Whoever held it before us may have refreshed since we looked.
                let reloaded = if shared_lease(&lease) { self.reload(held).await } else { Ok(()) };
                let served = match reloaded {
                    Ok(()) => self.at_hand(held, target, need, persist).await.map(Ok),
                    Err(error) => Some(Err(error)),
                };
                let Some(served) = served else { return Ok(Leased::Ours(lease)) };
                let _ = self.storage.release(&held.handle, lease).await;
                return served.map(Leased::Served);
            }
            if self.provider.clock.monotonic().saturating_sub(started) > LEASE_PATIENCE {
                return Err(Error::Busy);
            }
            self.provider.runtime.sleep(LEASE_POLL).await;
            self.reload(held).await?;
            if let Some(token) = self.at_hand(held, target, need, persist).await {
                return Ok(Leased::Served(token));
            }
        }
    }

    /// A lease outlives everything that can happen under it: two calls to the token endpoint, one for
    /// keys, and the writes.
    fn lease_time(&self) -> Duration {
        self.provider.deadline() * 4 + LEASE_PATIENCE
    }

    /// Spends the refresh token. The turn and the lease are ours.
    async fn refresh(
        &self,
        held: &mut Held,
        target: &TokenTarget,
        need: Need,
        persist: Persist,
    ) -> Result<AccessToken, Error> {
        loop {
            self.pause.check(self.provider.now())?;
            let metadata = self.provider.metadata().await?;
            let keys = self.provider.machine_keys().await?;
            let (config, now) = (&self.provider.config, self.provider.now());
            let machine = match need {
                Need::Usable => ObtainToken::new(config, &metadata, &held.session, target, keys, now)?,
                Need::New => ObtainToken::anew(config, &metadata, &held.session, target, keys, now)?,
            };
            let spent = held.session.refresh_token().cloned();
            match self.run(machine, held, spent.as_ref(), persist).await {
                Err(error) if error.is_oauth(&OAuthErrorCode::InvalidGrant) => {
                    // Believed only if nobody has a newer refresh token.
                    self.reload(held).await?;
                    if held.session.refresh_token() == spent.as_ref() {
                        return Err(self.refused(held, persist).await);
                    }
                    if let Some(token) = self.at_hand(held, target, need, persist).await {
                        return Ok(token);
                    }
                }
                Err(error) => {
                    self.pause.learn(&error, self.provider.now());
                    if error.is_oauth(&OAuthErrorCode::InvalidClient) {
                        self.observer.on_event(&Event::ClientRefused);
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
        loop {
            match machine.poll(self.provider.now()) {
                Step::Send(request) => {
                    if let Some(delta) = machine.rotated().cloned() {
                        // The fetch of keys that comes now may fail; the refresh token is safe before.
                        self.commit(held, spent, &delta, persist).await?;
                        let answer = self.provider.send(Endpoint::Keys, request).await?;
                        machine.handle(answer, self.provider.now());
                    } else {
                        let answer = self.send(held.session.id(), request).await?;
                        machine.handle(answer, self.provider.now());
                    }
                }
                Step::Done(Obtained { token, delta, keys, .. }) => {
                    self.provider.put_keys(keys);
                    self.commit(held, spent, &delta, persist).await?;
                    return Ok(token.inspect(|_| self.tell_refreshed(held, &delta))?);
                }
            }
        }
    }

    fn tell_refreshed(&self, held: &Held, delta: &SessionDelta) {
        if let Some((target, _)) = &delta.access_token {
            self.observer.on_event(&Event::Refreshed {
                session: held.session.id().clone(),
                target: target.clone(),
                rotated: delta.refresh_token.is_some(),
            });
        }
    }

    /// Sends the refresh request: again if it never left, and once more if its answer was lost and
    /// Logto still accepts the spent token.
    async fn send(
        &self,
        session: &SessionId,
        request: Request<Bytes>,
    ) -> Result<Response<Bytes>, Error> {
        let clock = &self.provider.clock;
        self.retries.deposit();
        let mut reconnects = 0;
        let mut lost_since = None;
        loop {
            let sent_at = clock.monotonic();
            let answer = self.provider.send(Endpoint::Token, request.clone()).await;
            let again = match Fate::of(&answer) {
                Fate::Answered => return answer,
                Fate::NotSent if reconnects < RECONNECTS && self.retries.withdraw() => {
                    reconnects += 1;
                    self.provider.runtime.sleep(self.jitter(reconnects)).await;
                    true
                }
                Fate::Lost if lost_since.is_none() => {
                    lost_since = Some(sent_at);
                    self.retries.withdraw()
                }
                Fate::NotSent | Fate::Lost => false,
            };
            let Some(lost_since) = lost_since else {
                if again {
                    continue;
                }
                return answer;
            };
            if !again || clock.monotonic().saturating_sub(lost_since) >= REPLAY_WINDOW {
                self.observer.on_event(&Event::RefreshUncertain { session: session.clone() });
                return answer;
            }
        }
    }

    /// 50 to 100 ms, doubled each time.
    fn jitter(&self, attempt: u32) -> Duration {
        let mut byte = [0; 1];
        // Without randomness the pause is the same each time, which is no harm.
        let _ = self.entropy.fill(&mut byte);
        Duration::from_millis((50 + u64::from(byte[0]) / 5) << attempt.min(4).saturating_sub(1))
    }

    /// Makes a change last: in the ledger, which cannot fail, for others, and in the storage.
    async fn commit(
        &self,
        held: &mut Held,
        spent: Option<&Secret>,
        delta: &SessionDelta,
        persist: Persist,
    ) -> Result<(), Error> {
        if delta.is_empty() {
            return Ok(());
        }
        if let Some(spent) = spent {
            self.ledger.record(spent, delta, self.provider.now());
            if let Some(shared) = &self.shared_ledger {
                let _ = shared.tell(spent, delta, &*self.entropy).await;
            }
        }
        held.session.apply(delta);
        match persist {
            Persist::Stored => self.store(held, delta).await,
            Persist::LedgerOnly => Ok(()),
        }
    }

    /// Writes the session; merges with whoever was faster; gives way to a removal.
    async fn store(&self, held: &mut Held, delta: &SessionDelta) -> Result<(), Error> {
        for attempt in 1..=WRITE_ATTEMPTS {
            let now = self.provider.now();
            match self.storage.replace(&held.handle, held.version, &held.session, now).await {
                Ok(Replaced::Stored { handle, version }) => {
                    held.handle = handle;
                    held.version = version;
                    return Ok(());
                }
                Ok(Replaced::Conflict(Stored { mut session, version })) => {
                    session.apply(delta);
                    held.session = session;
                    held.version = version;
                }
                Ok(Replaced::Gone) => {
                    self.revoke(held.session.refresh_token().cloned());
                    return Err(self.ended(held.session.id(), SessionEnd::Removed));
                }
                Err(StorageError::Unavailable(_)) if attempt < WRITE_ATTEMPTS => {
                    self.provider.runtime.sleep(self.jitter(attempt)).await;
                }
                Err(error) => {
                    self.not_stored(&held.session, &error);
                    return Ok(());
                }
            }
        }
        self.not_stored(&held.session, &StorageError::Misconfigured("every write was a conflict".to_owned()));
        Ok(())
    }

    fn not_stored(&self, session: &Session, error: &StorageError) {
        self.observer.on_event(&Event::NotStored {
            session: session.id().clone(),
            reason: error.to_string(),
        });
    }

    /// The provider's word that a session is over.
    async fn refused(&self, held: &Held, persist: Persist) -> Error {
        if persist == Persist::Stored {
            // A record that cannot be removed ends at its next use, by the same word.
            let _ = self.storage.remove(&held.handle).await;
        }
        self.ended(held.session.id(), SessionEnd::RefreshTokenRefused)
    }

    /// Ends a session for good in this process and waits for a refresh under way, so that `held` has
    /// its last refresh token.
    pub(crate) async fn sign_out(&self, held: &mut Held) {
        self.mark_over(held.session.id());
        let _turn = self.turns.take(held.session.id().clone()).await;
        self.ledger.catch_up(&mut held.session, self.provider.now());
        if let Some(refresh_token) = held.session.refresh_token() {
            self.ledger.forget(refresh_token);
        }
    }

    /// Removes a session that a new sign-in of the same browser has replaced. Its refresh token is not
    /// revoked: Logto may have given the new session the same grant, which would go along.
    pub(crate) async fn retire(&self, held: &mut Held) {
        self.sign_out(held).await;
        // Not while another process refreshes it: that one would revoke what it got.
        let ttl = self.lease_time();
        if let Ok(Some(lease)) = self.storage.lease(&held.handle, ttl).await {
            // The new session is there; an old one that cannot be removed ends by its age.
            let _ = self.storage.remove(&held.handle).await;
            let _ = self.storage.release(&held.handle, lease).await;
        }
    }

    /// Forgets an access token, here and in the storage.
    pub(crate) async fn forget(&self, held: &mut Held, target: &TokenTarget) -> Result<(), Error> {
        let _turn = self.turns.take(held.session.id().clone()).await;
        self.reload(held).await?;
        if let Some(refresh_token) = held.session.refresh_token() {
            self.ledger.forget_token(refresh_token, target);
        }
        let mut delta = SessionDelta::default();
        delta.forgotten.push(target.clone());
        held.session.apply(&delta);
        self.store(held, &delta).await
    }

    /// Whether a session has ended in this process.
    pub(crate) fn is_over(&self, session: &Session) -> bool {
        let now = self.provider.now();
        let claims = session.claims();
        let ended_since = |whose| {
            self.logged_out.get(&whose, now).is_some_and(|at| session.created_at() <= at)
        };
        self.over.get(session.id(), now).is_some()
            || ended_since(Whose::Subject(claims.sub.clone()))
            || claims.sid.clone().is_some_and(|sid| ended_since(Whose::ProviderSession(sid)))
    }

    /// Ends all sessions of a user or of a session at the provider that began until `at`, and says how
    /// many the storage knew.
    pub(crate) async fn log_out(&self, whose: Whose, at: UnixTime) -> Result<Option<u64>, Error> {
        let now = self.provider.now();
        self.logged_out.insert(whose.clone(), at, now.plus(OVER_LIFETIME), now);
        Ok(self.storage.remove_all(&whose).await?)
    }

    fn mark_over(&self, session: &SessionId) -> bool {
        let now = self.provider.now();
        self.over.insert(session.clone(), (), now.plus(OVER_LIFETIME), now)
    }

    fn ended(&self, session: &SessionId, reason: SessionEnd) -> Error {
        if self.mark_over(session) {
            self.observer.on_event(&Event::SessionEnded { session: session.clone(), reason });
        }
        Error::SessionEnded(reason)
    }

    /// Revokes a refresh token in the background. Nobody waits for it and nobody is hurt if it fails.
    pub(crate) fn revoke(&self, refresh_token: Option<Secret>) {
        let Some(refresh_token) = refresh_token else { return };
        self.ledger.forget(&refresh_token);
        let (provider, observer) = (Arc::clone(&self.provider), Arc::clone(&self.observer));
        self.provider.runtime.spawn(
            async move {
                if let Err(error) = revoke(&provider, refresh_token).await {
                    observer.on_event(&Event::NotRevoked { reason: error.to_string() });
                }
            }
            .boxed(),
        );
    }
}

/// Revokes a refresh token.
pub(crate) async fn revoke(provider: &Arc<Provider>, refresh_token: Secret) -> Result<(), Error> {
    let metadata = provider.metadata().await?;
    let revocation = RevokeRefreshToken::new(&provider.config, &metadata, refresh_token)?;
    provider.exchange(Endpoint::Revocation, revocation).await
}

enum Leased {
    Ours(Lease),
    Served(AccessToken),
}

/// Whether other processes could have held the lease.
fn shared_lease(lease: &Lease) -> bool {
    lease.token().is_some()
}

/// What became of a request that must not be processed twice too late.
enum Fate {
    /// It was answered, for better or worse.
    Answered,
    /// It never left.
    NotSent,
    /// It may have been processed, and nobody can read what came of it: no answer, a garbled one, or an
    /// error of a server that may have failed after it replaced the refresh token.
    Lost,
}

impl Fate {
    fn of(answer: &Result<Response<Bytes>, Error>) -> Self {
        match answer {
            Err(Error::Transport { source: TransportError::NotSent(_), .. }) => Self::NotSent,
            Err(_) => Self::Lost,
            Ok(response) => match response.status() {
                StatusCode::INTERNAL_SERVER_ERROR
                | StatusCode::BAD_GATEWAY
                | StatusCode::GATEWAY_TIMEOUT => Self::Lost,
                status if status.is_success() && !is_json_object(response.body()) => Self::Lost,
                _ => Self::Answered,
            },
        }
    }
}

fn is_json_object(body: &[u8]) -> bool {
    serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(body).is_ok()
}
