//! An application in actix-web, without a network.
#![allow(clippy::unwrap_used, clippy::panic)]

use actix_web::{
    App, HttpResponse,
    body::to_bytes,
    dev::Service,
    error::ErrorBadGateway,
    middleware::from_fn,
    test::{TestRequest, init_service},
    web,
};
use async_stream::stream;
use bytes::Bytes;
use http::{Request, Response};
use logto::{Cached, TokenTarget, core::error::UsageError, web::Requirement};
use logto_actix_web::{
    LogtoMiddleware, ReadOnly, Result, Session, Token, User, require, require_token,
};
use logto_testkit::demo::SHOPPING_API;
use support::{Api, Visitor, application, breakable, hosts::at_several_hosts, logto, scopes};

mod support;

fn api() -> TokenTarget {
    TokenTarget::resource(SHOPPING_API)
}

fn name(user: &User) -> String {
    user.user.name.value().cloned().unwrap_or_default()
}

async fn home(user: Option<User>) -> String {
    let name = user.as_ref().map_or_else(|| "stranger".to_owned(), name);
    format!("Hello, {name}")
}

async fn private(user: User) -> String {
    name(&user)
}

async fn orders(session: Session) -> Result<String> {
    Ok(scopes(&session.access_token(&api()).await?))
}

async fn fails(session: Session) -> Result<String> {
    session.access_token(&api()).await?;
    Err(UsageError::AlreadyDone.into())
}

async fn breaks(session: Session) -> actix_web::Result<String> {
    session
        .access_token(&api())
        .await
        .map_err(ErrorBadGateway)?;
    Err(ErrorBadGateway("broken"))
}

async fn streams(session: ReadOnly) -> HttpResponse {
    HttpResponse::Ok().streaming(stream! {
        yield std::io::Result::Ok(Bytes::from_static(b"Loading ... "));
        yield Ok(match session.access_token(&api()) {
            Cached::Valid(token) => Bytes::from(scopes(&token)),
            _ => Bytes::from_static(b"needs refresh"),
        });
    })
}

/// A function that sends a request to the service.
macro_rules! sender {
    ($service:ident) => {
        async |request: Request<Bytes>| {
            let (head, body) = request.into_parts();
            let mut request = TestRequest::with_uri(&head.uri.to_string());
            for (name, value) in &head.headers {
                request = request.append_header((name.as_str(), value.as_bytes()));
            }
            let method = head.method.as_str().parse().unwrap();
            let request = request.method(method).set_payload(body).to_request();
            // As the server does.
            let answer = match $service.call(request).await {
                Ok(answer) => answer.into_parts().1.map_into_boxed_body(),
                Err(error) => error.error_response(),
            };
            let mut response = Response::builder().status(answer.status().as_u16());
            for (name, value) in answer.headers() {
                response = response.header(name.as_str(), value.as_bytes());
            }
            response
                .body(to_bytes(answer.into_body()).await.unwrap())
                .unwrap()
        }
    };
}

macro_rules! visitor {
    ($visitor:ident) => {
        let logto = logto();
        visitor!($visitor, &logto, application(&logto).await);
    };
    ($visitor:ident, $logto:expr, $app:expr) => {
        let app = $app;
        let service = App::new()
            .route("/", web::get().to(home))
            .route("/private", web::get().to(private))
            .route("/orders", web::get().to(orders))
            .route("/fails", web::get().to(fails))
            .route("/breaks", web::get().to(breaks))
            .route("/stream", web::get().to(streams))
            .route("/plain", web::get().to(async || "nobody asks"))
            .service(
                web::scope("/staff")
                    .route("", web::get().to(private))
                    .wrap(from_fn(|request, next| {
                        require(Requirement::user().role("staff"), request, next)
                    })),
            )
            .wrap(LogtoMiddleware::new(app));
        let service = init_service(service).await;
        let send = sender!(service);
        let mut $visitor = Visitor::new($logto, send);
    };
}

#[actix_web::test]
async fn the_tour() {
    visitor!(visitor);
    visitor.tour().await;
}

#[actix_web::test]
async fn a_handler_that_fails_loses_nothing() {
    visitor!(visitor);
    visitor.failures().await;
}

#[actix_web::test]
async fn bodies_reach_the_routes() {
    visitor!(visitor);
    visitor.logout_elsewhere().await;
}

#[actix_web::test]
async fn what_is_no_route_is_left_alone() {
    visitor!(visitor);
    visitor.edges().await;
}

#[actix_web::test]
async fn a_scope_lets_only_users_of_a_kind_pass() {
    visitor!(visitor);
    visitor.staff().await;
}

#[actix_web::test]
async fn a_sign_in_comes_back_to_its_host() {
    let logto = logto();
    visitor!(visitor, &logto, at_several_hosts(&logto).await);
    visitor.hosts().await;

    // HTTP/2 has it in the URI.
    let request = Request::get("http://two.localhost:3000/sign-in");
    assert_eq!(visitor.begins(request).await, "two.localhost");
}

#[actix_web::test]
async fn an_outage_signs_nobody_out() {
    let logto = logto();
    let (app, storage) = breakable(&logto).await;
    visitor!(visitor, &logto, app);
    visitor.outage(&storage).await;
}

#[actix_web::test]
async fn an_api_admits_the_tokens_that_it_requires() {
    let api = Api::new(&logto()).await;
    let guarded = |route: &'static str| {
        let server = api.server.clone();
        web::scope(route)
            .route("", web::get().to(async |token: Token| token.sub.clone()))
            .wrap(from_fn(move |request, next| {
                let demands = Api::demands(server.issuer(), route);
                require_token(server.clone(), demands, request, next)
            }))
    };
    let service = App::new()
        .service(guarded("products"))
        .service(guarded("prices"))
        .service(guarded("shipments"))
        .service(guarded("stock"))
        .route(
            "/open",
            web::get().to(async |token: Token| token.sub.clone()),
        );
    let service = init_service(service).await;
    let send = sender!(service);
    api.admits(&send).await;
    let unguarded = send(Request::get("/open").body(Bytes::new()).unwrap()).await;
    assert_eq!(unguarded.status(), 500);
}
