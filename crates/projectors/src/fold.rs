//! Following a wallet's history: the same fold for what is applied, rebuilt and checked.

use serde::{Deserialize, Serialize};
use wallex_domain::{Balance, Currency, OwnerId, Standing, Wallet, WalletEvent};
use wallex_ports::{Timestamp, WalletKey, WalletState};

use crate::event::{Discarded, Event};

/// What a wallet's events have made of it so far, as one projection sees them.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(from = "FoldedJson", into = "FoldedJson")]
pub(crate) struct Folded {
    /// `None` before the first event.
    pub(crate) standing: Option<Standing>,
    /// Whose it is, with its times; unknown to who follows movements alone.
    opened: Option<Opened>,
}

#[derive(Debug, Clone)]
struct Opened {
    owner_id: OwnerId,
    created_at: Timestamp,
    updated_at: Timestamp,
}

/// How a fold is kept when a rebuild is interrupted within a wallet.
#[derive(Serialize, Deserialize)]
struct FoldedJson {
    standing: Option<(Currency, Balance, u64)>,
    opened: Option<(OwnerId, i64, i64)>,
}

impl From<Folded> for FoldedJson {
    fn from(folded: Folded) -> Self {
        let standing = folded.standing.map(|s| (s.currency(), s.balance(), s.version()));
        let times = |opened: &Opened| (opened.created_at.unix_ms(), opened.updated_at.unix_ms());
        let opened = folded.opened.map(|opened| {
            let (created_at, updated_at) = times(&opened);
            (opened.owner_id, created_at, updated_at)
        });
        Self { standing, opened }
    }
}

impl From<FoldedJson> for Folded {
    fn from(json: FoldedJson) -> Self {
        let standing = json
            .standing
            .map(|(currency, balance, version)| Standing::new(currency, balance, version));
        let opened = json.opened.map(|(owner_id, created_at, updated_at)| Opened {
            owner_id,
            created_at: Timestamp::from_unix_ms(created_at),
            updated_at: Timestamp::from_unix_ms(updated_at),
        });
        Self { standing, opened }
    }
}

impl Folded {
    /// What a row of the read model holds.
    pub(crate) fn of_state(state: &WalletState) -> Self {
        let opened = Opened {
            owner_id: state.wallet.owner_id().clone(),
            created_at: state.created_at,
            updated_at: state.updated_at,
        };
        Self { standing: Some(state.wallet.standing()), opened: Some(opened) }
    }

    /// What the last line of a ledger says.
    pub(crate) fn of_standing(standing: Standing) -> Self {
        Self { standing: Some(standing), opened: None }
    }

    /// The version that was reached; 0 before the first event.
    pub(crate) fn version(&self) -> u64 {
        self.standing.map_or(0, |standing| standing.version())
    }

    /// Folds one more event in, which is none of the `discarded`.
    ///
    /// # Errors
    /// Why it can't be: it can't be decoded, or it does not follow. Nothing is changed then.
    pub(crate) fn follow(&mut self, event: &Event, discarded: &Discarded) -> Result<(), String> {
        let left_out = |version| discarded.contains(&event.wallet, version);
        let mut next = self.standing;
        if let Some(standing) = &mut next {
            while left_out(standing.version() + 1) {
                standing.skip();
            }
        }
        let reached = next.map_or(0, |standing| standing.version());
        if event.version != reached + 1 {
            return Err(format!("version {} came behind version {reached}", event.version));
        }
        let decoded = event.decoded()?;
        match &mut next {
            None => next = Some(Standing::opened(decoded).map_err(|error| error.to_string())?),
            Some(standing) => {
                // The balance before it is not known when the event before it can't be read.
                let followed = if left_out(reached) {
                    standing.resume(decoded)
                } else {
                    standing.apply(decoded)
                };
                followed.map_err(|error| error.to_string())?;
            }
        }
        self.standing = next;
        match decoded {
            WalletEvent::Created { owner_id, .. } => {
                let (created_at, owner_id) = (event.recorded_at, owner_id.clone());
                self.opened = Some(Opened { owner_id, created_at, updated_at: created_at });
            }
            _ => self.touch(event.recorded_at),
        }
        Ok(())
    }

    fn touch(&mut self, at: Timestamp) {
        if let Some(opened) = &mut self.opened {
            // A node's clock may be behind another's; a wallet's time does not go back.
            opened.updated_at = opened.updated_at.max(at);
        }
    }

    /// The wallet, once its creation was folded in.
    pub(crate) fn state(&self, key: &WalletKey) -> Option<WalletState> {
        let (standing, opened) = (self.standing?, self.opened.as_ref()?);
        let wallet = Wallet::from_snapshot(
            key.wallet_id.clone(),
            opened.owner_id.clone(),
            standing.currency(),
            standing.balance(),
            standing.version(),
        );
        let (created_at, updated_at) = (opened.created_at, opened.updated_at);
        Some(WalletState { wallet, created_at, updated_at })
    }
}
