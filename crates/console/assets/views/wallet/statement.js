/** The ledger of a wallet as a statement: newest first, with the balance after each line. */

import { get } from '../../api.js';
import { h } from '../../dom.js';
import { plural, toUtc } from '../../format.js';
import { link } from '../../router.js';
import { icon } from '../../ui/icons.js';
import { paged } from '../../ui/pager.js';
import { bareSum, button, field, time } from '../../ui/parts.js';
import { behindBox, empty } from '../../ui/states.js';
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
    failed: (problem) => problem.code === 'projection-behind' && behindBox(() => pages.reload()),
    load: (cursor, s) =>
      get(
        ['wallets', wallet.id, 'ledger'],
        { limit: PAGE_LEN, cursor, type: type.control.value, from: toUtc(from.control.value), to: toUtc(to.control.value) },
        s,
      ),
    render: (page, first) => lines(page, first && filters.every((control) => !control.value), wallet),
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

/** @param {boolean} newest whether the page has the newest lines there are, of any kind */
function lines({ items, nextCursor }, newest, wallet) {
  if (!items.length) {
    if (nextCursor) return empty('Nothing in this stretch', 'None of the lines that were looked at fits; older ones may.');
    return newest
      ? empty('No lines yet', 'The ledger does not have this wallet’s events yet: “Explain this balance” says why.')
      : empty('No lines', 'None fits the filters, or the statement begins on the page before.');
  }
  return [behind(items, newest, wallet), statementTable(items, wallet)];
}

/** Says so when the ledger does not have the newest events: a statement looks complete otherwise. */
function behind(items, newest, wallet) {
  const missing = wallet.version - items[0].version;
  if (!newest || missing <= 0) return null;
  const are = missing === 1 ? 'is' : 'are';
  return h('p', { class: 'note-line' }, icon('info'), `${plural(missing, 'newer event')} ${are} not in the ledger yet: “Explain this balance” says why.`);
}

function statementTable(items, wallet) {
  return table({
    caption: `Statement of ${wallet.id}, newest first, in ${wallet.currency}`,
    className: 'table-statement',
    rows: items,
    columns: [
      { label: 'Time', className: 'line-time', cell: (l) => time(l.recordedAt) },
      { label: 'What', head: true, className: 'wide line-what', cell: what },
      { label: 'Reference', className: 'mono line-reference', cell: (l) => l.reference ?? '' },
      { label: `Amount, ${wallet.currency}`, num: true, className: 'line-amount', cell: movement },
      { label: `Balance, ${wallet.currency}`, num: true, className: 'strong line-balance', cell: (l) => bareSum(l.balanceAfter, l.currency) },
      { label: 'Version', num: true, className: 'muted line-version optional', cell: (l) => String(l.version) },
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
