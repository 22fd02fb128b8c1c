/** A transfer: both of its legs. */

import { get } from '../api.js';
import { h } from '../dom.js';
import { link } from '../router.js';
import { loadable } from '../ui/loadable.js';
import { card, copyButton, facts, pageHead, sum, time } from '../ui/parts.js';
import { empty } from '../ui/states.js';

export const title = 'Transfer';

export function view({ signal, params }) {
  const part = loadable({
    signal,
    label: 'transfer',
    load: (s) => get(['transfers', params.id], {}, s),
    render: page,
    failed: (problem) =>
      problem.code === 'transfer-not-found' && empty('There is no such transfer', 'No transfer of this tenant has this id.'),
  });
  return [
    pageHead('Transfer', {
      back: { href: link('wallets'), text: 'Wallets' },
      lead: h('span', { class: 'mono' }, params.id),
      actions: copyButton(params.id, 'the transfer’s id'),
    }),
    part.element,
  ];
}

function page(transfer) {
  return [
    card(
      'What was moved',
      {},
      h('p', { class: 'balance num' }, sum(transfer.amount, transfer.currency)),
      facts([
        ['Recorded', time(transfer.recordedAt)],
        transfer.description && ['Description', transfer.description],
        transfer.reference && ['Reference', h('span', { class: 'mono' }, transfer.reference)],
      ]),
    ),
    h('div', { class: 'grid grid-pair' }, leg('From', transfer.from), leg('To', transfer.to)),
  ];
}

function leg(name, line) {
  if (!line) return card(name, {}, empty('Left out of the ledger', 'The event of this leg was discarded by hand; the wallet’s events still have it.'));
  return card(
    name,
    {},
    facts([
      ['Wallet', h('a', { class: 'mono', href: link('wallets', line.walletId) }, line.walletId)],
      ['Balance afterwards', sum(line.balanceAfter, line.currency)],
      ['Version', String(line.version)],
      ['Event', h('code', {}, line.eventId)],
    ]),
  );
}
