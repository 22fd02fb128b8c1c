/** The history of a wallet, event by event, with their JSON. */

import { get } from '../../api.js';
import { h } from '../../dom.js';
import { money } from '../../format.js';
import { json } from '../../ui/json.js';
import { paged } from '../../ui/pager.js';
import { time } from '../../ui/parts.js';
import { empty, problemBox } from '../../ui/states.js';

const PAGE_LEN = 50;

export function events(wallet, signal) {
  return paged({
    signal,
    label: 'events',
    names: ['Older', 'Newer'],
    failed: (problem) => problem.code === 'internal' && unreadable(problem),
    load: (cursor, s) => get(['wallets', wallet.id, 'events'], { limit: PAGE_LEN, cursor }, s),
    render: ({ items }) =>
      items.length ? h('ol', { class: 'events' }, items.map(eventItem)) : empty('No more events', 'The history ends on the page before.'),
  }).element;
}

/** Pages are all or nothing: one event that can't be read, and none of its page is shown. */
function unreadable(problem) {
  return [h('p', { class: 'muted' }, 'An event of this page may be one that can’t be read. Where a projector has parked this wallet, its dead letter shows the event as it is stored.'), problemBox(problem)];
}

function eventItem(event) {
  const body = h('div', { class: 'event-body' });
  const details = h(
    'details',
    {
      on: {
        // Built when it is opened: a page has fifty of them.
        toggle() {
          if (details.open && !body.childElementCount) body.append(json(event, `event ${event.version}`));
        },
      },
    },
    h(
      'summary',
      {},
      h('span', { class: 'event-version num' }, `v${event.version}`),
      h('strong', {}, event.type),
      h('span', { class: 'num' }, moneyOf(event)),
      h('span', { class: 'event-time muted small' }, time(event.recordedAt)),
    ),
    body,
  );
  return h('li', {}, details);
}

function moneyOf({ type, data }) {
  if (type === 'WalletCreated') return money(data.initialBalance, data.currency);
  const sign = type === 'WalletDebited' ? -1n : 1n;
  return money(sign * BigInt(data.amount), data.currency, { plus: true });
}
