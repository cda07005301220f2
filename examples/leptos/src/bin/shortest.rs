//! The shortest application: a page for signed-in users, rendered on the server.

use axum::Router;
use leptos::prelude::*;
use leptos_axum::{LeptosRoutes, generate_route_list};
use leptos_router::components::{Route, Router as Pages, Routes};
use leptos_router::{SsrMode, path};
use logto::axum::RouterExt;
use logto_leptos::require_user;

#[tokio::main]
async fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let options = LeptosOptions::builder().output_name("shortest").build();
    let app = Router::new()
        .leptos_routes(&options, generate_route_list(App), App)
        .with_state(options)
        .with_logto(logto::from_env().await?);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    Ok(axum::serve(listener, app).await?)
}

#[component]
fn App() -> impl IntoView {
    view! {
        <!DOCTYPE html>
        <html lang="en">
            <body>
                <Pages>
                    <Routes fallback=|| "Not found">
                        <Route path=path!("/") view=Home ssr=SsrMode::Async/>
                    </Routes>
                </Pages>
            </body>
        </html>
    }
}

/// The page begins when there is a user. Visitors are sent to sign in first.
#[component]
fn Home() -> impl IntoView {
    let user = Resource::new_blocking(|| (), |()| require_user());
    view! {
        <Suspense>
            {move || Suspend::new(async move {
                user.await.map(|user| view! { <h1>"Hello, " {user.sub.clone()}</h1> })
            })}
        </Suspense>
    }
}
