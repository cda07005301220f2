//! Interactions: why users are at Logto's pages.

use std::{collections::HashMap, time::Duration};

use crate::{
    authorization_request::{AuthorizationRequest, Prompt, Wanted},
    clock::Moment,
};

/// How long an interaction lasts.
pub(crate) const INTERACTION_TTL: Duration = Duration::from_secs(3600);

/// What follows when the user has signed in and consented.
#[derive(Clone)]
pub(crate) enum Errand {
    Authorize(Box<AuthorizationRequest>),
    ApproveDevice { user_code: String, wanted: Wanted },
}

impl Errand {
    pub(crate) fn wanted(&self) -> &Wanted {
        match self {
            Self::Authorize(request) => &request.wanted,
            Self::ApproveDevice { wanted, .. } => wanted,
        }
    }

    /// The request asks for the consent page, whatever the user consented to before.
    pub(crate) fn prompts_for_consent(&self) -> bool {
        match self {
            Self::Authorize(request) => request.prompts(Prompt::Consent),
            Self::ApproveDevice { .. } => false,
        }
    }
}

/// The interactions of the users at the pages.
#[derive(Default)]
pub(crate) struct Interactions(HashMap<String, (Errand, Moment)>);

impl Interactions {
    pub(crate) fn begin(&mut self, id: String, errand: Errand, now: Moment) {
        self.0.insert(id, (errand, now.plus(INTERACTION_TTL)));
    }

    pub(crate) fn get(&self, id: &str, now: Moment) -> Option<&Errand> {
        self.0
            .get(id)
            .filter(|(_, expires_at)| now < *expires_at)
            .map(|(errand, _)| errand)
    }

    pub(crate) fn end(&mut self, id: &str) {
        self.0.remove(id);
    }
}
