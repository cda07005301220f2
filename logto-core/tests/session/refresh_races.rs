//! A refresh among other processes: what it must not overwrite, spend or leave behind. `tests/explorer` found
//! most of these; here each stands by itself.

use std::{sync::Arc, time::Duration};

use logto_core::{
    Exchange, Secret, TokenTarget,
    error::TokenError,
    refresh::{
        Action, Demand, EndSession, Ending, Event, Knowledge, LeaseGrant, Moment, Refresh,
        RefreshError, SessionJob, Step,
    },
    session::SessionDelta,
};
use serde_json::json;

use crate::support::{
    provider::{NOW, config, json_response, metadata},
    refreshing::job,
    sessions::{API, delta, plain_id_token, session, session_with, token_record},
};

/// The lease of a record in a store.
pub(super) const OF_STORE: LeaseGrant = LeaseGrant {
    is_shared: true,
    is_exclusive: false,
    was_taken_over: false,
};
/// The lease of a shared ledger.
const OF_LEDGER: LeaseGrant = LeaseGrant {
    is_exclusive: true,
    ..OF_STORE
};
/// Cookies in processes that share nothing.
const OF_NOBODY: LeaseGrant = LeaseGrant {
    is_shared: false,
    ..OF_STORE
};

pub(super) type Failure = &'static str;

/// A job whose every event the test makes.
pub(super) struct ByHand<J: SessionJob<Failure>> {
    job: J,
    millis: u64,
    /// What was to be done after the last event.
    pub(super) actions: Vec<Action<Failure>>,
    /// What came of the job, once it is done.
    pub(super) output: Option<J::Output>,
}

impl<J: SessionJob<Failure>> ByHand<J> {
    pub(super) fn new(job: J) -> Self {
        let mut by_hand = Self {
            job,
            millis: 0,
            actions: Vec::new(),
            output: None,
        };
        by_hand.poll();
        by_hand
    }

    pub(super) fn then(mut self, event: Event<Failure>) -> Self {
        self.job.handle(event, moment(self.millis));
        self.poll();
        self
    }

    pub(super) fn later(mut self, millis: u64) -> Self {
        self.millis += millis;
        self
    }

    fn poll(&mut self) {
        self.actions.clear();
        loop {
            match self.job.poll(moment(self.millis)) {
                Step::Perform(action) => self.actions.push(action),
                Step::Done(output) => {
                    self.output = Some(output);
                    break;
                }
                Step::Wait { .. } => break,
            }
        }
    }

    /// What was to be done after the last event, by name.
    pub(super) fn to_do(&self) -> Vec<String> {
        let name = |action: &Action<Failure>| {
            let text = format!("{action:?}");
            let end = text.find(|c: char| !c.is_alphanumeric());
            text[..end.unwrap_or(text.len())].to_owned()
        };
        self.actions.iter().map(name).collect()
    }

    /// The refresh token in the session that was to be stored.
    fn stores(&self) -> &str {
        let stored = self.actions.iter().find_map(|action| match action {
            Action::Store { session } => session.refresh_token(),
            _ => None,
        });
        stored.unwrap().expose()
    }

    /// How many milliseconds after the beginning the request has to leave.
    fn start_by(&self) -> Option<u64> {
        let start_by = self.actions.iter().find_map(|action| match action {
            Action::Send { start_by, .. } => Some(*start_by),
            _ => None,
        });
        let millis = |start_by: Duration| u64::try_from(start_by.as_millis()).unwrap();
        start_by.expect("a request was to be sent").map(millis)
    }
}

pub(super) fn moment(millis: u64) -> Moment {
    Moment {
        wall: NOW,
        monotonic: Duration::from_millis(millis),
    }
}

/// A refresh of a session for a token that it lacks, as far as the lease.
fn leased(grant: LeaseGrant) -> ByHand<Refresh<Failure>> {
    let mut job = job(config(), &acme(), Demand::Usable);
    job.is_exclusive = grant.is_shared && !grant.is_exclusive;
    let refresh = Refresh::new(job, Arc::new(session()), false, moment(0));
    let by_hand = ByHand::new(refresh).then(recalled());
    assert_eq!(by_hand.to_do(), ["Lease"]);
    by_hand.then(Event::Leased(grant))
}

/// As far as the question about the refresh token or, where that is not needed, the request.
fn prepared(grant: LeaseGrant) -> ByHand<Refresh<Failure>> {
    leased(grant).then(loaded()).then(recalled()).prepare()
}

/// As far as the record of the refresh token that replaced the first.
fn answered(grant: LeaseGrant) -> ByHand<Refresh<Failure>> {
    let by_hand = prepared(grant).then(response(None));
    assert_eq!(by_hand.to_do(), ["Record"]);
    by_hand
}

impl ByHand<Refresh<Failure>> {
    fn prepare(self) -> Self {
        assert_eq!(self.to_do(), ["Prepare"]);
        self.then(Event::Prepared(Arc::new(metadata())))
    }
}

fn acme() -> TokenTarget {
    TokenTarget::organization("acme")
}

fn loaded() -> Event<Failure> {
    Event::Loaded(Arc::new(session()))
}

fn recalled() -> Event<Failure> {
    Event::Recalled(Knowledge::default())
}

/// What the ledgers know about the refresh token.
fn known(delta: SessionDelta) -> Event<Failure> {
    Event::Recalled(Knowledge {
        deltas: vec![delta],
        ..Knowledge::default()
    })
}

fn rotated_to(refresh_token: &str) -> Event<Failure> {
    known(delta(json!({ "refresh_token": refresh_token })))
}

fn recorded(is_shared: bool) -> Event<Failure> {
    Event::Recorded {
        has_ended: false,
        is_shared,
    }
}

/// Another writer was faster, and this is the refresh token that it stored.
fn conflict(refresh_token: &str) -> Event<Failure> {
    let stored = session_with("refresh_token", json!(refresh_token));
    Event::Conflict(Arc::new(stored))
}

fn write_failed() -> Event<Failure> {
    Event::StoreFailed {
        failure: "down",
        is_transient: false,
    }
}

/// The answer to a refresh that replaced the refresh token.
fn response(id_token: Option<&str>) -> Event<Failure> {
    let exchange = session().refresh(&config(), &metadata(), &acme(), NOW);
    let body = json!({
        "access_token": "an-access-token",
        "token_type": "Bearer",
        "expires_in": 600,
        "refresh_token": "second",
        "id_token": id_token,
    });
    Event::Response {
        answer: exchange.unwrap().accept(json_response(200, &body), NOW),
        sent_at: Duration::ZERO,
    }
}

fn invalid_grant() -> Event<Failure> {
    let exchange = session().refresh(&config(), &metadata(), &acme(), NOW);
    let response = json_response(400, &json!({ "error": "invalid_grant" }));
    Event::Response {
        answer: exchange.unwrap().accept(response, NOW),
        sent_at: Duration::ZERO,
    }
}

/// Who takes an expired lease over asks before it spends a token; who gets a free one does not.
#[test]
fn a_lease_is_given_back_only_if_the_next_one_finds_the_newest_refresh_token() {
    let is_released =
        |by_hand: ByHand<Refresh<Failure>>| by_hand.to_do().contains(&"Release".into());
    let of_store = |written| answered(OF_STORE).then(recorded(true)).then(written);
    assert!(is_released(of_store(Event::Stored)));
    assert!(!is_released(of_store(write_failed())));
    // Whoever uses the ledger next finds the token there, and nobody reads the cookie.
    let of_ledger = |is_shared| answered(OF_LEDGER).then(recorded(is_shared));
    assert!(is_released(of_ledger(true).then(Event::Stored)));
    assert!(is_released(of_ledger(true).then(write_failed())));
    assert!(!is_released(of_ledger(false).then(Event::Stored)));
}

#[test]
fn a_conflict_never_takes_an_older_refresh_token_over_a_newer_one() {
    let storing = || answered(OF_STORE).then(recorded(true));
    assert_eq!(storing().stores(), "second");
    // The other writer changed something else.
    assert_eq!(
        storing().then(conflict("the-refresh-token")).stores(),
        "second"
    );
    // What was read was older than what is stored.
    let stale = leased(OF_STORE).then(loaded()).then(rotated_to("newer"));
    let stale = stale
        .then(recalled())
        .prepare()
        .then(response(None))
        .then(recorded(true));
    assert_eq!(stale.then(conflict("newer")).stores(), "second");
    // It has refreshed: its token works as well, and may have replaced ours.
    let theirs = storing().then(conflict("third"));
    assert_eq!(theirs.stores(), "third");
    let token = theirs.actions.iter().find_map(|action| match action {
        Action::Store { session } => session.access_tokens().get(&acme()),
        _ => None,
    });
    assert_eq!(token.unwrap().token.expose(), "an-access-token");
}

/// A refresh token is kept before the keys are fetched that its ID token needs. What comes after that must
/// not bring it back.
#[test]
fn a_refresh_token_that_was_kept_is_not_kept_again() {
    let lacks_key = || Event::Judged(Err(TokenError::KeyNotFound { kid: None }));
    let by_hand = prepared(OF_STORE).then(response(Some(plain_id_token())));
    let kept = by_hand
        .then(lacks_key())
        .then(recorded(true))
        .then(conflict("third"));
    assert_eq!(kept.stores(), "third");
    let judging = kept.then(Event::Stored).then(Event::KeysFetched);
    assert_eq!(judging.to_do(), ["Judge"]);
    let passed = || Event::Judged(Ok(Secret::from(plain_id_token()).try_into().unwrap()));
    assert_eq!(
        judging.then(passed()).then(recorded(true)).stores(),
        "third"
    );
}

#[test]
fn f36_a_shared_ledger_that_fails_is_no_reason_not_to_ask() {
    assert_eq!(prepared(OF_LEDGER).to_do(), ["Send"]);
    let failed = Event::Recalled(Knowledge {
        is_partial: true,
        ..Knowledge::default()
    });
    let by_hand = leased(OF_LEDGER).then(loaded()).then(failed).prepare();
    assert_eq!(by_hand.to_do(), ["Ask"]);
}

/// Logto calls a token active for three seconds after it was replaced.
#[test]
fn f36_an_active_refresh_token_is_spent_at_once_or_asked_about_again() {
    let asking = || prepared(OF_NOBODY);
    assert_eq!(asking().to_do(), ["Ask"]);
    let in_time = asking().later(1_999).then(Event::Active);
    assert_eq!(in_time.to_do(), ["Send"], "and nothing is noted for others");
    assert_eq!(in_time.start_by(), Some(2_000));
    assert_eq!(asking().later(2_000).then(Event::Active).to_do(), ["Ask"]);
}

/// The first request may have replaced the token. Asking about it again would tell nothing.
#[test]
fn f36_a_replay_waits_for_no_question() {
    let lost = Event::Lost {
        failure: "reset",
        sent_at: Duration::from_millis(1_000),
    };
    let asked = prepared(OF_NOBODY).later(1_000).then(Event::Active);
    let replay = asked.later(2_000).then(lost);
    assert_eq!(replay.to_do(), ["Send"]);
    assert_eq!(replay.start_by(), Some(3_500));
}

#[test]
fn a_lease_that_ran_out_during_the_question_is_taken_again() {
    let taken_over = LeaseGrant {
        was_taken_over: true,
        ..OF_STORE
    };
    let asking = prepared(taken_over);
    assert_eq!(asking.to_do(), ["Ask"]);
    assert_eq!(asking.later(6_000).then(Event::Active).to_do(), ["Lease"]);
}

/// Whoever had the lease before may have replaced the stored refresh token and still be alive. Given back, the
/// lease would tell the next process that nobody has.
#[test]
fn a_lease_that_was_taken_over_is_given_back_only_after_a_refresh() {
    let taken_over = LeaseGrant {
        was_taken_over: true,
        ..OF_STORE
    };
    for grant in [OF_STORE, taken_over] {
        let release: &[&str] = match grant.was_taken_over {
            true => &[],
            false => &["Release"],
        };
        let failed = || Event::Failed("down");
        assert_eq!(leased(grant).then(failed()).to_do(), release);
        let fetched = delta(json!({
            "access_token": [{"organization_id": "acme"}, token_record("fetched-elsewhere", &[], 600)],
        }));
        let found = leased(grant).then(loaded()).then(known(fetched));
        let written = found.then(Event::Stored);
        assert_eq!(written.to_do(), release);
    }
    let asked = prepared(taken_over).then(Event::Active);
    let spent = asked.then(response(None)).then(recorded(false));
    assert_eq!(spent.then(Event::Stored).to_do().last().unwrap(), "Release");
}

/// Nothing is revoked: the session was not removed while the refresh was under way, and the token that it
/// has may be that of a grant which goes on.
#[test]
fn a_session_that_vanished_before_it_was_written_back_is_gone() {
    let fetched = delta(json!({
        "refresh_token": "second",
        "access_token": [{"organization_id": "acme"}, token_record("fetched-elsewhere", &[], 600)],
    }));
    let refresh = Refresh::new(
        job(config(), &acme(), Demand::Usable),
        Arc::new(session()),
        false,
        moment(0),
    );
    let writing = ByHand::new(refresh).then(known(fetched)).then(recalled());
    assert_eq!(writing.stores(), "second");
    assert_eq!(writing.then(Event::Gone).to_do(), ["MarkEnded"]);
    // After a refresh, whoever removed the session could not know of the token that came.
    let storing = answered(OF_STORE).then(recorded(true));
    let overtaken = storing.then(Event::Gone).to_do();
    assert_eq!(overtaken[..2], ["RevokeLater", "MarkEnded"]);
}

/// Nobody has a lease twice: asked for again, it would be found taken until it ended.
#[test]
fn a_write_back_that_meets_another_writer_keeps_its_lease() {
    let fetched = || {
        known(delta(json!({
            "access_token": [{"organization_id": "acme"}, token_record("fetched-elsewhere", &[], 600)],
        })))
    };
    let writing = leased(OF_STORE).then(loaded()).then(fetched());
    assert_eq!(writing.to_do(), ["Store"]);
    let overtaken = writing.then(conflict("third")).then(recalled());
    assert_eq!(overtaken.to_do(), ["Prepare"]);
    // Without a lease it is taken first.
    let refresh = Refresh::new(
        job(config(), &acme(), Demand::Usable),
        Arc::new(session()),
        false,
        moment(0),
    );
    let writing = ByHand::new(refresh).then(fetched());
    assert_eq!(writing.to_do(), ["Store"]);
    let overtaken = writing.then(conflict("third")).then(recalled());
    assert_eq!(overtaken.to_do(), ["Lease"]);
}

/// It is renewed before it expires so that a page does not show an error for an outage of a few seconds.
#[test]
fn a_token_that_has_not_expired_is_served_while_the_provider_fails() {
    let served = |expires_in, demand| {
        let mut token = token_record("about-to-expire", &["read:orders"], expires_in);
        token["issued_at"] = json!(NOW.as_secs() - 3_600);
        let tokens = json!([[{"resource": API}, token]]);
        let session = Arc::new(session_with("access_tokens", tokens));
        let job = job(config(), &TokenTarget::resource(API), demand);
        let refresh = ByHand::new(Refresh::new(job, session, false, moment(0)));
        let leasing = refresh.then(recalled());
        assert_eq!(leasing.to_do(), ["Lease"]);
        let loading = leasing.then(Event::Leased(OF_STORE));
        assert_eq!(loading.to_do(), ["Load"]);
        let released = loading.then(Event::Failed("down")).then(Event::Released);
        let token = released.output.expect("it is done").token;
        token.map(|token| token.token.expose().to_owned())
    };
    assert_eq!(served(5, Demand::Usable).as_deref(), Ok("about-to-expire"));
    for (expires_in, demand) in [(5, Demand::New), (0, Demand::Usable)] {
        assert_eq!(
            served(expires_in, demand),
            Err(RefreshError::Failed("down"))
        );
    }
}

/// A refresh that finds its session removed revokes what it brings, and the new session may have the same
/// grant.
#[test]
fn a_new_sign_in_removes_the_session_before_only_if_no_refresh_is_under_way() {
    let replacing = || {
        let ending = EndSession::new(Ending::Replacement, Arc::new(session()), moment(0));
        let by_hand = ByHand::<EndSession<Failure>>::new(ending);
        assert_eq!(by_hand.to_do(), ["Lease"]);
        by_hand
    };
    assert_eq!(
        replacing().then(Event::Leased(OF_STORE)).to_do(),
        ["Remove"]
    );
    let taken_over = LeaseGrant {
        was_taken_over: true,
        ..OF_STORE
    };
    assert!(
        replacing()
            .then(Event::Leased(taken_over))
            .to_do()
            .is_empty()
    );
    let late = replacing().later(6_000).then(Event::Leased(OF_STORE));
    assert!(late.to_do().is_empty());
}

/// Logto refuses a replaced refresh token that has expired like any other, and the grant goes on.
#[test]
fn a_refused_refresh_token_ends_no_session_that_has_a_newer_one() {
    let refused = |by_hand: ByHand<Refresh<Failure>>| by_hand.then(invalid_grant());
    // The store has it.
    let of_store = refused(prepared(OF_STORE));
    assert_eq!(of_store.to_do(), ["Load"]);
    let newer = session_with("refresh_token", json!("second"));
    let again = of_store
        .then(Event::Loaded(Arc::new(newer)))
        .then(recalled());
    assert_eq!(again.to_do(), ["Send"]);
    // The browser may have it, or a write that is under way: the opaque access token ends with the grant.
    let read_again = |by_hand| refused(by_hand).then(loaded()).then(recalled());
    let asking = || read_again(prepared(OF_STORE));
    assert_eq!(asking().to_do(), ["Ask"]);
    let witnessing = || asking().then(Event::Inactive);
    assert_eq!(witnessing().to_do(), ["Ask"]);
    for event in [Event::Active, Event::Failed("down")] {
        let superseded = witnessing().then(event);
        assert_eq!(superseded.to_do(), ["Note", "Tell", "Release"]);
    }
    // The grant has ended, the user is suspended, or nobody can tell.
    for ended in [
        witnessing().then(Event::Inactive),
        asking().then(Event::Active),
        asking().then(Event::Unanswered),
        witnessing().then(Event::Unanswered),
    ] {
        assert_eq!(ended.to_do(), ["MarkEnded", "Remove"]);
    }
}
