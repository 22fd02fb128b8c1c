/** Projectors seen and steered, dead letters, and recovery. */

import { get, Unreachable } from '../api.js';
import { h } from '../dom.js';
import { session } from '../session.js';
import { pageHead } from '../ui/parts.js';
import { every } from '../ui/poll.js';
import { problemBox, skeleton } from '../ui/states.js';
import { deadLettersCard } from './projectors/dead-letters.js';
import { projectorCard } from './projectors/projector-card.js';
import { recovery } from './projectors/recovery.js';

export const title = 'Projectors';

/** How often their state is asked for. */
const POLL_MS = 2000;

export function view({ signal, params }) {
  const letters = deadLettersCard(signal);
  const lead = 'Projectors follow the events and keep the read model and the ledger. Commands never wait for them.';
  return [
    pageHead('Projectors', { lead }),
    session.operates && projectorList(signal, letters.refresh),
    letters.element,
    recovery(signal, params.operation, letters.refresh),
  ];
}

/** @param {() => void} parked told when a projector has parked or settled something */
function projectorList(signal, parked) {
  let parkedBefore = null;
  const cards = new Map();
  const grid = h('div', { class: 'grid grid-projectors' }, skeleton('projectors'));
  let problemShown = null;

  async function refresh() {
    try {
      const { items } = await get(['admin', 'projectors'], {}, signal);
      const parkedNow = items.map((item) => item.parkedWallets).join();
      if (parkedBefore !== null && parkedNow !== parkedBefore) parked();
      parkedBefore = parkedNow;
      if (!cards.size) grid.replaceChildren();
      problemShown?.remove();
      problemShown = null;
      for (const [name, shards] of Map.groupBy(items, (item) => item.name)) {
        if (!cards.has(name)) {
          cards.set(name, projectorCard(name, signal, refresh));
          grid.append(cards.get(name).element);
        }
        cards.get(name).update(shards);
      }
    } catch (problem) {
      // A server that is away has its own banner; what was known stays.
      if (signal.aborted || (cards.size && problem instanceof Unreachable)) return;
      if (!cards.size) grid.replaceChildren();
      problemShown?.remove();
      problemShown = problemBox(problem, refresh);
      grid.prepend(problemShown);
    }
  }

  every(POLL_MS, refresh, signal);
  return grid;
}
