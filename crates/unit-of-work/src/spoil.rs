//! What is believed of a COMMIT whose answer was lost where a defect is planted that looks nothing up. No release
//! build has it.

use std::collections::BTreeMap;

use sea_orm::DbErr;
use wallex_ports::{CommitError, planted};

use crate::attempt::Attempt;

/// What is believed without a look; `None` where no such defect is planted.
pub(crate) fn lost_answer(lost: &DbErr) -> Option<Result<Attempt, CommitError>> {
    if planted::is("lost-answer-taken-for-failure") {
        return Some(Err(CommitError::Unavailable(lost.to_string().into())));
    }
    let succeeded = planted::is("lost-answer-taken-for-success");
    succeeded.then(|| Ok(Attempt::Written(BTreeMap::new())))
}
