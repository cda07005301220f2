//! A command-line program that signs its user in: it shows a code, and the user approves it in a browser, on this
//! machine or another. Nothing is async.
//!
//! `cargo run -p blocking --bin cli` plays it against an embedded Logto. With `LOGTO_ENDPOINT` and `LOGTO_APP_ID`, of a native
//! application that uses the device flow, it signs in at a tenant.

use std::{env, error::Error, sync::Arc, thread::sleep, time::Duration};

use blocking::Driver;
use logto_client::{
    core::{
        LogtoConfig, Session, TokenTarget,
        config::LogtoConfigBuilder,
        discovery::Discover,
        jwt::AwsLcVerifier,
        session::SessionId,
        sign_in::{
            CompleteSignIn, DeviceAuthorization, DevicePoll, DeviceSignIn, ProviderKeys, SignedIn,
        },
        user_info::FetchUserInfo,
    },
    entropy::{Entropy as _, OsEntropy},
};
use logto_testkit::{App, Logto, demo};

const DEMO_APP: &str = "demo-cli";

fn main() -> Result<(), Box<dyn Error>> {
    if env::var_os("LOGTO_ENDPOINT").is_some() {
        return run(&LogtoConfigBuilder::from_env()?.build()?, show);
    }
    // The embedded Logto listens on a runtime of its own.
    let runtime = tokio::runtime::Runtime::new()?;
    let server = runtime.block_on(tenant().listen(0))?;
    println!("An embedded Logto asks you to sign in as {}.", demo::USERS);
    run(&demo_config(server.logto())?, show)
}

fn show(device: &DeviceAuthorization) {
    println!("Open {}", device.verification_uri);
    println!("and enter {}", device.user_code);
}

fn run(
    config: &LogtoConfig,
    show: impl FnOnce(&DeviceAuthorization),
) -> Result<(), Box<dyn Error>> {
    let driver = Driver::new();
    let metadata = Arc::new(driver.exchange(Discover::new(config))?);
    let start = DeviceSignIn::new().start(config, &metadata, driver.now())?;
    let mut device = driver.exchange(start)?;
    show(&device);

    let tokens = loop {
        sleep(Duration::from_secs(
            device.next_poll().since(driver.now()).as_secs(),
        ));
        match driver.exchange(device.poll(config, &metadata, driver.now())) {
            Ok(DevicePoll::Approved(tokens)) => break tokens,
            Ok(DevicePoll::Denied) => return Err("the sign-in was denied".into()),
            Ok(DevicePoll::Expired) => return Err("nobody has approved it in time".into()),
            Ok(waiting) => device.note(&waiting, driver.now()),
            Err(problem) if device.is_expired(driver.now()) => return Err(problem),
            // A lost response says nothing about the code.
            Err(_) => device.back_off(None, driver.now()),
        }
    };

    // The ID token is verified like that of any other sign-in.
    let mut random = [0; 16];
    OsEntropy.fill(&mut random)?;
    let resumed = device.resume(tokens, SessionId::from_random(random));
    let keys = ProviderKeys::new(None, Arc::new(AwsLcVerifier));
    let machine = CompleteSignIn::new(config, &metadata, resumed, keys);
    let SignedIn { session, .. } = driver.drive(machine)?;
    greet(&driver, config, &session)
}

fn greet(driver: &Driver, config: &LogtoConfig, session: &Session) -> Result<(), Box<dyn Error>> {
    let metadata = driver.exchange(Discover::new(config))?;
    let target = TokenTarget::user_info();
    let token = session.usable_token(config, &target, driver.now());
    let token = token.ok_or("the token has expired")?;
    let sub = &session.claims().sub;
    let info = driver.exchange(FetchUserInfo::new(&metadata, token, sub)?)?;
    println!("Hello, {}", info.user.name.as_deref().unwrap_or(sub));
    Ok(())
}

fn tenant() -> logto_testkit::LogtoBuilder {
    Logto::demo().app(App::native(DEMO_APP).device_flow())
}

fn demo_config(logto: &Logto) -> Result<LogtoConfig, Box<dyn Error>> {
    Ok(LogtoConfig::builder(logto.endpoint(), DEMO_APP).build()?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn alice_approves_the_program() {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let server = runtime.block_on(tenant().listen(0)).unwrap();
        let logto = server.logto();
        run(&demo_config(logto).unwrap(), |device| {
            assert!(logto.approve_device(&device.user_code, "alice"));
        })
        .unwrap();
    }

    #[test]
    fn a_refusal_is_said() {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let server = runtime.block_on(tenant().listen(0)).unwrap();
        let logto = server.logto();
        let refused = run(&demo_config(logto).unwrap(), |device| {
            assert!(logto.deny_device(&device.user_code));
        });
        assert_eq!(refused.unwrap_err().to_string(), "the sign-in was denied");
    }
}
