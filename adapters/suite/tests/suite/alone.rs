//! The program as somebody starts it who has no tenant.

use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use logto::{ReqwestClient, client::http::HttpClient};
use logto_suite::{COOKIE_KEY, Program, Sessions, free_port};
use url::Url;

pub(crate) async fn without_a_tenant_it_brings_its_own(package: &'static str, sessions: Sessions) {
    let port = free_port();
    let mut variables = vec![("PORT", port.to_string())];
    if sessions == Sessions::Cookies {
        variables.push(("LOGTO_COOKIE_KEY", COOKIE_KEY.to_owned()));
    }
    let _program = Program::start(package, port, variables).await;
    let home = Url::parse(&format!("http://localhost:{port}/")).unwrap();
    assert_eq!(get(&home).await.status(), StatusCode::OK);
    let to_logto = location(&home.join("/sign-in").unwrap()).await;
    assert_eq!(to_logto.path(), "/oidc/auth", "{to_logto}");
    let page = location(&to_logto).await;
    assert_eq!(
        page.path(),
        "/sign-in",
        "Logto knows the application: {page}"
    );
}

async fn get(url: &Url) -> Response<Bytes> {
    let request = Request::get(url.as_str()).header("sec-fetch-site", "none");
    let request = request.header("sec-fetch-mode", "navigate");
    let http = ReqwestClient::new().unwrap();
    http.send(request.body(Bytes::new()).unwrap())
        .await
        .unwrap()
}

async fn location(url: &Url) -> Url {
    let response = get(url).await;
    let location = response.headers().get(header::LOCATION);
    let location = location.unwrap_or_else(|| panic!("{url}: {response:?}"));
    url.join(location.to_str().unwrap()).unwrap()
}
