//! The use cases of Wallex, and the command lane that commits them in groups.
//!
//! A command goes through [`CommandLane::execute`], a query through [`get_wallet`] and
//! [`list_events`]. The lane decides what happens, has it committed through the
//! [`Committer`](wallex_ports::Committer) port, and answers only then.

mod command;
mod create_wallet;
mod credit_wallet;
mod debit_wallet;
mod decision;
mod get_wallet;
mod lane;
mod list_events;
mod transfer;

pub use command::{
    Action, Answer, Command, CommandError, KeyedRequest, Precondition, RequestContext,
};
pub use create_wallet::CreateWallet;
pub use credit_wallet::CreditWallet;
pub use debit_wallet::DebitWallet;
pub use decision::{AnswerEncoder, Decision, Refusal, Success};
pub use get_wallet::get_wallet;
pub use lane::{CommandLane, LanePorts, LaneSettings, LaneTask};
pub use list_events::{EventPage, list_events};
pub use transfer::TransferMoney;
