//! Checks at a real Logto what needs no person, and says what it leaves out.

use std::{sync::Arc, time::Duration};

use axum::body::Bytes;
use http::{HeaderMap, Request, Response, StatusCode, header};
use logto::{
    LogtoClient, LogtoConfig, ReqwestClient, Secret, SignIn, TokenTarget, UnixTime,
    client::{
        clock::{Clock as _, SystemClock},
        http::HttpClient as _,
        m2m::M2mClient,
    },
    core::{
        Exchange,
        config::ClientAuthentication,
        discovery::{FetchKeys, FetchedKeys},
        jwt::AwsLcVerifier,
        sign_in::DeviceSignIn,
        sign_out::SignOut,
    },
    storage::MemoryStorage,
};
use serde_json::Value;
use url::Url;

use super::{Failed, Report};
use crate::{app::App, args::StorageKind, tenant::Tenant};

/// A page of Logto that takes longer fails the check.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Checks everything and notes what came of it.
pub(super) async fn play(
    tenant: &Tenant,
    storage: StorageKind,
    report: &mut Report,
) -> Result<(), Failed> {
    // Needs no store, so that everything else is checked also when the store does not respond.
    let app = App::new(tenant.logto()?, StorageKind::Memory).await?;
    let config = app.config();
    println!("{} at {}", config.app_id(), config.endpoint());
    report.note(
        &format!("{storage} storage opens"),
        open(tenant, storage).await,
    );
    let check = Check::new(config)?;
    let discovery = check.discovery().await;
    let is_reachable = discovery.is_ok();
    report.note("discovery document of the configured issuer", discovery);
    if !is_reachable {
        report.left_out("everything else", "it needs the discovery document");
        return Ok(());
    }
    report.note("keys to verify tokens with", check.keys().await);
    report.note(
        "redirect URI, scopes and resources are registered: Logto asks who signs in",
        check.sign_in(config).await,
    );
    report.note(
        "post sign-out redirect URI is registered",
        check.sign_out(config).await,
    );
    for host in config.other_hosts() {
        check.other_host(config, host, report).await;
    }
    check.application(config, report).await;
    check.machine(tenant, config, report).await;
    check.device(tenant, report).await;
    report.left_out(
        "sign-in, the user's tokens, refresh and sign-out",
        "they need a person: start this program without --check and sign in",
    );
    report.left_out(
        "back-channel logout",
        "Logto sends it, to an address that it can reach",
    );
    Ok(())
}

async fn open(tenant: &Tenant, storage: StorageKind) -> Result<(), Failed> {
    App::new(tenant.logto()?, storage).await?;
    Ok(())
}

/// The application at its tenant.
struct Check {
    http: ReqwestClient,
    client: LogtoClient,
}

impl Check {
    fn new(config: &LogtoConfig) -> Result<Self, Failed> {
        let http = ReqwestClient::new()?;
        let client =
            LogtoClient::builder(config.clone(), http.clone(), MemoryStorage::new()).build()?;
        Ok(Self { http, client })
    }

    async fn discovery(&self) -> Result<(), Failed> {
        self.client.metadata().await?;
        Ok(())
    }

    async fn keys(&self) -> Result<(), Failed> {
        let metadata = self.client.metadata().await?;
        let fetch = FetchKeys::new(&metadata, Arc::new(AwsLcVerifier));
        let response = self.send(fetch.request()).await?;
        match fetch.accept(response, now())? {
            FetchedKeys::New { keys, .. } if !keys.is_empty() => Ok(()),
            _ => Err("the key set has no key that can be used".into()),
        }
    }

    /// Goes where a browser that signs in goes, and looks at the first response.
    async fn sign_in(&self, config: &LogtoConfig) -> Result<(), Failed> {
        let redirect_uri = config.redirect_uri()?;
        let sign_in = SignIn::new().redirect_uri(redirect_uri.clone());
        let (url, _) = self.client.sign_in(&sign_in).await?;
        let (status, headers, body) = self.page(&url).await?;
        if !status.is_redirection() {
            return Err(format!("{redirect_uri}: {}", refusal(status, &body)).into());
        }
        let target = location(&url, &headers).ok_or("a redirect to nowhere")?;
        let is_callback =
            target.origin() == redirect_uri.origin() && target.path() == redirect_uri.path();
        match is_callback {
            true => Err(error_in(&target).into()),
            false => Ok(()),
        }
    }

    async fn sign_out(&self, config: &LogtoConfig) -> Result<(), Failed> {
        let metadata = self.client.metadata().await?;
        let url = SignOut::new().url(config, &metadata)?;
        let (status, _, body) = self.page(&url).await?;
        match status.is_client_error() || status.is_server_error() {
            true => Err(refusal(status, &body).into()),
            false => Ok(()),
        }
    }

    /// Checks the redirect URIs of another host of the application.
    async fn other_host(&self, config: &LogtoConfig, host: &str, report: &mut Report) {
        if host.starts_with("*.") {
            report.left_out(
                &format!("redirect URIs of {host}"),
                "sign in at one of these hosts",
            );
            return;
        }
        let port = config.base_url().and_then(Url::port);
        let requested = port.map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        let config = config.for_host(&requested);
        report.note(
            &format!("redirect URI of {host} is registered"),
            self.sign_in(&config).await,
        );
        report.note(
            &format!("post sign-out redirect URI of {host} is registered"),
            self.sign_out(&config).await,
        );
    }

    async fn application(&self, config: &LogtoConfig, report: &mut Report) {
        match config.client_authentication() {
            ClientAuthentication::None => report.left_out(
                "credentials of the application",
                "LOGTO_APP_SECRET is not set",
            ),
            _ => report.note(
                "credentials of the application",
                self.credentials(config).await,
            ),
        }
    }

    /// Asks about a token that nobody has: whoever may not ask is told so before.
    async fn credentials(&self, config: &LogtoConfig) -> Result<(), Failed> {
        let client = M2mClient::new(config.clone(), self.http.clone())?;
        let introspection = client.introspect(Secret::from("quickstart")).await?;
        match introspection.active {
            true => Err("a token that nobody has is active".into()),
            false => Ok(()),
        }
    }

    async fn machine(&self, tenant: &Tenant, web: &LogtoConfig, report: &mut Report) {
        let Some(config) = tenant.machine() else {
            report.left_out(
                "machine-to-machine application",
                "LOGTO_M2M_APP_ID is not set",
            );
            return;
        };
        report.note(
            "credentials of the machine-to-machine application",
            self.credentials(config).await,
        );
        let resources = web.resources();
        let apis = resources.iter().filter(|resource| is_api(resource));
        let mut is_any = false;
        for resource in apis {
            is_any = true;
            let token = self.machine_token(config, resource).await;
            report.note(&format!("machine-to-machine token for {resource}"), token);
        }
        if !is_any {
            report.left_out(
                "machine-to-machine tokens",
                "LOGTO_RESOURCES names no API resource",
            );
        }
    }

    async fn machine_token(&self, config: &LogtoConfig, resource: &str) -> Result<(), Failed> {
        let client = M2mClient::new(config.clone(), self.http.clone())?;
        let target = TokenTarget::resource(resource).with_scopes(config.scopes().iter().cloned());
        let _ = client.token(&target).await?;
        Ok(())
    }

    async fn device(&self, tenant: &Tenant, report: &mut Report) {
        let Some(config) = tenant.device() else {
            report.left_out("sign-in on a device", "LOGTO_DEVICE_APP_ID is not set");
            return;
        };
        report.note(
            "a device is given a code to sign in with",
            self.device_code(config).await,
        );
        report.left_out("the rest of a sign-in on a device", "a person approves it");
    }

    async fn device_code(&self, config: &LogtoConfig) -> Result<(), Failed> {
        let (config, http) = (config.clone(), self.http.clone());
        let client = LogtoClient::builder(config, http, MemoryStorage::new()).build()?;
        client.sign_in_on_device(&DeviceSignIn::new()).await?;
        Ok(())
    }

    /// What Logto shows a browser at `url`, without the pages that it leads to.
    async fn page(&self, url: &Url) -> Result<(StatusCode, HeaderMap, Bytes), Failed> {
        let request = Request::get(url.as_str()).body(Bytes::new())?;
        let (parts, body) = self.send(request).await?.into_parts();
        Ok((parts.status, parts.headers, body))
    }

    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, Failed> {
        match tokio::time::timeout(TIMEOUT, self.http.send(request)).await {
            Ok(response) => Ok(response?),
            Err(_) => Err(format!("no answer within {} seconds", TIMEOUT.as_secs()).into()),
        }
    }
}

fn now() -> UnixTime {
    SystemClock::default().now()
}

/// Organizations are a resource too, but not one for machines.
fn is_api(resource: &str) -> bool {
    !resource.starts_with("urn:logto:")
}

fn location(base: &Url, headers: &HeaderMap) -> Option<Url> {
    base.join(headers.get(header::LOCATION)?.to_str().ok()?)
        .ok()
}

/// Why Logto shows an error page.
fn refusal(status: StatusCode, body: &[u8]) -> String {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let said = ["error_description", "message", "error"]
        .iter()
        .find_map(|member| body[member].as_str());
    match said {
        Some(said) => format!("HTTP {}: {said}", status.as_u16()),
        None => format!("HTTP {}, without a reason", status.as_u16()),
    }
}

/// The error in a callback, to which Logto sends the browser back at once.
fn error_in(callback: &Url) -> String {
    let value = |name| {
        let mut pairs = callback.query_pairs();
        pairs.find_map(|(key, value)| (key == name).then(|| value.into_owned()))
    };
    let error = value("error").unwrap_or_else(|| "Logto asks for nothing".to_owned());
    match value("error_description") {
        Some(description) => format!("{error}: {description}"),
        None => error,
    }
}
