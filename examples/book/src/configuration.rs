//! What an application sets before it starts.

use logto::client::key_value::KeyValueStore;
use logto::client::seal::{KeyRing, SealKey, WeakSecret};
use logto::core::vocabulary::UserScope;
use logto::web::cookies::SameSite;
use logto::web::{LinkParameter, Route};
use logto::{LogtoApp, LogtoBuilder, SignIn, StartError};

// ANCHOR: scopes
/// Asks for more than the default: claims, APIs and their permissions, organizations.
pub async fn logto() -> Result<LogtoApp, StartError> {
    logto::from_env()
        .config(|config| {
            config
                .scopes([UserScope::Email, UserScope::CustomData])
                .scopes([UserScope::Organizations, UserScope::OrganizationRoles])
                .resource("https://shop.example.com/api")
                .scopes(["read:products", "write:products"])
        })
        .await
}
// ANCHOR_END: scopes

// ANCHOR: routes
/// Changes what the routes do, and where they are.
pub fn with_routes(logto: LogtoBuilder) -> LogtoBuilder {
    logto.routes(|routes| {
        routes
            .sign_in(SignIn::new().return_to("/welcome"))
            .path(Route::SignOutLocally, "/sign-out/local")
            // A link may fill in the form: /sign-in?login_hint=alice@example.com
            .link_parameters([LinkParameter::LoginHint])
    })
}
// ANCHOR_END: routes

// ANCHOR: key_ring
/// Seals with the new key, and still opens what the old one sealed.
pub fn with_new_key(logto: LogtoBuilder, new: &str, old: &str) -> Result<LogtoBuilder, WeakSecret> {
    let keys = KeyRing::new(SealKey::from_secret(new)?);
    Ok(logto.keys(keys.with_previous_key(SealKey::from_secret(old)?)))
}
// ANCHOR_END: key_ring

// ANCHOR: shared_ledger
/// Sessions stay in cookies; what the processes have to tell each other goes through the store.
pub fn with_shared_ledger(
    logto: LogtoBuilder,
    keys: KeyRing,
    store: impl KeyValueStore + 'static,
) -> LogtoBuilder {
    logto
        .keys(keys.clone())
        .client(|client| client.shared_ledger(store, keys))
}
// ANCHOR_END: shared_ledger

// ANCHOR: frames
/// For pages that other sites show in a frame.
pub fn in_frames(logto: LogtoBuilder) -> LogtoBuilder {
    logto.cookies(|cookies| cookies.same_site(SameSite::None).partitioned())
}
// ANCHOR_END: frames

// ANCHOR: other_hosts
/// Serves a second domain and all preview hosts too. `LOGTO_OTHER_HOSTS` does the same.
pub fn at_several_hosts(logto: LogtoBuilder) -> LogtoBuilder {
    logto.config(|config| config.other_hosts(["app.example.de", "*.preview.example.com"]))
}
// ANCHOR_END: other_hosts

// ANCHOR: nginx_buffers
/// Only together with `proxy_buffer_size 16k` and `large_client_header_buffers 4 16k` in nginx.
pub fn behind_large_buffers(logto: LogtoBuilder) -> LogtoBuilder {
    logto.cookies(|cookies| cookies.response_limit(15 * 1024).budget(14 * 1024))
}
// ANCHOR_END: nginx_buffers
