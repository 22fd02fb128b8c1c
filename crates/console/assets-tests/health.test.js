import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { healthOf } from '../assets/health.js';
import { deadLetterAdvice, projectorReason } from '../assets/reasons.js';

const PROJECTOR = { name: 'ledger', state: 'running', lagEvents: 0, lagAgeMs: 0, parkedWallets: 0, eventsPerSecond: 0 };
const sample = (changes, others = {}) => ({ errorsPerS: 0, projectors: [{ ...PROJECTOR, ...changes }], ...others });

describe('the health of the server', () => {
  it('is good when nothing waits, or only for a moment', () => {
    assert.equal(healthOf(sample({})).tone, 'ok');
    assert.equal(healthOf(sample({ lagEvents: 50, lagAgeMs: 300 })).tone, 'ok');
  });

  it('is not known without what only the database knows', () => {
    assert.equal(healthOf(undefined).tone, 'none');
    assert.equal(healthOf(sample({}, { projectors: null })).tone, 'none');
  });

  it('is bad for a projector that does not run, and for dead letters', () => {
    for (const state of ['stopped', 'failing', 'unheld']) {
      const { tone, text } = healthOf(sample({ state, lagEvents: 3 }));
      assert.equal(tone, 'bad');
      assert.match(text, /ledger.*3.events behind/);
    }
    assert.equal(healthOf(sample({ parkedWallets: 1 })).tone, 'bad');
  });

  it('warns of a projector that is late', () => {
    assert.equal(healthOf(sample({ lagEvents: 10, lagAgeMs: 9000 })).tone, 'warn');
  });

  it('counts what needs a look', () => {
    const { text, items } = healthOf(sample({ state: 'stopped', parkedWallets: 2 }, { errorsPerS: 1 }));
    assert.equal(items.length, 3);
    assert.match(text, /3 things/);
  });
});

describe('why a projector is behind', () => {
  it('is said for each state, with a cure', () => {
    for (const state of ['stopped', 'failing', 'unheld']) {
      const { why, cure } = projectorReason({ ...PROJECTOR, state, lagEvents: 7 });
      assert.match(why, /7.events behind/);
      assert.ok(cure);
    }
  });

  it('says how long it will take to catch up', () => {
    const { why } = projectorReason({ ...PROJECTOR, lagEvents: 1000, lagAgeMs: 60_000, eventsPerSecond: 100 });
    assert.match(why, /about 10.s/);
  });
});

describe('what to do about a dead letter', () => {
  it('depends on its error', () => {
    assert.match(deadLetterAdvice('unknown event type "Odd"').cure, /Upgrade/);
    assert.match(deadLetterAdvice('the payload {} is not readable').cure, /backup/);
    assert.equal(deadLetterAdvice('version 3 records a balance of 4').rebuild, true);
    assert.ok(deadLetterAdvice('anything else').cure);
  });
});
