//! Clients: what they want, how they ask for it, and how they ask again.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;
use wallex_application::CommandError;
use wallex_domain::{TenantId, WalletId};
use wallex_ports::WalletKey;

use crate::dice::Dice;
use crate::history::{Attempt, End};
use crate::node;
use crate::violation::Check;
use crate::wish::{What, Wish};
use crate::world::{NODES, World};

/// Whoever waits for longer was forgotten.
pub(crate) const PATIENCE: Duration = Duration::from_secs(600);
/// How often a client asks for the same thing while things go wrong.
const TRIES_MAX: u64 = 6;
const LIMIT: i64 = 9_007_199_254_740_991;

/// One client: has its wishes done, one after the other.
pub(crate) async fn client(world: Arc<World>, number: u64) {
    let mut wishes: Vec<Wish> = Vec::new();
    for i in 0..world.odds.wishes {
        let name = format!("c{number}w{i}");
        let wish = wish(&world, &name, &wishes);
        let is_poisoned = world.strikes(world.odds.poisoned);
        let suffix = if is_poisoned { "poison" } else { "" };
        if wish.key.is_some() && world.draw(|dice| dice.chance(world.odds.twins)) {
            let twin = pursue(Arc::clone(&world), wish.clone(), format!("{name}twin"), suffix);
            let twin = tokio::spawn(twin);
            pursue(Arc::clone(&world), wish.clone(), name, suffix).await;
            twin.await.expect("invariant: clients don't panic");
        } else {
            pursue(Arc::clone(&world), wish.clone(), name, suffix).await;
        }
        wishes.push(wish);
        if world.strikes(world.odds.stop) {
            let node = world.draw(|dice| dice.index(NODES));
            let node = world.nodes()[node].clone();
            if let Some(node) = node {
                node::stop(&world, &node).await;
            }
        }
        let think_ms = world.draw(|dice| dice.below(world.odds.think_ms + 1));
        sleep(Duration::from_millis(think_ms)).await;
    }
}

/// Asks until the wish is done or refused, or it is not worth another try.
async fn pursue(world: Arc<World>, wish: Wish, name: String, suffix: &str) {
    for i in 0..TRIES_MAX {
        let patience = if world.strikes(world.odds.hang_up) {
            Duration::from_millis(world.draw(|dice| dice.between(1, 40)))
        } else {
            PATIENCE
        };
        let node = world.draw(|dice| dice.index(NODES));
        let end = attempt(&world, &wish, format!("{name}a{i}{suffix}"), node, patience).await;
        let again = match end {
            None => 1_000,
            // Without a key, asking again could do it twice.
            Some(End::Unknown | End::Told(Err(CommandError::OutcomeUnknown))) => {
                if wish.key.is_some() { 900 } else { 0 }
            }
            Some(End::Told(Err(_))) => 700,
            Some(End::Told(Ok(_))) => 60,
        };
        if !world.draw(|dice| dice.chance(again)) {
            return;
        }
        let pause_ms = world.draw(|dice| dice.pick(&[0, 0, 1, 20, 1_000]));
        sleep(Duration::from_millis(pause_ms)).await;
    }
}

/// Asks one node once; nothing when it is not there.
pub(crate) async fn attempt(
    world: &World,
    wish: &Wish,
    correlation: String,
    node: usize,
    patience: Duration,
) -> Option<End> {
    let node = world.nodes()[node].clone()?;
    let command = wish.command(&correlation);
    let sent = world.stamp();
    world.note(format_args!("{correlation} asks node {}: {wish:?}", node.life.index));
    world.history().insert(correlation.clone(), Attempt { wish: wish.clone(), sent, end: None });
    let end = tokio::select! {
        biased;
        () = node.life.end() => End::Unknown,
        told = node.lane.execute(command) => match told {
            Err(CommandError::OutcomeUnknown) => {
                if world.odds.leaves_no_doubt() {
                    let what = format!("{correlation} is unknown, and nothing was lost");
                    world.violated(Check::Liveness, what);
                }
                End::Unknown
            }
            told => End::Told(told),
        },
        () = sleep(patience) => {
            if patience == PATIENCE {
                world.violated(Check::Liveness, format!("{correlation} was never answered"));
            }
            End::Unknown
        }
    };
    match &end {
        End::Unknown => world.note(format_args!("{correlation}: unknown")),
        End::Told(Ok(answer)) => world.note(format_args!("{correlation}: {answer:?}")),
        End::Told(Err(error)) => world.note(format_args!("{correlation}: {error}")),
    }
    let ended = world.stamp();
    if let Some(attempt) = world.history().get_mut(&correlation) {
        attempt.end = Some((ended, end.clone()));
    }
    Some(end)
}

fn wish(world: &World, name: &str, before: &[Wish]) -> Wish {
    let odds = &world.odds;
    if !before.is_empty() && world.draw(|dice| dice.chance(odds.misused)) {
        return misuse(world, before);
    }
    let tenant = if world.draw(|dice| dice.below(odds.tenants)) == 0 { "default" } else { "other" };
    let tenant = TenantId::parse(tenant).expect("invariant: a valid tenant");
    let mut what = world.draw(|dice| what(dice, name, odds.wallets));
    if let What::Create { wallet: Some(wallet), .. } = &what
        && world.draw(|dice| dice.chance(700))
    {
        let key = WalletKey { tenant: tenant.clone(), wallet_id: wallet.clone() };
        if world.tables().wallets.contains_key(&key) {
            let amount = world.draw(|dice| amount(dice, 100));
            what = What::Credit { wallet: wallet.clone(), amount };
        }
    }
    let key = world.draw(|dice| dice.chance(odds.keyed)).then(|| name.to_owned());
    let mut wish = Wish { tenant, what, if_match: None, key };
    let path = wish.path().map(|wallet_id| wish.wallet(wallet_id));
    if let Some(wallet) = path
        && world.draw(|dice| dice.chance(odds.conditional))
    {
        let version = world.tables().wallets.get(&wallet).map_or(1, |s| s.state.wallet.version());
        let off = world.draw(|dice| dice.pick(&[0, 0, 0, 1, 2]));
        wish.if_match = Some(vec![version + off]);
    }
    wish
}

/// Another request under a key that was used before, on the same route.
fn misuse(world: &World, before: &[Wish]) -> Wish {
    let mut wish = before[world.draw(|dice| dice.index(before.len()))].clone();
    match &mut wish.what {
        What::Create { balance: amount, .. }
        | What::Credit { amount, .. }
        | What::Debit { amount, .. }
        | What::Transfer { amount, .. } => *amount = (*amount % 1_000) + 1,
    }
    wish
}

fn what(dice: &mut Dice, name: &str, wallets: u64) -> What {
    let mut wallet = || WalletId::parse(format!("w{}", dice.below(wallets)));
    let (wallet, other) = (wallet(), wallet());
    let wallet = wallet.expect("invariant: a valid id");
    let other = other.expect("invariant: a valid id");
    match dice.below(10) {
        0..=3 => What::Create {
            wallet: (!dice.chance(150)).then_some(wallet),
            owner: name.to_owned(),
            currency: if dice.chance(900) { "USD" } else { "EUR" },
            balance: amount(dice, 200) - 1,
        },
        4 => What::Credit { wallet, amount: amount(dice, 100) },
        5 | 6 => What::Debit { wallet, amount: amount(dice, 100) },
        _ => What::Transfer { from: wallet, to: other, amount: amount(dice, 60) },
    }
}

/// At least 1; rarely so much that it does not fit any more.
fn amount(dice: &mut Dice, most: u64) -> i64 {
    let amount = i64::try_from(dice.between(1, most)).unwrap_or(1);
    if dice.chance(20) { LIMIT - amount } else { amount }
}
