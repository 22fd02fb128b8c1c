// Commands from forms, each with its request as curl and its answer.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { after, before, test } from 'node:test';
import { Browser } from './browser.mjs';
import { eventually, Stand } from './stand.mjs';

let stand;
let browser;
let tab;
before(async () => {
  [stand, browser] = await Promise.all([Stand.start(), Browser.launch()]);
  tab = await browser.open(stand, { key: stand.key });
  await tab.go('Try it');
});
after(() => Promise.all([stand?.close(), browser?.close()]));

const form = async (name, fields) => {
  const { page } = tab;
  await page.getByRole('tab', { name, exact: true }).click();
  for (const [label, value] of Object.entries(fields)) await page.getByLabel(label, { exact: true }).fill(value);
};
const send = async (name, question) => {
  await tab.page.getByRole('tabpanel').getByRole('button', { name, exact: true }).click();
  await tab.confirm(question, name);
};
const answer = () => tab.page.getByRole('region', { name: 'Answer', exact: true });
const shownCurl = () => tab.page.getByRole('region', { name: 'the request as curl' }).textContent();

test('a wallet is created, credited, debited, and pays another', async () => {
  await form('Create', { Owner: 'ada', 'Wallet id': 'mine', 'Opening balance': '12.50' });
  assert.match(await shownCurl(), /curl .*\/wallets/s);
  assert.match(await shownCurl(), /"initialBalance":1250/);
  assert.ok(!(await shownCurl()).includes(stand.key), 'the key is not shown');
  await send('Create', 'Open a wallet for ada with 12.50 USD?');
  await answer().getByText(/^201/).waitFor();
  await answer().getByText('"balance": 1250').waitFor();

  await form('Create', { Owner: 'grace', 'Wallet id': 'yours', 'Opening balance': '' });
  await send('Create', /Open a wallet for grace/);
  await answer().getByText('"id": "yours"').waitFor();

  await form('Credit', { Wallet: 'mine', Amount: '1000.25', Reference: 'inv-1' });
  await tab.page.getByText('Holds 12.50 USD, version 1.').waitFor();
  await send('Credit', 'Credit mine: 1,000.25 USD?');
  await answer().getByText('"balance": 101275').waitFor();

  await form('Debit', { Wallet: 'mine', Amount: '0.75' });
  await tab.page.getByText('Holds 1,012.75 USD, version 2.').waitFor();
  await send('Debit', 'Debit mine: 0.75 USD?');
  await answer().getByText('"balance": 101200').waitFor();

  await form('Transfer', { 'From wallet': 'mine', 'To wallet': 'yours', Amount: '12' });
  await tab.page.getByText('Holds 1,012.00 USD, version 3.').waitFor();
  await send('Transfer', 'Transfer 12.00 USD from mine to yours?');
  await answer().getByText('"transferId"').waitFor();
  await answer().getByRole('link', { name: 'Look at yours' }).click();
  await tab.heading('yours');
  assert.equal((await stand.get('/wallets/mine')).balance, 100_000);
  assert.equal((await stand.get('/wallets/yours')).balance, 1_200);
});

test('the same key does it once', async () => {
  await tab.go('Try it');
  await form('Credit', { Wallet: 'yours', Amount: '5' });
  await tab.page.getByText('Holds 12.00 USD, version 2.').waitFor();
  await send('Credit', 'Credit yours: 5.00 USD?');
  await answer().getByText('"version": 3').waitFor();
  await tab.page.getByRole('button', { name: 'Send again with the same key' }).click();
  await tab.confirm('Send the same request again?', 'Send again');
  await answer().getByText('Replayed: the first answer again').waitFor();
  assert.equal((await stand.get('/wallets/yours')).version, 3);
});

test('what is shown as curl does what the button does', async () => {
  await form('Debit', { Wallet: 'yours', Amount: '1' });
  await tab.page.getByText('Holds 17.00 USD, version 3.').waitFor();
  const command = await eventually('the command is whole', async () => {
    const text = await shownCurl();
    return /"amount":100/.test(text) && text;
  });
  execFileSync('sh', ['-c', command.trim()], { env: { PATH: process.env.PATH, WALLEX_KEY: stand.key } });
  assert.equal((await stand.get('/wallets/yours')).balance, 1_600);
});

test('a refusal is shown as it is, and wrong input is not sent', async () => {
  const { page } = tab;
  // The key on the page was used by curl: a form that comes anew has another.
  await tab.go('Overview');
  await tab.go('Try it');
  await form('Debit', { Wallet: 'yours', Amount: '100000' });
  await page.getByText(/^Holds 1[67]\.00\sUSD/).waitFor();
  await send('Debit', 'Debit yours: 100,000.00 USD?');
  await answer().getByText(/^422/).waitFor();
  await answer().getByText('insufficient-funds').first().waitFor();
  const before = (await stand.get('/wallets/yours')).version;
  // Typed over with the same, the wallet is looked up again: an amount is never taken for minor units.
  await form('Debit', { Wallet: 'yours', Amount: '7' });
  await page.getByText('Sends 700, which is 7.00 USD.').waitFor();
  await form('Debit', { Wallet: 'yours', Amount: '1.234' });
  await page.getByRole('tabpanel').getByRole('button', { name: 'Debit', exact: true }).click();
  assert.equal(await page.getByRole('dialog').count(), 0);
  assert.equal(await page.getByLabel('Amount', { exact: true }).getAttribute('aria-invalid'), 'true');
  await form('Credit', { Wallet: 'a b', Amount: '1' });
  await page.getByRole('tabpanel').getByRole('button', { name: 'Credit', exact: true }).click();
  await page.getByText('1 to 128 letters, digits').waitFor();
  assert.equal((await stand.get('/wallets/yours')).version, before);
  await tab.checked();
});

test('a command whose answer is lost keeps its key, whatever is typed meanwhile', async () => {
  const { page } = tab;
  await tab.go('Overview');
  await tab.go('Try it');
  const keys = [];
  let arrived;
  let lose;
  await page.route('**/wallets/yours/credit', async (route) => {
    keys.push(route.request().headers()['idempotency-key']);
    if (keys.length > 1) return route.continue();
    // The server does it, and nobody hears of it.
    await route.fetch();
    const lost = new Promise((resolve) => (lose = resolve));
    arrived();
    await lost;
    return route.abort();
  });
  await form('Credit', { Wallet: 'yours', Amount: '2' });
  await page.getByText('Holds 16.00 USD, version 4.').waitFor();
  const done = new Promise((resolve) => (arrived = resolve));
  await send('Credit', 'Credit yours: 2.00 USD?');
  await done;
  await form('Credit', { Amount: '3' });
  lose();
  await answer().getByRole('alert').waitFor();
  assert.ok(!(await shownCurl()).includes(keys[0]), 'another command has another key');
  await form('Credit', { Amount: '2' });
  await page.getByText('It is not known whether the last one was done.').waitFor();
  await page.getByRole('tabpanel').getByRole('button', { name: 'Credit', exact: true }).click();
  await tab.confirm('Send the same request again?', 'Send again');
  await answer().getByText('Replayed: the first answer again').waitFor();
  assert.deepEqual(keys, [keys[0], keys[0]]);
  assert.equal((await stand.get('/wallets/yours')).balance, 1_800);
  await page.unroute('**/wallets/yours/credit');
});
