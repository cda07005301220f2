//! An application in Rocket, without a network.
#![allow(clippy::unwrap_used, clippy::panic)]

use bytes::Bytes;
use http::{Request, Response};
use logto::{Cached, LogtoApp, TokenTarget, core::error::UsageError, web::Requirement};
use logto_rocket::{
    ApiFairing, Error, LogtoFairing, ReadOnly, Result, Session, Token, User, authorize, require,
};
use logto_testkit::demo::SHOPPING_API;
use rocket::{
    Build, Config, Rocket,
    error::ErrorKind,
    get,
    http::{Header, Status, uri::Authority},
    local::asynchronous::Client,
    request::{FromRequest, Outcome},
    response::{status::Custom, stream::TextStream},
    routes,
};
use support::{
    Api, Visitor, application, breakable,
    hosts::{at_several_hosts, comes_back_to},
    logto, scopes, text,
};

mod support;

fn api() -> TokenTarget {
    TokenTarget::resource(SHOPPING_API)
}

fn name(user: &User) -> String {
    user.user.name.value().cloned().unwrap_or_default()
}

#[get("/")]
fn home(user: Option<User>) -> String {
    let name = user.as_ref().map_or_else(|| "stranger".to_owned(), name);
    format!("Hello, {name}")
}

#[get("/private")]
fn private(user: User) -> String {
    name(&user)
}

#[get("/orders")]
async fn orders(session: Session) -> Result<String> {
    Ok(scopes(&session.access_token(&api()).await?))
}

#[get("/fails")]
async fn fails(session: Session) -> Result<String> {
    session.access_token(&api()).await?;
    Err(UsageError::AlreadyDone.into())
}

#[get("/breaks")]
async fn breaks(session: Session) -> Custom<&'static str> {
    session.access_token(&api()).await.unwrap();
    Custom(Status::BadGateway, "broken")
}

#[get("/stream")]
fn streams(session: ReadOnly) -> TextStream![String] {
    TextStream! {
        yield "Loading ... ".to_owned();
        yield match session.access_token(&api()) {
            Cached::Valid(token) => scopes(&token),
            _ => "needs refresh".to_owned(),
        };
    }
}

#[get("/plain")]
fn plain() -> &'static str {
    "nobody asks"
}

#[get("/either")]
fn signed_in(_user: User) -> &'static str {
    "a user"
}

#[get("/either", rank = 2)]
fn signed_out() -> &'static str {
    "a visitor"
}

struct Staff;

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Staff {
    type Error = Error;

    async fn from_request(request: &'r rocket::Request<'_>) -> Outcome<Self, Error> {
        let staff = Requirement::user().role("staff");
        require(request, &staff).await.map(|_| Self)
    }
}

/// Who calls an API.
struct Caller(Token);

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Caller {
    type Error = ();

    async fn from_request(request: &'r rocket::Request<'_>) -> Outcome<Self, ()> {
        let route = request.uri().path().as_str().trim_start_matches('/');
        authorize(request, |issuer| Api::demands(issuer, route))
            .await
            .map(Self)
    }
}

#[get("/<_route>")]
fn called(caller: Caller, _route: &str) -> String {
    caller.0.sub.clone()
}

#[get("/optional")]
fn optional(caller: Option<Caller>) -> &'static str {
    if caller.is_some() {
        "somebody"
    } else {
        "nobody"
    }
}

#[get("/staff")]
fn staff(_staff: Staff) -> &'static str {
    "staff"
}

fn config() -> Config {
    Config {
        log_level: rocket::config::LogLevel::Off,
        ..Config::debug_default()
    }
}

fn rocket() -> Rocket<Build> {
    let handlers = routes![
        home, private, orders, fails, breaks, streams, plain, signed_in, signed_out, staff
    ];
    rocket::custom(config()).mount("/", handlers)
}

fn attach(app: LogtoApp) -> Rocket<Build> {
    rocket().attach(LogtoFairing::new(app))
}

/// A function that sends a request to the application.
macro_rules! sender {
    ($client:ident) => {
        async |request: Request<Bytes>| {
            let (head, body) = request.into_parts();
            let method = head.method.as_str().parse().unwrap();
            let mut request = $client.req(method, head.uri.to_string()).body(body);
            for (name, value) in &head.headers {
                let value = value.to_str().unwrap().to_owned();
                request.add_header(Header::new(name.to_string(), value));
            }
            let answer = request.dispatch().await;
            let mut response = Response::builder().status(answer.status().code);
            for header in answer.headers().iter() {
                response = response.header(header.name().as_str(), header.value());
            }
            let body = answer.into_bytes().await.unwrap_or_default();
            response.body(body.into()).unwrap()
        }
    };
}

macro_rules! visitor {
    ($visitor:ident) => {
        let logto = logto();
        visitor!($visitor, &logto, application(&logto).await);
    };
    ($visitor:ident, $logto:expr, $app:expr) => {
        let rocket = attach($app);
        let client = Client::untracked(rocket).await.unwrap();
        let send = sender!(client);
        let mut $visitor = Visitor::new($logto, send);
    };
}

#[rocket::async_test]
async fn the_tour() {
    visitor!(visitor);
    visitor.tour().await;
}

#[rocket::async_test]
async fn a_handler_that_fails_loses_nothing() {
    visitor!(visitor);
    visitor.failures().await;
}

#[rocket::async_test]
async fn bodies_reach_the_routes() {
    visitor!(visitor);
    visitor.logout_elsewhere().await;
}

#[rocket::async_test]
async fn what_is_no_route_is_left_alone() {
    visitor!(visitor);
    visitor.edges().await;
}

#[rocket::async_test]
async fn a_guard_lets_only_users_of_a_kind_pass() {
    visitor!(visitor);
    visitor.staff().await;
}

#[rocket::async_test]
async fn a_route_of_lower_rank_serves_visitors() {
    visitor!(visitor);
    assert_eq!(text(&visitor.page("/either").await), "a visitor");
    visitor.sign_in("/sign-in").await;
    assert_eq!(text(&visitor.page("/either").await), "a user");
}

#[rocket::async_test]
async fn without_the_fairing_rocket_does_not_start() {
    let error = Client::untracked(rocket()).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::SentinelAborts(_)));
}

#[rocket::async_test]
async fn the_cookies_of_the_local_client_count() {
    let logto = logto();
    let client = Client::tracked(attach(application(&logto).await))
        .await
        .unwrap();
    let response = client
        .get("/sign-in")
        .header(Header::new("sec-fetch-mode", "navigate"));
    let response = response.dispatch().await;
    let sign_in = response.headers().get_one("location").unwrap();
    let callback = logto.sign_in(&sign_in.parse().unwrap(), "alice").unwrap();
    let callback = format!("{}?{}", callback.path(), callback.query().unwrap());
    assert_eq!(
        client.get(callback).dispatch().await.status(),
        Status::SeeOther
    );
    let page = client.get("/private").dispatch().await;
    assert_eq!(page.into_string().await.unwrap(), "Alice Lab");
}

#[rocket::async_test]
async fn a_sign_in_comes_back_to_its_host() {
    let logto = logto();
    visitor!(visitor, &logto, at_several_hosts(&logto).await);
    visitor.hosts().await;

    // HTTP/2 has it in the URI, of which Rocket keeps it apart.
    let client = Client::untracked(attach(at_several_hosts(&logto).await))
        .await
        .unwrap();
    let mut request = client
        .get("/sign-in")
        .header(Header::new("sec-fetch-mode", "navigate"));
    let host = Authority::parse("two.localhost:3000").unwrap();
    request.inner_mut().set_host(host.into());
    let response = request.dispatch().await;
    let to_logto = response.headers().get_one("location").unwrap();
    assert_eq!(comes_back_to(to_logto), "two.localhost");
}

#[rocket::async_test]
async fn an_outage_signs_nobody_out() {
    let logto = logto();
    let (app, storage) = breakable(&logto).await;
    visitor!(visitor, &logto, app);
    visitor.outage(&storage).await;
}

#[rocket::async_test]
async fn a_response_that_is_replaced_keeps_the_headers_of_other_fairings() {
    visitor!(visitor);
    let redirect = visitor.page("/private").await;
    assert_eq!(redirect.status(), 303);
    // Of the shield that every Rocket has.
    assert_eq!(redirect.headers()["x-frame-options"], "SAMEORIGIN");
    assert!(
        redirect.headers().get("content-type").is_none(),
        "{redirect:?}"
    );
}

#[rocket::async_test]
async fn an_api_admits_the_tokens_that_it_requires() {
    let api = Api::new(&logto()).await;
    let rocket = rocket::custom(config())
        .mount("/", routes![called, optional])
        .attach(ApiFairing::new(api.server.clone()));
    let client = Client::untracked(rocket).await.unwrap();
    let send = sender!(client);
    api.admits(&send).await;
    let optional = send(Request::get("/optional").body(Bytes::new()).unwrap()).await;
    assert_eq!(text(&optional), "nobody");
    assert!(optional.headers().get("www-authenticate").is_none());
}

#[rocket::async_test]
async fn without_its_fairing_an_api_admits_nobody() {
    let rocket = rocket::custom(config()).mount("/", routes![called]);
    let client = Client::untracked(rocket).await.unwrap();
    let send = sender!(client);
    let request = Request::get("/products").header("authorization", "Bearer e30.e30.e30");
    let response: Response<Bytes> = send(request.body(Bytes::new()).unwrap()).await;
    assert_eq!(response.status(), 500);
}
