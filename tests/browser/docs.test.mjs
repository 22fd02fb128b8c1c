// The page that shows the API, under its own policy.

import { after, before, test } from 'node:test';
import { Browser } from './browser.mjs';
import { picture } from './pictures.mjs';
import { Stand } from './stand.mjs';

let stand;
let browser;
before(async () => {
  [stand, browser] = await Promise.all([Stand.start(), Browser.launch()]);
});
after(() => Promise.all([stand?.close(), browser?.close()]));

test('it renders, and nothing of it is blocked', async () => {
  const tab = await browser.open(stand, { path: '/docs' });
  const { page } = tab;
  await page.getByRole('heading', { name: /Wallex/ }).first().waitFor();
  await page.getByText('/wallets/{id}/explanation', { exact: false }).first().waitFor();
  await page.locator('#operations-wallets-createWallet').getByRole('button').first().click();
  await page.getByRole('button', { name: 'Try it out' }).first().waitFor();
  await picture(page, 'docs');
  await tab.close();
});
