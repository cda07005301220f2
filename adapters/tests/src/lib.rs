//! The adapters for actix-web and Rocket are tested here; see the manifests of these adapters for the reason.

/// The examples of their documentation.
#[cfg(doctest)]
mod documentation {
    #[doc = include_str!("../../actix-web/README.md")]
    struct ActixWeb;
    #[doc = include_str!("../../rocket/README.md")]
    struct Rocket;
}
