//! What the application shows where nothing asks for the session.

use leptos::prelude::*;
use logto_leptos::{Result, User};

use crate::{App, RefreshOrders, SaveProfile};

pub(crate) fn shell() -> impl IntoView {
    view! {
        <!DOCTYPE html>
        <html lang="en">
            <head>
                <meta charset="utf-8"/>
                <title>"Logto in Leptos"</title>
            </head>
            <body>
                <App/>
            </body>
        </html>
    }
}

pub(crate) fn home(user: Option<User>) -> AnyView {
    match user {
        Some(user) => signed_in(&user).into_any(),
        None => signed_out().into_any(),
    }
}

fn signed_in(user: &User) -> impl IntoView + use<> {
    let name = user.user.name.as_deref().unwrap_or(&user.sub).to_owned();
    view! {
        <h1>"Hello, " {name}</h1>
        <ul>
            <li><a href="/private">"Your claims"</a></li>
            <li><a href="/user-info">"What Logto knows about you"</a></li>
            <li><a href="/orders">"A token for the API"</a></li>
            <li><a href="/organizations">"Your organizations"</a></li>
            <li><a href="/stream">"A page that streams"</a></li>
            <li><a href="/stream/ahead">"One that has a token ready"</a></li>
        </ul>
        <ActionForm action={ServerAction::<SaveProfile>::new()}>
            <button>"Save the profile"</button>
        </ActionForm>
        <form method="post" action="/sign-out">
            <button>"Sign out"</button>
        </form>
    }
}

fn signed_out() -> impl IntoView {
    view! {
        <h1>"Nobody is signed in"</h1>
        <a href="/sign-in?return_to=/">"Sign in"</a>
    }
}

pub(crate) fn claims(user: &User) -> impl IntoView + use<> {
    let claims = serde_json::to_string_pretty(user).unwrap_or_default();
    view! { <pre>{claims}</pre> }
}

/// A part of a page that is sent when it is ready.
pub(crate) fn when_ready<V: IntoView + 'static>(
    part: impl Future<Output = Result<V>> + Send + 'static,
) -> impl IntoView {
    let problem = |_| view! { <p>"This cannot be shown. " <a href="/">"Go on"</a></p> };
    view! {
        <Suspense fallback=|| view! { <p>"Loading"</p> }>
            <ErrorBoundary fallback=problem>{Suspend::new(part)}</ErrorBoundary>
        </Suspense>
    }
}

pub(crate) fn new_token_form() -> impl IntoView {
    view! {
        <ActionForm action={ServerAction::<RefreshOrders>::new()}>
            <button>"Get a new token"</button>
        </ActionForm>
    }
}
