//! What a user and a program do with the application, from the first visit to the last.

use std::time::Duration;

use http::StatusCode;
use logto_testkit::{Endpoint, demo};
use serde_json::{Value, json};
use url::Url;

use super::{
    Failed, Fixture, HOSTILE_NAME, MALLORY, Report,
    client::{Answer, Browser},
    same,
};

/// Long enough that Logto replaces the refresh token at its next use: 70 % of its 14 days.
const PAST_ROTATION: Duration = Duration::from_secs(10 * 24 * 3600);
/// After this a device asks again.
const NEXT_POLL: Duration = Duration::from_secs(5);
/// How often the check looks whether the device has heard: five seconds.
const MAX_DEVICE_POLLS: usize = 500;
/// Longer than Logto accepts a replaced refresh token.
const PAST_REPLAY: Duration = Duration::from_secs(5);

/// Plays everything and notes what came of it.
pub(super) async fn play(fixture: &Fixture, report: &mut Report) -> Result<(), Failed> {
    let visit = Visit {
        fixture,
        app: Browser::new(&fixture.base)?,
        logto: fixture.logto.logto().browser(),
    };
    report.note("nobody is signed in", visit.nobody().await);
    report.note(
        "a forged callback is refused",
        visit.forged_callback().await,
    );
    report.note("sign-in", visit.sign_in().await);
    report.note("the page greets the user", visit.page().await);
    report.note("markup in a name stays text", visit.markup().await);
    report.note("claims", visit.claims().await);
    report.note("user info", visit.user_info().await);
    for (name, query, scopes) in targets() {
        let outcome = visit.both_paths(&query, scopes).await;
        report.note(
            &format!("token for {name}, read-only and writable"),
            outcome,
        );
    }
    report.note("tokens of all organizations", visit.organizations().await);
    report.note(
        "a refused organization harms nothing",
        visit.foreign_organization().await,
    );
    report.note(
        "an unknown resource costs no request",
        visit.unknown_resource().await,
    );
    report.note("a new token on demand", visit.refresh().await);
    report.note("a forgotten token is fetched again", visit.forget().await);
    report.note("a replaced refresh token is kept", visit.rotation().await);
    report.note(
        "machine-to-machine token on the page",
        visit.machine().await,
    );
    report.note("sign-in on a device", visit.device().await);
    report.note(
        "sign-out from another site is refused",
        visit.foreign_sign_out().await,
    );
    report.note("sign-out, here and at Logto", visit.sign_out().await);
    report.note("sign-out here only", visit.sign_out_locally().await);
    report.note("back-channel logout", visit.back_channel_logout().await);
    Ok(())
}

/// What a token is asked for, and the scopes that alice gets.
fn targets() -> [(&'static str, String, &'static [&'static str]); 3] {
    let api = demo::SHOPPING_API;
    [
        (
            "a resource",
            format!("resource={api}"),
            &["read:products", "write:products"],
        ),
        (
            "an organization",
            format!("organization_id={}", demo::ACME),
            &["read:shipments"],
        ),
        (
            "a resource in an organization",
            format!("resource={api}&organization_id={}", demo::ACME),
            &["read:products", "write:products"],
        ),
    ]
}

/// One user's browser.
struct Visit<'a> {
    fixture: &'a Fixture,
    /// Towards the application, over sockets.
    app: Browser,
    /// Towards Logto: the user's side of the sign-in.
    logto: logto_testkit::Browser,
}

impl Visit<'_> {
    async fn nobody(&self) -> Result<(), Failed> {
        let user = self.app.get("/user").await?.json(StatusCode::OK)?;
        same(&user, &json!({ "is_authenticated": false, "claims": null }))?;
        for path in ["/token", "/token/read-only", "/user-info", "/organizations"] {
            self.app
                .get(path)
                .await?
                .refusal(StatusCode::UNAUTHORIZED, "not_authenticated")?;
        }
        self.app
            .get("/nowhere")
            .await?
            .refusal(StatusCode::NOT_FOUND, "not_found")?;
        let nowhere = self.app.page("/nowhere").await?;
        same(&nowhere.status, &StatusCode::NOT_FOUND)?;
        same(&nowhere.text.contains("There is no such page"), &true)?;
        self.app.get("/").await?.shows("Nobody is signed in")
    }

    async fn forged_callback(&self) -> Result<(), Failed> {
        let before = self.fixture.logto.logto().count(Endpoint::Token);
        let answer = self.app.get("/callback?code=forged&state=forged").await?;
        answer.refusal(StatusCode::BAD_REQUEST, "sign_in_session_not_found")?;
        let page = self.app.page("/callback?code=forged&state=forged").await?;
        same(&page.status, &StatusCode::BAD_REQUEST)?;
        same(&page.text.contains("That did not work"), &true)?;
        same(&self.fixture.logto.logto().count(Endpoint::Token), &before)?;
        self.nobody().await
    }

    async fn sign_in(&self) -> Result<(), Failed> {
        let authorization_url = self.app.get("/sign-in?return_to=/user").await?.redirect()?;
        let callback = self.logto.sign_in(&authorization_url, "alice")?;
        let destination = self.app.get(callback.as_str()).await?.redirect()?;
        same(&destination, &self.fixture.base.join("/user")?)?;
        // The callback is good for once; opened again, it leads on and redeems nothing.
        let redeemed = self.fixture.logto.logto().count(Endpoint::Token);
        let again = self.app.get(callback.as_str()).await?.redirect()?;
        same(&again, &destination)?;
        same(
            &self.fixture.logto.logto().count(Endpoint::Token),
            &redeemed,
        )?;
        self.is_signed_in(true).await
    }

    async fn page(&self) -> Result<(), Failed> {
        self.app.get("/").await?.shows("Hello, Alice Lab")
    }

    /// Mallory, signed in with a browser of her own.
    async fn mallory(&self) -> Result<Browser, Failed> {
        let browser = Browser::new(&self.fixture.base)?;
        let authorization_url = browser.get("/sign-in").await?.redirect()?;
        let callback = self
            .fixture
            .logto
            .logto()
            .sign_in(&authorization_url, MALLORY)?;
        browser.get(callback.as_str()).await?.redirect()?;
        Ok(browser)
    }

    /// Mallory gets a page with her name and without her script.
    async fn markup(&self) -> Result<(), Failed> {
        let browser = self.mallory().await?;
        let user = browser.get("/user").await?.json(StatusCode::OK)?;
        same(&user["claims"]["name"], &json!(HOSTILE_NAME))?;
        let page = browser.get("/").await?;
        page.shows("alert(1)")?;
        same(&page.text.contains("<script>"), &false)
    }

    async fn claims(&self) -> Result<(), Failed> {
        let user = self.app.get("/user").await?.json(StatusCode::OK)?;
        same(&user["is_authenticated"], &json!(true))?;
        same(&user["claims"]["username"], &json!("alice"))?;
        same(
            &user["claims"]["organizations"],
            &json!([demo::ACME, demo::GLOBEX]),
        )
    }

    async fn user_info(&self) -> Result<(), Failed> {
        let user_info = self.app.get("/user-info").await?.json(StatusCode::OK)?;
        same(&user_info["email"], &json!("alice@example.com"))
    }

    /// Forgets what the page has fetched, so that the read-only path has nothing; then the writable
    /// path fetches, and after it both have the same.
    async fn both_paths(&self, query: &str, scopes: &[&str]) -> Result<(), Failed> {
        self.app
            .delete(&format!("/token?{query}"))
            .await?
            .json(StatusCode::OK)?;
        let read_only = self.app.get(&format!("/token/read-only?{query}")).await?;
        read_only.refusal(StatusCode::CONFLICT, "needs_refresh")?;
        let fetched = self.token(query).await?;
        same(&fetched["refreshed"], &json!(true))?;
        same(&fetched["scopes"], &json!(scopes))?;
        let kept = self.token(query).await?;
        same(&kept["refreshed"], &json!(false))?;
        same(&kept["access_token"], &fetched["access_token"])?;
        let read_only = self.read_only(query).await?;
        same(&read_only["access_token"], &fetched["access_token"])
    }

    async fn organizations(&self) -> Result<(), Failed> {
        let answer = self.app.get("/organizations").await?.json(StatusCode::OK)?;
        let entries = answer["organizations"]
            .as_array()
            .ok_or("no organizations")?;
        let ids: Vec<&Value> = entries
            .iter()
            .map(|entry| &entry["organization_id"])
            .collect();
        same(&json!(ids), &json!([demo::ACME, demo::GLOBEX]))?;
        same(
            &entries
                .iter()
                .all(|entry| entry["access_token"].is_string()),
            &true,
        )
    }

    async fn foreign_organization(&self) -> Result<(), Failed> {
        let answer = self.app.get("/token?organization_id=somebody-else").await?;
        answer.refusal(StatusCode::FORBIDDEN, "access_denied")?;
        self.is_signed_in(true).await
    }

    async fn unknown_resource(&self) -> Result<(), Failed> {
        let before = self.fixture.logto.logto().count(Endpoint::Token);
        let answer = self
            .app
            .get("/token?resource=https://unknown.example.com")
            .await?;
        answer.refusal(StatusCode::BAD_REQUEST, "resource_not_requested")?;
        same(&self.fixture.logto.logto().count(Endpoint::Token), &before)
    }

    async fn refresh(&self) -> Result<(), Failed> {
        let query = format!("resource={}", demo::SHOPPING_API);
        let old = self.token(&query).await?;
        let new = self
            .app
            .post(&format!("/token?{query}"))
            .await?
            .json(StatusCode::OK)?;
        same(&new["refreshed"], &json!(true))?;
        same(&(new["access_token"] == old["access_token"]), &false)
    }

    async fn forget(&self) -> Result<(), Failed> {
        let query = format!("resource={}", demo::SHOPPING_API);
        let old = self.token(&query).await?;
        self.app
            .delete(&format!("/token?{query}"))
            .await?
            .json(StatusCode::OK)?;
        let new = self.token(&query).await?;
        same(&new["refreshed"], &json!(true))?;
        same(&(new["access_token"] == old["access_token"]), &false)
    }

    /// Ten days later: everything has expired, and the next refresh replaces the refresh token. If the
    /// new one got lost, the refresh after that would end the session.
    async fn rotation(&self) -> Result<(), Failed> {
        let query = format!("resource={}", demo::SHOPPING_API);
        self.fixture.clock.advance(PAST_ROTATION);
        let read_only = self.app.get(&format!("/token/read-only?{query}")).await?;
        read_only.refusal(StatusCode::CONFLICT, "needs_refresh")?;
        same(&self.token(&query).await?["refreshed"], &json!(true))?;
        self.fixture.clock.advance(PAST_REPLAY);
        self.app
            .post(&format!("/token?{query}"))
            .await?
            .json(StatusCode::OK)?;
        same(&self.fixture.logto.logto().late_replays(), &0)
    }

    async fn machine(&self) -> Result<(), Failed> {
        let path = format!("/machine-token?resource={}", demo::SHOPPING_API);
        let token = self.app.get(&path).await?.json(StatusCode::OK)?;
        same(
            &token["scopes"],
            &json!(["read:products", "write:products"]),
        )?;
        // Whoever had it would act as the application.
        same(&token["access_token"], &Value::Null)?;
        self.app.get("/").await?.shows("Machine to machine")?;
        let stranger = Browser::new(&self.fixture.base)?.get(&path).await?;
        stranger.refusal(StatusCode::UNAUTHORIZED, "not_authenticated")
    }

    /// The code is shown to alice, who approves it, and to nobody else. The device learns of it at its next
    /// poll.
    async fn device(&self) -> Result<(), Failed> {
        let progress = self.app.post("/device").await?.json(StatusCode::OK)?;
        same(&progress["state"], &json!("waiting"))?;
        let code = progress["user_code"].as_str().ok_or("no user code")?;
        self.app.get("/").await?.shows(code)?;
        let mallory = self.mallory().await?;
        let hers = mallory.get("/device").await?.json(StatusCode::OK)?;
        same(&hers, &json!({ "state": "idle" }))?;
        let stolen = mallory.post("/device/approve").await?;
        stolen.refusal(StatusCode::CONFLICT, "no_device_waits")?;
        self.app
            .post("/device/approve")
            .await?
            .json(StatusCode::OK)?;
        self.fixture.clock.advance(NEXT_POLL);
        for _ in 0..MAX_DEVICE_POLLS {
            let progress = self.app.get("/device").await?.json(StatusCode::OK)?;
            if progress["state"] != json!("waiting") {
                return same(
                    &progress,
                    &json!({ "state": "signed_in", "name": "Alice Lab" }),
                );
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Err("the device still waits".into())
    }

    /// Somebody ends alice's sessions at Logto, and Logto tells the application.
    async fn back_channel_logout(&self) -> Result<(), Failed> {
        self.is_signed_in(true).await?;
        let logto = self.fixture.logto.logto();
        drop(logto.take_logout_tokens());
        logto.end_sessions("alice")?;
        let tokens = logto.take_logout_tokens();
        let token = tokens.first().ok_or("no logout token")?;
        let forged = self
            .app
            .post_form(token.uri(), "logout_token=forged")
            .await?;
        same(&forged.status, &StatusCode::BAD_REQUEST)?;
        self.is_signed_in(true).await?;
        for token in &tokens {
            let form = format!("logout_token={}", token.token());
            let answer = self.app.post_form(token.uri(), form).await?;
            same(&answer.status, &StatusCode::OK)?;
        }
        self.is_signed_in(false).await
    }

    async fn foreign_sign_out(&self) -> Result<(), Failed> {
        let answer = self.app.get_from_elsewhere("/sign-out").await?;
        answer.refusal(StatusCode::FORBIDDEN, "cross_site_request")?;
        self.is_signed_in(true).await
    }

    async fn sign_out(&self) -> Result<(), Failed> {
        let end_session_url = self.app.post("/sign-out").await?.redirect()?;
        self.is_signed_in(false).await?;
        let home = self.logto.sign_out(&end_session_url)?;
        same(&home, &self.fixture.base)?;
        same(&self.logto.visit(&self.authorization_url().await?)?, &None)
    }

    /// Logto remembers the user, so that the next sign-in shows no page.
    async fn sign_out_locally(&self) -> Result<(), Failed> {
        let callback = self
            .logto
            .sign_in(&self.authorization_url().await?, "alice")?;
        self.app.get(callback.as_str()).await?.redirect()?;
        self.is_signed_in(true).await?;
        self.app.post("/sign-out/local").await?.redirect()?;
        self.is_signed_in(false).await?;
        let callback = self.logto.visit(&self.authorization_url().await?)?;
        self.app
            .get(callback.ok_or("Logto asks again")?.as_str())
            .await?
            .redirect()?;
        self.is_signed_in(true).await
    }

    async fn authorization_url(&self) -> Result<Url, Failed> {
        self.app.get("/sign-in").await?.redirect()
    }

    async fn is_signed_in(&self, expected: bool) -> Result<(), Failed> {
        let user = self.app.get("/user").await?.json(StatusCode::OK)?;
        same(&user["is_authenticated"], &json!(expected))
    }

    async fn token(&self, query: &str) -> Result<Value, Failed> {
        self.app
            .get(&format!("/token?{query}"))
            .await?
            .json(StatusCode::OK)
    }

    async fn read_only(&self, query: &str) -> Result<Value, Failed> {
        self.app
            .get(&format!("/token/read-only?{query}"))
            .await?
            .json(StatusCode::OK)
    }
}

impl Answer {
    /// Demands a page with this text.
    fn shows(&self, text: &str) -> Result<(), Failed> {
        same(&self.status, &StatusCode::OK)?;
        match self.text.contains(text) {
            true => Ok(()),
            false => Err(format!("the page does not say {text:?}").into()),
        }
    }
}
