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

/// One test for each scenario and example.
macro_rules! table {
    (
        examples: { $($example:ident = $package:literal,)+ }
        scenarios: $scenarios:tt
    ) => {
        $(mod $example {
            use logto_suite::Sessions;

            table!($package, $scenarios);
        })+
    };
    ($package:literal, { $($sessions:tt: $scenarios:tt)+ }) => {
        $(scenarios!($package, $sessions, $scenarios);)+
    };
}

macro_rules! scenarios {
    ($package:literal, $sessions:tt, {
        $($(#[$condition:meta])* $module:ident::$scenario:ident,)+
    }) => {
        $($(#[$condition])*
        #[tokio::test]
        async fn $scenario() {
            for sessions in $sessions {
                super::$module::$scenario($package, sessions).await;
            }
        })+
    };
}

table! {
    examples: {
        actix_web = "logto-example-actix-web",
        axum = "logto-example-axum",
        hyper = "logto-example-hyper",
        leptos = "logto-example-leptos",
        rocket = "logto-example-rocket",
    }
    scenarios: {
        [Sessions::Memory, Sessions::Cookies]: {
            tour::the_tour,
            alone::without_a_tenant_it_brings_its_own,
            sign_in::tabs_finish_in_any_order,
            sign_in::a_cancelled_sign_in_is_explained_and_can_be_begun_again,
            sign_in::a_repeated_callback_goes_where_it_wanted_to_go,
            staying::a_token_expires_while_a_page_streams,
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
        }
        [Sessions::Redis]: {
            #[cfg(feature = "services")]
            store::the_store_is_down,
        }
    }
}

// It has no Logto to bring, and no Redis. Requests that meet are a matter of its own: a worker separates them.
#[cfg(feature = "worker")]
table! {
    examples: {
        worker = "logto-example-worker",
    }
    scenarios: {
        [Sessions::Memory, Sessions::Cookies]: {
            tour::the_tour,
            sign_in::tabs_finish_in_any_order,
            sign_in::a_cancelled_sign_in_is_explained_and_can_be_begun_again,
            sign_in::a_repeated_callback_goes_where_it_wanted_to_go,
            staying::a_token_expires_while_a_page_streams,
            staying::a_daily_visitor_stays_signed_in,
            staying::requests_at_the_same_time,
            staying::a_restart,
            leaving::signing_out_here,
            leaving::signing_out_everywhere,
            leaving::a_logout_elsewhere,
            attacks::cookies_that_were_tampered_with,
            attacks::cookies_that_are_not_ours,
            attacks::requests_of_other_sites,
            open_redirects::nobody_is_sent_elsewhere,
        }
    }
}
