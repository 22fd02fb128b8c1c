/** What a check, a rebuild or a replay came to. */

import { h } from '../../dom.js';
import { amount, count, duration, plural } from '../../format.js';
import { PLACES } from '../../reasons.js';
import { link } from '../../router.js';
import { session } from '../../session.js';
import { chip, time } from '../../ui/parts.js';
import { table } from '../../ui/table.js';

export const KINDS = {
  drift: { name: 'Drift check', running: 'Comparing' },
  rebuild: { name: 'Rebuild', running: 'Rebuilding' },
  retry: { name: 'Replay of dead letters', running: 'Replaying' },
};

/** Whether a rebuild met what it does not touch: the history itself, or what commands decide on. */
const isLeft = ({ differences: found }) => found.some((d) => !PLACES[d.place].rebuilt);

/** Tone and words for how it ended. */
export function outcomeOf({ kind, state, report }) {
  if (state === 'failed') return ['bad', 'Failed'];
  if (state === 'interrupted') return ['warn', 'Interrupted'];
  if (kind === 'drift' && report.differencesTotal) return ['bad', plural(report.differencesTotal, 'difference')];
  if (kind === 'drift') return ['ok', 'Nothing differs'];
  if (isLeft(report)) return ['warn', 'Done, not all could be put right'];
  return ['ok', 'Done'];
}

/** @param {object} operation one that no longer runs */
export function operationReport(operation) {
  const { kind, state, error, progress, report, scope, finishedAt } = operation;
  const [tone, label] = outcomeOf(operation);
  return h(
    'div',
    { class: 'operation' },
    h(
      'div',
      { class: 'titled' },
      h('h3', {}, `${KINDS[kind].name} of ${scope.walletId ?? 'all wallets'}`),
      chip(tone, label),
      finishedAt && time(finishedAt),
      h('span', { class: 'muted small' }, `${plural(progress.wallets, 'wallet')}, ${plural(progress.done, 'event')} in ${duration(progress.elapsedMs)}`),
    ),
    error && h('div', { class: 'failure' }, h('code', {}, error)),
    state === 'interrupted' && h('p', {}, 'Its process is gone. Ask for it again: a rebuild goes on where it stood.'),
    state === 'done' && verdict(operation),
    report.differencesTotal > 0 && differences(report, kind),
    report.tables.length > 0 && [h('h3', {}, 'Rows of each projection'), tables(kind, report.tables)],
    report.trialBalance.length > 0 && trialBalance(report.trialBalance),
  );
}

function verdict({ kind, report }) {
  if (kind === 'retry') return h('p', {}, `Replayed ${count(report.replayed)}; ${count(report.parked)} still parked.`);
  const parked = report.parked > 0 && ` ${plural(report.parked, 'dead letter')} met on the way: see above.`;
  if (kind === 'rebuild') return h('p', {}, isLeft(report) ? 'Read model and ledger say what the events that can be read say.' : 'Read model and ledger say what the events say.', parked);
  return h('p', {}, report.differencesTotal ? 'What differs is below.' : 'Events, balances, read model and ledger say the same.', parked);
}

function tables(kind, items) {
  const rebuilt = kind === 'rebuild';
  return table({
    caption: 'Rows of each projection',
    rows: items,
    columns: [
      { label: 'Projection', head: true, cell: (t) => t.projector },
      { label: 'Right', num: true, cell: (t) => count(t.right) },
      { label: rebuilt ? 'Repaired' : 'Wrong', num: true, cell: (t) => count(t.repaired) },
      { label: rebuilt ? 'Added' : 'Missing', num: true, cell: (t) => count(t.added) },
      { label: rebuilt ? 'Removed' : 'Unexplained', num: true, cell: (t) => count(t.removed) },
    ],
  });
}

function differences(report, kind) {
  const rebuilt = (place) => kind === 'rebuild' && PLACES[place].rebuilt;
  const places = [...new Set(report.differences.map((d) => d.place))];
  const shown = report.differences.length;
  return [
    h('h3', {}, `${plural(report.differencesTotal, 'difference')}${shown < report.differencesTotal ? `, the first ${count(shown)}` : ''}`),
    h('ul', { class: 'cures' }, places.map((place) => h('li', {}, h('strong', {}, PLACES[place].label), ` · ${rebuilt(place) ? 'It was put right.' : PLACES[place].cure}`))),
    table({
      caption: 'Differences',
      rows: report.differences,
      columns: [
        { label: 'Wallet', head: true, cell: walletOf },
        { label: 'Place', cell: (d) => PLACES[d.place].label },
        { label: 'What', cell: (d) => (d.version === null ? d.what : `${d.what}, version ${d.version}`) },
        { label: 'Expected', cell: (d) => d.expected ?? 'no row' },
        { label: 'Found', cell: (d) => d.found ?? 'no row' },
        { label: 'Minor units', num: true, cell: (d) => (d.differenceMinor === null ? '–' : amount(d.differenceMinor, '', { plus: true })) },
      ],
    }),
  ];
}

/** Another tenant's wallet can't be looked at from here. */
function walletOf({ walletId, tenant }) {
  return tenant === session.who.tenant
    ? h('a', { class: 'mono', href: link('wallets', walletId) }, walletId)
    : h('span', { class: 'mono' }, walletId, ' ', h('span', { class: 'muted' }, `of ${tenant}`));
}

function trialBalance(items) {
  const cell = (field) => (t) => amount(t[field], t.currency);
  return [
    h('h3', {}, 'Trial balance'),
    table({
      caption: 'Trial balance by currency, in major units',
      rows: items,
      columns: [
        { label: 'Currency', head: true, cell: (t) => t.currency },
        { label: 'Wallets', num: true, cell: (t) => count(t.wallets) },
        { label: 'Events', num: true, cell: cell('events') },
        { label: 'Write side', num: true, cell: cell('writeSide') },
        { label: 'Read model', num: true, cell: cell('readModel') },
        { label: 'Ledger', num: true, cell: cell('ledger') },
        { label: 'Verdict', cell: (t) => (t.balances ? chip('ok', 'Balances') : chip('bad', 'Does not balance')) },
      ],
    }),
  ];
}
