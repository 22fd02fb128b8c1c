/** Checks (drift) and rebuilds of the projections, with their progress and what they found. */

import { get, post } from '../../api.js';
import { h, replace, setText } from '../../dom.js';
import { count, duration, percent, plural } from '../../format.js';
import { session } from '../../session.js';
import { act } from '../../ui/confirm.js';
import { announce } from '../../ui/toasts.js';
import { button, card, field } from '../../ui/parts.js';
import { every } from '../../ui/poll.js';
import { problemBox } from '../../ui/states.js';
import { KINDS, operationReport, outcomeOf } from './operation-report.js';

/** How often progress is asked for. */
const POLL_MS = 500;

/** The operation that was seen last; a view that comes back shows it again. */
let lastSeen = null;

/** Whoever signs in next did not begin it. */
export function forgetOperation() {
  lastSeen = null;
}

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
    end(operationReport(operation));
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
