// Projectors steered, checked and rebuilt; dead letters settled.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Browser } from './browser.mjs';
import { eventually, Stand } from './stand.mjs';

let stand;
let browser;
let tab;
before(async () => {
  [stand, browser] = await Promise.all([Stand.start(), Browser.launch()]);
  await stand.create('w-1', 1_000);
  tab = await browser.open(stand, { key: stand.key });
});
after(() => Promise.all([stand?.close(), browser?.close()]));

const projector = (name) => tab.page.getByRole('region', { name: `Projector ${name}` });
const button = (name) => tab.page.getByRole('button', { name, exact: true });

test('a projector is stopped, falls behind, is started and catches up', async () => {
  const { page } = tab;
  await tab.go('Projectors');
  await projector('ledger').getByText('Running', { exact: true }).waitFor();
  await button('Stop ledger').click();
  // Whoever calls it off changes nothing.
  await page.getByRole('dialog', { name: 'Stop ledger?' }).getByRole('button', { name: 'Cancel' }).click();
  await button('Stop ledger').click();
  await tab.confirm('Stop ledger?', 'Stop it');
  await tab.said('ledger stops at the end of its batch.');
  await projector('ledger').getByText('Stopped', { exact: true }).waitFor();
  for (let n = 0; n < 3; n += 1) await stand.post('/wallets/w-1/credit', { amount: 1 });
  await projector('ledger').getByText('3 events behind').waitFor();
  // Why a projection is behind is told at the wallet, too.
  await page.goto(`${stand.url}/console#/wallets/w-1`);
  await page.getByText('The projector was stopped by hand.').waitFor();
  await page.getByRole('link', { name: 'To the projector' }).click();
  await button('Start ledger').click();
  await tab.confirm('Start ledger?', 'Start it');
  await projector('ledger').getByText('Running', { exact: true }).waitFor();
  await projector('ledger').getByText('It has applied every event there is.').waitFor();
  const { items } = await stand.get('/admin/audit');
  const acts = items.map((line) => `${line.action} ${line.target} ${line.outcome}`);
  for (const act of ['projector.stop ledger done', 'projector.start ledger done']) {
    assert.equal(acts.filter((one) => one === act).length, 1, act);
  }
});

test('drift is found, shown with its differences, and rebuilt away', async () => {
  const { page } = tab;
  await stand.projected();
  await stand.sql(`UPDATE wallets SET balance = balance + 250 WHERE wallet_id = 'w-1'`);
  await tab.go('Projectors');
  await button('Check for drift').click();
  await tab.confirm('Check all wallets?', 'Check');
  const differences = page.getByRole('table', { name: 'Differences' });
  await differences.getByRole('link', { name: 'w-1' }).waitFor();
  await differences.getByText('Read model').first().waitFor();
  await differences.getByText('+250').first().waitFor();
  await page.getByLabel('Wallet', { exact: true }).fill('w-1');
  await button('Rebuild …').click();
  await tab.confirm('Rebuild the wallet w-1?', 'Rebuild');
  await page.getByRole('heading', { name: 'Rebuild of w-1' }).waitFor();
  const wallet = await stand.get('/wallets/w-1?consistency=eventual');
  assert.equal(wallet.balance, (await stand.get('/wallets/w-1')).balance);
  await page.getByLabel('Wallet', { exact: true }).fill('');
  await button('Rebuild …').click();
  await tab.confirm('Rebuild all wallets?', 'Rebuild');
  await page.getByRole('heading', { name: 'Rebuild of all wallets' }).waitFor();
});

test('a dead letter is found, understood, replayed in vain, and healed', async () => {
  const { page } = tab;
  const { heal } = await stand.park('frozen', 3);
  await page.reload();
  await tab.signIn(stand.key);
  await page.getByRole('link', { name: /dead letter|need a look/ }).first().waitFor();
  await tab.go('Projectors');
  const letters = page.getByRole('table', { name: 'Dead letters' });
  await letters.getByRole('link', { name: /frozen of ledger$/ }).click();
  await tab.heading('Dead letter of frozen');
  await page.getByText('WalletFrozen').first().waitFor();
  await page.getByText('A newer version of Wallex has written this event').waitFor();
  await page.getByRole('region', { name: 'payload' }).getByText('"amount"').waitFor();
  await button('Replay').click();
  await tab.confirm('Replay this event?', 'Replay');
  await tab.said('It is still parked');
  await heal();
  await button('Replay').click();
  await tab.confirm('Replay this event?', 'Replay');
  await tab.said('nothing is parked any more.');
  await page.getByText('Nothing is parked here').waitFor();
});

test('a dead letter is discarded with a reason, and not without', async () => {
  const { page } = tab;
  await tab.go('Projectors');
  await page.getByRole('link', { name: /frozen of read_model$/ }).click();
  await button('Discard …').click();
  const dialog = page.getByRole('dialog', { name: 'Leave this event out for ever?' });
  await dialog.getByRole('button', { name: 'Discard it' }).click();
  await dialog.getByText('Say why').waitFor();
  await dialog.getByLabel('Why is it left out?').fill('a test of the console');
  await dialog.getByRole('button', { name: 'Discard it' }).click();
  await page.getByText('Nothing is parked here').waitFor();
  assert.equal((await stand.get('/admin/dead-letters')).items.length, 0);
  await tab.go('Audit');
  await page.getByText('a test of the console').waitFor();
});

test('all dead letters are replayed at once', async () => {
  const { page } = tab;
  const { heal } = await stand.park('iced', 2);
  await heal();
  await page.reload();
  await tab.signIn(stand.key);
  await tab.go('Projectors');
  await page.getByRole('link', { name: /iced of ledger$/ }).waitFor();
  await button('Replay all').click();
  await tab.confirm('Replay every dead letter?', 'Replay all');
  await page.getByText('No dead letters').waitFor();
  await eventually('nothing is parked', async () => (await stand.get('/admin/dead-letters')).items.length === 0);
});

test('the audit log is filtered', async () => {
  const { page } = tab;
  await tab.go('Audit');
  const log = page.getByRole('table', { name: 'Audit log, newest first' });
  await page.getByLabel('Action').selectOption('projector.stop');
  await eventually('only stops are left', async () => {
    const rows = await log.getByRole('rowheader').allTextContents();
    return rows.length > 0 && new Set(rows).size === 1;
  });
  await page.getByRole('button', { name: 'Clear' }).click();
  await eventually('all are back', async () => new Set(await log.getByRole('rowheader').allTextContents()).size > 2);
  await tab.checked();
});
