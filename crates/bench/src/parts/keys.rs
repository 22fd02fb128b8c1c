//! What it takes to know who comes in: creates and reads by id at a server that needs an API key,
//! and right beside them the same at one that is open.

use anyhow::Result;

use super::{COMPARED, MANY, TURNS};
use crate::bench::Bench;
use crate::figures::{How, Load, Subject};
use crate::traffic::Traffic;
use crate::{Kind, Part};

/// What is compared, and at how many connections.
pub(crate) const WITH_KEYS: [(Traffic, usize); 2] =
    [(Traffic::Create, MANY), (Traffic::Read, COMPARED)];

/// Whoever comes first in one turn comes second in the next, so that neither has the advantage. A turn counts
/// as a round.
pub(super) async fn round(bench: &mut Bench, kind: Kind, round: u32) -> Result<()> {
    let open = (bench.populated(kind).await?, How::Closed);
    let with_key = (bench.populated_with_key(kind).await?, How::WithKey);
    let mut sites = [open, with_key];
    for (traffic, connections) in WITH_KEYS {
        let load = Load::closed(Part::Keys, kind, Subject::Http(traffic), connections);
        for turn in 0..TURNS {
            for (site, how) in &mut sites {
                bench
                    .http(site, (round - 1) * TURNS + turn + 1, Load { how: *how, ..load })
                    .await?;
            }
            sites.reverse();
        }
    }
    for (site, _) in sites {
        bench.finish(site).await?;
    }
    Ok(())
}
