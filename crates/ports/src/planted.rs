//! Faults on purpose, for the tests of the tests: a defect that the chaos suite must catch
//! (`WALLEX_PLANTED_BUG`), and a point at which the process dies or stands still
//! (`WALLEX_CRASH_AT`, `WALLEX_FREEZE_AT`: `point:n` is the n-th time that it passes).
//!
//! Only a build with debug assertions has any of it. Most defects are put around the ports by modules that no
//! other build has; a few are asked for where they happen. There, in a release build, every question is a
//! constant `false`, so the compiler leaves out what stands behind it, and the variables are unknown settings
//! that the server refuses to start with.

#[cfg(not(debug_assertions))]
pub use off::{has_test_migration, is, is_variable, pass};
#[cfg(debug_assertions)]
pub use on::{banner, has_test_migration, is, is_variable, pass, passes};

#[cfg(not(debug_assertions))]
mod off {
    /// Whether this defect is planted: never.
    #[must_use]
    pub const fn is(_bug: &str) -> bool {
        false
    }

    /// Whether there is a migration for tests: never.
    #[must_use]
    pub const fn has_test_migration() -> bool {
        false
    }

    /// A point at which a test may end the process: nothing happens.
    pub const fn pass(_point: &str) {}

    /// Whether a variable of the environment plants something: none does.
    #[must_use]
    pub const fn is_variable(_name: &str) -> bool {
        false
    }

    // A release build that could have a planted defect does not compile.
    const _: () = assert!(!is("acknowledge-before-commit") && !is_variable("WALLEX_PLANTED_BUG"));
}

#[cfg(debug_assertions)]
mod on {
    use std::process::Command;
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    const BUG: &str = "WALLEX_PLANTED_BUG";
    const CRASH: &str = "WALLEX_CRASH_AT";
    const FREEZE: &str = "WALLEX_FREEZE_AT";

    static PLANTED: LazyLock<Option<String>> = LazyLock::new(|| variable(BUG));
    static CRASH_AT: LazyLock<Option<Point>> = LazyLock::new(|| Point::of(CRASH));
    static FREEZE_AT: LazyLock<Option<Point>> = LazyLock::new(|| Point::of(FREEZE));
    static QUESTIONS: AtomicU64 = AtomicU64::new(0);

    struct Point {
        name: String,
        left: AtomicU64,
    }

    impl Point {
        fn of(variable_name: &str) -> Option<Self> {
            let text = variable(variable_name)?;
            let (name, n) = text.split_once(':').unwrap_or((&text, "1"));
            let left = n.parse().expect("invariant: a test says point:n");
            Some(Self { name: name.to_owned(), left: AtomicU64::new(left) })
        }

        fn is_reached(&self, point: &str) -> bool {
            self.name == point && self.left.fetch_sub(1, Ordering::SeqCst) == 1
        }
    }

    fn variable(name: &str) -> Option<String> {
        std::env::var(name).ok().filter(|value| !value.is_empty())
    }

    /// Whether this defect is planted.
    #[must_use]
    pub fn is(bug: &str) -> bool {
        PLANTED.as_deref() == Some(bug)
    }

    /// Whether this defect is planted, and due: at every `n`-th question.
    #[must_use]
    pub fn passes(bug: &str, n: u64) -> bool {
        is(bug) && QUESTIONS.fetch_add(1, Ordering::SeqCst) % n == n - 1
    }

    /// Whether there is one migration more, for tests (`WALLEX_TEST_MIGRATION`).
    #[must_use]
    pub fn has_test_migration() -> bool {
        variable("WALLEX_TEST_MIGRATION").is_some()
    }

    /// A point at which a test may end the process, or have it stand still until it is continued.
    pub fn pass(point: &str) {
        if CRASH_AT.as_ref().is_some_and(|at| at.is_reached(point)) {
            std::process::abort();
        }
        if FREEZE_AT.as_ref().is_some_and(|at| at.is_reached(point)) {
            let this = std::process::id().to_string();
            let stopped = Command::new("kill").args(["-STOP", &this]).status();
            stopped.expect("invariant: a test machine has kill");
        }
    }

    /// Whether a variable of the environment plants something.
    #[must_use]
    pub fn is_variable(name: &str) -> bool {
        [BUG, CRASH, FREEZE].contains(&name)
    }

    /// What is planted, to be said loudly.
    #[must_use]
    pub fn banner() -> Option<String> {
        let set: Vec<String> = [BUG, CRASH, FREEZE]
            .iter()
            .filter_map(|name| Some(format!("{name}={}", variable(name)?)))
            .collect();
        let said = || format!("THIS SERVER IS BROKEN ON PURPOSE: {}", set.join(", "));
        (!set.is_empty()).then(said)
    }
}
