//! A device without a browser, which this program plays: one sign-in at a time.

use std::sync::{Arc, Mutex, PoisonError};

use logto::{
    Error, LogtoClient, LogtoConfig,
    client::{BuildError, Context},
    core::{claims::IdTokenClaims, sign_in::DeviceSignIn},
    storage::MemoryStorage,
};
use serde::Serialize;
use tokio::task::AbortHandle;

/// The device. Clones are the same one.
#[derive(Clone, Debug)]
pub(crate) struct Device {
    client: LogtoClient,
    shown: Arc<Mutex<Shown>>,
}

/// How far the sign-in on the device is.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub(crate) enum Progress {
    /// Nobody has tried.
    #[default]
    Idle,
    /// The user has to answer elsewhere. `expires_at` is in seconds since 1970.
    Waiting {
        user_code: String,
        verification_uri: String,
        verification_uri_complete: Option<String>,
        expires_at: i64,
    },
    /// Somebody is signed in on the device.
    SignedIn { name: String },
    /// The user said no or was late, or something went wrong.
    Failed {
        error: String,
        error_description: String,
    },
}

#[derive(Debug, Default)]
struct Shown {
    /// The user who started the sign-in. Nobody else sees its code: whoever approves it gives the device
    /// their own session.
    owner: String,
    progress: Progress,
    /// What waits for the answer.
    waiting: Option<AbortHandle>,
}

impl Device {
    /// The device as the application of `config`, with a session of its own.
    pub(crate) fn new(config: LogtoConfig, context: Context) -> Result<Self, BuildError> {
        let client = LogtoClient::builder(config, context, MemoryStorage::new()).build()?;
        Ok(Self {
            client,
            shown: Arc::default(),
        })
    }

    /// How far the sign-in of this user is.
    pub(crate) fn progress(&self, user: &str) -> Progress {
        self.with(|shown| match shown.owner == user {
            true => shown.progress.clone(),
            false => Progress::Idle,
        })
    }

    /// Starts a sign-in in place of the one before, and waits for the user in the background.
    pub(crate) async fn start(&self, user: &str) -> Result<Progress, Error> {
        let device = self.client.sign_in_on_device(&DeviceSignIn::new()).await?;
        let progress = Progress::Waiting {
            user_code: device.user_code.clone(),
            verification_uri: device.verification_uri.to_string(),
            verification_uri_complete: device
                .verification_uri_complete
                .as_ref()
                .map(ToString::to_string),
            expires_at: device.expires_at.as_secs(),
        };
        self.with(|shown| {
            if let Some(before) = shown.waiting.take() {
                before.abort();
            }
            user.clone_into(&mut shown.owner);
            shown.progress = progress.clone();
            let this = self.clone();
            let waiting = tokio::spawn(async move {
                let answer = this.client.complete_device_sign_in(device).await;
                this.with(|shown| {
                    shown.progress = match answer {
                        Ok(session) => Progress::signed_in(&session.claims()),
                        Err(error) => Progress::Failed {
                            error: error.code().to_owned(),
                            error_description: error.to_string(),
                        },
                    };
                });
            });
            shown.waiting = Some(waiting.abort_handle());
        });
        Ok(progress)
    }

    fn with<T>(&self, work: impl FnOnce(&mut Shown) -> T) -> T {
        work(&mut self.shown.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Progress {
    fn signed_in(claims: &IdTokenClaims) -> Self {
        let name = claims
            .user
            .name
            .as_deref()
            .or(claims.user.username.as_deref());
        Self::SignedIn {
            name: name.unwrap_or(&claims.sub).to_owned(),
        }
    }
}
