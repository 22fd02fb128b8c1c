//! What answers from a projection have in common.

use std::fmt::Write as _;
use std::time::Duration;

use actix_web::{HttpResponse, HttpResponseBuilder};
use wallex_ports::ShardPosition;

use crate::problem::Problem;
use crate::read;
use crate::state::Api;

/// Names the position that an answer reflects.
pub(crate) const PROJECTION_POSITION: &str = "Wallex-Projection-Position";

/// The outcome of `reading`, which may wait for a projection before and between its queries.
pub(crate) async fn within<T, E>(
    api: &Api,
    reading: impl Future<Output = Result<T, E>> + Send + 'static,
) -> Result<T, Problem>
where
    T: Send + 'static,
    E: Send + 'static,
    Problem: From<E>,
{
    read::within(api, deadline(api), reading).await
}

/// Waiting comes on top of reading: a projection that is behind is told as that, never as a
/// database that does not answer.
fn deadline(api: &Api) -> Duration {
    let settings = &api.state.operations.settings;
    settings.read_timeout.saturating_add(settings.projection_wait)
}

/// The beginning of a 200 that reflects `positions`.
pub(crate) fn ok(positions: &[ShardPosition]) -> HttpResponseBuilder {
    let mut response = HttpResponse::Ok();
    response.insert_header((PROJECTION_POSITION, in_words(positions)));
    response
}

/// `shard:position`, separated by commas.
pub(crate) fn in_words(positions: &[ShardPosition]) -> String {
    let mut text = String::new();
    for at in positions {
        let comma = if text.is_empty() { "" } else { "," };
        write!(text, "{comma}{}:{}", at.shard, at.position)
            .expect("invariant: a String takes any text");
    }
    text
}

/// The version that a projection must have reached.
pub(crate) fn parse_min_version(text: &str) -> Result<u64, String> {
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    let version = text.parse().ok().filter(|version| digits && (1..=VERSION_MAX).contains(version));
    version.ok_or_else(|| format!("must be an integer from 1 to {VERSION_MAX}"))
}

/// What JSON's clients read exactly, 2^53 − 1, and more than any wallet lives to see.
pub(crate) const VERSION_MAX: u64 = (1 << 53) - 1;
