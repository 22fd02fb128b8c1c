/** The balance over time, from the ledger's own running balance. */

import { get } from '../../api.js';
import { h, setText } from '../../dom.js';
import { amount, axisSum, count, localTime, money } from '../../format.js';
import { exponentOf } from '../../currency.js';
import { chart } from '../../ui/chart.js';
import { loadable } from '../../ui/loadable.js';
import { button } from '../../ui/parts.js';
import { behindBox, empty } from '../../ui/states.js';

const PAGE_LEN = 200;

export function balanceChart(wallet, signal) {
  let lines = [];
  let cursor = null;
  const part = loadable({
    signal,
    label: 'balance over time',
    failed: (problem) => problem.code === 'projection-behind' && behindBox(() => part.reload()),
    async load(s) {
      const asked = cursor;
      const page = await get(['wallets', wallet.id, 'ledger'], { limit: PAGE_LEN, cursor }, s);
      // Asked for twice, a page is there already.
      if (asked !== cursor) return lines;
      cursor = page.nextCursor;
      lines = [...lines, ...page.items];
      return lines;
    },
    render: () => (lines.length ? drawn(wallet, lines, cursor !== null, () => part.reload({ quiet: true }), signal) : nothing()),
  });
  return part.element;
}

function nothing() {
  return empty('Nothing to draw yet', 'The ledger does not have this wallet’s events yet: “Explain this balance” says why.');
}

function drawn(wallet, newestFirst, more, loadMore, signal) {
  const lines = newestFirst.toReversed();
  const major = 10 ** (exponentOf(wallet.currency) ?? 0);
  // A chart's points need no more than a float's precision; the figures beside it are exact.
  const times = lines.map((line) => new Date(line.recordedAt).getTime() / 1000);
  const values = lines.map((line) => line.balanceAfter / major);
  const caption = h('p', { class: 'small muted num chart-caption' });
  const rest = captionOf(wallet, lines, more);
  const plot = chart({
    series: [{ tone: 'series-1', fill: true, stepped: true }],
    axis: axisSum,
    height: 220,
    fromZero: Math.min(...values) < Math.max(...values) / 2,
    signal,
    onPoint(index) {
      const line = index === null ? null : lines[Math.min(index, lines.length - 1)];
      setText(caption, line ? `${money(line.balanceAfter, wallet.currency)} since ${localTime(line.recordedAt)}, version ${line.version}` : rest);
    },
  });
  // The last balance holds until now, unless the ledger has not heard of later ones.
  const current = lines.at(-1).version >= wallet.version;
  const now = Math.max(Date.now() / 1000, times.at(-1));
  plot.update([current ? [...times, now] : times, current ? [...values, values.at(-1)] : values]);
  plot.describe(wordsOf(wallet, lines));
  setText(caption, rest);
  return [plot.element, h('div', { class: 'chart-foot' }, caption, more && button('Load older', { onClick: loadMore }))];
}

function captionOf(wallet, lines, more) {
  const { version } = lines.at(-1);
  const reach = more ? `The newest ${count(lines.length)} events` : 'From its first event';
  return version < wallet.version ? `${reach}, up to version ${count(version)} of ${count(wallet.version)}: the ledger is behind` : `${reach} to now`;
}

function wordsOf(wallet, lines) {
  const balances = lines.map((line) => BigInt(line.balanceAfter));
  const lowest = balances.reduce((a, b) => (b < a ? b : a));
  const highest = balances.reduce((a, b) => (b > a ? b : a));
  const text = (minor) => amount(minor, wallet.currency);
  return `Balance in ${wallet.currency} over ${count(lines.length)} events: now ${text(balances.at(-1))}, lowest ${text(lowest)}, highest ${text(highest)}.`;
}
