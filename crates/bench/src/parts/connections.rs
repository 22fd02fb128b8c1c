//! Every load at ever more connections.

use anyhow::Result;

use super::MANY;
use crate::bench::Bench;
use crate::figures::{Load, Subject};
use crate::traffic::Traffic;
use crate::{Kind, Part};

/// How many connections there are, one load for each number.
pub(crate) const SWEEP: [usize; 6] = [1, 16, 64, MANY, 1_024, MOST];
const MOST: usize = 10_000;

/// In the first round everything; in the others what a ratio is made of: creates at the two ends.
pub(super) async fn round(bench: &mut Bench, kind: Kind, round: u32) -> Result<()> {
    let all = round == 1 && !bench.quick;
    let (traffics, sweep) = if all {
        (&Traffic::ALL[..], &SWEEP[..])
    } else {
        (&[Traffic::Create][..], &[MANY, MOST][..])
    };
    for traffic in traffics {
        let mut site = match traffic {
            Traffic::Create => bench.site(kind).await?,
            _ => bench.populated(kind).await?,
        };
        for connections in sweep {
            let subject = Subject::Http(*traffic);
            let load = Load::closed(Part::Connections, kind, subject, *connections);
            bench.http(&mut site, round, load).await?;
        }
        bench.finish(site).await?;
    }
    Ok(())
}
