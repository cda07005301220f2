//! The table: every example passes every scenario, with sessions in memory and in cookies, and some in a store.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

mod alone;
mod attacks;
mod leaving;
mod open_redirects;
#[cfg(feature = "services")]
mod proxies;
#[cfg(feature = "port-3000")]
mod shortest;
mod sign_in;
mod staying;
#[cfg(feature = "services")]
mod store;
mod tour;

mod others {
    use logto_suite::Sessions;

    use super::alone::without_a_tenant_it_brings_its_own;

    #[tokio::test]
    async fn the_api() {
        without_a_tenant_it_brings_its_own("logto-example-api", Sessions::Memory).await;
    }

    #[tokio::test]
    async fn the_store_of_the_application() {
        without_a_tenant_it_brings_its_own("logto-example-own-store", Sessions::Cookies).await;
    }
}

macro_rules! scenarios {
    ($package:literal, $sessions:tt, {
        $($(#[$condition:meta])* $module:ident::$scenario:ident,)+
    }) => {
        $($(#[$condition])*
        #[tokio::test]
        async fn $scenario() {
            for sessions in $sessions {
                crate::$module::$scenario($package, sessions).await;
            }
        })+
    };
}

/// What every example passes, with sessions in memory and in cookies.
macro_rules! everywhere {
    ($package:literal) => {
        scenarios!($package, [Sessions::Memory, Sessions::Cookies], {
            tour::the_tour,
            sign_in::tabs_finish_in_any_order,
            sign_in::a_cancelled_sign_in_is_explained_and_can_be_begun_again,
            sign_in::a_repeated_callback_goes_where_it_wanted_to_go,
            staying::a_token_expires_while_a_page_streams,
            staying::a_page_that_fetches_ahead_streams_its_token,
            staying::a_daily_visitor_stays_signed_in,
            staying::a_restart,
            leaving::signing_out_here,
            leaving::signing_out_everywhere,
            leaving::a_logout_elsewhere,
            attacks::cookies_that_were_tampered_with,
            attacks::cookies_that_are_not_ours,
            attacks::requests_of_other_sites,
            open_redirects::nobody_is_sent_elsewhere,
            #[cfg(feature = "services")]
            proxies::behind_nginx,
            #[cfg(feature = "services")]
            proxies::over_https_at_the_proxy,
            #[cfg(feature = "services")]
            proxies::below_a_prefix,
        });
    };
}

/// What needs a program: it brings a Logto, and reaches Redis.
macro_rules! program {
    ($package:literal) => {
        scenarios!($package, [Sessions::Memory, Sessions::Cookies], {
            alone::without_a_tenant_it_brings_its_own,
        });
        scenarios!($package, [Sessions::Redis], {
            #[cfg(feature = "services")]
            store::the_store_is_down,
        });
    };
}

/// What only a worker can get wrong: it separates requests that meet.
#[cfg(feature = "worker")]
macro_rules! worker {
    ($package:literal) => {
        scenarios!($package, [Sessions::Memory, Sessions::Cookies], {
            staying::requests_at_the_same_time,
        });
    };
}

/// What the programs of a page pass, which have `/`, `/private` and `/orders`.
macro_rules! short {
    ($package:literal) => {
        scenarios!($package, [Sessions::Memory, Sessions::Cookies], {
            alone::without_a_tenant_it_brings_its_own,
            sign_in::a_cancelled_sign_in_is_explained_and_can_be_begun_again,
            staying::a_restart,
            leaving::signing_out_here,
            leaving::signing_out_everywhere,
            leaving::a_logout_elsewhere,
            attacks::cookies_that_are_not_ours,
        });
    };
}

/// One test for each example and scenario.
macro_rules! table {
    ($($(#[$condition:meta])* $example:ident = $package:literal: $($list:ident)+;)+) => {
        $($(#[$condition])*
        mod $example {
            use logto_suite::Sessions;

            $($list!($package);)+
        })+
    };
}

table! {
    actix_web = "logto-example-actix-web": everywhere program;
    axum = "logto-example-axum": everywhere program;
    hyper = "logto-example-hyper": everywhere program;
    leptos = "logto-example-leptos": everywhere program;
    rocket = "logto-example-rocket": everywhere program;
    #[cfg(feature = "worker")]
    worker = "logto-example-worker": everywhere worker;
    poem = "logto-example-poem": short;
    salvo = "logto-example-salvo": short;
    warp = "logto-example-warp": short;
}
