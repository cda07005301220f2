//! Logto in salvo 1: three calls in a hoop.

use std::mem;

use bytes::Bytes;
use logto::{LogtoApp, web::RequestSession};
use logto_example_others as pages;
use salvo::{
    Depot, FlowCtrl, Handler, Listener, Request, Response, Router, Scribe, Server, Service,
    async_trait, conn::TcpListener, handler, http::StatusError,
};

// ANCHOR: salvo
#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let logto = logto::test::demo_or_env().await?;
    let port = std::env::var("PORT").map_or(Ok(3000), |port| port.parse::<u16>())?;
    let router = Router::new()
        .get(home)
        .push(Router::with_path("private").get(private))
        .push(Router::with_path("orders").get(orders));
    let listener = TcpListener::new(("127.0.0.1", port)).try_bind().await?;
    let service = Service::new(router).hoop(Logto(logto));
    Ok(Server::new(listener).try_serve(service).await?)
}

struct Logto(LogtoApp);

#[async_trait]
impl Handler for Logto {
    async fn handle(
        &self,
        request: &mut Request,
        depot: &mut Depot,
        response: &mut Response,
        rest: &mut FlowCtrl,
    ) {
        // 1. The SDK's own routes.
        if let Some(route) = self.0.route(request.uri().path()) {
            let body = request.payload_with_max_size(LogtoApp::MAX_BODY_LENGTH);
            let body = body.await.cloned().unwrap_or_default();
            let (mut parts, ()) = http::Request::new(()).into_parts();
            parts.method = request.method().clone();
            parts.uri = request.uri().clone();
            parts.headers = request.headers().clone();
            response.render(Page(self.0.answer(route, &parts, &body).await));
            rest.skip_rest();
            return;
        }
        // 2. The handlers find the session in the depot.
        let session = self
            .0
            .begin(request.method(), request.uri(), request.headers());
        depot.insert_typed(session.clone());
        rest.call_next(request, depot, response).await;
        // 3. Cookies, headers, and the response to an error, whatever the handler did.
        let (mut head, ()) = http::Response::new(()).into_parts();
        head.headers = mem::take(response.headers_mut());
        if let Some(body) = session.finish(&mut head) {
            response.status_code(head.status).body(body);
        }
        response.set_headers(head.headers);
    }
}

/// A response of the SDK.
struct Page(http::Response<Bytes>);

impl Scribe for Page {
    fn render(self, response: &mut Response) {
        let (head, body) = self.0.into_parts();
        response.status_code(head.status).body(body);
        response.headers_mut().extend(head.headers);
    }
}

#[handler]
async fn private(depot: &Depot) -> Result<Page, StatusError> {
    Ok(Page(pages::private(session(depot)?).await))
}

fn session(depot: &Depot) -> Result<&RequestSession, StatusError> {
    let session = depot.get_typed();
    session.map_err(|_| StatusError::internal_server_error().brief("The hoop is missing."))
}
// ANCHOR_END: salvo

#[handler]
async fn home(depot: &Depot) -> Result<Page, StatusError> {
    Ok(Page(pages::home(session(depot)?).await))
}

#[handler]
async fn orders(depot: &Depot) -> Result<Page, StatusError> {
    Ok(Page(pages::orders(session(depot)?).await))
}
