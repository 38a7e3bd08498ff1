//! The PostgreSQL starter: databases of one's own, and a role that row-level security binds.

use rollcall_lab::postgres::Postgres;

#[test]
fn each_test_gets_a_database_whose_owner_cannot_pass_row_level_security_by() {
    let postgres = Postgres::start_private().unwrap();

    let one = postgres.fresh_database().unwrap();
    let two = postgres.fresh_database().unwrap();

    postgres.run_sql(&one, "create table only_here (id int)").unwrap();
    assert!(postgres.run_sql(&two, "select * from only_here").is_err());
    let role =
        postgres.run_sql(&one, "select rolsuper, rolbypassrls from pg_roles where rolname = current_user").unwrap();
    assert_eq!(role.trim(), "f|f");
    let owner = postgres.run_sql(
        &one,
        "select pg_get_userbyid(datdba) = current_user from pg_database where datname = current_database()",
    );
    assert_eq!(owner.unwrap().trim(), "t");
}

#[test]
fn a_migrated_database_can_be_copied() {
    let postgres = Postgres::start_private().unwrap();
    let template = postgres.fresh_database().unwrap();
    postgres.run_sql(&template, "create table people (name text); insert into people values ('Ada')").unwrap();

    let copy = postgres.copy_of(&template).unwrap();

    assert_eq!(postgres.run_sql(&copy, "select name from people").unwrap().trim(), "Ada");
}
