//! What drives the core without async: ureq and the clock of the system.

use std::{error::Error, thread::sleep, time::Duration};

use bytes::Bytes;
use http::{Request, Response};
use logto_client::{
    clock::{Clock as _, SystemClock},
    core::{
        Exchange, Machine, Step, UnixTime, error::NoResponse, exchange::MAX_BODY, refresh::Moment,
    },
};

/// Sends what the core describes, one request after the other.
#[derive(Debug)]
pub struct Driver {
    http: ureq::Agent,
    clock: SystemClock,
}

impl Driver {
    /// A driver with no connections yet.
    pub fn new() -> Self {
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

    /// The time of day.
    pub fn now(&self) -> UnixTime {
        self.clock.now()
    }

    /// The time of day, and that of a clock which never goes back.
    pub fn moment(&self) -> Moment {
        Moment {
            wall: self.clock.now(),
            monotonic: self.clock.monotonic(),
        }
    }

    /// One request, and what its response means.
    ///
    /// # Errors
    /// When there is no response, and as the exchange.
    pub fn exchange<E: Exchange>(&self, exchange: E) -> Result<E::Output, Box<dyn Error>> {
        let response = self.send(exchange.request())?;
        Ok(exchange.accept(response, self.now())?)
    }

    /// As many requests as a machine needs.
    pub fn drive<M: Machine>(&self, mut machine: M) -> M::Output {
        loop {
            match machine.poll(self.now()) {
                Step::Send { request, .. } => match self.send(request) {
                    Ok(response) => machine.handle(response, self.now()),
                    Err(error) => machine.handle_failure(no_response(&error), self.now()),
                },
                Step::Wait(pause) => sleep(pause),
                Step::Done(output) => return output,
            }
        }
    }

    /// Sends one request.
    ///
    /// # Errors
    /// When there is no response.
    pub fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, ureq::Error> {
        let response = match request.body().is_empty() {
            true => self.http.run(request.map(|_| ())),
            false => self.http.run(request.map(Vec::from)),
        }?;
        let (head, mut body) = response.into_parts();
        let body = body.with_config().limit(MAX_BODY as u64).read_to_vec()?;
        Ok(Response::from_parts(head, body.into()))
    }
}

impl Default for Driver {
    fn default() -> Self {
        Self::new()
    }
}

/// Whether a request without a response has left: a code that may have arrived is not sent again.
const fn no_response(error: &ureq::Error) -> NoResponse {
    match error {
        ureq::Error::HostNotFound | ureq::Error::ConnectionFailed => NoResponse::NotSent,
        _ => NoResponse::Lost,
    }
}
