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

    /// Whether an event, or the line of it, is in it.
    #[must_use]
    pub fn holds_event(&self, wallet: &WalletKey, version: u64) -> bool {
        self.holds(&Spot::at(wallet, version))
    }

    /// Whether the row of a wallet is in it, which stands behind all its versions.
    #[must_use]
    pub fn holds_wallet(&self, wallet: &WalletKey) -> bool {
        self.holds(&Spot::behind(wallet))
    }

    fn holds(&self, spot: &Spot) -> bool {
        *spot > self.after && self.upto.as_ref().is_none_or(|upto| spot <= upto)
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

    /// The conditions on a table `t` with one row a version, in the order of what they find.
    pub(crate) fn of_lines(&self, shard: u16) -> Vec<Condition> {
        let place = |spot: &Spot| vec![spot.wallet_id.as_str().into(), spot.version.into()];
        self.conditions(
            shard,
            ("(t.wallet_id, t.version) > (?, ?)", place),
            ("(t.wallet_id, t.version) <= (?, ?)", place),
        )
    }

    /// The same on a table `t` with one row a wallet, which stands behind all its versions.
    pub(crate) fn of_wallets(&self, shard: u16) -> Vec<Condition> {
        let place = |spot: &Spot| vec![spot.wallet_id.as_str().into()];
        let has_its_wallet_behind_it = |spot: &Spot| spot.version == i64::MAX;
        let above = match has_its_wallet_behind_it(&self.after) {
            true => "t.wallet_id > ?",
            false => "t.wallet_id >= ?",
        };
        let below = match self.upto.as_ref().is_some_and(has_its_wallet_behind_it) {
            true => "t.wallet_id <= ?",
            false => "t.wallet_id < ?",
        };
        self.conditions(shard, (above, place), (below, place))
    }

    /// One condition for each part of the span that is a range of the primary key. A comparison of
    /// (tenant, wallet, version) as a row would be one condition for all, but PostgreSQL ends the
    /// scan of an index by the first column of a row alone: it would read on to the tenant's end.
    fn conditions(
        &self,
        shard: u16,
        (above, above_values): (&str, impl Fn(&Spot) -> Vec<Value>),
        (below, below_values): (&str, impl Fn(&Spot) -> Vec<Value>),
    ) -> Vec<Condition> {
        let of = || Condition::of_shard(shard);
        let (after, first) = (&self.after, self.after.tenant.as_str());
        let Some(upto) = &self.upto else {
            return vec![
                of().and("t.tenant = ?", [first.into()]).and(above, above_values(after)),
                of().and("t.tenant > ?", [first.into()]),
            ];
        };
        let last = upto.tenant.as_str();
        if first == last {
            let both = of().and("t.tenant = ?", [first.into()]).and(above, above_values(after));
            return vec![both.and(below, below_values(upto))];
        }
        vec![
            of().and("t.tenant = ?", [first.into()]).and(above, above_values(after)),
            of().and("t.tenant > ?", [first.into()]).and("t.tenant < ?", [last.into()]),
            of().and("t.tenant = ?", [last.into()]).and(below, below_values(upto)),
        ]
    }
}

/// What stands behind `WHERE`, and the values of its placeholders.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Condition {
    pub(crate) sql: String,
    pub(crate) values: Vec<Value>,
}

impl Condition {
    fn of_shard(shard: u16) -> Self {
        Self { sql: "t.shard = $1".to_owned(), values: vec![i64::from(shard).into()] }
    }

    /// Each `?` in `sql` becomes the next numbered placeholder.
    fn and(mut self, sql: &str, values: impl IntoIterator<Item = Value>) -> Self {
        self.sql.push_str(" AND ");
        let mut number = self.values.len();
        for (i, part) in sql.split('?').enumerate() {
            if i > 0 {
                number += 1;
                let _ = write!(self.sql, "${number}");
            }
            self.sql.push_str(part);
        }
        self.values.extend(values);
        self
    }

    /// The placeholder of one more value.
    pub(crate) fn bind(&mut self, value: impl Into<Value>) -> String {
        self.values.push(value.into());
        format!("${}", self.values.len())
    }
}

#[cfg(test)]
mod tests {
    use wallex_domain::{TenantId, WalletId};

    use super::*;

    fn spot(tenant: &str, wallet_id: &str, version: i64) -> Spot {
        Spot { tenant: tenant.to_owned(), wallet_id: wallet_id.to_owned(), version }
    }

    fn lines(after: Spot, upto: Option<Spot>) -> Vec<String> {
        let conditions = Span::new(after, upto).of_lines(3);
        conditions.into_iter().map(|condition| condition.sql).collect()
    }

    #[test]
    fn a_span_within_a_tenant_is_one_range() {
        let condition = "t.shard = $1 AND t.tenant = $2 AND (t.wallet_id, t.version) > ($3, $4) \
                         AND (t.wallet_id, t.version) <= ($5, $6)";
        assert_eq!(lines(spot("a", "v", 2), Some(spot("a", "w", 3))), [condition]);
    }

    #[test]
    fn a_span_over_tenants_is_a_range_for_each_part() {
        let first = "t.shard = $1 AND t.tenant = $2 AND (t.wallet_id, t.version) > ($3, $4)";
        let between = "t.shard = $1 AND t.tenant > $2 AND t.tenant < $3";
        let last = "t.shard = $1 AND t.tenant = $2 AND (t.wallet_id, t.version) <= ($3, $4)";
        let over = lines(spot("a", "w", 2), Some(spot("c", "v", 3)));
        assert_eq!(over, [first, between, last]);
        let to_the_end = lines(spot("a", "w", 2), None);
        assert_eq!(to_the_end, [first, "t.shard = $1 AND t.tenant > $2"]);
    }

    #[test]
    fn a_wallet_stands_behind_its_versions() {
        let of = |after: i64, upto: i64| {
            let span = Span::new(spot("a", "v", after), Some(spot("a", "w", upto)));
            span.of_wallets(3).remove(0).sql
        };
        let common = "t.shard = $1 AND t.tenant = $2 AND t.wallet_id";
        assert_eq!(of(2, 3), format!("{common} >= $3 AND t.wallet_id < $4"));
        assert_eq!(of(i64::MAX, i64::MAX), format!("{common} > $3 AND t.wallet_id <= $4"));
    }

    #[test]
    fn a_span_holds_what_is_behind_its_begin_up_to_its_end() {
        let key = |id: &str| WalletKey {
            tenant: TenantId::parse("a").expect("valid"),
            wallet_id: WalletId::parse(id).expect("valid"),
        };
        let span = Span::new(spot("a", "v", 2), Some(spot("a", "w", 3)));
        let holds = |id: &str, version| span.holds_event(&key(id), version);
        assert_eq!([holds("v", 2), holds("v", 3), holds("w", 3)], [false, true, true]);
        assert!(!holds("w", 4) && !holds("u", 9) && !holds("x", 1));
        assert!(span.holds_wallet(&key("v")) && !span.holds_wallet(&key("w")));
        assert!(
            !span.is_empty() && Span::new(spot("a", "v", 2), Some(spot("a", "v", 2))).is_empty()
        );
        assert!(Span::new(spot("a", "v", 2), None).holds_wallet(&key("z")));
    }
}
