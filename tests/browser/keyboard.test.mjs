// All of it without a mouse.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Browser } from './browser.mjs';
import { eventually, Stand } from './stand.mjs';

let stand;
let browser;
before(async () => {
  [stand, browser] = await Promise.all([Stand.start(), Browser.launch()]);
  await stand.create('w-1', 1_000);
  await stand.projected();
});
after(() => Promise.all([stand?.close(), browser?.close()]));

const TABS_MAX = 80;

test('signing in, moving about, and stopping a projector', async () => {
  const tab = await browser.open(stand);
  const { page } = tab;
  const press = (key) => page.keyboard.press(key);
  const focused = () =>
    page.evaluate(() => {
      const element = document.activeElement;
      return `${element.tagName} ${element.getAttribute('aria-label') ?? element.textContent.trim()}`;
    });
  /** Goes on with Tab to what is called so; whatever is passed shows that it has the focus. */
  const reach = async (what) => {
    for (let n = 0; n < TABS_MAX; n += 1) {
      if (what.test(await focused())) return;
      await press('Tab');
      const ring = await page.evaluate(() => {
        const { outlineStyle, outlineWidth, boxShadow } = getComputedStyle(document.activeElement);
        return document.activeElement === document.body || (outlineStyle !== 'none' && outlineWidth !== '0px') || boxShadow !== 'none';
      });
      assert.ok(ring, `${await focused()} shows its focus`);
    }
    assert.fail(`${what} is not reached`);
  };

  await tab.heading('Sign in');
  await page.keyboard.type(stand.key);
  await press('Enter');
  await tab.heading('Overview');

  await reach(/^A Projectors$/);
  await press('Enter');
  await tab.heading('Projectors');
  await page.getByRole('button', { name: 'Stop ledger' }).waitFor();
  await reach(/^BUTTON Stop ledger$/);
  await press('Enter');
  const dialog = page.getByRole('dialog', { name: 'Stop ledger?' });
  await dialog.waitFor();
  assert.match(await focused(), /^BUTTON Cancel$/, 'what can’t be done by a slip');
  await press('Escape');
  await dialog.waitFor({ state: 'detached' });
  assert.match(await focused(), /^BUTTON Stop ledger$/, 'the focus is back where it was');
  await press('Enter');
  await dialog.waitFor();
  await press('Tab');
  assert.match(await focused(), /^BUTTON Stop it$/);
  await press('Enter');
  await eventually('it has stopped', async () => {
    const { items } = await stand.get('/admin/projectors');
    return items.find((item) => item.name === 'ledger').state === 'stopped';
  });
  await stand.post('/admin/projectors/ledger/start');

  await page.evaluate(() => document.activeElement.blur());
  await press('Tab');
  await reach(/^A Wallets$/);
  await press('Enter');
  await tab.heading('Wallets');
  await reach(/^INPUT/);
  await page.keyboard.type('w-1');
  await press('Enter');
  await page.getByRole('table', { name: 'The wallet of this id' }).waitFor();
  await reach(/^A w-1$/);
  await press('Enter');
  await tab.heading('w-1');
  await page.getByRole('tab', { name: 'Statement' }).waitFor();
  await reach(/^BUTTON Statement$/);
  await press('ArrowRight');
  assert.match(await focused(), /^BUTTON Events$/);
  await page.getByText('WalletCreated').waitFor();
  await tab.close();
});

test('the first stop leads past the menu', async () => {
  const tab = await browser.open(stand, { key: stand.key });
  const { page } = tab;
  const skip = page.getByRole('link', { name: 'Skip to the content' });
  assert.ok(await skip.evaluate((element) => element === document.querySelector('a, button, input, select, [tabindex]')));
  await skip.focus();
  assert.ok(await skip.evaluate((element) => element.getBoundingClientRect().top >= 0), 'it is seen when it has the focus');
  await page.keyboard.press('Enter');
  assert.equal(await page.evaluate(() => document.activeElement.id), 'main');
  await tab.close();
});
