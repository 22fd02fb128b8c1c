/** Checks (drift) and rebuilds of the projections, with their progress and what they found. */

import { get, post } from '../../api.js';
import { h, replace, setText } from '../../dom.js';
import { amount, count, duration, percent, plural } from '../../format.js';
import { PLACES } from '../../reasons.js';
import { link } from '../../router.js';
import { session } from '../../session.js';
import { act } from '../../ui/confirm.js';
import { announce } from '../../ui/toasts.js';
import { button, card, chip, field, time } from '../../ui/parts.js';
import { every } from '../../ui/poll.js';
import { problemBox } from '../../ui/states.js';
import { table } from '../../ui/table.js';

/** How often progress is asked for. */
const POLL_MS = 500;

const KINDS = {
  drift: { name: 'Drift check', running: 'Comparing' },
  rebuild: { name: 'Rebuild', running: 'Rebuilding' },
  retry: { name: 'Replay of dead letters', running: 'Replaying' },
};

/** The operation that was seen last; a view that comes back shows it again. */
let lastSeen = null;

/**
 * @param {string} [operation] shows this one
 * @param {() => void} changed told when one has come to its end
 */
export function recovery(signal, operation, changed) {
  const wallet = field('Wallet', h('input', { type: 'text', autocomplete: 'off', spellcheck: 'false', class: 'mono' }), {
    hint: session.operates ? 'Leave it empty for all wallets.' : 'The wallet to look at.',
  });
  const result = h('div', {});
  const follow = (id, began) => {
    lastSeen = id;
    watch(id, result, signal, changed, began);
  };
  const check = button('Check for drift', { onClick: () => begin('drift', check) });
  const rebuild = button('Rebuild …', { onClick: () => begin('rebuild', rebuild) });

  async function begin(kind, trigger) {
    const walletId = wallet.control.value.trim();
    if (!walletId && !session.operates) {
      wallet.say('Name a wallet: only operators of the server may ask about all.', true);
      wallet.control.focus();
      return;
    }
    wallet.say('');
    await act({ trigger, what: KINDS[kind].name, question: questionOf(kind, walletId), run: () => start(kind, walletId) });
  }

  async function start(kind, walletId) {
    try {
      const began = await post(['admin', 'recovery', kind], walletId ? { walletId } : undefined, { signal });
      follow(began.id, true);
      return `${KINDS[kind].name} began.`;
    } catch (problem) {
      if (problem.code !== 'operation-running') throw problem;
      follow(problem.operationId, true);
      return `${KINDS[kind].name}: one is running already, and is shown.`;
    }
  }

  if (operation ?? lastSeen) follow(operation ?? lastSeen, false);
  return card(
    'Check and rebuild',
    { note: 'A check compares events, balances, read model and ledger, and changes nothing. A rebuild puts the projections right. Both run beside live traffic.' },
    h('div', { class: 'form-line' }, wallet.element, h('div', { class: 'actions' }, check, rebuild)),
    result,
  );
}

function questionOf(kind, walletId) {
  const what = walletId ? `the wallet ${walletId}` : 'all wallets';
  if (kind === 'drift') {
    return {
      title: `Check ${what}?`,
      body: ['Every event is read and compared with what was made of it. Nothing is changed; it takes some of the database’s time.'],
      action: 'Check',
    };
  }
  return {
    title: `Rebuild ${what}?`,
    body: [
      'Every row of the read model and the ledger is compared with the events, and put right where it differs: rows are repaired, added and removed.',
      'Reads and commands go on meanwhile.',
    ],
    action: 'Rebuild',
  };
}

/**
 * Follows an operation to its end.
 * @param {boolean} began whether it was begun here; the end of an older one is shown, not announced
 */
function watch(id, result, signal, changed, began) {
  const done = new AbortController();
  const until = AbortSignal.any([signal, done.signal]);
  const shown = progressOf();
  let ran = began;
  replace(result, shown.element);

  function end(...content) {
    done.abort();
    replace(result, content);
  }

  async function look() {
    const operation = await get(['admin', 'operations', id], {}, until);
    if (id !== lastSeen) {
      done.abort();
      return;
    }
    shown.update(operation);
    ran ||= operation.state === 'running';
    if (operation.state === 'running') return;
    end(ended(operation));
    if (ran) tell(operation, changed);
  }

  every(
    POLL_MS,
    () =>
      look().catch((problem) => {
        // A server that is away or busy is asked again; what it refuses stays refused.
        if (!until.aborted && problem.status < 500 && problem.status !== 429) end(problemBox(problem));
      }),
    until,
  );
}

function tell(operation, changed) {
  const [tone, label] = outcomeOf(operation);
  announce(tone === 'ok' ? 'ok' : 'bad', `${KINDS[operation.kind].name}: ${label}`);
  changed();
}

function progressOf() {
  const bar = h('progress', { max: '1', 'aria-label': 'Progress' });
  const text = h('p', { class: 'num', role: 'status' }, 'Starting …');
  const detail = h('p', { class: 'small muted num' });
  return {
    element: h('div', { class: 'operation' }, text, bar, detail),
    update({ kind, progress: p, scope }) {
      if (p.total > 0) bar.value = p.done / p.total;
      const what = scope.walletId ?? 'all wallets';
      setText(text, `${KINDS[kind].running} ${what}: ${percent(p.done, p.total)}`);
      const left = p.remainingMs === null ? '' : ` · about ${duration(p.remainingMs)} left`;
      setText(
        detail,
        `${count(p.done)} of ${count(p.total)} events · ${plural(p.wallets, 'wallet')} · ${count(p.eventsPerSecond)}/s${left}`,
      );
    },
  };
}

/** Whether a rebuild met what it does not touch: the history itself, or what commands decide on. */
const isLeft = ({ differences: found }) => found.some((d) => !PLACES[d.place].rebuilt);

function outcomeOf({ kind, state, report }) {
  if (state === 'failed') return ['bad', 'Failed'];
  if (state === 'interrupted') return ['warn', 'Interrupted'];
  if (kind === 'drift' && report.differencesTotal) return ['bad', plural(report.differencesTotal, 'difference')];
  if (kind === 'drift') return ['ok', 'Nothing differs'];
  if (isLeft(report)) return ['warn', 'Done, not all could be put right'];
  return ['ok', 'Done'];
}

function ended(operation) {
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
