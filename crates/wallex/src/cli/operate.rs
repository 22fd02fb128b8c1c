//! What operators do with the projections, on the command line.

use std::time::Duration;

use clap::{Args, Subcommand};
use wallex_domain::{Description, TenantId, WalletId};
use wallex_ports::{MAX_SHARDS, Scope, ShardPosition, WalletKey};

/// Ten years: what is older than that is no outbox row's age.
const OLDER_THAN_HOURS_MAX: u64 = 87_600;

/// How to print.
#[derive(Debug, Clone, Copy, Default, Args)]
pub(crate) struct Output {
    /// As JSON, in the shapes of the admin API.
    #[arg(long)]
    pub(crate) json: bool,
}

/// What to do with the projectors of the whole installation, whichever process runs them.
#[derive(Debug, Subcommand)]
pub(crate) enum ProjectorsAction {
    /// Print what each projector does and how far it has come.
    List(Output),
    /// Let a projector run.
    Start {
        /// Its name: `ledger` or `read_model`.
        name: String,
        #[command(flatten)]
        output: Output,
    },
    /// Stop a projector at its next batch boundary. It stays stopped until it is started.
    Stop {
        /// Its name: `ledger` or `read_model`.
        name: String,
        #[command(flatten)]
        output: Output,
    },
    /// Follow the projectors: a live table on a terminal, otherwise one line of JSON a look.
    Watch(WatchArgs),
}

/// How to follow the projectors.
#[derive(Debug, Args)]
pub(crate) struct WatchArgs {
    /// Time between looks, in milliseconds.
    #[arg(long, value_name = "MS", default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(50..=3_600_000))]
    interval_ms: u64,
    /// End when no projector has anything left to apply.
    #[arg(long)]
    pub(crate) until_caught_up: bool,
    #[command(flatten)]
    pub(crate) output: Output,
}

impl WatchArgs {
    /// Time between looks.
    pub(crate) fn interval(&self) -> Duration {
        Duration::from_millis(self.interval_ms)
    }
}

/// A rebuild or a drift check.
#[derive(Debug, Args)]
pub(crate) struct OperationArgs {
    #[command(flatten)]
    scope: ScopeArgs,
    #[command(flatten)]
    pub(crate) progress: ProgressArgs,
}

impl OperationArgs {
    /// Which wallets are meant.
    pub(crate) fn scope(&self) -> Scope {
        match (&self.scope.wallet, self.scope.from_position) {
            (Some(id), _) => Scope::Wallet(wallet_key(id, &self.scope.tenant)),
            (None, Some(position)) => {
                let shard = self.scope.shard.unwrap_or(0);
                Scope::Since(ShardPosition { shard, position })
            }
            (None, None) => Scope::All,
        }
    }
}

/// Which wallets: all, unless said otherwise.
#[derive(Debug, Args)]
struct ScopeArgs {
    /// One wallet only.
    #[arg(long, value_name = "ID", conflicts_with_all = ["from_position", "shard"])]
    wallet: Option<WalletId>,
    /// The tenant of `--wallet`.
    #[arg(long, value_name = "TENANT", default_value = "default", requires = "wallet")]
    tenant: TenantId,
    /// Only wallets that have an event at this position of the shard or behind it.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    from_position: Option<u64>,
    /// The shard of `--from-position`, 0 unless told.
    #[arg(long, value_name = "S", requires = "from_position", value_parser = clap::value_parser!(u16).range(..i64::from(MAX_SHARDS)))]
    shard: Option<u16>,
}

/// How to tell of something that takes a while.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct ProgressArgs {
    /// Say nothing on the way: no bar on a terminal, no lines of JSON elsewhere.
    #[arg(long)]
    pub(crate) quiet: bool,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// What to do with the outbox.
#[derive(Debug, Subcommand)]
pub(crate) enum OutboxAction {
    /// Print what waits, by shard.
    Status(Output),
    /// Delete rows that every projector has passed and that are old enough. The events stay.
    Cleanup {
        /// Only rows older than this; `WALLEX_OUTBOX_RETENTION_HOURS` unless told.
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(..=OLDER_THAN_HOURS_MAX))]
        older_than_hours: Option<u64>,
        #[command(flatten)]
        output: Output,
    },
}

/// What to do with the idempotency records.
#[derive(Debug, Subcommand)]
pub(crate) enum IdempotencyAction {
    /// Delete records that have expired. A key that is still remembered stays.
    Sweep(Output),
}

/// What to do with wallets that a projector has parked.
#[derive(Debug, Subcommand)]
pub(crate) enum DeadLettersAction {
    /// Print every parked wallet.
    List {
        /// Of one projector only.
        #[arg(long, value_name = "NAME")]
        projector: Option<String>,
        /// Of one tenant only.
        #[arg(long, value_name = "TENANT")]
        tenant: Option<TenantId>,
        #[command(flatten)]
        output: Output,
    },
    /// Print a parked wallet and the event that could not be applied, as it is stored.
    Show {
        #[command(flatten)]
        letter: Letter,
        #[command(flatten)]
        output: Output,
    },
    /// Apply the parked event and those behind it, in order.
    Replay {
        /// The projector.
        #[arg(required_unless_present = "all", requires = "wallet")]
        projector: Option<String>,
        /// The wallet.
        wallet: Option<WalletId>,
        /// The wallet's tenant.
        #[arg(long, value_name = "TENANT", default_value = "default")]
        tenant: TenantId,
        /// Every parked wallet of every projector.
        #[arg(long, conflicts_with_all = ["projector", "wallet"])]
        all: bool,
        #[command(flatten)]
        output: Output,
    },
    /// Leave the parked event out of this projection FOR EVER, and apply those behind it.
    Discard {
        #[command(flatten)]
        letter: Letter,
        /// Confirms that the event may be left out.
        #[arg(long, requires_all = ["reason", "version"])]
        yes: bool,
        /// The event's version, as it was seen: nothing is done when another is parked by now.
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
        version: Option<u64>,
        /// Why, for those who come later: it is recorded. 1 to 500 characters.
        #[arg(long, value_name = "TEXT", value_parser = parse_reason)]
        reason: Option<String>,
        #[command(flatten)]
        output: Output,
    },
}

/// A parked wallet.
#[derive(Debug, Clone, Args)]
pub(crate) struct Letter {
    /// The projector.
    pub(crate) projector: String,
    /// The wallet.
    wallet: WalletId,
    /// The wallet's tenant.
    #[arg(long, value_name = "TENANT", default_value = "default")]
    tenant: TenantId,
}

impl Letter {
    /// The wallet.
    pub(crate) fn wallet(&self) -> WalletKey {
        wallet_key(&self.wallet, &self.tenant)
    }
}

/// A wallet of a tenant.
pub(crate) fn wallet_key(wallet_id: &WalletId, tenant: &TenantId) -> WalletKey {
    WalletKey { tenant: tenant.clone(), wallet_id: wallet_id.clone() }
}

fn parse_reason(text: &str) -> Result<String, String> {
    if text.is_empty() {
        return Err("must not be empty".to_owned());
    }
    // The same characters as what a movement was for.
    Description::parse(text).map(Into::into).map_err(|error| error.to_string())
}
