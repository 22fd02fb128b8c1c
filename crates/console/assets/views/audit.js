/** Who did what, newest first. */

import { get } from '../api.js';
import { h } from '../dom.js';
import { words } from '../format.js';
import { link } from '../router.js';
import { session } from '../session.js';
import { paged } from '../ui/pager.js';
import { button, card, chip, field, pageHead, time } from '../ui/parts.js';
import { empty } from '../ui/states.js';
import { table } from '../ui/table.js';

export const title = 'Audit';

const ACTIONS = [
  'key.create',
  'key.rotate',
  'key.revoke',
  'projector.start',
  'projector.stop',
  'dead_letter.replay',
  'dead_letter.discard',
  'recovery.rebuild',
  'recovery.drift',
  'recovery.retry',
  'outbox.clean',
  'idempotency.sweep',
];

const OUTCOMES = { requested: ['none', 'Requested'], done: ['ok', 'Done'], failed: ['bad', 'Failed'] };

export function view({ signal }) {
  const action = field('Action', h('select', {}, h('option', { value: '' }, 'All actions'), ACTIONS.map((a) => h('option', { value: a }, words(a)))));
  const actor = field('Who', h('input', { type: 'search', placeholder: 'cli:root', autocomplete: 'off', spellcheck: 'false', maxlength: '300' }));
  const pages = paged({
    signal,
    label: 'audit log',
    names: ['Newer', 'Older'],
    load: (cursor, s) => get(['admin', 'audit'], { limit: 50, cursor, action: action.control.value, actor: actor.control.value.trim() }, s),
    render: ({ items }, first) =>
      items.length ? list(items) : nothing(first, action.control.value || actor.control.value.trim()),
  });
  const clear = () => {
    action.control.value = '';
    actor.control.value = '';
    pages.restart();
  };
  for (const { control } of [action, actor]) control.addEventListener('change', () => pages.restart());
  return [
    pageHead('Audit', { lead: 'Who did what to keys, projectors, dead letters and recovery. Lines are only ever added.' }),
    card(
      'Log',
      {},
      h('div', { class: 'filters', role: 'group', 'aria-label': 'Filter the log' }, action.element, actor.element, button('Clear', { onClick: clear })),
      pages.element,
    ),
  ];
}

function nothing(first, filtered) {
  if (!first) return empty('No more lines', 'The log begins on the page before.');
  if (filtered) return empty('No lines', 'None fits the filter.');
  return empty('Nothing yet', 'What is done to keys, projectors, dead letters and recovery stands here, with who did it.');
}

/**
 * What is done leaves two lines, which share their act: where both are on the page, one row says it.
 * A request that stands alone has no end, or one on another page.
 */
function acts(lines) {
  const rows = [];
  for (const group of Map.groupBy(lines, (line) => line.actId).values()) {
    const [last] = group;
    const details = [...new Set(group.map((line) => line.details).filter(Boolean))].join(' · ');
    rows.push({ ...last, details, numbers: group.map((line) => line.position).toReversed().join(', ') });
  }
  return rows;
}

/** What an act came to; an operation that it began can be looked at. */
function detailsOf({ details }) {
  const operation = /^operation ([0-9a-f-]{36})(?= ·|$)/.exec(details);
  return operation ? h('a', { class: 'mono', href: link('operations', operation[1]) }, details) : details;
}

function list(lines) {
  return table({
    caption: 'Audit log, newest first',
    rows: acts(lines),
    columns: [
      { label: 'No.', num: true, className: 'muted optional', cell: (l) => l.numbers },
      { label: 'Time', cell: (l) => time(l.at) },
      { label: 'Who', className: 'mono', cell: (l) => l.actor },
      { label: 'Action', head: true, cell: (l) => words(l.action) },
      { label: 'To what', className: 'mono', cell: (l) => (l.target === '*' ? 'all' : l.target) },
      session.operates && { label: 'Tenant', className: 'optional', cell: (l) => l.tenant },
      { label: 'Outcome', cell: (l) => chip(...OUTCOMES[l.outcome]) },
      { label: 'Details', className: 'wide', cell: detailsOf },
    ].filter(Boolean),
  });
}
