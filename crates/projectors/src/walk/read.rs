//! Reading a page: checkpoints, events, parked wallets and what was left out.

use sea_orm::DbErr;

use super::Walk;
use super::chain::Chains;
use super::follow::{Follower, Sight, shared};
use super::page::{Page, Point, Reading};
use crate::checkpoint::unreadable;
use crate::event::Event;
use crate::reconcile::{Span, Spot};
use crate::recovery::{Aside, PageTransaction};

impl Walk<'_> {
    pub(super) async fn read_page(
        &self,
        tx: &dyn PageTransaction,
        point: &Point,
    ) -> Result<Page, DbErr> {
        let mut sights = self.checkpoints(tx).await?;
        let mut from = point.clone();
        if let Some(reading) = &mut from.reading {
            catch_up(tx, reading, &mut sights).await?;
            let met = reading.followers.iter().map(|follower| follower.done).min();
            from.after = Spot::at(&reading.key, met.unwrap_or(0));
        }
        let mut chains = Chains::behind(from.link.take());
        let span = Span::new(from.after.clone(), self.end.clone());
        let mut events: Vec<Event> = Vec::new();
        tx.events(&span, self.page_events, &mut |event, written| {
            if let Some(written) = written {
                chains.meet(&event, written).map_err(unreadable)?;
            }
            events.push(event);
            Ok(())
        })
        .await?;
        let is_last = events.len() < self.page_events as usize;
        let upto = match events.last() {
            Some(last) if !is_last => Some(Spot::at(&last.wallet, last.version)),
            _ => self.end.clone(),
        };
        let span = Span::new(from.after.clone(), upto.clone());
        set_aside(tx.aside(&span.widened()).await?, &mut sights);
        let discarded = shared(&sights);
        sights.push(Sight { checkpoint: u64::MAX, discarded, ..Sight::default() });
        Ok(Page { events, chains, sights, from, upto, is_last, balance_upto: self.balance_upto })
    }

    /// The projectors' checkpoints; in a rebuild they are held.
    async fn checkpoints(&self, tx: &dyn PageTransaction) -> Result<Vec<Sight>, DbErr> {
        // Without its checkpoint nobody knows how far a projection has come: taken for nothing, a
        // rebuild would remove all that it holds.
        let sight = |(projector, position): (&&str, Option<u64>)| {
            let checkpoint = match position {
                // Checkpoints come with the first server; until then there is nothing to project.
                None if self.balance_upto == 0 => 0,
                None => {
                    return Err(DbErr::RecordNotFound(format!("{projector} has no checkpoint")));
                }
                Some(position) => position,
            };
            Ok(Sight { checkpoint, ..Sight::default() })
        };
        self.projectors.iter().zip(tx.checkpoints().await?).map(sight).collect()
    }
}

/// Lets the projections that were cut off within the wallet that is being read go on, where they
/// have come further since.
async fn catch_up(
    tx: &dyn PageTransaction,
    reading: &mut Reading,
    sights: &mut [Sight],
) -> Result<(), DbErr> {
    if !reading.followers.iter().any(Follower::is_cut) {
        return Ok(());
    }
    let span = Span::new(Spot::before(&reading.key), Some(Spot::behind(&reading.key)));
    set_aside(tx.aside(&span).await?, sights);
    for (follower, sight) in reading.followers.iter_mut().zip(sights) {
        follower.catch_up(&reading.key, sight);
    }
    Ok(())
}

fn set_aside(aside: Vec<Aside>, sights: &mut [Sight]) {
    for Aside { projector, wallet, version, left_out } in aside {
        if left_out {
            sights[projector].discarded.insert(wallet, version);
        } else {
            sights[projector].parked.insert(wallet, version);
        }
    }
}
