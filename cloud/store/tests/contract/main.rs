//! What the store promises, on SQLite and on PostgreSQL alike.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod cast;
mod walls;
mod cancelled;
mod jobs;
mod audit;
mod customers;
mod signing_in;

/// Every promise runs on SQLite as a test of its own, and all of them on one PostgreSQL cluster.
macro_rules! promises {
    ($($module:ident :: $name:ident),+ $(,)?) => {
        mod on_sqlite {
            $(mod $name {
                #[tokio::test]
                async fn holds() {
                    crate::$module::$name(crate::cast::sqlite().await).await;
                }
            })+
        }

        #[tokio::test]
        async fn every_promise_holds_on_postgres() {
            let postgres = rollcall_lab::postgres::Postgres::start_private().unwrap();
            $(
                println!("{}", stringify!($name));
                let url = postgres.fresh_database().unwrap();
                Box::pin($module::$name(cast::postgres(&url).await)).await;
            )+
        }
    };
}

promises![
    walls::one_tenant_never_sees_anothers_customers,
    walls::a_chosen_reach_hides_other_customers,
    walls::rows_of_another_tenant_cannot_be_written,
    walls::every_table_of_a_tenant_is_walled,
    walls::one_tenant_never_sees_anothers_bundles_or_updates,
    cancelled::dropping_any_future_at_any_poll_leaves_a_clean_connection,
    jobs::a_lane_runs_in_order_and_lanes_run_side_by_side,
    jobs::a_worker_that_lost_its_lease_cannot_finish,
    jobs::tenants_take_turns,
    jobs::a_job_that_waits_for_its_next_try_blocks_its_lane_only,
    jobs::a_buried_job_blocks_nothing_and_can_be_revived,
    jobs::work_for_a_later_time_is_planned_and_does_not_wait,
    audit::every_line_hangs_on_the_one_before,
    audit::the_log_cannot_be_rewritten,
    customers::names_that_sound_alike_get_addresses_of_their_own,
    customers::the_list_is_paged_by_name_and_searched_literally,
    customers::a_reader_sees_one_moment,
    signing_in::a_session_ends_by_idleness_and_at_last_by_age,
    signing_in::a_disabled_operator_is_out_at_once,
    signing_in::one_name_may_serve_two_tenants_and_each_keeps_its_own,
    signing_in::an_operator_reaches_the_chosen_customers_only,
    signing_in::a_link_works_once_and_the_newest_only,
    signing_in::a_key_opens_its_own_customer_until_it_is_revoked,
    signing_in::attempts_are_limited_however_many_come_at_once,
    signing_in::attempts_that_are_over_are_not_kept,
    signing_in::one_idempotency_key_stands_for_one_request_for_a_day,
];

/// A promise that is not in the list above would silently not be kept.
#[test]
fn every_promise_is_listed() {
    let listed = include_str!("main.rs");
    for (module, text) in [
        ("walls", include_str!("walls.rs")),
        ("cancelled", include_str!("cancelled.rs")),
        ("jobs", include_str!("jobs.rs")),
        ("audit", include_str!("audit.rs")),
        ("customers", include_str!("customers.rs")),
        ("signing_in", include_str!("signing_in.rs")),
    ] {
        for name in text.lines().filter_map(|line| line.strip_prefix("pub async fn ")?.split('(').next()) {
            assert!(listed.contains(&format!("{module}::{name},")), "{module}::{name}");
        }
    }
}
