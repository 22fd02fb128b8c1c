//! One test, two databases.

/// Turns each named `async fn(TempDatabase)` of the calling module into two tests, `…::sqlite` and
/// `…::postgres`, on a fresh database each. A function that is not listed is dead code, and the
/// compiler says so.
#[macro_export]
macro_rules! on_both_databases {
    ($($test:ident),+ $(,)?) => {
        $(
            mod $test {
                #[test]
                fn sqlite() {
                    $crate::block_on(async {
                        super::$test($crate::TempDatabase::sqlite()).await;
                    });
                }

                #[test]
                fn postgres() {
                    $crate::block_on(async {
                        super::$test($crate::TempDatabase::postgres().await).await;
                    });
                }
            }
        )+
    };
}

/// Runs a test's future on a runtime of its own, with two workers, so that what the test spawns
/// runs beside it.
pub fn block_on<F: Future>(test: F) -> F::Output {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime for the test")
        .block_on(test)
}
