//! Which command a client sends next: decided by a seed, so that a run can be repeated.

use std::collections::HashMap;
use std::sync::Arc;

use fastrand::Rng;

use crate::command::{Action, Command, Read};
use crate::history::{Outcome, Said};

/// Wallets that everyone moves money between.
pub(crate) const HOT: u64 = 6;
/// Wallets that several clients try to create.
const POOL: u64 = 40;
/// Commands that a client may send once more.
const REMEMBERED_MAX: usize = 32;

/// What a client does next.
#[derive(Debug)]
pub(crate) enum Step {
    Send(Arc<Command>),
    /// The same command on two connections at once.
    Twice(Arc<Command>),
    Read(Read),
}

/// One client's choices.
#[derive(Debug)]
pub(crate) struct Generator {
    rng: Rng,
    client: usize,
    next: u64,
    sent: Vec<Arc<Command>>,
    versions: HashMap<String, u64>,
}

/// The wallets that there are before the load, with what they hold.
pub(crate) fn openings() -> impl Iterator<Item = Command> {
    (0..=HOT).map(|n| {
        let currency = (n == HOT).then_some("JPY");
        let action = Action::Create { wallet: Some(hot(n)), currency, balance: 200 };
        Command { mark: format!("opening-{n}"), action, keyed: true, if_match: None }
    })
}

fn hot(n: u64) -> String {
    format!("hot-{n}")
}

impl Generator {
    pub(crate) fn new(seed: u64, client: usize) -> Self {
        let rng = Rng::with_seed(seed ^ (client as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        Self { rng, client, next: 0, sent: Vec::new(), versions: HashMap::new() }
    }

    pub(crate) fn chance(&mut self, percent: u32) -> bool {
        self.rng.u32(..100) < percent
    }

    pub(crate) fn step(&mut self) -> Step {
        let dice = self.rng.u32(..100);
        if dice < 12 {
            let (wallet, eventual) = (self.wallet(), self.chance(25));
            return Step::Read(Read { wallet, eventual });
        }
        if dice < 16
            && let Some(sent) = self.sent.get(self.rng.usize(..self.sent.len().max(1)))
        {
            return Step::Send(Arc::clone(sent));
        }
        let command = Arc::new(self.command());
        if !command.keyed {
            return Step::Send(command);
        }
        if self.sent.len() >= REMEMBERED_MAX {
            self.sent.swap_remove(self.rng.usize(..REMEMBERED_MAX));
        }
        self.sent.push(Arc::clone(&command));
        if self.chance(5) { Step::Twice(command) } else { Step::Send(command) }
    }

    /// Learns from an answer which version a wallet has, to name it in `If-Match`.
    pub(crate) fn learn(&mut self, outcome: &Outcome) {
        let Outcome::Ok(Said { body, .. }) = outcome else { return };
        let body: serde_json::Value = serde_json::from_str(body).unwrap_or_default();
        if let (Some(id), Some(version)) = (body["id"].as_str(), body["version"].as_u64())
            && id.starts_with("hot-")
        {
            self.versions.insert(id.to_owned(), version);
        }
    }

    fn command(&mut self) -> Command {
        self.next += 1;
        let mark = format!("m-{}-{}", self.client, self.next);
        let mut if_match = None;
        let action = match self.rng.u32(..84) {
            0..22 => {
                let wallet = match self.rng.u32(..3) {
                    0 => None,
                    1 => Some(format!("w-{}-{}", self.client, self.next)),
                    _ => Some(self.pool()),
                };
                let currency = self.chance(10).then_some("JPY");
                Action::Create { wallet, currency, balance: self.rng.i64(0..300) }
            }
            22..46 => Action::Credit { wallet: self.wallet(), amount: self.rng.i64(1..60) },
            46..68 => {
                let (wallet, amount) = (self.wallet(), self.rng.i64(1..150));
                if self.chance(15) {
                    if_match = self.versions.get(&wallet).copied();
                }
                Action::Debit { wallet, amount }
            }
            _ => {
                let (from, to) = (self.wallet(), self.wallet());
                Action::Transfer { from, to, amount: self.rng.i64(1..100) }
            }
        };
        Command { mark, action, keyed: self.chance(75), if_match }
    }

    fn wallet(&mut self) -> String {
        match self.rng.u32(..100) {
            0..80 => hot(self.rng.u64(..HOT)),
            80..83 => hot(HOT),
            83..98 => self.pool(),
            _ => "nobody".to_owned(),
        }
    }

    fn pool(&mut self) -> String {
        format!("pool-{}", self.rng.u64(..POOL))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_repeats_its_choices() {
        let steps = |seed| {
            let mut generator = Generator::new(seed, 3);
            (0..200).map(|_| format!("{:?}", generator.step())).collect::<Vec<_>>()
        };
        assert_eq!(steps(7), steps(7));
        assert_ne!(steps(7), steps(8));
    }
}
