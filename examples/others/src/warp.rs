//! Logto in warp 0.4: the `tower` layer around the service that the filters make.

use hyper::server::conn::http1;
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use logto::{tower::LogtoLayer, web::RequestSession};
use logto_example_others as pages;
use tokio::net::TcpListener;
use tower::Layer;
use warp::{Filter, Reply};

// ANCHOR: warp
#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let logto = logto::test::demo_or_env().await?;
    let port = std::env::var("PORT").map_or(Ok(3000), |port| port.parse())?;
    let home = warp::path::end().and(warp::ext::get()).then(home);
    let private = warp::path!("private").and(warp::ext::get()).then(private);
    let orders = warp::path!("orders").and(warp::ext::get()).then(orders);
    let routes = warp::get().and(home.or(private).or(orders));
    let service = LogtoLayer::new(logto).layer(warp::service(routes));
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    loop {
        // Most often there are too many connections, and soon there are fewer.
        let Ok((stream, _)) = listener.accept().await else {
            continue;
        };
        let service = TowerToHyperService::new(service.clone());
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}

async fn private(session: RequestSession) -> impl Reply {
    pages::private(&session).await
}
// ANCHOR_END: warp

async fn home(session: RequestSession) -> impl Reply {
    pages::home(&session).await
}

async fn orders(session: RequestSession) -> impl Reply {
    pages::orders(&session).await
}
