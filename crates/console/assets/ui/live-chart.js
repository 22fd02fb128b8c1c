/** A card with figures and their last fifteen minutes. */

import { h, setText } from '../dom.js';
import { live, updates, WINDOW_SECONDS } from '../live.js';
import { chart } from './chart.js';
import { card } from './parts.js';

/** A server that has just started shows a minute, not a long nothing. */
const WINDOW_SECONDS_MIN = 60;
/** How often the words for a chart are made anew. */
const DESCRIBE_EVERY_SAMPLES = 10;
const NONE = '–';

/**
 * @param {object} options
 * @param {string} options.title
 * @param {string} [options.note] what it measures
 * @param {Array<{label: string, tone: string, pick: (sample: object) => number|null, format: (value: number) => string, plot?: boolean}>} options.series
 *   the first is the large one; `plot: false` only shows the figure
 * @param {(value: number) => string} options.axis
 * @param {number[]} [options.steps] what the axis may count in
 */
export function liveChart({ title, note, series, axis, steps, signal }) {
  // The first is drawn last, above the others.
  const drawn = series.filter((line) => line.plot !== false).toReversed();
  const values = series.map((line, i) => figureOf(line, i === 0));
  const at = h('span', { class: 'small muted live-at' }, 'now');
  let pointed = null;
  let seen = 0;

  const plot = chart({
    series: drawn.map((line) => ({ ...line, fill: line === series[0] })),
    axis,
    steps,
    height: 150,
    sync: 'live',
    signal,
    onPoint(index) {
      pointed = index;
      tell();
    },
  });

  function tell() {
    const sample = pointed === null ? live.last : live.samples[pointed];
    series.forEach((line, i) => setText(values[i].value, textOf(line, sample)));
    const moment = sample && new Date(sample.at * 1000).toLocaleTimeString();
    setText(at, pointed === null || !sample ? 'now' : `at ${moment}`);
  }

  function update() {
    const { samples } = live;
    const columns = [samples.map((s) => s.at), ...drawn.map((line) => samples.map((s) => line.pick(s) ?? null))];
    plot.update(columns, windowOf(samples));
    tell();
    if (seen % DESCRIBE_EVERY_SAMPLES === 0) plot.describe(wordsOf(title, drawn.toReversed(), samples));
    seen += 1;
  }

  updates.subscribe(update, signal);
  const element = card(
    title,
    { note, className: 'chart-card', actions: at },
    h('dl', { class: 'figures' }, values.map((v) => v.element)),
    plot.element,
  );
  update();
  return element;
}

function figureOf({ label, tone, plot }, large) {
  const value = h('dd', { class: 'figure-value' }, NONE);
  const key = plot !== false && h('span', { class: `key key-${tone}`, 'aria-hidden': 'true' });
  const element = h('div', { class: large ? 'figure figure-large' : 'figure' }, h('dt', { class: 'figure-label' }, key, label), value);
  return { element, value };
}

function textOf(line, sample) {
  const value = sample ? line.pick(sample) : null;
  return value === null || value === undefined ? NONE : line.format(value);
}

/** @returns {[number, number]} */
export function windowOf(samples) {
  const end = samples.at(-1)?.at ?? Date.now() / 1000;
  const first = samples[0]?.at ?? end;
  return [Math.max(end - WINDOW_SECONDS, Math.min(first, end - WINDOW_SECONDS_MIN)), end];
}

function wordsOf(title, series, samples) {
  if (!samples.length) return `${title}: no figures yet`;
  const lines = series.map((line) => {
    const values = samples.map(line.pick).filter((v) => v !== null && v !== undefined);
    const highest = values.length ? line.format(Math.max(...values)) : 'unknown';
    return `${line.label} now ${textOf(line, samples.at(-1))}, highest ${highest}`;
  });
  return `${title}, last ${Math.max(1, Math.round(samples.length / 60))} minutes: ${lines.join('; ')}`;
}
