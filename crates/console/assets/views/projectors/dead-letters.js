/** The list of dead letters. */

import { get } from '../../api.js';
import { h } from '../../dom.js';
import { count } from '../../format.js';
import { link } from '../../router.js';
import { session } from '../../session.js';
import { paged } from '../../ui/pager.js';
import { time } from '../../ui/parts.js';
import { empty } from '../../ui/states.js';
import { table } from '../../ui/table.js';

/** @param {(any: boolean) => void} told whether there are some */
export function deadLetters(signal, told) {
  return paged({
    signal,
    label: 'dead letters',
    load: (cursor, s) => get(['admin', 'dead-letters'], { cursor, limit: 50 }, s),
    render(page, first) {
      told(page.items.length > 0 || !first);
      return page.items.length ? list(page.items) : empty('No dead letters', 'Every projector could apply every event.');
    },
  });
}

/** Where a dead letter's own page is. */
export function letterLink({ projector, tenant, walletId }) {
  return link('dead-letters', projector, tenant, walletId);
}

function list(items) {
  return table({
    caption: 'Dead letters',
    rows: items,
    columns: [
      { label: 'Wallet', head: true, cell: (d) => h('a', { class: 'mono', href: letterLink(d) }, d.walletId) },
      session.operates && { label: 'Tenant', cell: (d) => d.tenant },
      { label: 'Projector', cell: (d) => d.projector },
      { label: 'Event', cell: (d) => `${d.eventType}, version ${d.version}` },
      { label: 'Error', className: 'wide', cell: (d) => d.error },
      { label: 'Waiting behind', num: true, cell: (d) => count(d.queuedEvents) },
      { label: 'Tried', num: true, cell: (d) => `${count(d.attempts)} ×` },
      { label: 'Parked', cell: (d) => time(d.parkedAt, { relative: true }) },
      {
        label: 'What to do',
        cell: (d) =>
          h('a', { class: 'button button-plain button-small', href: letterLink(d), 'aria-label': `Look and replay: ${d.walletId} of ${d.projector}` }, 'Look and replay'),
      },
    ].filter(Boolean),
  });
}
