/** uPlot in this page's clothes. */

import uPlot from '../vendor/uplot/uPlot.esm.js';
import { h } from '../dom.js';

const dark = matchMedia('(prefers-color-scheme: dark)');

/** A colour of the style sheet, for the canvas. */
function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

/** Fades an area out to its baseline. */
function fade(name) {
  return (u) => {
    const { top, height } = u.bbox;
    const gradient = u.ctx.createLinearGradient(0, top, 0, top + height);
    gradient.addColorStop(0, `${colour(name)}38`);
    gradient.addColorStop(1, `${colour(name)}00`);
    return gradient;
  };
}

/**
 * A chart that fills its box and follows the system's colours.
 * @param {object} chart
 * @param {Array<{label: string, tone: string, fill?: boolean, stepped?: boolean}>} chart.series
 *   `tone` names a colour of the style sheet
 * @param {(value: number) => string} chart.axis a value as the axis says it
 * @param {number} chart.height in pixels
 * @param {number[]} [chart.steps] what the axis may count in
 * @param {boolean} [chart.bare] without axes: a sparkline
 * @param {boolean} [chart.fromZero] whether zero is always on it
 * @param {string} [chart.sync] charts of one name share their cursor
 * @param {(index: number|null) => void} [chart.onPoint] told what the pointer is at
 * @param {AbortSignal} chart.signal ends with the view
 */
export function chart({ series, axis, height, steps, bare = false, fromZero = true, sync, onPoint, signal }) {
  const element = h('div', { class: bare ? 'plot plot-bare' : 'plot', role: 'img' });
  let data = [[], ...series.map(() => [])];
  let range = null;
  let plot = null;

  function options(width) {
    return {
      width,
      height,
      padding: bare ? [4, 2, 2, 2] : [8, 18, 0, 0],
      legend: { show: false },
      cursor: {
        show: !bare,
        y: false,
        drag: { x: false, y: false },
        points: { size: 7 },
        sync: sync ? { key: sync } : undefined,
      },
      scales: {
        x: { time: true, range: (_u, min, max) => range ?? [min, max] },
        y: { range: (_u, min, max) => scaleOf(min, max, fromZero) },
      },
      axes: bare ? [{ show: false }, { show: false }] : axesOf(axis, steps),
      series: [{}, ...series.map((line) => seriesOf(line))],
      hooks: onPoint ? { setCursor: [(u) => onPoint(u.cursor.idx ?? null)] } : {},
    };
  }

  function draw() {
    const width = element.clientWidth;
    if (!width) return;
    plot?.destroy();
    plot = new uPlot(options(width), data, element);
  }

  const watcher = new ResizeObserver(() => {
    if (plot) plot.setSize({ width: element.clientWidth, height });
    else draw();
  });
  watcher.observe(element);
  dark.addEventListener('change', draw, { signal });
  signal.addEventListener('abort', () => {
    watcher.disconnect();
    plot?.destroy();
  });

  return {
    element,
    /** @param {[number, number]} [window] the moments that it reaches from and to, in seconds */
    update(columns, window = null) {
      data = columns;
      range = window;
      if (plot) plot.setData(data);
      else draw();
    },
    /** What the chart says, in words. */
    describe(text) {
      element.setAttribute('aria-label', text);
    },
  };
}

function seriesOf({ tone, fill, stepped }) {
  return {
    stroke: colour(tone),
    width: fill ? 1.5 : 1.25,
    fill: fill ? fade(tone) : undefined,
    points: { show: false },
    paths: stepped ? uPlot.paths.stepped({ align: 1 }) : undefined,
  };
}

function scaleOf(min, max, fromZero) {
  if (min === null || max === null || (min === 0 && max === 0)) return [0, 1];
  const low = fromZero ? Math.min(0, min) : min;
  const room = (max - low || Math.abs(max) || 1) * 0.12;
  return [fromZero && min >= 0 ? 0 : low - room, max + room];
}

const tens = (powers) => powers.flatMap((power) => [1, 2, 5].map((step) => step * 10 ** power));

/** Steps of an axis where halves make no sense. */
export const WHOLE_STEPS = tens([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const CLOCK_STEPS = [1, 2, 5, 10, 15, 30, ...[1, 2, 3, 5, 10, 15, 30].map((n) => n * MINUTE), ...[1, 2, 3, 6, 12].map((n) => n * HOUR)];

/** Steps of an axis of milliseconds. */
export const DURATION_STEPS = [...tens([-2, -1, 0, 1, 2]), ...[...CLOCK_STEPS, ...tens([0, 1, 2, 3]).map((n) => n * DAY)].map((s) => s * 1000)];

/** Steps of the time of day and of dates. */
const TIME_STEPS = [...CLOCK_STEPS, ...[1, 2, 3, 7, 14, 30, 60, 90, 180, 365, 730, 1825].map((n) => n * DAY)];

function axesOf(axis, steps) {
  const shared = {
    stroke: colour('muted'),
    font: '11px system-ui, sans-serif',
    grid: { stroke: colour('grid'), width: 1 },
    ticks: { show: false },
  };
  return [
    { ...shared, grid: { show: false }, size: 26, space: 76, incrs: TIME_STEPS, values: (u, splits) => splits.map((at) => clock(at, u.scales.x)) },
    { ...shared, size: sizeOf, space: 34, ...(steps && { incrs: steps }), values: (_u, splits) => splits.map(axis) },
  ];
}

/** Room for the longest label. */
function sizeOf(_u, labels) {
  const longest = Math.max(0, ...(labels ?? []).map((label) => label.length));
  return 16 + longest * 6.5;
}

/** A moment on the axis: a time of day, or a date where the axis spans days. */
function clock(seconds, { min, max }) {
  const span = max - min;
  const options =
    span > 2 * 86400 ? { day: 'numeric', month: 'short' } : { hour: '2-digit', minute: '2-digit', ...(span < 150 && { second: '2-digit' }) };
  return new Intl.DateTimeFormat(undefined, options).format(new Date(seconds * 1000));
}
