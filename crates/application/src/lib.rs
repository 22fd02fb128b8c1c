//! The use cases of Wallex, and the command lane that commits them in groups.
//!
//! A command goes through [`CommandLane::execute`], a query through [`get_wallet`] and
//! [`list_events`], or, where a projection answers, through [`get_projected_wallet`],
//! [`list_wallets`], [`list_ledger`] and [`get_transfer`]; [`explain_wallet`] asks both. The lane decides what happens, has it committed through the
//! [`Committer`](wallex_ports::Committer) port, and answers only then.

mod audited;
mod command;
mod create_wallet;
mod credit_wallet;
mod debit_wallet;
mod decision;
mod explain_wallet;
mod get_projected_wallet;
mod get_transfer;
mod get_wallet;
mod grouped_wallets;
mod lane;
mod list_events;
mod list_ledger;
mod list_wallets;
mod projected;
mod transfer;

pub use audited::Audited;
pub use command::{
    Action, Answer, Command, CommandError, KeyedRequest, Precondition, RequestContext,
};
pub use create_wallet::CreateWallet;
pub use credit_wallet::CreditWallet;
pub use debit_wallet::DebitWallet;
pub use decision::{AnswerEncoder, Decision, Refusal, Success};
pub use explain_wallet::{
    BalancePart, ExplainError, ExplainPorts, ProjectionOfWallet, WalletExplanation, explain_wallet,
};
pub use get_projected_wallet::get_projected_wallet;
pub use get_transfer::{TransferLegs, get_transfer};
pub use get_wallet::get_wallet;
pub use grouped_wallets::GroupedWallets;
pub use lane::{CommandLane, LanePorts, LaneSettings, LaneTask};
pub use list_events::{EventPage, list_events};
pub use list_ledger::{LedgerPage, LedgerQuery, list_ledger};
pub use list_wallets::{WalletPage, list_wallets};
pub use projected::{Awaited, Behind, ProjectionError};
pub use transfer::TransferMoney;
