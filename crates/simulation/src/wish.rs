//! What the clients of the simulation want, and how it becomes a command.

use wallex_application::{
    Action, Command, CreateWallet, CreditWallet, DebitWallet, KeyedRequest, Precondition,
    RequestContext, TransferMoney,
};
use wallex_domain::{Amount, Balance, Currency, Memo, OwnerId, TenantId, WalletId};
use wallex_ports::{CorrelationId, IdempotencyKey, KeyScope, RequestHash, Route, WalletKey};

const VALID: &str = "invariant: the simulation makes valid values";

/// One thing to be done, however often it has to be asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wish {
    pub(crate) tenant: TenantId,
    pub(crate) what: What,
    /// The versions of `If-Match`.
    pub(crate) if_match: Option<Vec<u64>>,
    pub(crate) key: Option<String>,
}

/// Amounts are in minor units.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum What {
    Create { wallet: Option<WalletId>, owner: String, currency: &'static str, balance: i64 },
    Credit { wallet: WalletId, amount: i64 },
    Debit { wallet: WalletId, amount: i64 },
    Transfer { from: WalletId, to: WalletId, amount: i64 },
}

impl Wish {
    fn route(&self) -> Route {
        match &self.what {
            What::Create { .. } => Route::create_wallet(),
            What::Credit { wallet, .. } => Route::wallet_action(wallet, "credit"),
            What::Debit { wallet, .. } => Route::wallet_action(wallet, "debit"),
            What::Transfer { from, .. } => Route::wallet_action(from, "transfer"),
        }
    }

    /// The wallet in the path.
    pub(crate) fn path(&self) -> Option<&WalletId> {
        match &self.what {
            What::Create { .. } => None,
            What::Credit { wallet, .. } | What::Debit { wallet, .. } => Some(wallet),
            What::Transfer { from, .. } => Some(from),
        }
    }

    /// The key in its scope, if there is one.
    pub(crate) fn scope(&self) -> Option<KeyScope> {
        let key = IdempotencyKey::parse(self.key.as_deref()?).expect(VALID);
        let (tenant, route) = (self.tenant.clone(), self.route());
        Some(KeyScope { tenant, route, key, wallet_id: self.path().cloned() })
    }

    /// The wallets that it names.
    pub(crate) fn wallets(&self) -> Vec<WalletKey> {
        let named = match &self.what {
            What::Create { wallet, .. } => wallet.iter().collect(),
            What::Credit { wallet, .. } | What::Debit { wallet, .. } => vec![wallet],
            What::Transfer { from, to, .. } => vec![from, to],
        };
        named.into_iter().map(|wallet_id| self.wallet(wallet_id)).collect()
    }

    pub(crate) fn wallet(&self, wallet_id: &WalletId) -> WalletKey {
        WalletKey { tenant: self.tenant.clone(), wallet_id: wallet_id.clone() }
    }

    /// Tells this request from others under the same key.
    pub(crate) fn hash(&self) -> RequestHash {
        let mut hash = [0_u8; 32];
        for (i, byte) in format!("{:?} {:?}", self.what, self.if_match).bytes().enumerate() {
            hash[i % 32] = hash[i % 32].rotate_left(3) ^ byte;
        }
        RequestHash(hash)
    }

    /// The command of one attempt, whose effects and answer will carry `correlation`.
    pub(crate) fn command(&self, correlation: &str) -> Command {
        let amount = |minor: &i64| Amount::new(*minor).expect(VALID);
        let memo = Memo::default;
        let action = match &self.what {
            What::Create { wallet, owner, currency, balance } => Action::Create(CreateWallet {
                wallet_id: wallet.clone(),
                owner_id: OwnerId::parse(owner.as_str()).expect(VALID),
                currency: Some(Currency::parse(currency).expect(VALID)),
                initial_balance: Balance::new(*balance).expect(VALID),
            }),
            What::Credit { wallet, amount: minor } => Action::Credit(CreditWallet {
                wallet_id: wallet.clone(),
                amount: amount(minor),
                memo: memo(),
            }),
            What::Debit { wallet, amount: minor } => Action::Debit(DebitWallet {
                wallet_id: wallet.clone(),
                amount: amount(minor),
                memo: memo(),
            }),
            What::Transfer { from, to, amount: minor } => Action::Transfer(TransferMoney {
                from: from.clone(),
                to: to.clone(),
                amount: amount(minor),
                memo: memo(),
            }),
        };
        let context = RequestContext {
            tenant: self.tenant.clone(),
            route: self.route(),
            correlation_id: CorrelationId::parse(correlation).expect(VALID),
            traceparent: None,
            span: tracing::Span::none(),
        };
        let if_match = self.if_match.clone().map_or(Precondition::None, Precondition::OneOf);
        let idempotency =
            self.scope().map(|scope| KeyedRequest { key: scope.key, request_hash: self.hash() });
        Command { context, action, if_match, idempotency }
    }
}
