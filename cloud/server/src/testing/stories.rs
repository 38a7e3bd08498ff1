//! Tells the same stories on both engines: each by itself on SQLite, all in one test on PostgreSQL.

/// `stories! { name_of_the_postgres_test: [a_story, another_story] }`, each an `async fn(TestCloud)` of the same file.
macro_rules! stories {
    ($on_postgres:ident: [$($name:ident),+ $(,)?]) => {
        mod on_sqlite {
            $(#[tokio::test]
            async fn $name() {
                super::$name($crate::testing::TestCloud::on_sqlite().await).await;
            })+
        }

        #[tokio::test]
        async fn $on_postgres() {
            let postgres = rollcall_lab::postgres::Postgres::start_private().unwrap();
            $(
                let url = postgres.fresh_database().unwrap();
                let db = rollcall_store::testing::TestDb::postgres(&url).await.unwrap();
                println!("{}", stringify!($name));
                Box::pin($name($crate::testing::TestCloud::on(db).await)).await;
            )+
        }
    };
}

pub(crate) use stories;
