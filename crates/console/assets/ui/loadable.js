/** A part of a view that comes from the server: loading, there, or failed with a way on. */

import { changes } from '../connection.js';
import { h, replace } from '../dom.js';
import { problemBox, skeleton } from './states.js';

/**
 * @template T
 * @param {object} part
 * @param {(signal: AbortSignal) => Promise<T>} part.load
 * @param {(data: T) => Node|Node[]} part.render
 * @param {AbortSignal} part.signal ends with the view
 * @param {string} part.label what is loaded, for the text while it is
 * @param {(problem: Error) => Node|null} [part.failed] shows some problems in an own way
 */
export function loadable({ load, render, signal, label, failed }) {
  const element = h('div', { class: 'loadable' });
  let round = 0;
  let broken = false;

  /** Loads again; `quiet` leaves what is there until the new has come. */
  async function reload({ quiet = false } = {}) {
    round += 1;
    const mine = round;
    element.setAttribute('aria-busy', 'true');
    if (!quiet) replace(element, skeleton(label));
    try {
      const data = await load(signal);
      if (mine !== round || signal.aborted) return;
      broken = false;
      replace(element, render(data));
    } catch (problem) {
      if (mine !== round || signal.aborted) return;
      broken = true;
      replace(element, failed?.(problem) || problemBox(problem, () => reload()));
    } finally {
      if (mine === round) element.removeAttribute('aria-busy');
    }
  }

  changes.subscribe((change) => change === 'back' && broken && reload(), signal);
  reload();
  return { element, reload };
}
