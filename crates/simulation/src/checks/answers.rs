//! What clients were told, beside what was done and what the model says.

use wallex_application::{Answer, CommandError};
use wallex_ports::StoredAnswer;

use super::effects::Effects;
use crate::history::{Attempt, End, History};
use crate::store::{Kept, Tables};
use crate::violation::Check;
use crate::world::World;

/// One attempt that ended with an answer or an error.
struct Told<'a> {
    world: &'a World,
    effects: &'a Effects,
    name: &'a str,
    attempt: &'a Attempt,
    ended: u64,
    /// The record of its key.
    kept: Option<&'a Kept>,
}

/// Checks each answer of `history`.
pub(crate) fn check(world: &World, history: &History, effects: &Effects, tables: &Tables) {
    for (name, attempt) in history {
        let Some((ended, End::Told(told))) = &attempt.end else { continue };
        let kept = attempt.wish.scope().and_then(|scope| tables.records.get(&scope));
        let one = Told { world, effects, name, attempt, ended: *ended, kept };
        match told {
            Ok(answer) => one.answer(answer),
            Err(error) => one.error(error),
        }
    }
    check_records(world, history, effects, tables);
}

/// Each record stands with what it answers for, and each keyed effect with its record.
fn check_records(world: &World, history: &History, effects: &Effects, tables: &Tables) {
    for (scope, Kept { stamp, record }) in &tables.records {
        let (name, text) = parts(&record.answer);
        if history.get(name).and_then(|attempt| attempt.wish.scope()).as_ref() != Some(scope) {
            world.violated(Check::Key, format!("the record of {scope:?} is about {name}"));
        }
        if record.answer.status < 300 {
            let effect = effects.by_attempt.get(name);
            let is_its = |effect: &&super::effects::Effect| {
                effect.stamp == *stamp
                    && (effect.answer.0, effect.answer.1.as_str()) == (record.answer.status, text)
            };
            if effect.filter(is_its).is_none() {
                world.violated(Check::Key, format!("the record of {name} is not its effect's"));
            }
        }
    }
    for (scope, name) in &effects.by_scope {
        let stamp = effects.by_attempt.get(name).map(|effect| effect.stamp);
        if tables.records.get(scope).map(|kept| kept.stamp) != stamp {
            world.violated(Check::Key, format!("{name} was done without its record"));
        }
    }
}

/// The correlation id that an answer was decided for, and what it says.
fn parts(answer: &StoredAnswer) -> (&str, &str) {
    answer.body.split_once('|').unwrap_or(("", &answer.body))
}

impl Told<'_> {
    fn violated(&self, check: Check, what: &str) {
        self.world.violated(check, format!("{}: {what}", self.name));
    }

    fn error(&self, error: &CommandError) {
        let own_record = self.kept.is_some_and(|kept| parts(&kept.record.answer).0 == self.name);
        if self.effects.by_attempt.contains_key(self.name) || own_record {
            self.violated(Check::NotDone, &format!("it was done, and answered with: {error}"));
        }
        if let CommandError::KeyReused = error {
            let hash = self.attempt.wish.hash();
            let reused = |kept: &&Kept| kept.record.request_hash != hash && kept.stamp < self.ended;
            if self.kept.filter(reused).is_none() {
                self.violated(Check::Key, "its key was used for nothing else");
            }
        }
    }

    fn answer(&self, answer: &Answer) {
        let (decided_for, text) = parts(&answer.stored);
        if decided_for != self.name {
            return self.replay(answer);
        }
        if answer.stored.status < 300 {
            self.success(answer, text);
        } else {
            self.refusal(answer, text);
        }
    }

    /// It was told what another attempt under its key was.
    fn replay(&self, answer: &Answer) {
        let hash = self.attempt.wish.hash();
        let same = |kept: &&Kept| {
            kept.record.answer == answer.stored
                && kept.record.request_hash == hash
                && kept.stamp < self.ended
        };
        if !answer.replayed || self.kept.filter(same).is_none() {
            self.violated(Check::Key, &format!("{answer:?} is not what its key holds"));
        }
    }

    fn success(&self, answer: &Answer, text: &str) {
        let effect = self.effects.by_attempt.get(self.name);
        let Some(effect) = effect.filter(|effect| effect.stamp < self.ended) else {
            return self.violated(Check::Acknowledged, "it was acknowledged, and is not there");
        };
        if (effect.answer.0, effect.answer.1.as_str()) != (answer.stored.status, text) {
            let what = format!("it was told {text}, the model says {}", effect.answer.1);
            self.violated(Check::Answer, &what);
        }
    }

    fn refusal(&self, answer: &Answer, text: &str) {
        if self.effects.by_attempt.contains_key(self.name) {
            self.violated(Check::NotDone, "it was refused, and done");
        }
        let (wish, status) = (&self.attempt.wish, answer.stored.status);
        let is_final = matches!(status, 409 | 422);
        let refuses = |moment: u64| {
            let verdict = self.effects.verdict_at(wish, moment);
            verdict.is_err_and(|(code, says)| (code, says.as_str()) == (status, text))
        };
        if is_final && wish.key.is_some() {
            let (sent, ended) = (self.attempt.sent, self.ended);
            let its = |kept: &&Kept| {
                kept.record.answer == answer.stored && sent < kept.stamp && kept.stamp < ended
            };
            match self.kept.filter(its) {
                None => self.violated(Check::Key, "a refusal was not kept for its key"),
                Some(kept) if !refuses(kept.stamp) => {
                    self.violated(Check::Answer, &format!("{text} was not true when it was kept"));
                }
                Some(_) => {}
            }
            return;
        }
        // Not kept: it must have been true, and its key unanswered, at some moment of the asking.
        let mut moments = self.effects.changes(wish, self.attempt.sent, self.ended);
        moments.push(self.attempt.sent);
        let unanswered = |moment: &u64| self.kept.is_none_or(|kept| kept.stamp > *moment);
        if !moments.into_iter().any(|moment| refuses(moment) && unanswered(&moment)) {
            self.violated(Check::Answer, &format!("{text} was true at no moment of its asking"));
        }
    }
}
