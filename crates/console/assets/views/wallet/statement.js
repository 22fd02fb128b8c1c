/** The ledger of a wallet as a statement: newest first, with the balance after each line. */

import { get } from '../../api.js';
import { h } from '../../dom.js';
import { toUtc } from '../../format.js';
import { link } from '../../router.js';
import { paged } from '../../ui/pager.js';
import { bareSum, button, field, time } from '../../ui/parts.js';
import { empty } from '../../ui/states.js';
import { table } from '../../ui/table.js';
import { KINDS, signed } from './kinds.js';

const PAGE_LEN = 25;

export function statement(wallet, signal) {
  const type = field(
    'Kind',
    h('select', {}, h('option', { value: '' }, 'All kinds'), Object.entries(KINDS).map(([value, { plural }]) => h('option', { value }, plural))),
  );
  const from = field('From', h('input', { type: 'datetime-local', step: '1' }));
  const to = field('Until', h('input', { type: 'datetime-local', step: '1' }));
  const filters = [type.control, from.control, to.control];

  const pages = paged({
    signal,
    label: 'statement',
    names: ['Newer', 'Older'],
    load: (cursor, s) =>
      get(
        ['wallets', wallet.id, 'ledger'],
        { limit: PAGE_LEN, cursor, type: type.control.value, from: toUtc(from.control.value), to: toUtc(to.control.value) },
        s,
      ),
    render: (page, first) => lines(page, first, wallet),
  });

  function clear() {
    filters.forEach((control) => (control.value = ''));
    pages.restart();
  }

  filters.forEach((control) => control.addEventListener('change', () => pages.restart()));
  const element = h(
    'div',
    {},
    h('div', { class: 'filters', role: 'group', 'aria-label': 'Filter the statement' }, type.element, from.element, to.element, button('Clear', { onClick: clear })),
    pages.element,
  );
  return {
    element,
    showOnly(kind) {
      type.control.value = kind;
      pages.restart();
      element.scrollIntoView({ block: 'start' });
      type.control.focus();
    },
  };
}

function lines({ items, nextCursor }, first, wallet) {
  if (!items.length) {
    if (nextCursor) return empty('Nothing in this stretch', 'None of the lines that were looked at fits; older ones may.');
    return first
      ? empty('No lines', 'Nothing fits the filters, or the ledger does not have this wallet’s events yet: “Explain this balance” tells.')
      : empty('No more lines', 'The statement begins on the page before.');
  }
  return table({
    caption: `Statement of ${wallet.id}, newest first, in ${wallet.currency}`,
    className: 'table-statement',
    rows: items,
    columns: [
      { label: 'Time', cell: (l) => time(l.recordedAt) },
      { label: 'What', head: true, className: 'wide', cell: what },
      { label: 'Reference', className: 'mono', cell: (l) => l.reference ?? '–' },
      { label: `Amount, ${wallet.currency}`, num: true, cell: (l) => movement(l) },
      { label: `Balance, ${wallet.currency}`, num: true, className: 'strong', cell: (l) => bareSum(l.balanceAfter, l.currency) },
      { label: 'Version', num: true, className: 'muted', cell: (l) => String(l.version) },
    ],
  });
}

function movement(line) {
  const minor = signed(line);
  return h('span', { class: minor > 0n ? 'plus' : '' }, bareSum(minor, line.currency, { plus: true }));
}

function what(line) {
  const { one } = KINDS[line.type];
  return [
    h('span', {}, one),
    line.counterpartyWalletId && [
      line.type === 'transfer_in' ? ' from ' : ' to ',
      h('a', { class: 'mono', href: link('wallets', line.counterpartyWalletId) }, line.counterpartyWalletId),
    ],
    line.transferId && [' · ', h('a', { class: 'small', href: link('transfers', line.transferId) }, 'both legs')],
    line.description && h('span', { class: 'description muted' }, line.description),
  ];
}
