//! The parameters and results of handlers. Each adapter has its own types, because it implements its
//! framework's traits for them.

/// Defines `Error` and `Result`.
#[macro_export]
macro_rules! error_type {
    () => {
        /// The result of a handler that uses the session.
        pub type Result<T, E = Error> = ::std::result::Result<T, E>;

        /// An error of the SDK. Its response is a page for a browser and JSON for a script, with a fixed sentence for
        /// each code; the details go to the observer.
        #[derive(Clone, Debug)]
        pub struct Error(pub $crate::logto_client::Error);

        impl<E: Into<$crate::logto_client::Error>> From<E> for Error {
            fn from(error: E) -> Self {
                Self(error.into())
            }
        }
    };
}

/// Defines `User`, `Session`, `ReadOnly`, `Request` and `Token`.
#[macro_export]
macro_rules! session_types {
    () => {
        /// The claims of the signed-in user.
        #[derive(Clone, Debug)]
        pub struct User(pub ::std::sync::Arc<$crate::logto_client::core::claims::IdTokenClaims>);

        /// The session of the signed-in user, to refresh and store.
        #[derive(Clone, Debug)]
        pub struct Session(pub $crate::logto_client::WritableSession);

        /// The session of the signed-in user, read-only.
        #[derive(Clone, Debug)]
        pub struct ReadOnly(pub $crate::logto_client::ReadOnlySession);

        /// The session of the request before it is opened: for pages that stream, and for code that runs before
        /// the handlers.
        #[derive(Clone, Debug)]
        pub struct Request(pub $crate::logto_client::web::RequestSession);

        /// The claims of the verified access token of a request to an API.
        #[derive(Clone, Debug)]
        pub struct Token(pub ::std::sync::Arc<$crate::logto_client::core::api_token::ApiTokenClaims>);

        $crate::session_types! {
            User: $crate::logto_client::core::claims::IdTokenClaims,
            Session: $crate::logto_client::WritableSession,
            ReadOnly: $crate::logto_client::ReadOnlySession,
            Request: $crate::logto_client::web::RequestSession,
            Token: $crate::logto_client::core::api_token::ApiTokenClaims,
        }
    };
    ($($name:ident: $target:ty,)*) => { $(
        impl ::std::ops::Deref for $name {
            type Target = $target;

            fn deref(&self) -> &$target {
                &self.0
            }
        }
    )* };
}
