//! What programs do with the SDK for themselves, without a page of the application.

use http::{HeaderMap, HeaderValue, StatusCode, header};
use logto::{
    LogtoClient, Secret, SignIn, TokenTarget, WritableSession,
    client::{
        m2m::M2mClient,
        resource_server::{Refusal, ResourceServer},
    },
    core::{api_token::AccessTokenVerification, grants::TypedToken, sign_in::Callback},
    storage::MemoryStorage,
};
use logto_testkit::{Endpoint, demo};

use super::{Failed, Fixture, Report, same};
use crate::tenant;

const SCOPES: [&str; 2] = ["read:products", "write:products"];

/// Plays everything and notes what came of it.
pub(super) async fn play(fixture: &Fixture, report: &mut Report) -> Result<(), Failed> {
    let config = tenant::embedded_config(fixture.logto.logto(), fixture.base.as_str()).build()?;
    let machine = tenant::embedded_machine(fixture.logto.logto())?;
    let programs = Programs {
        fixture,
        web: LogtoClient::builder(config.clone(), fixture.context()?, MemoryStorage::new())
            .build()?,
        own_name: M2mClient::new(config.clone(), fixture.context()?)?,
        machine: M2mClient::new(machine, fixture.context()?)?,
        api: ResourceServer::new(config, fixture.context()?)?,
    };
    report.note("machine-to-machine token, kept", programs.machine().await);
    report.note(
        "token exchange with a personal access token",
        programs.token_exchange().await,
    );
    report.note(
        "an API answers 401, 403 and 200",
        programs.resource_server().await,
    );
    report.note(
        "sign-in with pushed parameters",
        programs.pushed_sign_in().await.map(drop),
    );
    report.note("introspection", programs.introspection().await);
    report.note("revocation", programs.revocation().await);
    Ok(())
}

struct Programs<'a> {
    fixture: &'a Fixture,
    web: LogtoClient,
    /// The web application in its own name.
    own_name: M2mClient,
    /// The machine-to-machine application.
    machine: M2mClient,
    api: ResourceServer,
}

impl Programs<'_> {
    async fn machine(&self) -> Result<(), Failed> {
        let target = TokenTarget::resource(demo::SHOPPING_API).with_scopes(SCOPES);
        let token = self.machine.token(&target).await?;
        same(&token.scopes, &SCOPES.map(str::to_owned).into())?;
        let requests = self.fixture.logto.logto().count(Endpoint::Token);
        let again = self.machine.token(&target).await?;
        same(&(again.token == token.token), &true)?;
        same(
            &self.fixture.logto.logto().count(Endpoint::Token),
            &requests,
        )
    }

    async fn token_exchange(&self) -> Result<(), Failed> {
        let logto = self.fixture.logto.logto();
        let subject = logto
            .create_personal_access_token("alice")
            .map(TypedToken::personal_access_token)
            .ok_or("alice is unknown")?;
        let target = TokenTarget::resource(demo::SHOPPING_API).with_scopes(["read:products"]);
        let token = self.own_name.exchange_token(subject, None, target).await?;
        same(&token.scopes, &["read:products".to_owned()].into())
    }

    async fn resource_server(&self) -> Result<(), Failed> {
        let reader = TokenTarget::resource(demo::SHOPPING_API).with_scopes(["read:products"]);
        let token = self.machine.token(&reader).await?.token;
        same(
            &self.call(None, "read:products").await?,
            &StatusCode::UNAUTHORIZED,
        )?;
        let forged = Secret::from("forged");
        same(
            &self.call(Some(&forged), "read:products").await?,
            &StatusCode::UNAUTHORIZED,
        )?;
        same(
            &self.call(Some(&token), "write:products").await?,
            &StatusCode::FORBIDDEN,
        )?;
        same(
            &self.call(Some(&token), "read:products").await?,
            &StatusCode::OK,
        )
    }

    /// What an API that demands `scope` answers to a request with this token.
    async fn call(&self, token: Option<&Secret>, scope: &str) -> Result<StatusCode, Failed> {
        let mut headers = HeaderMap::new();
        if let Some(token) = token {
            let bearer = HeaderValue::try_from(format!("Bearer {}", token.expose()))?;
            headers.insert(header::AUTHORIZATION, bearer);
        }
        let demands = AccessTokenVerification::api(self.api.issuer(), demo::SHOPPING_API)
            .require_scopes([scope]);
        let answer = self.api.authorize(&headers, &demands).await;
        Ok(answer.map_or_else(
            |refusal: Refusal| refusal.response().status(),
            |_| StatusCode::OK,
        ))
    }

    /// Logto gets the parameters from the application, and from the browser no more than their name.
    async fn pushed_sign_in(&self) -> Result<WritableSession, Failed> {
        let (url, pending) = self.web.sign_in_pushed(&SignIn::new()).await?;
        same(
            &url.query_pairs().any(|(name, _)| name == "request_uri"),
            &true,
        )?;
        same(
            &url.query_pairs().any(|(name, _)| name == "redirect_uri"),
            &false,
        )?;
        let callback = self.fixture.logto.logto().sign_in(&url, "alice")?;
        let callback = Callback::from_url(&callback)?;
        let signed_in = self
            .web
            .complete_sign_in(Some(pending), callback, None)
            .await?;
        same(
            &signed_in.session.claims().user.username.as_deref(),
            &Some("alice"),
        )?;
        Ok(signed_in.session)
    }

    async fn introspection(&self) -> Result<(), Failed> {
        let session = self.pushed_sign_in().await?;
        let token = session.access_token(&TokenTarget::user_info()).await?;
        same(&self.own_name.introspect(token.token).await?.active, &true)?;
        let forged = self.own_name.introspect(Secret::from("forged")).await?;
        same(&forged.active, &false)
    }

    /// With the refresh token the whole grant ends, and so does the session.
    async fn revocation(&self) -> Result<(), Failed> {
        let session = self.pushed_sign_in().await?;
        let snapshot = session.snapshot();
        let refresh_token = snapshot.refresh_token().ok_or("no refresh token")?;
        let logto = self.fixture.logto.logto();
        same(&logto.grant_is_alive(refresh_token.expose()), &true)?;
        self.own_name.revoke(refresh_token.clone()).await?;
        same(&logto.grant_is_alive(refresh_token.expose()), &false)
    }
}
