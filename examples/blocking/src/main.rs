//! A sign-in without async: the core describes requests, ureq sends them, nobody waits in between.
//!
//! `cargo run -p blocking` plays it against an embedded Logto.

use std::{error::Error, sync::Arc, thread::sleep, time::Duration};

use blocking::Driver;
use logto_client::{
    core::{
        Exchange, LogtoConfig, Session, SignIn, TokenTarget,
        discovery::{Discover, FetchKeys, FetchedKeys},
        jwt::{AwsLcVerifier, KeySet},
        metadata::ProviderMetadata,
        refresh::{
            self, Action, Demand, Event, Knowledge, LeaseGrant, Persist, Refresh, RefreshJob,
            RefreshOutcome, SessionJob, Wanted,
        },
        revocation::RevokeRefreshToken,
        sign_in::{Callback, CompleteSignIn, ProviderKeys, SIGN_IN_RANDOM_BYTES, SignedIn},
        sign_out::SignOut,
        user_info::FetchUserInfo,
    },
    entropy::{Entropy as _, OsEntropy},
};
use logto_testkit::{Logto, demo};

fn main() -> Result<(), Box<dyn Error>> {
    // The embedded Logto listens on a runtime of its own; nothing else here is async.
    let runtime = tokio::runtime::Runtime::new()?;
    let server = runtime.block_on(Logto::demo().listen(0))?;
    let logto = server.logto();

    let config = LogtoConfig::builder(logto.endpoint(), demo::APP_ID)
        .app_secret(demo::APP_SECRET)
        .base_url("http://localhost:3000")
        .resource(demo::SHOPPING_API)
        .scope("read:products")
        .build()?;
    let driver = Driver::new();
    let metadata = Arc::new(driver.exchange(Discover::new(&config))?);
    println!("found {}", metadata.issuer());

    // To Logto: the URL goes to the browser, `pending` waits in a sealed cookie.
    let mut random = [0; SIGN_IN_RANDOM_BYTES];
    OsEntropy.fill(&mut random)?;
    let (url, pending) = SignIn::new().start(&config, &metadata, &random, driver.now())?;
    let callback_url = logto.sign_in(&url, "alice")?;

    // And back: the callback is checked, its code redeemed, the ID token verified.
    let callback = Callback::from_url(&callback_url)?;
    let resumed = pending.resume(callback, &config, &metadata, driver.now())?;
    let keys = ProviderKeys::new(None, Arc::new(AwsLcVerifier));
    let machine = CompleteSignIn::new(&config, &metadata, resumed, keys);
    let SignedIn { session, keys, .. } = driver.drive(machine)?;
    println!("signed in {}", session.claims().sub);

    // A token for an API. The session is kept whether or not there is a token: it may hold the only copy
    // of a new refresh token.
    let target = TokenTarget::resource(demo::SHOPPING_API);
    let mut environment = Environment {
        driver: &driver,
        metadata: Arc::clone(&metadata),
        keys: keys.ok_or("the sign-in has fetched them")?,
        stored: Arc::new(session),
    };
    let RefreshOutcome { token, session, .. } = environment.refresh(RefreshJob {
        config: config.clone(),
        wanted: Wanted {
            target: target.clone(),
            demand: Demand::Usable,
            persist: Persist::Storage,
        },
        // There is no other process that could refresh this session.
        is_exclusive: true,
    })?;
    println!("token for {target}: {:?}", token?.scopes);

    let target = TokenTarget::user_info();
    let token = session
        .usable_token(&config, &target, driver.now())
        .ok_or("it has expired")?;
    let user_info =
        driver.exchange(FetchUserInfo::new(&metadata, token, &session.claims().sub)?)?;
    println!(
        "user info of {}",
        user_info.user.name.as_deref().unwrap_or("nobody")
    );

    // Out: the session here is forgotten, its refresh token revoked, the browser sent to Logto.
    if let Some(refresh_token) = session.refresh_token() {
        driver.exchange(RevokeRefreshToken::new(
            &config,
            &metadata,
            refresh_token.clone(),
        )?)?;
    }
    let url = SignOut::new().url(&config, &metadata)?;
    println!("signed out, back at {}", logto.sign_out(&url)?);
    Ok(())
}

/// What a refresh needs around it: a way to the provider, its metadata and keys, and a place for the
/// session. This one has a single session in memory. An application with several processes also has leases,
/// and a ledger of what each refresh token led to.
struct Environment<'a> {
    driver: &'a Driver,
    metadata: Arc<ProviderMetadata>,
    keys: Arc<KeySet>,
    stored: Arc<Session>,
}

impl Environment<'_> {
    /// Obtains an access token for the stored session.
    fn refresh(&mut self, job: RefreshJob) -> Result<RefreshOutcome<String>, Box<dyn Error>> {
        let session = Arc::clone(&self.stored);
        let mut refresh = Refresh::new(job, session, false, self.driver.moment());
        loop {
            match refresh.poll(self.driver.moment()) {
                refresh::Step::Perform(action) => {
                    if let Some(event) = self.perform(action)? {
                        refresh.handle(event, self.driver.moment());
                    }
                }
                // Each action has ended before the next poll, so only the time is left to wait for.
                refresh::Step::Wait { until } => {
                    let until =
                        until.ok_or("the refresh waits for an action that was not performed")?;
                    sleep(until.saturating_sub(self.driver.moment().monotonic));
                    refresh.handle(Event::Time, self.driver.moment());
                }
                refresh::Step::Done(outcome) => return Ok(outcome),
            }
        }
    }

    /// Performs one action and says what came of it; `None` if nothing answers it.
    fn perform(&mut self, action: Action<String>) -> Result<Option<Event<String>>, Box<dyn Error>> {
        Ok(Some(match action {
            Action::Recall { .. } => Event::Recalled(Knowledge::default()),
            Action::Lease { .. } => Event::Leased(LeaseGrant::default()),
            Action::Release => Event::Released,
            Action::Load => Event::Loaded(Arc::clone(&self.stored)),
            Action::Prepare => Event::Prepared(Arc::clone(&self.metadata)),
            Action::Send {
                exchange, start_by, ..
            } => {
                let sent_at = self.driver.moment().monotonic;
                if start_by.is_some_and(|start_by| sent_at >= start_by) {
                    return Ok(Some(Event::TooLate));
                }
                match self.driver.send(exchange.request()) {
                    Ok(response) => Event::Response {
                        answer: exchange.accept(response, self.driver.now()),
                        sent_at,
                    },
                    // Only a request that certainly did not leave may be sent again at leisure.
                    Err(error @ (ureq::Error::ConnectionFailed | ureq::Error::HostNotFound)) => {
                        Event::NotSent(error.to_string())
                    }
                    Err(error) => Event::Lost {
                        failure: error.to_string(),
                        sent_at,
                    },
                }
            }
            Action::BackOff { attempt } => {
                sleep(Duration::from_millis(100) * attempt);
                Event::BackedOff
            }
            Action::Judge(check) => Event::Judged(check.verify(&self.keys, self.driver.now())),
            Action::FetchKeys => self.fetch_keys(),
            Action::Record { .. } => Event::Recorded {
                has_ended: false,
                is_shared: true,
            },
            Action::Store { session } => {
                self.stored = session;
                Event::Stored
            }
            Action::Remove => Event::Removed,
            Action::Tell(notice) => {
                println!("{notice:?}");
                return Ok(None);
            }
            // What this process knows for a while is of use where it serves more than one request.
            Action::Note { .. } | Action::Remember { .. } | Action::MarkEnded(_) => {
                return Ok(None);
            }
            action => return Err(format!("nothing here can do this: {action:?}").into()),
        }))
    }

    fn fetch_keys(&mut self) -> Event<String> {
        let exchange = FetchKeys::new(&self.metadata, Arc::new(AwsLcVerifier));
        match self.driver.exchange(exchange) {
            Ok(fetched) => {
                if let FetchedKeys::New { keys, .. } = fetched {
                    self.keys = keys;
                }
                Event::KeysFetched
            }
            Err(error) => Event::Failed(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn alice_signs_in_and_out_without_async() {
        super::main().unwrap();
    }
}
