//! The same page in actix-web: the SDK beside the session middleware that others use, and beside a page without any
//! session.

use std::{net::TcpListener, thread, time::Duration};

use actix_session::{Session, SessionMiddleware, storage::CookieSessionStore};
use actix_web::{
    App, HttpResponse, HttpServer, cookie::Key, http::header::SET_COOKIE, rt::System, test, web,
};
use cpu_time::ThreadTime;
use logto_actix_web::{LogtoMiddleware, User};

use crate::request::{Cookies, PAGE, seen_before};

/// Longer than a turn of all others.
const KEEP_ALIVE: Duration = Duration::from_secs(600);

/// One way to know who is signed in.
pub struct Application {
    /// What it is.
    pub name: &'static str,
    /// Serves [`PAGE`], and `/cpu` with the time of the one worker in nanoseconds, until the process ends.
    pub serve: fn(TcpListener),
}

/// Serves with one worker, in this thread and one of its own.
macro_rules! serve {
    ($listener:expr, $app:expr) => {
        System::new().block_on(async {
            let server = HttpServer::new(move || $app.route("/cpu", web::get().to(cpu)))
                .workers(1)
                .disable_signals()
                .keep_alive(KEEP_ALIVE);
            let server = server.listen($listener).expect("listening");
            server.run().await.expect("serving");
        })
    };
}

/// All of them. The one with the SDK reads the cookies of the application in axum whose cookies were seen before.
pub fn applications(cookies: &mut Cookies) -> Vec<Application> {
    let signed_in = thread::spawn(sign_in_to_actix_session).join();
    cookies.0.push(signed_in.expect("signed in"));
    let bare: fn(TcpListener) = |listener| {
        let page = async || "user-0";
        serve!(listener, App::new().route(PAGE, web::get().to(page)))
    };
    let logto: fn(TcpListener) = |listener| {
        let logto = seen_before();
        let page = async |user: User| user.sub.clone();
        serve!(
            listener,
            App::new()
                .route(PAGE, web::get().to(page))
                .wrap(LogtoMiddleware::new(logto.clone()))
        )
    };
    let session: fn(TcpListener) = |listener| {
        let page = async |session: Session| {
            let user: Option<String> = session.get("user").expect("JSON");
            user.expect("signed in")
        };
        serve!(
            listener,
            App::new()
                .route(PAGE, web::get().to(page))
                .wrap(actix_session())
        )
    };
    [
        ("actix-web, no session", bare),
        ("logto-actix-web, cookies seen before", logto),
        ("actix-session, one value in a sealed cookie", session),
    ]
    .map(|(name, serve)| Application { name, serve })
    .into()
}

async fn cpu() -> String {
    ThreadTime::now().as_duration().as_nanos().to_string()
}

fn actix_session() -> SessionMiddleware<CookieSessionStore> {
    let key = Key::from(&[9; 64]);
    SessionMiddleware::builder(CookieSessionStore::default(), key)
        .cookie_name("actix".to_owned())
        .build()
}

fn sign_in_to_actix_session() -> String {
    System::new().block_on(async {
        let sign_in = async |session: Session| {
            session.insert("user", "user-0").expect("JSON");
            HttpResponse::Ok().finish()
        };
        let app = App::new()
            .route("/", web::post().to(sign_in))
            .wrap(actix_session());
        let app = test::init_service(app).await;
        let response = test::call_service(&app, test::TestRequest::post().to_request()).await;
        let set_cookie = response.headers().get(SET_COOKIE).expect("a session");
        let set_cookie = set_cookie.to_str().expect("ASCII");
        set_cookie.split(';').next().unwrap_or_default().to_owned()
    })
}
