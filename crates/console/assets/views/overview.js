/** The server at a glance, live. */

import { h, replace, setText } from '../dom.js';
import { compact, count, duration, figure } from '../format.js';
import { healthOf } from '../health.js';
import { live, updates } from '../live.js';
import { projectorReason } from '../reasons.js';
import { link } from '../router.js';
import { session } from '../session.js';
import { chart, DURATION_STEPS, WHOLE_STEPS } from '../ui/chart.js';
import { icon } from '../ui/icons.js';
import { liveChart, windowOf } from '../ui/live-chart.js';
import { card, chip, pageHead } from '../ui/parts.js';
import { problemBox, skeleton } from '../ui/states.js';

export const title = 'Overview';

export function view({ signal }) {
  const state = h('p', { class: 'lead' });
  const head = pageHead('Overview');
  head.firstElementChild.append(state);
  const body = h('div', {});
  let shown = null;

  function update() {
    setText(state, stateText());
    const wanted = live.samples.length ? 'charts' : live.problem ? 'problem' : 'loading';
    if (wanted === shown) return;
    shown = wanted;
    if (wanted === 'charts') replace(body, charts(signal));
    else replace(body, wanted === 'problem' ? problemBox(live.problem) : skeleton('live figures'));
  }

  updates.subscribe(update, signal);
  update();
  return [head, body];
}

function stateText() {
  switch (live.state) {
    case 'open':
      return 'Live, second by second; the last 15 minutes. Point at a chart to read all of them at that moment.';
    case 'unavailable':
      return 'The database does not answer in time: what it knows is missing for now.';
    case 'waiting':
    case 'refused':
      return live.problem?.title ?? 'The live figures were refused.';
    case 'paused':
      return 'Paused while this page is hidden.';
    default:
      return 'Connecting …';
  }
}

const perSecond = (value) => `${figure(value)}/s`;
const ms = (value) => duration(value);

function charts(signal) {
  const throughput = liveChart({
    title: 'Commands',
    note: 'Accepted, a second',
    signal,
    axis: compact,
    steps: WHOLE_STEPS,
    series: [
      { label: 'movements', tone: 'series-1', pick: (s) => s.movementsPerS, format: perSecond },
      { label: 'creates', tone: 'series-2', pick: (s) => s.createsPerS, format: perSecond },
    ],
  });
  const latency = liveChart({
    title: 'Latency',
    note: 'Of commands, from request to answer',
    signal,
    axis: (value) => (value ? ms(value) : '0'),
    steps: DURATION_STEPS,
    series: [
      { label: 'p50', tone: 'series-1', pick: (s) => s.latencyMs?.p50, format: ms },
      { label: 'p95', tone: 'series-2', pick: (s) => s.latencyMs?.p95, format: ms },
      { label: 'p99', tone: 'series-3', pick: (s) => s.latencyMs?.p99, format: ms },
    ],
  });
  const errors = liveChart({
    title: 'Errors',
    note: 'Answers with 5xx, and refusals with 4xx',
    signal,
    axis: compact,
    steps: WHOLE_STEPS,
    series: [
      { label: 'errors', tone: 'series-bad', pick: (s) => s.errorsPerS, format: perSecond },
      { label: 'refused', tone: 'series-2', pick: (s) => s.refusedPerS, format: perSecond },
      { label: 'requests', tone: 'muted', pick: (s) => s.requestsPerS, format: perSecond, plot: false },
    ],
  });
  const lag = liveChart({
    title: 'Outbox lag',
    note: 'Events that are still to be applied',
    signal,
    axis: compact,
    steps: WHOLE_STEPS,
    series: [{ label: 'events', tone: 'series-1', pick: (s) => s.outbox?.lagEvents, format: count }],
  });
  const age = liveChart({
    title: 'Outbox age',
    note: 'How long the oldest of them waits',
    signal,
    axis: (value) => (value ? ms(value) : '0'),
    steps: DURATION_STEPS,
    series: [{ label: 'oldest event', tone: 'series-1', pick: (s) => s.outbox?.lagAgeMs, format: ms }],
  });
  const lane = liveChart({
    title: 'Lane queue',
    note: 'Commands waiting for a transaction',
    signal,
    axis: compact,
    steps: WHOLE_STEPS,
    series: [{ label: 'commands', tone: 'series-1', pick: (s) => s.lane?.queued, format: count }],
  });
  return [
    findings(signal),
    h('div', { class: 'grid grid-charts' }, throughput, latency, errors, lag, age, lane),
    projectors(signal),
  ];
}

/** What needs a look, when something does. */
function findings(signal) {
  const list = h('ul', { class: 'findings' });
  let shown = '';
  function update() {
    const { items } = healthOf(live.known);
    const now = JSON.stringify(items);
    if (now === shown) return;
    shown = now;
    replace(list, items.map(findingOf));
    list.hidden = !items.length;
  }
  updates.subscribe(update, signal);
  update();
  return list;
}

function findingOf({ tone, text, to, go }) {
  return h(
    'li',
    { class: `finding finding-${tone}` },
    icon('alert'),
    h('span', {}, text),
    to && session.can('admin') && h('a', { href: link(...to) }, go),
  );
}

/** Each projector with its lag; rows stay, so that nothing flickers. */
function projectors(signal) {
  const rows = new Map();
  const list = h('div', { class: 'rows' });
  function update() {
    for (const p of live.known?.projectors ?? []) {
      if (!rows.has(p.name)) {
        rows.set(p.name, projectorRow(p.name, signal));
        list.append(rows.get(p.name).element);
      }
      rows.get(p.name).update(p);
    }
  }
  updates.subscribe(update, signal);
  update();
  const more = session.can('admin') && h('a', { href: link('projectors') }, 'Stop, start, rebuild');
  return card('Projectors', { note: 'What follows the events: its lag over the last 15 minutes', actions: more }, list);
}

function projectorRow(name, signal) {
  const spark = chart({ series: [{ tone: 'series-1', fill: true }], axis: compact, height: 40, bare: true, signal });
  const state = h('div', {});
  const lag = h('dd', { class: 'num' });
  const rate = h('dd', { class: 'num' });
  const position = h('dd', { class: 'num' });
  const value = (label, node) => h('div', {}, h('dt', {}, label), node);
  const element = h(
    'section',
    { class: 'row', 'aria-label': name },
    h('div', { class: 'row-name' }, h('strong', {}, name), state),
    h('dl', { class: 'facts facts-inline' }, value('Behind', lag), value('Rate', rate), value('Position', position)),
    spark.element,
  );
  let shown = '';
  return {
    element,
    update(p) {
      const reason = projectorReason({ ...p, eventsPerSecond: p.ratePerS });
      if (reason.label !== shown) replace(state, chip(reason.tone, reason.label));
      shown = reason.label;
      setText(lag, p.lagEvents ? `${count(p.lagEvents)} · ${duration(p.lagAgeMs)}` : '0');
      setText(rate, perSecond(p.ratePerS));
      setText(position, count(p.position));
      const behind = live.samples.map((s) => s.projectors?.find((q) => q.name === name)?.lagEvents ?? null);
      spark.update([live.samples.map((s) => s.at), behind], windowOf(live.samples));
      spark.describe(`${name}: ${count(p.lagEvents)} events behind`);
    },
  };
}
