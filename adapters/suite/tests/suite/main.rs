//! The table: every example passes every scenario, with sessions in memory and in cookies.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

mod alone;
mod attacks;
mod leaving;
mod open_redirects;
mod sign_in;
mod staying;
mod tour;

use logto_suite::Sessions;

const SESSIONS: [Sessions; 2] = [Sessions::Memory, Sessions::Cookies];

/// One test for each scenario and example.
macro_rules! table {
    (
        examples: { $($example:ident = $package:literal,)+ }
        scenarios: $scenarios:tt
    ) => {
        $(mod $example {
            scenarios!($package, $scenarios);
        })+
    };
}

macro_rules! scenarios {
    ($package:literal, { $($module:ident::$scenario:ident,)+ }) => {
        $(#[tokio::test]
        async fn $scenario() {
            for sessions in super::SESSIONS {
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
        tour::the_tour,
        alone::without_a_tenant_it_brings_its_own,
        sign_in::tabs_finish_in_any_order,
        sign_in::a_cancelled_sign_in_is_explained_and_can_be_begun_again,
        sign_in::a_repeated_callback_goes_where_it_wanted_to_go,
        sign_in::below_a_prefix,
        staying::a_token_expires_while_a_page_streams,
        staying::a_daily_visitor_stays_signed_in,
        staying::a_restart,
        leaving::signing_out_here,
        leaving::a_logout_elsewhere,
        attacks::cookies_that_were_tampered_with,
        attacks::cookies_that_are_not_ours,
        attacks::requests_of_other_sites,
        open_redirects::nobody_is_sent_elsewhere,
    }
}
