// The server at a glance: figures that move, and stop when nobody looks.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Browser } from './browser.mjs';
import { eventually, Stand, traffic } from './stand.mjs';

let stand;
let browser;
let load;
before(async () => {
  [stand, browser] = await Promise.all([Stand.start(), Browser.launch()]);
  for (const id of ['till', 'shop', 'float']) await stand.create(id, 100_000);
  load = traffic(stand);
});
after(async () => {
  await load?.stop();
  await Promise.all([stand?.close(), browser?.close()]);
});

const card = (page, name) => page.getByRole('region', { name, exact: true });
/** What a card says beside a label. */
const figure = (page, name, label) =>
  card(page, name)
    .locator('dl > div', { has: page.locator('dt', { hasText: new RegExp(`^${label}$`) }) })
    .locator('dd')
    .textContent();

test('every figure is there and moves', async () => {
  const tab = await browser.open(stand, { key: stand.key });
  const { page } = tab;
  await page.getByText('Live, second by second').waitFor();
  await eventually('commands, latencies and refusals are shown', async () => {
    const positive = async (name, label) => Number.parseFloat((await figure(page, name, label)).replace(/[^0-9.]/g, '')) > 0;
    return (
      (await positive('Commands', 'movements')) &&
      (await positive('Commands', 'creates')) &&
      (await positive('Latency', 'p50')) &&
      (await positive('Latency', 'p95')) &&
      (await positive('Latency', 'p99')) &&
      (await positive('Errors', 'requests'))
    );
  });
  for (const [name, label] of [['Outbox lag', 'events'], ['Outbox age', 'oldest event'], ['Lane queue', 'commands']]) {
    await eventually(`${name} is shown`, async () => /^\d/.test(await figure(page, name, label)));
  }
  for (const name of ['ledger', 'read_model']) {
    const row = card(page, 'Projectors').getByRole('region', { name });
    const position = () => row.locator('dl').textContent();
    const first = await eventually(`${name} has a position`, position);
    await eventually(`${name} goes on`, async () => (await position()) !== first);
  }
  // A chart is a picture for those who see, and a sentence for those who hear.
  const chart = card(page, 'Commands').getByRole('img');
  assert.match(await chart.getAttribute('aria-label'), /movements now .*, highest /);
  const drawn = () => chart.locator('canvas').evaluate((canvas) => canvas.toDataURL());
  const before = await drawn();
  await eventually('the chart moves', async () => (await drawn()) !== before);
  await tab.close();
});

test('pointing at a chart tells that moment on all of them', async () => {
  const tab = await browser.open(stand, { key: stand.key });
  const { page } = tab;
  await eventually('some samples', async () => /^\d/.test(await figure(page, 'Commands', 'movements')));
  const chart = card(page, 'Commands').locator('.u-over');
  const box = await chart.boundingBox();
  await page.mouse.move(box.x + box.width - 4, box.y + box.height / 2);
  await card(page, 'Commands').getByText(/^at \d/).waitFor();
  await card(page, 'Latency').getByText(/^at \d/).waitFor();
  await tab.close();
});

test('a hidden page lets go of its stream, and takes it up again', async () => {
  const tab = await browser.open(stand, { key: stand.key });
  const { page } = tab;
  await page.getByText('Live, second by second').waitFor();
  const hide = (hidden) =>
    page.evaluate((value) => {
      Object.defineProperty(document, 'hidden', { configurable: true, get: () => value });
      Object.defineProperty(document, 'visibilityState', { configurable: true, get: () => (value ? 'hidden' : 'visible') });
      document.dispatchEvent(new Event('visibilitychange'));
    }, hidden);
  const gone = page.waitForEvent('requestfailed', (request) => request.url().endsWith('/admin/live'));
  await hide(true);
  await gone;
  await page.getByText('Paused while this page is hidden.').waitFor();
  await hide(false);
  await page.getByText('Live, second by second').waitFor();
  await tab.close();
});
