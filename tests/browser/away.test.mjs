// A server that goes away and returns, and a database that can't say how its projectors stand.

import { after, before, test } from 'node:test';
import { Browser } from './browser.mjs';
import { Stand } from './stand.mjs';

let stand;
let browser;
before(async () => {
  [stand, browser] = await Promise.all([Stand.start(), Browser.launch()]);
  await stand.create('w-1', 1_000);
});
after(() => Promise.all([stand?.close(), browser?.close()]));

for (const [how, signal] of [['is killed', 'SIGKILL'], ['is stopped', 'SIGTERM']]) {
  test(`a server that ${how} is missed, and its return noticed`, async () => {
    const tab = await browser.open(stand, { key: stand.key });
    const { page } = tab;
    await page.getByText('Live, second by second').waitFor();
    await stand.kill(signal);
    const alert = page.getByRole('alert').getByText('The server can’t be reached.');
    await alert.waitFor();
    await page.getByText('Server away').waitFor();
    await stand.serve();
    await page.getByRole('button', { name: 'Try now' }).click({ timeout: 2_000 }).catch(() => {});
    await tab.said('The server is back.');
    await alert.waitFor({ state: 'detached' });
    await page.getByText('Live, second by second').waitFor();
    // Whoever was signed in still is.
    await page.goto(`${stand.url}/console#/wallets/w-1`);
    await tab.heading('w-1');
    await page.getByText('Adds up').waitFor();
    await tab.close();
  });
}

test('a view whose server is away says so, and tries again', async () => {
  const tab = await browser.open(stand, { key: stand.key });
  const { page } = tab;
  await tab.heading('Overview');
  await stand.kill();
  await page.getByRole('alert').getByText('The server can’t be reached.').waitFor();
  await page.goto(`${stand.url}/console#/wallets/w-1`);
  await page.getByRole('main').getByRole('alert').first().waitFor();
  await stand.serve();
  await page.getByText('Adds up').waitFor();
  await tab.close();
});

test('a database that does not say how projectors stand is told, and its return too', async () => {
  const tab = await browser.open(stand, { key: stand.key });
  const { page } = tab;
  await page.getByText('Live, second by second').waitFor();
  await stand.sql('ALTER TABLE projector_checkpoints RENAME TO away');
  const silent = page.getByText('Database does not answer', { exact: true });
  await silent.waitFor();
  await stand.sql('ALTER TABLE away RENAME TO projector_checkpoints');
  await silent.waitFor({ state: 'detached' });
  await page.getByText('Live, second by second').waitFor();
  await tab.close();
});
