/** Pages of a list that only knows its next one: those that were seen are remembered. */

import { h, replace } from '../dom.js';
import { loadable } from './loadable.js';
import { button } from './parts.js';

/**
 * @param {object} list
 * @param {(cursor: string|null, signal: AbortSignal) => Promise<{items: object[], nextCursor: string|null}>} list.load
 * @param {(page: object, first: boolean) => Node} list.render
 * @param {[string, string]} list.names of the ways back and on
 */
export function paged({ load, render, signal, label, failed, names = ['Previous', 'Next'] }) {
  let cursors = [null];
  const nav = h('nav', { class: 'pager', 'aria-label': `Pages of ${label}` });
  const part = loadable({
    signal,
    label,
    failed,
    load: (s) => load(cursors.at(-1), s),
    render(page) {
      show(page.nextCursor);
      return render(page, cursors.length === 1);
    },
  });

  function show(next) {
    // The page that has come: whatever is clicked leads on from it.
    const at = cursors;
    const alone = at.length === 1 && !next;
    replace(
      nav,
      !alone && [
        button(names[0], { disabled: at.length === 1, onClick: () => go(at.slice(0, -1)) }),
        h('span', { class: 'muted small' }, `Page ${at.length}`),
        button(names[1], { disabled: !next, onClick: () => go([...at, next]) }),
      ],
    );
  }

  async function go(to) {
    cursors = to;
    await part.reload({ quiet: true });
    part.element.scrollIntoView({ block: 'nearest' });
  }

  return {
    element: h('div', {}, part.element, nav),
    reload: part.reload,
    /** From the first page again: what is asked for has changed. */
    restart: () => go([null]),
  };
}
