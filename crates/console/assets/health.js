/** The whole server in one word, from its last sample; and what is wrong, when something is. */

import { count, duration, plural } from './format.js';

/** Lag of less than this is what commits of the last moment leave. */
const LAG_MS_NOTED = 2000;

const STATES = {
  stopped: (name) => `${name} was stopped by hand`,
  failing: (name) => `${name} fails and tries again`,
  unheld: (name) => `${name} is run by nobody`,
};

/**
 * @param {object|undefined} sample the newest of `GET /admin/live`
 * @returns {{tone: 'ok'|'warn'|'bad'|'none', text: string, items: Array<{tone: string, text: string, to?: string[], go?: string}>}}
 */
export function healthOf(sample) {
  if (!sample?.projectors) return { tone: 'none', text: 'Waiting for figures', items: [] };
  const items = sample.projectors.flatMap(itemsOf);
  if (sample.errorsPerS > 0) {
    const text = `${count(Math.ceil(sample.errorsPerS))} answers a second are errors`;
    items.push({ tone: 'bad', text });
  }
  if (!items.length) return { tone: 'ok', text: 'All caught up', items };
  const tone = items.some((item) => item.tone === 'bad') ? 'bad' : 'warn';
  const text = items.length === 1 ? items[0].text : `${items.length} things need a look`;
  return { tone, text, items };
}

function itemsOf(p) {
  const items = [];
  const why = { to: ['projectors'], go: 'See why' };
  const waits = p.lagEvents > 0 ? `: ${plural(p.lagEvents, 'event')} behind` : '';
  if (STATES[p.state]) items.push({ tone: 'bad', text: STATES[p.state](p.name) + waits, ...why });
  else if (p.lagEvents > 0 && p.lagAgeMs > LAG_MS_NOTED) {
    items.push({ tone: 'warn', text: `${p.name} follows ${duration(p.lagAgeMs)} late${waits}`, ...why });
  }
  if (p.parkedWallets > 0) {
    const text = `${p.name} has ${plural(p.parkedWallets, 'dead letter')}`;
    items.push({ tone: 'bad', text, to: ['dead-letters'], go: 'Look and replay' });
  }
  return items;
}
