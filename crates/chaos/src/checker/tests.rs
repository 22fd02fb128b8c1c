//! Hand-made histories: a good one passes, and each way to spoil it is found.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::check;
use crate::command::{Action, Command, Read};
use crate::history::{Asked, Entry, Outcome, Said};
use crate::model::{self, State};
use crate::tables::{Event, Leg, Line, Place, Record, Tables};

/// A server that makes no mistakes, and what its clients saw.
#[derive(Default)]
struct World {
    history: Vec<Entry>,
    tables: Tables,
    states: BTreeMap<String, State>,
}

fn credit(wallet: &str, amount: i64) -> Action {
    Action::Credit { wallet: wallet.to_owned(), amount }
}

fn debit(wallet: &str, amount: i64) -> Action {
    Action::Debit { wallet: wallet.to_owned(), amount }
}

fn body(wallet: &str, state: &State) -> Value {
    json!({
        "id": wallet, "ownerId": state.owner, "currency": state.currency,
        "balance": state.balance, "version": state.version,
    })
}

fn said(status: u16, body: &Value) -> Said {
    let (etag, location) = (None, None);
    Said { status, body: body.to_string(), etag, location, replayed: false }
}

impl World {
    /// Two wallets, and some of everything, one after the other: the n-th request lasts from 10n to
    /// 10n + 5.
    fn good() -> Self {
        let mut world = Self::default();
        for wallet in ["a", "b"] {
            let wallet = Some(wallet.to_owned());
            world.does(Action::Create { wallet, currency: None, balance: 100 });
        }
        world.does(credit("a", 5));
        world.does(Action::Transfer { from: "a".to_owned(), to: "b".to_owned(), amount: 50 });
        world.does(debit("a", 500));
        world.does(debit("b", 30));
        world.reads("b");
        world.does(credit("a", 1));
        world
    }

    fn now(&self) -> u64 {
        10 * self.history.len() as u64
    }

    fn note(&mut self, asked: Asked, outcome: Outcome) {
        let invoked = self.now();
        self.history.push(Entry { asked, invoked, ended: invoked + 5, outcome });
    }

    fn reads(&mut self, wallet: &str) {
        let read = Read { wallet: wallet.to_owned(), eventual: false };
        let body = body(wallet, &self.states[wallet]);
        self.note(Asked::Read(read), Outcome::Ok(said(200, &body)));
    }

    fn does(&mut self, action: Action) {
        let mark = format!("m{}", self.history.len());
        let command = Command { mark, action, keyed: true, if_match: None };
        let decided = model::decide(&command, "", |wallet| self.states.get(wallet).cloned());
        let said = match decided {
            Ok(change) => {
                let created = matches!(command.action, Action::Create { .. });
                let first = &change[0];
                let answer = match &change[..] {
                    [(from, payer), (to, payee)] => json!({
                        "transferId": "t", "fromWallet": body(from, payer),
                        "toWallet": body(to, payee),
                    }),
                    _ => body(&first.0, &first.1),
                };
                let mut said = said(if created { 201 } else { 200 }, &answer);
                said.etag = Some(format!("\"{}\"", first.1.version));
                said.location = created.then(|| format!("/wallets/{}", first.0));
                self.store(&command, &change);
                said
            }
            Err(refusal) => said(422, &json!({ "code": refusal })),
        };
        self.tables.records.push(Record {
            key: command.mark.clone(),
            status: said.status.into(),
            etag: said.etag.clone().unwrap_or_default(),
            location: said.location.clone().unwrap_or_default(),
            response: said.body.clone(),
        });
        let outcome = if said.status < 300 { Outcome::Ok(said) } else { Outcome::Refused(said) };
        self.note(Asked::Command(Arc::new(command)), outcome);
    }

    fn store(&mut self, command: &Command, change: &[(String, State)]) {
        for (n, (wallet, state)) in change.iter().enumerate() {
            let before = self.states.insert(wallet.clone(), state.clone());
            let amount = (state.balance - before.map_or(0, |state| state.balance)).abs();
            let (kind, line) = match (&command.action, n) {
                (Action::Create { .. }, _) => ("WalletCreated", "opening"),
                (Action::Credit { .. }, _) => ("WalletCredited", "credit"),
                (Action::Debit { .. }, _) => ("WalletDebited", "debit"),
                (Action::Transfer { .. }, 0) => ("WalletDebited", "transfer_out"),
                (Action::Transfer { .. }, _) => ("WalletCredited", "transfer_in"),
            };
            let transfer = change
                .get(1 - n.min(1))
                .filter(|_| change.len() == 2)
                .map(|other| Leg { transfer: "t".to_owned(), counterparty: other.0.clone() });
            self.tables.head += 1;
            let place = Place {
                position: self.tables.head,
                wallet: wallet.clone(),
                version: state.version.cast_signed(),
                event_id: format!("e{}", self.tables.head),
                kind: kind.to_owned(),
            };
            self.tables.outbox.push(place.clone());
            self.tables.ledger.push(Line {
                place: Place { kind: line.to_owned(), ..place.clone() },
                amount,
                balance_after: state.balance,
                currency: state.currency.clone(),
                transfer: transfer.clone(),
            });
            self.tables.events.push(Event {
                place,
                amount,
                balance_after: state.balance,
                currency: state.currency.clone(),
                mark: command.mark.clone(),
                transfer,
            });
        }
        self.tables.streams = self.states.clone().into_iter().collect();
        self.tables.read_model = self.tables.streams.clone();
    }

    fn event(&mut self, position: usize) -> &mut Event {
        &mut self.tables.events[position - 1]
    }

    /// Takes an event away with all that follows from it in the tables but for the states, as if its
    /// transaction had never been; the positions behind it move up.
    fn lose(&mut self, position: usize) {
        let tables = &mut self.tables;
        tables.events.remove(position - 1);
        tables.outbox.remove(position - 1);
        tables.ledger.remove(position - 1);
        tables.head -= 1;
        let places = tables.events.iter_mut().map(|event| &mut event.place);
        let places = places.chain(&mut tables.outbox);
        for place in places.chain(tables.ledger.iter_mut().map(|line| &mut line.place)) {
            let position = i64::try_from(position).expect("a small number");
            place.position -= i64::from(place.position > position);
        }
    }

    fn outcome(&mut self, request: usize) -> &mut Outcome {
        &mut self.history[request].outcome
    }

    fn answer(&mut self, request: usize) -> &mut Said {
        match self.outcome(request) {
            Outcome::Ok(said) | Outcome::Refused(said) => said,
            other => panic!("{other:?} is no answer"),
        }
    }

    /// Checks that a check finds something.
    #[track_caller]
    fn fails(&self, name: &str) {
        let found = check(&self.history, &self.tables);
        assert!(found.iter().any(|violation| violation.check == name), "{found:#?}");
    }
}

#[test]
fn a_good_history_passes() {
    let mut world = World::good();
    assert_eq!(check(&world.history, &world.tables), []);
    // So does one whose last answer nobody got: it was done, and it may have been.
    *world.outcome(7) = Outcome::Unknown("cut".to_owned());
    assert_eq!(check(&world.history, &world.tables), []);
}

#[test]
fn what_was_acknowledged_and_is_not_there_is_found() {
    let mut world = World::good();
    world.lose(6);
    world.lose(6);
    world.fails("lost");
}

#[test]
fn what_was_denied_and_is_there_is_found() {
    let mut world = World::good();
    *world.outcome(7) = Outcome::NotDone("overloaded".to_owned());
    world.fails("denied");
    let refused = said(422, &json!({ "code": "insufficient-funds" }));
    *world.outcome(7) = Outcome::Refused(refused);
    world.fails("denied");
}

#[test]
fn a_transfer_that_is_done_twice_is_found_although_it_keeps_the_sum() {
    let mut world = World::good();
    let again: Vec<Event> = world.tables.events[3..5].to_vec();
    for mut event in again {
        let sum = event.sum();
        let state = world.states.get_mut(&event.place.wallet).expect("a wallet");
        (state.balance, state.version) = (state.balance + sum, state.version + 1);
        world.tables.head += 1;
        event.place.position = world.tables.head;
        event.place.version = state.version.cast_signed();
        event.balance_after = state.balance;
        event.place.event_id += "-again";
        world.tables.outbox.push(event.place.clone());
        world.tables.events.push(event);
    }
    world.tables.streams = world.states.clone().into_iter().collect();
    world.fails("one effect");
    let found = check(&world.history, &world.tables);
    assert!(found.iter().all(|violation| violation.check != "sums"), "{found:#?}");
}

#[test]
fn a_transfer_with_one_leg_is_found() {
    let mut world = World::good();
    world.lose(5);
    world.fails("effects");
    world.fails("sums");
}

#[test]
fn what_nobody_asked_for_is_found() {
    let mut world = World::good();
    world.event(6).mark = "somebody".to_owned();
    world.fails("effects");
}

#[test]
fn an_effect_that_a_rule_forbids_is_found() {
    let mut world = World::good();
    world.event(6).amount = 500;
    world.event(6).balance_after = -350;
    world.fails("replay");
    world.fails("balances");
}

#[test]
fn an_answer_that_tells_something_else_is_found() {
    let mut world = World::good();
    world.answer(2).body =
        body("a", &State { balance: 106, ..world.states["a"].clone() }).to_string();
    world.fails("answer");
    let mut world = World::good();
    world.answer(3).etag = Some("\"9\"".to_owned());
    world.fails("answer");
}

#[test]
fn an_order_against_real_time_is_found() {
    let mut world = World::good();
    // The last but one effect began after the last had ended.
    world.history[5].invoked = 100;
    world.history[5].ended = 105;
    world.fails("real time");
}

#[test]
fn a_refusal_that_was_true_at_no_moment_of_its_own_is_found() {
    let mut world = World::good();
    // By then `b` had 150.
    let command =
        Command { mark: "m4".to_owned(), action: debit("b", 120), keyed: true, if_match: None };
    world.history[4].asked = Asked::Command(Arc::new(command));
    world.fails("refusal");
    // Had it been asked for before the transfer was known, it would be as it should.
    world.history[4].invoked = 34;
    assert_eq!(check(&world.history, &world.tables), []);
}

#[test]
fn a_stale_read_is_found() {
    let mut world = World::good();
    let stale =
        State { owner: "m1".to_owned(), balance: 150, version: 2, ..world.states["b"].clone() };
    world.answer(6).body = body("b", &stale).to_string();
    world.fails("read");
    // While the debit is under way, both are right.
    world.history[5].ended = 90;
    assert_eq!(check(&world.history, &world.tables), []);
}

#[test]
fn reads_that_go_back_in_time_are_found() {
    let mut world = World::good();
    // The debit of `b` is under way for long: a read may see it or not, but not first yes, then no.
    world.history[5].ended = 1_000;
    world.reads("b");
    let stale = State { balance: 150, version: 2, ..world.states["b"].clone() };
    world.answer(8).body = body("b", &stale).to_string();
    world.fails("read");
    // The other way round it is right.
    world.history.swap(6, 8);
    let (one, two) = (world.history[6].clone(), world.history[8].clone());
    (world.history[6].invoked, world.history[6].ended) = (two.invoked, two.ended);
    (world.history[8].invoked, world.history[8].ended) = (one.invoked, one.ended);
    assert_eq!(check(&world.history, &world.tables), []);
}

#[test]
fn another_answer_to_the_same_key_is_found() {
    let mut world = World::good();
    let mut again = world.history[2].clone();
    (again.invoked, again.ended) = (200, 205);
    world.history.push(again);
    world.fails("replays");
    world.answer(8).replayed = true;
    assert_eq!(check(&world.history, &world.tables), []);
    world.answer(8).body += " ";
    world.fails("replays");
}

#[test]
fn a_key_that_is_forgotten_or_answers_otherwise_is_found() {
    let mut world = World::good();
    world.tables.records[2].response += " ";
    world.fails("keys");
    world.tables.records.remove(2);
    world.fails("keys");
}

#[test]
fn a_500_is_found() {
    let mut world = World::good();
    *world.outcome(4) = Outcome::Wrong("500".to_owned());
    world.fails("answer");
}

/// What a defect of the tables is, and which check sees it.
type Spoiling = (&'static str, fn(&mut Tables));

#[test]
fn tables_that_differ_from_the_events_are_found() {
    let spoil: [Spoiling; 12] = [
        ("positions", |t| t.head += 1),
        ("positions", |t| t.events[1].place.event_id = "e1".to_owned()),
        ("versions", |t| t.events[2].place.version = 3),
        ("outbox", |t| drop(t.outbox.remove(2))),
        ("outbox", |t| t.outbox.push(t.outbox[2].clone())),
        ("state", |t| t.streams[0].1.balance += 1),
        ("sums", |t| t.streams[0].1.balance += 1),
        ("read model", |t| t.read_model[0].1.version -= 1),
        ("read model", |t| drop(t.read_model.pop())),
        ("ledger", |t| t.ledger[3].amount += 1),
        ("ledger", |t| drop(t.ledger.remove(3))),
        ("projections", |t| t.lag = 1),
    ];
    for (name, spoil) in spoil {
        let mut world = World::good();
        spoil(&mut world.tables);
        world.fails(name);
    }
}
