//! Every way in which completing a sign-in can go, with up to four faults, against a model of what Logto does with a
//! code: the first request that arrives spends it, another one ends the grant, and it lives for a minute.

use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;
use http::Response;
use logto_core::{
    LogtoConfig, Machine, SignIn, UnixTime,
    error::{Endpoint, NoResponse},
    exchange::Step,
    metadata::ProviderMetadata,
    sign_in::{
        Callback, CompleteSignIn, IncompleteSignIn, PendingSignIn, ProviderKeys, Remedy, SignedIn,
    },
};
use serde_json::{Value, json};

use crate::support::{
    SigningKey,
    provider::{self, NOW, config, json_response, metadata, random, response},
    signing::{claims_with, jwks_response, keys, provider_keys},
};

const MAX_FAULTS: usize = 4;
const CODE_LIVES: Duration = Duration::from_secs(60);

/// What becomes of a request with a code. All but the first are faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Redemption {
    Answered,
    NotSent,
    TooMany,
    /// Another process redeemed the same callback.
    OtherProcess,
    LostBefore,
    LostAfter,
    UnavailableBefore,
    UnavailableAfter,
}

use Redemption as R;

const REDEMPTIONS: [Redemption; 8] = [
    R::Answered,
    R::NotSent,
    R::TooMany,
    R::OtherProcess,
    R::LostBefore,
    R::LostAfter,
    R::UnavailableBefore,
    R::UnavailableAfter,
];

/// What becomes of a request for the keys. All but the first are faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum KeysAnswer {
    Answered,
    NotSent,
    Lost,
    Unavailable,
    ErrorObject,
    WithoutTheKey,
}

use KeysAnswer as K;

const KEYS: [KeysAnswer; 6] = [
    K::Answered,
    K::NotSent,
    K::Lost,
    K::Unavailable,
    K::ErrorObject,
    K::WithoutTheKey,
];

/// What went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    Redeeming(Redemption),
    Fetching(KeysAnswer),
}

impl Fault {
    /// Whether the code may have arrived at Logto.
    fn may_spend(self) -> bool {
        matches!(self, Self::Redeeming(redemption) if redemption.may_spend())
    }
}

impl Redemption {
    fn may_spend(self) -> bool {
        !matches!(self, Self::NotSent | Self::TooMany)
    }
}

/// The choices of one story, replayed up to where the last one differs from the story before.
#[derive(Default)]
struct Choices {
    /// Which option was taken, of how many.
    taken: Vec<(usize, usize)>,
    next: usize,
}

impl Choices {
    fn of<T: Copy>(&mut self, options: &[T]) -> T {
        if self.next == self.taken.len() {
            self.taken.push((0, options.len()));
        }
        let (option, _) = self.taken[self.next];
        self.next += 1;
        options[option]
    }

    /// Turns to the next story; `false` after the last.
    fn advance(&mut self) -> bool {
        self.next = 0;
        while let Some((option, options)) = self.taken.pop() {
            if option + 1 < options {
                self.taken.push((option + 1, options));
                return true;
            }
        }
        false
    }
}

/// What is the same in all stories.
struct Setting {
    config: LogtoConfig,
    metadata: ProviderMetadata,
    id_token: String,
    with_keys: ProviderKeys,
    key_set: Bytes,
}

/// One browser that signs in, and Logto.
struct Story<'a> {
    setting: &'a Setting,
    choices: &'a mut Choices,
    now: UnixTime,
    faults: Vec<Fault>,
    code_issued_at: UnixTime,
    /// Whether the code may have arrived at Logto.
    may_be_spent: bool,
    is_spent: bool,
}

impl Story<'_> {
    /// Takes the first of the options, or a fault as long as there may be more of them.
    fn choose<T: Copy + PartialEq>(&mut self, options: &[T], fault: fn(T) -> Fault) -> T {
        let options = match self.faults.len() {
            MAX_FAULTS => &options[..1],
            _ => options,
        };
        let taken = self.choices.of(options);
        if taken != options[0] {
            self.faults.push(fault(taken));
        }
        taken
    }

    /// The way of the browser: a callback, reloads while the code is good, and at most one new sign-in.
    fn tell(&mut self) -> (Result<(), Remedy>, usize) {
        let Setting {
            config, metadata, ..
        } = self.setting;
        let mut sign_in = SignIn::new().return_to("/orders");
        for sign_ins in 1.. {
            let (_, pending) = sign_in
                .start(config, metadata, &random(), self.now)
                .unwrap();
            self.code_issued_at = self.now;
            (self.may_be_spent, self.is_spent) = (false, false);
            let remedy = loop {
                match self.complete(&pending) {
                    Ok(signed_in) => {
                        assert_eq!(signed_in.return_to.as_str(), "/orders");
                        assert!(signed_in.session.refresh_token().is_some());
                        return (Ok(()), sign_ins);
                    }
                    Err(incomplete) if incomplete.remedy == Remedy::SameCallback => {
                        assert!(!self.may_be_spent, "{:?}", self.faults);
                    }
                    Err(incomplete) => break incomplete.remedy,
                }
            };
            assert!(self.may_be_spent, "{:?}", self.faults);
            match pending.again() {
                Some(again) if remedy == Remedy::NewSignIn => sign_in = again,
                _ => return (Err(remedy), sign_ins),
            }
        }
        unreachable!()
    }

    /// One callback, at a process that may have the keys already.
    fn complete(&mut self, pending: &PendingSignIn) -> Result<SignedIn, IncompleteSignIn> {
        let Setting {
            config,
            metadata,
            with_keys,
            ..
        } = self.setting;
        let sealed = serde_json::to_value(pending).unwrap();
        let restored: PendingSignIn = serde_json::from_value(sealed).unwrap();
        let query = format!(
            "code=the-code&state={}&iss={}",
            pending.state().expose(),
            "https%3A%2F%2Ftenant.logto.app%2Foidc"
        );
        let callback = Callback::from_query(&query).unwrap();
        let resumed = restored
            .resume(callback, config, metadata, self.now)
            .unwrap();
        let known = match self.choices.of(&[false, true]) {
            true => with_keys.clone(),
            false => provider_keys(None),
        };
        let mut machine = CompleteSignIn::new(config, metadata, resumed, known);
        loop {
            match machine.poll(self.now) {
                Step::Send { endpoint, .. } => match self.answer(endpoint) {
                    Ok(response) => machine.handle(response, self.now),
                    Err(failure) => machine.handle_failure(failure, self.now),
                },
                Step::Wait(pause) => self.now = self.now.plus(pause),
                Step::Done(done) => return done,
            }
        }
    }

    fn answer(&mut self, endpoint: Endpoint) -> Result<Response<Bytes>, NoResponse> {
        match endpoint {
            Endpoint::Token => self.redeem(),
            Endpoint::Keys => self.keys(),
            other => panic!("{other:?}"),
        }
    }

    fn redeem(&mut self) -> Result<Response<Bytes>, NoResponse> {
        assert!(
            !self.may_be_spent,
            "a code is sent again: {:?}",
            self.faults
        );
        let redemption = self.choose(&REDEMPTIONS, Fault::Redeeming);
        self.may_be_spent = redemption.may_spend();
        self.is_spent = matches!(
            redemption,
            R::Answered | R::LostAfter | R::UnavailableAfter | R::OtherProcess
        );
        let invalid_grant = json!({"error": "invalid_grant"});
        match redemption {
            R::NotSent => Err(NoResponse::NotSent),
            R::LostBefore | R::LostAfter => Err(NoResponse::Lost),
            R::TooMany => Ok(json_response(429, &json!({}))),
            R::UnavailableBefore | R::UnavailableAfter => Ok(json_response(503, &json!({}))),
            R::OtherProcess => Ok(json_response(400, &invalid_grant)),
            R::Answered if self.now.since(self.code_issued_at) >= CODE_LIVES => {
                Ok(json_response(400, &invalid_grant))
            }
            R::Answered => Ok(json_response(
                200,
                &json!({
                    "access_token": "the-access-token",
                    "token_type": "Bearer",
                    "expires_in": 3600,
                    "refresh_token": "the-refresh-token",
                    "id_token": self.setting.id_token,
                }),
            )),
        }
    }

    fn keys(&mut self) -> Result<Response<Bytes>, NoResponse> {
        assert!(self.is_spent, "keys are asked for before they are needed");
        match self.choose(&KEYS, Fault::Fetching) {
            K::Answered => Ok(response(
                200,
                "application/json",
                self.setting.key_set.clone(),
            )),
            K::NotSent => Err(NoResponse::NotSent),
            K::Lost => Err(NoResponse::Lost),
            K::Unavailable => Ok(json_response(503, &json!({}))),
            K::ErrorObject => Ok(json_response(200, &json!({"error": "server_error"}))),
            K::WithoutTheKey => Ok(json_response(200, &json!({"keys": []}))),
        }
    }
}

fn setting() -> Setting {
    let (config, metadata) = (config(), metadata());
    let (url, _) = SignIn::new()
        .start(&config, &metadata, &random(), NOW)
        .unwrap();
    let nonce = provider::parameters(url.query().unwrap().as_bytes())["nonce"].clone();
    Setting {
        config,
        metadata,
        id_token: SigningKey::es384().sign(&claims_with("nonce", Value::from(nonce))),
        with_keys: keys(),
        key_set: jwks_response(&[SigningKey::es384()]).into_body(),
    }
}

#[test]
fn f8_every_way_to_complete_a_sign_in_with_up_to_four_faults() {
    let setting = setting();
    let mut choices = Choices::default();
    let mut ends = BTreeMap::<_, usize>::new();
    loop {
        let mut story = Story {
            setting: &setting,
            choices: &mut choices,
            now: NOW,
            faults: Vec::new(),
            code_issued_at: NOW,
            may_be_spent: false,
            is_spent: false,
        };
        let (end, sign_ins) = story.tell();
        let faults = story.faults;
        assert!(sign_ins <= 2, "{faults:?}");
        // Only what may spend a code costs a new sign-in: four faults at the keys are fewer than the attempts.
        let spending = faults.iter().filter(|fault| fault.may_spend()).count();
        match end {
            Ok(()) => assert!(sign_ins - 1 <= spending, "{faults:?}"),
            Err(remedy) => {
                assert_eq!(remedy, Remedy::NewSignIn, "{faults:?}");
                assert!(spending >= 2, "{faults:?}");
            }
        }
        *ends.entry((end.is_ok(), sign_ins)).or_default() += 1;
        if !choices.advance() {
            break;
        }
    }
    let reached: Vec<_> = ends.keys().copied().collect();
    assert_eq!(reached, [(false, 2), (true, 1), (true, 2)], "{ends:?}");
    println!("{} stories: {ends:?}", ends.values().sum::<usize>());
}
