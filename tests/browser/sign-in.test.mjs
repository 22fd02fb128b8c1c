// Who comes in, and what they are shown.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Browser } from './browser.mjs';
import { Stand } from './stand.mjs';

let stand;
let browser;
before(async () => {
  [stand, browser] = await Promise.all([Stand.start(), Browser.launch()]);
  await stand.create('w-1', 1_000);
  await stand.projected();
});
after(() => Promise.all([stand?.close(), browser?.close()]));

const menu = (page) => page.getByRole('navigation', { name: 'Views' }).getByRole('link').allTextContents();

test('the server root leads to the console', async () => {
  const tab = await browser.open(stand, { path: '/' });
  assert.equal(new URL(tab.page.url()).pathname, '/console');
  await tab.close();
});

test('a wrong key is refused, a good one let in, and signing out forgets it', async () => {
  const tab = await browser.open(stand);
  const { page } = tab;
  await tab.heading('Sign in');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByText('Paste an API key.').waitFor();
  await page.getByLabel('API key').fill('wlx_nobody_has_this');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByText('This key is not good').waitFor();
  await tab.signIn(stand.key);
  await tab.heading('Overview');
  assert.deepEqual(await menu(page), ['Overview', 'Projectors', 'Wallets', 'Try it', 'Audit']);
  await page.getByRole('button', { name: 'Sign out' }).click();
  await tab.heading('Sign in');
  await page.getByText('You are signed out.').waitFor();
  assert.equal(await page.getByLabel('API key').inputValue(), '');
  await tab.signIn(stand.key);
  await page.reload();
  await tab.heading('Sign in');
  await tab.close();
});

test('a key that may only read sees no button that changes something', async () => {
  const key = await stand.makeKey('reader', 'wallets:read');
  const tab = await browser.open(stand, { key });
  const { page } = tab;
  await tab.heading('Wallets');
  assert.deepEqual(await menu(page), ['Wallets']);
  await page.goto(`${stand.url}/console#/wallets/w-1`);
  await tab.heading('w-1');
  await page.getByText('Explain this balance').waitFor();
  for (const name of ['Credit', 'Debit', 'Transfer']) {
    assert.equal(await page.getByRole('main').getByRole('link', { name, exact: true }).count(), 0, name);
  }
  for (const view of ['overview', 'projectors', 'try', 'audit', 'try/credit/w-1', 'dead-letters/ledger/default/w-1']) {
    await page.goto(`${stand.url}/console#/${view}`);
    await page.getByText('Your key does not allow this').waitFor();
    assert.equal(await page.getByRole('main').getByRole('button').count(), 0, view);
  }
  await tab.close();
});

test('an admin of another tenant sees its own alone', async () => {
  const key = await stand.makeKey('acme', 'wallets:read,admin', 'acme');
  const tab = await browser.open(stand, { key });
  const { page } = tab;
  await tab.go('Projectors');
  await page.getByText('No dead letters').waitFor();
  assert.equal(await page.getByRole('button', { name: /^(Stop|Start|Replay all)/ }).count(), 0);
  await page.goto(`${stand.url}/console#/wallets/w-1`);
  await page.getByText('There is no such wallet').waitFor();
  await tab.close();
});

test('a key that is revoked is asked for again', async () => {
  const key = await stand.makeKey('short', 'metrics:read,wallets:read');
  const tab = await browser.open(stand, { key });
  const { page } = tab;
  await tab.heading('Overview');
  await page.getByText('Live, second by second').waitFor();
  const { items } = JSON.parse(await stand.wallex('keys', 'list', '--json'));
  const listed = items.find((one) => one.name === 'short');
  await stand.wallex('keys', 'revoke', listed.id);
  await page.getByText('Your key is no longer good').waitFor();
  await tab.close();
});

test('a server that asks nobody is entered without a key', async () => {
  const open = await Stand.start({ WALLEX_AUTH: 'off' });
  const tab = await browser.open(open);
  await tab.heading('Overview');
  await tab.page.getByText('Open server').waitFor();
  assert.equal(await tab.page.getByRole('button', { name: 'Sign out' }).count(), 0);
  await tab.close();
  await open.close();
});
