//! Ranges in the order of wallets and versions, which is that of the tables' primary keys.

use std::fmt::Write as _;

use sea_orm::Value;
use serde::{Deserialize, Serialize};
use wallex_ports::WalletKey;

/// A place in one shard's order of wallets and versions. A key is text here: a row that was put in
/// by hand need not have a valid one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Spot {
    tenant: String,
    wallet_id: String,
    version: i64,
}

impl Spot {
    /// Before everything.
    pub(crate) fn start() -> Self {
        Self { tenant: String::new(), wallet_id: String::new(), version: i64::MIN }
    }

    /// Before every version of a wallet.
    pub(crate) fn before(key: &WalletKey) -> Self {
        Self::new(key, i64::MIN)
    }

    /// At a version of a wallet.
    pub(crate) fn at(key: &WalletKey, version: u64) -> Self {
        Self::new(key, version.cast_signed())
    }

    /// Behind every version of a wallet, where its row stands in a table with one row a wallet.
    pub(crate) fn behind(key: &WalletKey) -> Self {
        Self::new(key, i64::MAX)
    }

    fn new(key: &WalletKey, version: i64) -> Self {
        let (tenant, wallet_id) = (key.tenant.to_string(), key.wallet_id.to_string());
        Self { tenant, wallet_id, version }
    }

    fn has_its_wallet_behind_it(&self) -> bool {
        self.version == i64::MAX
    }
}

/// The places behind one, up to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    after: Spot,
    /// `None`: to the end of the shard.
    upto: Option<Spot>,
}

impl Span {
    pub(crate) fn new(after: Spot, upto: Option<Spot>) -> Self {
        Self { after, upto }
    }

    /// Whether there is no place in it.
    pub(crate) fn is_empty(&self) -> bool {
        self.upto.as_ref().is_some_and(|upto| *upto <= self.after)
    }

    /// The whole of every wallet that it touches.
    pub(crate) fn widened(&self) -> Self {
        let after = Spot { version: i64::MIN, ..self.after.clone() };
        let upto = self.upto.clone().map(|upto| Spot { version: i64::MAX, ..upto });
        Self { after, upto }
    }

    /// The condition on a table `t` with one row a version.
    pub(crate) fn of_lines(&self, shard: u16) -> (String, Vec<Value>) {
        let mut sql =
            "t.shard = $1 AND (t.tenant, t.wallet_id, t.version) > ($2, $3, $4)".to_owned();
        let mut values = vec![i64::from(shard).into()];
        let of = |spot: &Spot| -> [Value; 3] {
            [spot.tenant.as_str().into(), spot.wallet_id.as_str().into(), spot.version.into()]
        };
        values.extend(of(&self.after));
        if let Some(upto) = &self.upto {
            sql.push_str(" AND (t.tenant, t.wallet_id, t.version) <= ($5, $6, $7)");
            values.extend(of(upto));
        }
        (sql, values)
    }

    /// The condition on a table `t` with one row a wallet, which stands behind all its versions.
    pub(crate) fn of_wallets(&self, shard: u16) -> (String, Vec<Value>) {
        let above = if self.after.has_its_wallet_behind_it() { ">" } else { ">=" };
        let mut sql = format!("t.shard = $1 AND (t.tenant, t.wallet_id) {above} ($2, $3)");
        let mut values = vec![i64::from(shard).into()];
        let of = |spot: &Spot| -> [Value; 2] {
            [spot.tenant.as_str().into(), spot.wallet_id.as_str().into()]
        };
        values.extend(of(&self.after));
        if let Some(upto) = &self.upto {
            let below = if upto.has_its_wallet_behind_it() { "<=" } else { "<" };
            let _ = write!(sql, " AND (t.tenant, t.wallet_id) {below} ($4, $5)");
            values.extend(of(upto));
        }
        (sql, values)
    }
}
