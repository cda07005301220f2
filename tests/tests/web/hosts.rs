//! One application at several hosts: each signs in and out for itself.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header, request::Parts};
use logto::{
    LogtoApp, LogtoBuilder, SignIn, StartError,
    test::{Browser, Page, app_fn, http_client},
    web::Route,
};
use logto_client::http::{HttpClient, TransportError, http_fn};
use logto_testkit::{App, Endpoint, Logto};
use logto_tests::visitor::location;
use url::Url;

const MAIN: &str = "https://app.example.com";
const OTHER: &str = "https://app.example.de";
const PREVIEW: &str = "https://pr-7.preview.example.com";
const HOSTS: [&str; 3] = [MAIN, OTHER, PREVIEW];
const APP_ID: &str = "shop";
const KEY: &str = "YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXowMTIzNDU2Nzg5";

/// A Logto that knows every host of the application.
fn logto() -> Logto {
    let app = HOSTS
        .iter()
        .fold(App::traditional(APP_ID, "secret"), |app, root| {
            app.redirect_uri(format!("{root}/callback"))
                .post_logout_redirect_uri(format!("{root}/"))
        });
    let tenant = Logto::demo().endpoint("https://logto.example").app(app);
    tenant.build().unwrap()
}

fn builder(logto: &Logto) -> LogtoBuilder {
    logto::builder(logto.endpoint(), APP_ID)
        .config(|config| {
            config
                .app_secret("secret")
                .base_url(MAIN)
                .other_hosts(["app.example.de", "*.preview.example.com"])
        })
        .context(http_client(logto))
}

/// The application as a framework runs it: its pages say who is signed in.
fn serve(app: &LogtoApp) -> impl HttpClient + use<> {
    let app = app.clone();
    app_fn(move |request: Request<Bytes>| {
        let app = app.clone();
        async move {
            let (parts, body) = request.into_parts();
            if let Some(route) = app.route(parts.uri.path()) {
                return app.answer(route, &parts, &body).await;
            }
            let session = app.begin(&parts.method, &parts.uri, &parts.headers);
            let claims = session.claims().await.unwrap();
            let text = claims.map_or_else(|| "nobody".to_owned(), |claims| claims.sub.clone());
            let (mut head, body) = Response::new(Bytes::from(text)).into_parts();
            let body = session.finish(&mut head).unwrap_or(body);
            Response::from_parts(head, body)
        }
    })
}

fn url(text: &str) -> Url {
    Url::parse(text).unwrap()
}

fn browser(logto: &Logto, app: &LogtoApp) -> Browser {
    Browser::new(logto, &url(MAIN), serve(app))
}

/// The application with its sessions in cookies, and in memory.
async fn applications(logto: &Logto) -> [LogtoApp; 2] {
    let in_cookies = builder(logto).cookie_key(KEY).await.unwrap();
    [in_cookies, builder(logto).await.unwrap()]
}

/// A request for `path`, of a navigation on this host.
fn request(host: &str, path: &str) -> Parts {
    let request = Request::get(path)
        .header(header::HOST, host)
        .header("sec-fetch-site", "same-origin")
        .header("sec-fetch-mode", "navigate")
        .header("sec-fetch-dest", "document");
    request.body(()).unwrap().into_parts().0
}

async fn answer(app: &LogtoApp, parts: &Parts) -> Response<Bytes> {
    let route = app.route(parts.uri.path()).unwrap();
    app.answer(route, parts, &Bytes::new()).await
}

/// Where Logto is asked to send the code of this sign-in.
fn redirect_uri(to_logto: &Url) -> String {
    let mut query = to_logto.query_pairs();
    let redirect_uri = query.find(|(name, _)| name == "redirect_uri");
    redirect_uri.unwrap().1.into_owned()
}

/// The callback that Logto redirects to, before the application has seen it.
async fn callback(browser: &Browser, started: &Page, user: &str) -> Url {
    let form = browser.open(started.location().unwrap().as_str()).await;
    let form = form.unwrap().form_with("identifier").unwrap();
    let form = form.fill("identifier", user).fill("password", "password");
    let fields = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(form.fields())
        .finish();
    let mut next = browser
        .send(
            Request::post(form.action().as_str())
                .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
                .body(fields.into())
                .unwrap(),
        )
        .await
        .unwrap();
    loop {
        let location = next.location().unwrap();
        if location.path() == "/callback" {
            return location;
        }
        next = browser.get(location.as_str()).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn c16_sign_ins_at_several_hosts_at_once_are_independent() {
    let logto = logto();
    for app in applications(&logto).await {
        let browser = browser(&logto, &app);
        let browsers = HOSTS.map(|root| browser.at(&url(root)));
        let mut started = Vec::new();
        for (browser, root) in browsers.iter().zip(HOSTS) {
            let page = browser.get("/sign-in?return_to=/orders").await.unwrap();
            let to_logto = page.location().unwrap();
            assert_eq!(redirect_uri(&to_logto), format!("{root}/callback"));
            started.push(page);
        }
        for ((browser, root), page) in browsers.iter().zip(HOSTS).zip(started).rev() {
            let page = browser
                .finish_sign_in(page, "alice", "password")
                .await
                .unwrap();
            assert_eq!(page.url().as_str(), format!("{root}/orders"));
            assert_eq!(page.text(), "user-alice");
        }
        let sessions = browsers.each_ref().map(Browser::cookies);
        assert!(sessions[0] != sessions[1] && sessions[1] != sessions[2]);

        let [main, other, preview] = &browsers;
        let page = other.post("/sign-out", &[]).await.unwrap();
        assert_eq!(page.url().as_str(), format!("{OTHER}/"));
        assert_eq!(page.text(), "nobody");
        assert!(other.cookies().is_empty());
        assert_eq!(main.cookies(), sessions[0]);
        for browser in [main, preview] {
            assert_eq!(browser.open("/").await.unwrap().text(), "user-alice");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_sign_out_ends_at_its_own_host() {
    let logto = logto();
    let app = builder(&logto)
        .routes(|routes| routes.path(Route::SignOutLocally, "/leave"))
        .await
        .unwrap();
    for root in HOSTS {
        let browser = browser(&logto, &app).at(&url(root));
        browser
            .sign_in("/sign-in", "alice", "password")
            .await
            .unwrap();
        let page = browser.post("/leave", &[]).await.unwrap();
        assert_eq!(page.url().as_str(), format!("{root}/"));
        assert_eq!(page.text(), "nobody");
    }

    // Also where Logto cannot be asked for the address of its sign-out.
    let unreachable = logto::builder("http://127.0.0.1:9", APP_ID)
        .config(|config| config.base_url(MAIN).other_hosts(["app.example.de"]))
        .context(http_fn(|_| async {
            Err(TransportError::NotSent("down".to_owned()))
        }))
        .await
        .unwrap();
    let mut parts = request("app.example.de", "/sign-out");
    parts.method = Method::POST;
    let response = answer(&unreachable, &parts).await;
    assert_eq!(location(&response).as_str(), format!("{OTHER}/"));
}

#[tokio::test(start_paused = true)]
async fn c16_a_host_that_is_not_allowed_is_signed_in_at_the_base_url() {
    let logto = logto();
    let app = builder(&logto).await.unwrap();
    let long = "a".repeat(10_000);
    for host in [
        "",
        "*",
        "evil.example",
        "evil.example:443",
        "app.example.com.evil.example",
        "app.example.de.evil.example",
        "evilapp.example.de",
        "evil.app.example.de",
        "app.example.de.",
        "app.example.de:8443",
        "app.example.de:80",
        "app.example.de:",
        "app.example.de:0443",
        "app.example.de@evil.example",
        "evil@app.example.de",
        "app.example.de, evil.example",
        "app.example.de evil.example",
        "app.example.de/evil",
        "app.example.de#",
        "app.example.de?",
        "app.example.de\\evil",
        "https://app.example.de",
        "preview.example.com",
        ".preview.example.com",
        "a.b.preview.example.com",
        "*.preview.example.com",
        "evilpreview.example.com",
        "-a.preview.example.com",
        "a_b.preview.example.com",
        "a%2eb.preview.example.com",
        "evil.example/.preview.example.com",
        "evil.example#.preview.example.com",
        "xn--.preview.example.com",
        "localhost",
        "127.0.0.1",
        "[::1]",
        "[app.example.de]",
        "192.0.2.1",
        "not a host",
        &long,
    ] {
        let response = answer(&app, &request(host, "/sign-in")).await;
        let main = format!("{MAIN}/callback");
        assert_eq!(redirect_uri(&location(&response)), main, "{host:.80}");
    }
}

#[tokio::test(start_paused = true)]
async fn c16_the_host_of_a_request_is_unambiguous_and_comes_from_the_request_itself() {
    let logto = logto();
    let app = builder(&logto).await.unwrap();
    let target = async |uri: &str, headers: &[(&str, &str)]| {
        let mut parts = request("", "/sign-in");
        parts.headers.remove(header::HOST);
        parts.uri = uri.parse().unwrap();
        for (name, value) in headers {
            let name: header::HeaderName = name.parse().unwrap();
            parts.headers.append(name, value.parse().unwrap());
        }
        redirect_uri(&location(&answer(&app, &parts).await))
    };
    let (main, other) = (format!("{MAIN}/callback"), format!("{OTHER}/callback"));
    let here = ("host", "app.example.de");
    assert_eq!(target("/sign-in", &[here]).await, other);
    // HTTP/2, and the absolute form of HTTP/1.1.
    let absolute = format!("{OTHER}/sign-in");
    assert_eq!(target(&absolute, &[]).await, other);
    assert_eq!(target(&absolute, &[here]).await, other);
    assert_eq!(target(&absolute, &[("host", "evil.example")]).await, main);
    assert_eq!(target("https://evil.example/sign-in", &[here]).await, main);
    assert_eq!(target("/sign-in", &[]).await, main);
    assert_eq!(target("/sign-in", &[here, here]).await, main);
    // What a proxy may say, and anybody else as well, is not read.
    for forwarded in [
        ("x-forwarded-host", "app.example.de"),
        ("x-original-host", "app.example.de"),
        ("x-host", "app.example.de"),
        ("forwarded", "host=app.example.de"),
    ] {
        let said = [("host", "app.example.com"), forwarded];
        assert_eq!(target("/sign-in", &said).await, main);
    }
}

#[tokio::test(start_paused = true)]
async fn c16_a_callback_at_another_host_signs_nobody_in_there() {
    let logto = logto();
    for app in applications(&logto).await {
        let main = browser(&logto, &app);
        let other = main.at(&url(OTHER));
        let started = main.get("/sign-in?return_to=/orders").await.unwrap();
        let callback = callback(&main, &started, "alice").await;
        let mut moved = callback.clone();
        moved.set_host(Some("app.example.de")).unwrap();

        // The cookie of the sign-in is at the host where it was started.
        let page = other.get(moved.as_str()).await.unwrap();
        assert_eq!(page.status(), StatusCode::BAD_REQUEST);
        let page = other.fetch(moved.as_str()).await.unwrap();
        assert_eq!(page.json().unwrap()["error"], "sign_in_session_not_found");
        assert_eq!(other.open("/").await.unwrap().text(), "nobody");

        // With a sign-in of its own under way, it starts again, for this host.
        other.get("/sign-in").await.unwrap();
        let page = other.get(moved.as_str()).await.unwrap();
        let again = page.location().unwrap();
        assert_eq!(redirect_uri(&again), format!("{OTHER}/callback"));
        let page = other.follow(page).await.unwrap();
        assert_eq!(page.url().as_str(), format!("{OTHER}/orders"));

        // Its code was never spent.
        let page = main.open(callback.as_str()).await.unwrap();
        assert_eq!(page.url().as_str(), format!("{MAIN}/orders"));
        assert_eq!(page.text(), "user-alice");
    }
}

#[tokio::test(start_paused = true)]
async fn c16_a_host_that_is_no_longer_allowed_completes_no_sign_in() {
    let logto = logto();
    let app = builder(&logto).cookie_key(KEY).await.unwrap();
    let preview = browser(&logto, &app).at(&url(PREVIEW));
    let started = preview.get("/sign-in").await.unwrap();
    let callback = callback(&preview, &started, "alice").await;
    let fewer = logto::builder(logto.endpoint(), APP_ID)
        .config(|config| config.app_secret("secret").base_url(MAIN))
        .context(http_client(&logto))
        .cookie_key(KEY)
        .await
        .unwrap();
    let mut parts = request(
        "pr-7.preview.example.com",
        &callback[url::Position::BeforePath..],
    );
    let cookies = preview.cookies();
    let cookies: Vec<String> = cookies.iter().map(|(n, v)| format!("{n}={v}")).collect();
    let cookies = HeaderValue::from_str(&cookies.join("; ")).unwrap();
    parts.headers.insert(header::COOKIE, cookies);
    // It starts again, once, at the base URL.
    let again = location(&answer(&fewer, &parts).await);
    assert_eq!(redirect_uri(&again), format!("{MAIN}/callback"));
    // Nothing has happened to the sign-in itself.
    let response = answer(&app, &parts).await;
    assert_eq!(response.headers()[header::LOCATION], "/");
}

#[tokio::test(start_paused = true)]
async fn b14_a_sibling_host_cannot_act_for_the_user() {
    let logto = logto();
    let app = builder(&logto).await.unwrap();
    let origins = HOSTS.iter().chain(&[
        "https://evil.example",
        "null",
        "https://preview.example.com",
    ]);
    for origin in origins {
        for root in HOSTS {
            let url = url(root);
            let mut parts = request(url.host_str().unwrap(), "/sign-out");
            parts.method = Method::POST;
            parts.headers.remove("sec-fetch-site");
            let value = HeaderValue::from_static(origin);
            parts.headers.insert(header::ORIGIN, value);
            let is_own = *origin == root;
            assert_eq!(app.web().check_own_request(&parts).is_ok(), is_own);
            let cookie = HeaderValue::from_static("__Host-logto_shop=of-somebody");
            parts.headers.insert(header::COOKIE, cookie);
            let session = app.begin(&parts.method, &parts.uri, &parts.headers);
            assert_eq!(session.session().await.is_ok(), is_own);
            let status = answer(&app, &parts).await.status();
            assert_eq!(status == StatusCode::SEE_OTHER, is_own, "{origin} {root}");
            assert!(is_own || status == StatusCode::FORBIDDEN);
        }
    }
    // Browsers say it themselves, whatever the origin.
    for site in ["same-site", "cross-site"] {
        let mut parts = request("app.example.de", "/sign-out");
        parts.method = Method::POST;
        parts
            .headers
            .insert("sec-fetch-site", HeaderValue::from_static(site));
        parts
            .headers
            .insert(header::ORIGIN, HeaderValue::from_static(OTHER));
        assert!(app.web().check_own_request(&parts).is_err());
    }
}

#[tokio::test(start_paused = true)]
async fn a_sign_in_of_the_application_goes_by_the_host_unless_it_says_otherwise() {
    let logto = logto();
    let app = builder(&logto).await.unwrap();
    let parts = request("app.example.de", "/join");
    let response = app.web().sign_in(&parts, &SignIn::new()).await.unwrap();
    assert_eq!(
        redirect_uri(&location(&response)),
        format!("{OTHER}/callback")
    );
    let elsewhere = SignIn::new().redirect_uri(url("https://login.example.com/callback"));
    let response = app.web().sign_in(&parts, &elsewhere).await.unwrap();
    let redirect_uri = redirect_uri(&location(&response));
    assert_eq!(redirect_uri, "https://login.example.com/callback");
}

#[tokio::test(start_paused = true)]
async fn a_loopback_host_that_is_allowed_is_not_led_to_the_base_url() {
    let logto = logto();
    let config = |hosts: &'static [&'static str]| {
        logto::builder(logto.endpoint(), APP_ID)
            .config(|config| {
                config
                    .base_url("http://localhost:3000")
                    .other_hosts(hosts.iter().copied())
            })
            .context(http_client(&logto))
    };
    let strict = config(&[]).await.unwrap();
    let open = config(&["127.0.0.1", "*.localhost"]).await.unwrap();
    for host in ["127.0.0.1:3000", "one.localhost:3000"] {
        let parts = request(host, "/sign-in");
        let led = location(&answer(&strict, &parts).await);
        assert_eq!(led.as_str(), "http://localhost:3000/sign-in");
        let started = location(&answer(&open, &parts).await);
        assert_eq!(redirect_uri(&started), format!("http://{host}/callback"));
    }
    let led = location(&answer(&open, &request("[::1]:3000", "/sign-in")).await);
    assert_eq!(led.as_str(), "http://localhost:3000/sign-in");
}

#[tokio::test(start_paused = true)]
async fn b1_cookies_of_a_domain_are_refused_unless_it_is_above_every_host() {
    let logto = logto();
    let shared =
        |domain: &'static str| builder(&logto).cookies(move |it| it.domain(domain)).build();
    let error = shared("example.com").await.unwrap_err();
    assert!(matches!(error, StartError::Cookies(_)), "{error}");

    // Below one domain, they are one session.
    let app = builder(&logto)
        .config(|_| {
            logto::core::config::LogtoConfig::builder(logto.endpoint(), APP_ID)
                .app_secret("secret")
                .base_url(MAIN)
                .other_hosts(["*.preview.example.com"])
        })
        .cookies(|cookies| cookies.domain("example.com"))
        .await
        .unwrap();
    let main = browser(&logto, &app);
    let preview = main.at(&url(PREVIEW));
    main.sign_in("/sign-in", "alice", "password").await.unwrap();
    assert_eq!(preview.open("/").await.unwrap().text(), "user-alice");
    preview.post("/sign-out", &[]).await.unwrap();
    assert_eq!(main.open("/").await.unwrap().text(), "nobody");

    // A code is for the redirect URI of its host, although both hosts have the cookie of the sign-in.
    let started = main.get("/sign-in").await.unwrap();
    let mut moved = callback(&main, &started, "alice").await;
    moved.set_host(url(PREVIEW).host_str()).unwrap();
    let redeemed = logto.count(Endpoint::Token);
    let again = preview.get(moved.as_str()).await.unwrap();
    let again = redirect_uri(&again.location().unwrap());
    assert_eq!(again, format!("{PREVIEW}/callback"));
    assert_eq!(logto.count(Endpoint::Token), redeemed);
}

/// The cookies that a response sets belong to the host that sent it.
#[tokio::test(start_paused = true)]
async fn b1_every_host_has_cookies_of_its_own_of_one_name() {
    let logto = logto();
    let app = builder(&logto).await.unwrap();
    let names = |headers: &HeaderMap| -> Vec<String> {
        let values = headers.get_all(header::SET_COOKIE).iter();
        let values = values.map(|value| value.to_str().unwrap().to_owned());
        values
            .map(|it| it.split('=').next().unwrap().to_owned())
            .collect()
    };
    for root in HOSTS {
        let url = url(root);
        let response = answer(&app, &request(url.host_str().unwrap(), "/sign-in")).await;
        assert_eq!(names(response.headers()), ["__Host-logto_shop.browser"]);
    }
}
