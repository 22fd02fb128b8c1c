/** Asks again and again, while somebody looks. */

import { changes } from '../connection.js';

/** Runs `task` now and `ms` after each of its ends, until `signal`; not while the page is hidden. */
export function every(ms, task, signal) {
  let timer = 0;

  async function turn() {
    clearTimeout(timer);
    if (signal.aborted || document.hidden) return;
    await task();
    if (!signal.aborted) timer = setTimeout(turn, ms);
  }

  document.addEventListener('visibilitychange', turn, { signal });
  changes.subscribe((change) => change === 'back' && turn(), signal);
  signal.addEventListener('abort', () => clearTimeout(timer));
  turn();
}
