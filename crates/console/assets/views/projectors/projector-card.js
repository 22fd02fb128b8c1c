/** One projector: how it is, why, and the button that stops or starts it. */

import { post } from '../../api.js';
import { h, replace, setText } from '../../dom.js';
import { count, duration, percent, plural } from '../../format.js';
import { projectorReason } from '../../reasons.js';
import { act } from '../../ui/confirm.js';
import { button, chip, time } from '../../ui/parts.js';
import { table } from '../../ui/table.js';

/** Worst first: what a projector is when its shards differ. */
const SEVERITY = ['failing', 'unheld', 'stopped', 'running'];

export function projectorCard(name, signal, refresh) {
  const heading = h('h2', {}, name);
  const state = h('div', {});
  const why = h('p', { class: 'why' });
  const cure = h('p', { class: 'cure muted' });
  const failure = h('div', { class: 'failure', hidden: true });
  const bar = h('progress', { max: '1', value: 0, 'aria-label': `How far ${name} has come` });
  const share = h('span', { class: 'num small muted' });
  const values = { lag: h('dd'), age: h('dd'), rate: h('dd'), parked: h('dd'), holder: h('dd', { class: 'mono small' }), moved: h('dd') };
  const shards = h('details', { hidden: true }, h('summary', {}, 'By shard'));
  const start = button('Start', { kind: 'primary', 'aria-label': `Start ${name}`, onClick: () => steer(name, 'start', start, signal, refresh) });
  const stop = button('Stop', { 'aria-label': `Stop ${name}`, onClick: () => steer(name, 'stop', stop, signal, refresh) });

  const fact = (label, node) => h('div', {}, h('dt', {}, label), node);
  const element = h(
    'section',
    { class: 'card projector', 'aria-label': `Projector ${name}` },
    h('div', { class: 'card-head' }, h('div', { class: 'titled' }, heading, state), h('div', { class: 'actions' }, start, stop)),
    why,
    cure,
    failure,
    h('div', { class: 'progress-line' }, bar, share),
    h(
      'dl',
      { class: 'facts facts-grid' },
      fact('Behind', values.lag),
      fact('Oldest waits', values.age),
      fact('Rate', values.rate),
      fact('Dead letters', values.parked),
      fact('Checkpoint moved', values.moved),
      fact('Held by', values.holder),
    ),
    shards,
  );

  function update(items) {
    const current = together(items);
    const reason = projectorReason(current);
    const text = `${reason.tone}|${reason.label}`;
    if (state.dataset.shown !== text) replace(state, chip(reason.tone, reason.label));
    state.dataset.shown = text;
    element.classList.toggle('card-bad', reason.tone === 'bad');
    setText(why, reason.why);
    setText(cure, reason.cure ?? '');
    cure.hidden = !reason.cure;
    showFailure(current.lastError);
    bar.value = current.head ? current.position / current.head : 1;
    setText(share, `${percent(current.position, current.head || 1)} · ${count(current.position)} of ${count(current.head)}`);
    setText(values.lag, plural(current.lagEvents, 'event'));
    setText(values.age, current.lagEvents ? duration(current.lagAgeMs) : '–');
    setText(values.rate, `${count(current.eventsPerSecond)}/s`);
    setText(values.parked, count(current.parkedWallets));
    setText(values.holder, current.holder ?? 'nobody');
    replace(values.moved, time(current.updatedAt, { relative: true }));
    // One that nobody runs can be taken by a server that leaves its projectors alone, or be stopped.
    start.hidden = !['stopped', 'unheld'].includes(current.state);
    stop.hidden = current.state === 'stopped';
    showShards(items);
  }

  function showFailure(error) {
    failure.hidden = !error;
    if (!error || failure.dataset.shown === error.at) return;
    failure.dataset.shown = error.at;
    replace(failure, h('p', { class: 'small muted' }, 'Last error, ', time(error.at)), h('p', {}, h('code', {}, error.message)));
  }

  function showShards(items) {
    shards.hidden = items.length < 2;
    if (shards.hidden || !shards.open) return;
    while (shards.childElementCount > 1) shards.lastElementChild.remove();
    shards.append(shardTable(name, items));
  }

  shards.addEventListener('toggle', refresh);
  return { element, update };
}

/** All shards as one: sums, the oldest wait, the worst state. */
function together(items) {
  const total = (field) => items.reduce((all, item) => all + item[field], 0);
  const holders = [...new Set(items.map((item) => item.holder).filter(Boolean))];
  const errors = items.map((item) => item.lastError).filter(Boolean);
  return {
    state: SEVERITY.find((state) => items.some((item) => item.state === state)),
    position: total('position'),
    head: total('head'),
    lagEvents: total('lagEvents'),
    eventsPerSecond: total('eventsPerSecond'),
    parkedWallets: items.reduce((all, item) => all + item.parkedWallets, 0),
    lagAgeMs: Math.max(...items.map((item) => item.lagAgeMs)),
    updatedAt: items.map((item) => item.updatedAt).sort().at(-1),
    holder: holders.length ? holders.join(', ') : null,
    lastError: errors.sort((a, b) => a.at.localeCompare(b.at)).at(-1) ?? null,
  };
}

function shardTable(name, items) {
  return table({
    caption: `The shards of ${name}`,
    rows: items,
    columns: [
      { label: 'Shard', head: true, cell: (p) => String(p.shard) },
      { label: 'State', cell: (p) => chip(projectorReason(p).tone, projectorReason(p).label) },
      { label: 'Position', num: true, cell: (p) => `${count(p.position)} of ${count(p.head)}` },
      { label: 'Behind', num: true, cell: (p) => count(p.lagEvents) },
      { label: 'Rate', num: true, cell: (p) => `${count(p.eventsPerSecond)}/s` },
      { label: 'Held by', cell: (p) => p.holder ?? 'nobody' },
    ],
  });
}

const QUESTIONS = {
  stop: (name) => ({
    title: `Stop ${name}?`,
    body: [
      'It stops at the end of its batch, whichever process runs it, and stays stopped over restarts until somebody starts it.',
      'Commands and current balances go on; what it keeps gets older meanwhile.',
    ],
    action: 'Stop it',
    kind: 'danger',
  }),
  start: (name) => ({
    title: `Start ${name}?`,
    body: ['It goes on where it stopped, and catches up with everything that came since.'],
    action: 'Start it',
  }),
};

async function steer(name, verb, trigger, signal, refresh) {
  await act({
    trigger,
    what: `${verb === 'stop' ? 'Stop' : 'Start'} of ${name}`,
    question: QUESTIONS[verb](name),
    async run() {
      await post(['admin', 'projectors', name, verb], undefined, { signal });
      return verb === 'stop' ? `${name} stops at the end of its batch.` : `${name} starts.`;
    },
  });
  refresh();
}
