//! What the connections of a load ask for, one command after the other.

use std::cell::Cell;
use std::rc::Rc;

use uuid::Uuid;

use crate::http::HttpClient;
use crate::load::{Failure, Worker};
use crate::request::Command;
use crate::wallet::{NewWallets, mix};
use crate::{effect::Effect, zipf::Zipf};

/// What every movement is about, in minor units.
const AMOUNT: u64 = 1;
/// Transfers are between so many wallets, so that some meet.
pub(crate) const TRANSFER_WALLETS: usize = 1_000;

/// A kind of load over HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Traffic {
    Create,
    /// On random wallets.
    CreditRandom,
    /// All on the same wallet.
    CreditOne,
    /// Between random wallets of a thousand.
    Transfer,
    /// 10 % creates, 40 % credits, 30 % debits, 10 % transfers, 10 % reads; few wallets have most of it.
    Mix,
    /// Of random wallets by id.
    Read,
}

impl Traffic {
    pub(crate) const ALL: [Self; 6] =
        [Self::Create, Self::CreditRandom, Self::CreditOne, Self::Transfer, Self::Mix, Self::Read];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::CreditRandom => "credit, random wallets",
            Self::CreditOne => "credit, one wallet",
            Self::Transfer => "transfer, 1,000 wallets",
            Self::Mix => "mix",
            Self::Read => "read by id",
        }
    }
}

/// The commands of a load. Clones share them out.
#[derive(Debug, Clone)]
pub(crate) struct Commands(Rc<Shared>);

#[derive(Debug)]
struct Shared {
    traffic: Traffic,
    wallets: NewWallets,
    /// Wallets that are there, with money enough for all that is taken from them.
    population: Rc<[Uuid]>,
    zipf: Rc<Zipf>,
    drawn: Cell<u64>,
}

impl Commands {
    /// `population` may be empty where `traffic` is of creates alone.
    pub(crate) fn new(
        traffic: Traffic,
        wallets: &NewWallets,
        population: &Rc<[Uuid]>,
        zipf: &Rc<Zipf>,
    ) -> Self {
        Self(Rc::new(Shared {
            traffic,
            wallets: wallets.clone(),
            population: Rc::clone(population),
            zipf: Rc::clone(zipf),
            drawn: Cell::new(0),
        }))
    }

    pub(crate) fn next(&self) -> Command {
        let shared = &*self.0;
        let new = shared.wallets.next();
        let key = new.key;
        let credit = |wallet| Command::Credit { wallet, key, amount: AMOUNT };
        match shared.traffic {
            Traffic::Create => Command::Create(new),
            Traffic::CreditRandom => credit(self.any(shared.population.len())),
            Traffic::CreditOne => credit(shared.population[0]),
            Traffic::Transfer => {
                let count = shared.population.len().min(TRANSFER_WALLETS);
                self.transfer(key, || self.below(count))
            }
            Traffic::Read => Command::Read { wallet: self.any(shared.population.len()) },
            Traffic::Mix => match self.below(10) {
                0 => Command::Create(new),
                1..=4 => credit(self.popular()),
                5..=7 => Command::Debit { wallet: self.popular(), key, amount: AMOUNT },
                8 => self.transfer(key, || shared.zipf.rank(self.random())),
                _ => Command::Read { wallet: self.popular() },
            },
        }
    }

    fn transfer(&self, key: Uuid, mut draw: impl FnMut() -> usize) -> Command {
        let population = &self.0.population;
        let (from, to) = (draw(), draw());
        // Nobody pays himself.
        let to = if from == to { (to + 1) % population.len() } else { to };
        Command::Transfer { from: population[from], to: population[to], key, amount: AMOUNT }
    }

    fn any(&self, count: usize) -> Uuid {
        self.0.population[self.below(count)]
    }

    fn popular(&self) -> Uuid {
        self.0.population[self.0.zipf.rank(self.random())]
    }

    fn below(&self, count: usize) -> usize {
        usize::try_from(self.random() % count as u64).unwrap_or_default()
    }

    /// Looks random, and is the same in every run.
    fn random(&self) -> u64 {
        let number = self.0.drawn.get();
        self.0.drawn.set(number + 1);
        mix(number)
    }
}

/// A connection that sends the commands of a load.
pub(crate) struct HttpWorker {
    client: HttpClient,
    commands: Commands,
}

impl HttpWorker {
    pub(crate) fn new(client: HttpClient, commands: &Commands) -> Self {
        Self { client, commands: commands.clone() }
    }
}

impl Worker for HttpWorker {
    async fn once(&mut self) -> Result<Effect, Failure> {
        let command = self.commands.next();
        self.client.send(&command).await
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn commands(traffic: Traffic, count: u128) -> Commands {
        let population: Rc<[Uuid]> = (0..count).map(Uuid::from_u128).collect();
        let zipf = Rc::new(Zipf::over(population.len()));
        Commands::new(traffic, &NewWallets::default(), &population, &zipf)
    }

    #[test]
    fn the_mix_has_the_shares_that_it_says() {
        let commands = commands(Traffic::Mix, 100);
        let mut counts = [0; 5];
        for _ in 0..10_000 {
            let kind = match commands.next() {
                Command::Create(_) => 0,
                Command::Credit { .. } => 1,
                Command::Debit { .. } => 2,
                Command::Transfer { .. } => 3,
                Command::Read { .. } => 4,
            };
            counts[kind] += 1;
        }
        for (count, percent) in counts.into_iter().zip([10, 40, 30, 10, 10]) {
            assert!((percent * 100 - 150..percent * 100 + 150).contains(&count), "{counts:?}");
        }
    }

    #[test]
    fn transfers_are_between_two_wallets_of_the_first_thousand() {
        let commands = commands(Traffic::Transfer, 5_000);
        let mut seen = HashSet::new();
        for _ in 0..20_000 {
            let Command::Transfer { from, to, .. } = commands.next() else { panic!("no transfer") };
            assert_ne!(from, to);
            seen.extend([from, to]);
        }
        assert_eq!(seen.len(), TRANSFER_WALLETS);
    }
}
