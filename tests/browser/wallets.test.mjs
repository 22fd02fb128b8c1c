// A wallet found, and understood.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Browser } from './browser.mjs';
import { eventually, Stand } from './stand.mjs';

let stand;
let browser;
let tab;
before(async () => {
  [stand, browser] = await Promise.all([Stand.start(), Browser.launch()]);
  await stand.create('salary', 250_000, 'ada lovelace');
  await stand.create('savings', 0, 'ada lovelace');
  await stand.create('yen', 1_234, 'grace', 'JPY');
  for (let n = 1; n <= 30; n += 1) {
    await stand.post('/wallets/salary/debit', { amount: 100 * n, description: `rent ${n}`, reference: `r-${n}` });
    await stand.post('/wallets/salary/credit', { amount: 50 * n });
  }
  await stand.post('/wallets/salary/transfer', { toWalletId: 'savings', amount: 12_345 });
  await stand.projected();
  tab = await browser.open(stand, { key: stand.key });
});
after(() => Promise.all([stand?.close(), browser?.close()]));

const search = async (term) => {
  await tab.go('Wallets');
  await tab.page.getByLabel('Wallet id or owner').fill(term);
  await tab.page.getByRole('button', { name: 'Search' }).click();
};

test('a wallet is found by its id, and by its owner, and not in the address', async () => {
  const { page } = tab;
  await search('ada lovelace');
  const owned = page.getByRole('table', { name: 'Wallets of ada lovelace' });
  await owned.waitFor();
  assert.deepEqual(await owned.getByRole('rowheader').allTextContents(), ['salary', 'savings']);
  assert.doesNotMatch(page.url(), /ada/);
  await search('nobody');
  await page.getByText('No wallet has the id nobody.').waitFor();
  await page.getByText('No wallet belongs to an owner called nobody.').waitFor();
  await search('salary');
  await page.getByRole('table', { name: 'The wallet of this id' }).getByRole('link', { name: 'salary' }).click();
  await tab.heading('salary');
});

test('amounts are in major units, grouped, with their currency; times are local with UTC behind', async () => {
  const { page } = tab;
  await page.goto(`${stand.url}/console#/wallets/salary`);
  const balance = page.getByRole('region', { name: 'Balance', exact: true });
  // 2,500.00 − 465.00 + 232.50 − 123.45
  await balance.getByText('2,144.05').waitFor();
  await balance.getByText('USD').first().waitFor();
  await balance.getByText('ada lovelace').waitFor();
  const time = balance.getByRole('time').or(balance.locator('time')).first();
  assert.match(await time.getAttribute('datetime'), /Z$/);
  assert.match(await time.getAttribute('title'), /UTC/);
  await page.goto(`${stand.url}/console#/wallets/yen`);
  await page.getByRole('region', { name: 'Balance', exact: true }).getByText('1,234', { exact: false }).first().waitFor();
});

test('a balance is explained, and each kind leads to its lines', async () => {
  const { page } = tab;
  await page.goto(`${stand.url}/console#/wallets/salary`);
  const explained = page.getByRole('region', { name: 'Explain this balance' });
  await explained.getByText('Adds up').waitFor();
  await explained.getByText('2,144.05').waitFor();
  await explained.getByText('62 events', { exact: true }).waitFor();
  assert.equal(await explained.getByText('Has all 62 events.').count(), 2);
  const told = await stand.get('/wallets/salary/explanation');
  const sum = told.madeOf.reduce((all, part) => all + BigInt(part.sum), 0n);
  assert.equal(sum, BigInt(told.balance));
  await explained.getByRole('button', { name: /transfers out/i }).click();
  const statement = page.getByRole('table', { name: /^Statement of salary/ });
  await eventually('only the transfer is left', async () => (await statement.getByRole('row').count()) === 2);
  await statement.getByRole('link', { name: 'both legs' }).click();
  await tab.heading('Transfer');
  await page.getByText('123.45 USD').first().waitFor();
  await page.getByRole('region', { name: 'To', exact: true }).getByRole('link', { name: 'savings' }).click();
  await tab.heading('savings');
});

test('the statement has a running balance, pages and filters', async () => {
  const { page } = tab;
  await page.goto(`${stand.url}/console#/wallets/salary`);
  const statement = page.getByRole('table', { name: /^Statement of salary/ });
  const first = statement.getByRole('row').nth(1);
  await first.getByText('2,144.05').waitFor();
  await first.getByText(/12[34]\.45/).waitFor();
  const pages = page.getByRole('navigation', { name: 'Pages of statement' });
  await pages.getByRole('button', { name: 'Older' }).click();
  await pages.getByText('Page 2').waitFor();
  await pages.getByRole('button', { name: 'Older' }).click();
  await pages.getByText('Page 3').waitFor();
  await statement.getByText('2,500.00').first().waitFor();
  await pages.getByRole('button', { name: 'Newer' }).click();
  await pages.getByText('Page 2').waitFor();
  const filters = page.getByRole('group', { name: 'Filter the statement' });
  await filters.getByLabel('Kind').selectOption('opening');
  await eventually('only the opening is left', async () => (await statement.getByRole('row').count()) === 2);
  await filters.getByRole('button', { name: 'Clear' }).click();
  await first.getByText('2,144.05').waitFor();
  await filters.getByLabel('From').fill('2050-01-01T00:00');
  await page.getByText('No lines').waitFor();
  await filters.getByRole('button', { name: 'Clear' }).click();
});

test('the history shows each event with its JSON, and the chart says what it draws', async () => {
  const { page } = tab;
  await page.goto(`${stand.url}/console#/wallets/salary`);
  await page.getByRole('tab', { name: 'Events' }).click();
  const created = page.getByRole('listitem').filter({ hasText: 'WalletCreated' });
  await created.locator('summary').click();
  await created.getByRole('region', { name: 'event 1' }).getByText('"initialBalance": 250000').waitFor();
  await created.getByText('correlationId').waitFor();
  const chart = page.getByRole('region', { name: 'Balance over time' });
  await chart.getByRole('img').waitFor();
  assert.match(await chart.getByRole('img').getAttribute('aria-label'), /over 62 events: now 2,144\.05/);
  await tab.checked();
});

test('a wallet that is not there says so', async () => {
  await tab.page.goto(`${stand.url}/console#/wallets/no-such-wallet`);
  await tab.page.getByText('There is no such wallet').waitFor();
  await tab.checked();
});
