//! What goes wrong with the projections' operations, as problems.

use wallex_ports::{DeadLetterError, Missing, StartError, SteerError};

use crate::code::Code;
use crate::problem::Problem;

impl From<SteerError> for Problem {
    fn from(error: SteerError) -> Self {
        match error {
            SteerError::UnknownProjector => Self::projector_not_found(),
            SteerError::Database(error) => error.into(),
        }
    }
}

impl From<DeadLetterError> for Problem {
    fn from(error: DeadLetterError) -> Self {
        match error {
            DeadLetterError::NotParked => Self::new(
                Code::DeadLetterNotFound,
                "That projector has not parked that wallet. GET /admin/dead-letters lists those \
                 that are parked.",
            ),
            DeadLetterError::Creation => Self::new(
                Code::CreationNotDiscardable,
                "Without its creation a wallet has no owner and no currency, so what came after \
                 can't be shown. Repair the event or the projector, and replay it.",
            ),
            DeadLetterError::Moved(letter) => Self::new(
                Code::DeadLetterMoved,
                format!(
                    "Version {} of the wallet is parked by now, a {}. Nothing was done: look at \
                     that event first.",
                    letter.version, letter.event_type
                ),
            ),
            DeadLetterError::Database(error) => error.into(),
        }
    }
}

impl From<StartError> for Problem {
    fn from(error: StartError) -> Self {
        match error {
            StartError::Running(operation) => Self::operation_running(&operation),
            StartError::NoSuch(Missing::Shard) => Self::new(
                Code::ShardNotFound,
                "There is no such shard. GET /admin/outbox lists them.",
            ),
            StartError::NoSuch(Missing::Wallet) => Self::new(
                Code::WalletNotFound,
                "There is no such wallet: it has no events, and no projection has it.",
            ),
            StartError::Database(error) => error.into(),
        }
    }
}
