//! A deterministic simulation of Wallex: the real command lane, on several nodes that share one faulty
//! store in memory.
//!
//! A seed decides everything: what clients want, when they hang up and ask again, what the store fails,
//! delays or loses the answer of, when a node dies or is stopped, and how far its clock is off. Time is
//! simulated, so that a minute passes in milliseconds; everything runs on one thread, so that a seed
//! replays exactly.
//!
//! When a run is over, its history is checked: what was acknowledged is there exactly once, what was
//! refused was not done, each key has one effect, and every answer is what a model of the rules
//! gives, replayed in the order of commits.
//!
//! ```
//! use wallex_simulation::{Options, run};
//!
//! let options = Options { seed: 1, plant: None, keeps_lines: false };
//! let outcome = run(&options);
//! assert!(outcome.violations.is_empty());
//! assert_eq!(outcome, run(&options));
//! ```

mod answers;
mod checks;
mod client;
mod dice;
mod finale;
mod history;
mod model;
mod node;
mod odds;
mod operator;
mod plant;
mod run;
mod store;
mod trace;
mod violation;
mod wish;
mod workers;
mod world;

pub use plant::Plant;
pub use run::{Options, Outcome, run};
pub use violation::{Check, Violation};
