//! A sign-in without async: the core describes requests, ureq sends them, nobody waits in between.
//!
//! `cargo run -p blocking` plays it against an embedded Logto.

use std::{error::Error, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Request, Response};
use logto_client::{
    clock::{Clock as _, SystemClock},
    core::{
        Exchange, LogtoConfig, Machine, SignIn, Step, TokenTarget, UnixTime,
        discovery::Discover,
        exchange::MAX_BODY,
        jwt::AwsLcVerifier,
        machine::{ObtainToken, Obtained},
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
    let metadata = driver.exchange(Discover::new(&config))?;
    println!("found {}", metadata.issuer());

    // To Logto: the URL goes to the browser, `pending` waits in a sealed cookie.
    let mut random = [0; SIGN_IN_RANDOM_BYTES];
    OsEntropy.fill(&mut random)?;
    let (url, pending) = SignIn::new().start(&config, &metadata, &random, driver.now())?;
    let callback_url = logto.sign_in(&url, "alice")?;

    // And back: the callback is checked, its code redeemed, the ID token verified.
    let callback = Callback::from_url(&callback_url)?;
    let resumed = pending.resume(callback, &config, &metadata, driver.now())?;
    let verifier = Arc::new(AwsLcVerifier);
    let keys = ProviderKeys::new(None, verifier.clone());
    let machine = CompleteSignIn::new(&config, &metadata, resumed, keys);
    let SignedIn {
        mut session, keys, ..
    } = driver.drive(machine)??;
    println!("signed in {}", session.claims().sub);

    // A token for an API. The delta is kept before the token is judged: it may hold the only copy of
    // a new refresh token.
    let target = TokenTarget::resource(demo::SHOPPING_API);
    let keys = ProviderKeys::new(keys, verifier);
    let machine = ObtainToken::new(&config, &metadata, &session, &target, keys, driver.now())?;
    let Obtained { token, delta, .. } = driver.drive(machine)?;
    session.apply(&delta);
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

/// Sends what the core describes, one request after the other.
struct Driver {
    http: ureq::Agent,
    clock: SystemClock,
}

impl Driver {
    fn new() -> Self {
        let http = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_global(Some(Duration::from_secs(10)))
            .build();
        Self {
            http: http.into(),
            clock: SystemClock::default(),
        }
    }

    fn now(&self) -> UnixTime {
        self.clock.now()
    }

    fn exchange<E: Exchange>(&self, exchange: E) -> Result<E::Output, Box<dyn Error>> {
        let response = self.send(exchange.request())?;
        Ok(exchange.accept(response, self.now())?)
    }

    fn drive<M: Machine>(&self, mut machine: M) -> Result<M::Output, ureq::Error> {
        loop {
            match machine.poll(self.now()) {
                Step::Send { request, .. } => machine.handle(self.send(request)?, self.now()),
                Step::Done(output) => return Ok(output),
            }
        }
    }

    fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, ureq::Error> {
        let response = match request.body().is_empty() {
            true => self.http.run(request.map(|_| ())),
            false => self.http.run(request.map(Vec::from)),
        }?;
        let (head, mut body) = response.into_parts();
        let body = body.with_config().limit(MAX_BODY as u64).read_to_vec()?;
        Ok(Response::from_parts(head, body.into()))
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn alice_signs_in_and_out_without_async() {
        super::main().unwrap();
    }
}
