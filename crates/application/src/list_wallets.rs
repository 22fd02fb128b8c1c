//! Listing an owner's wallets, from the read model.

use wallex_domain::{OwnerId, TenantId, WalletId};
use wallex_ports::{Projected, ReadError, ReadModels, WalletState};

use crate::list_events::split_page;

/// One page of an owner's wallets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WalletPage {
    /// The wallets, in the order of their ids.
    pub wallets: Vec<WalletState>,
    /// The id after which the next page begins; `None` on the last page.
    pub next_after: Option<WalletId>,
}

/// At most `limit` wallets of an owner with ids behind `after`. A wallet that comes meanwhile is on
/// a page or is not, as its id has it; none is there twice, and none is left out.
///
/// # Errors
/// As [`ReadModels::wallets_of`].
pub async fn list_wallets(
    models: &dyn ReadModels,
    tenant: &TenantId,
    owner_id: &OwnerId,
    after: Option<&WalletId>,
    limit: u32,
) -> Result<Projected<WalletPage>, ReadError> {
    let found = models.wallets_of(tenant, owner_id, after, limit.saturating_add(1)).await?;
    let (wallets, more) = split_page(found.value, limit);
    let next_after =
        if more { wallets.last().map(|state| state.wallet.id().clone()) } else { None };
    Ok(Projected { value: WalletPage { wallets, next_after }, positions: found.positions })
}
