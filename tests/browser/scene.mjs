// A server as one finds it: busy, with a few wallets that have a history, one of them parked.

import { Stand, traffic } from './stand.mjs';

export class Scene {
  static async play() {
    const scene = new Scene();
    scene.stand = await Stand.start();
    const { stand } = scene;
    await stand.park('frozen-account', 3);
    for (const id of ['till', 'shop', 'float']) await stand.create(id, 5_000_000, 'grace hopper');
    await stand.create('ada-salary', 0, 'ada lovelace');
    await stand.create('ada-savings', 1_000_000, 'ada lovelace');
    await stand.create('ada-travel', 25_000, 'ada lovelace', 'EUR');
    for (let month = 1; month <= 14; month += 1) {
      await stand.post('/wallets/ada-salary/credit', { amount: 420_000, description: `Salary, month ${month}`, reference: `pay-${month}` });
      await stand.post('/wallets/ada-salary/debit', { amount: 135_000, description: 'Rent', reference: `rent-${month}` });
      await stand.post('/wallets/ada-salary/transfer', { toWalletId: 'ada-savings', amount: 60_000 + 2_500 * month, description: 'Put aside' });
      for (const [what, amount] of [['Groceries', 31_250], ['Train pass', 8_900], ['Books', 4_599 + 100 * month]]) {
        await stand.post('/wallets/ada-salary/debit', { amount, description: what });
      }
    }
    scene.load = traffic(stand, { pauseMs: 30 });
    return scene;
  }

  async close() {
    await this.load?.stop();
    await this.stand?.close();
  }
}

/** Every view, by the name of its picture: how one gets there, and what is waited for. */
export const VIEWS = {
  'sign-in': { signedIn: false, ready: (page) => page.getByLabel('API key').waitFor() },
  overview: {
    hash: 'overview',
    ready: async (page) => {
      await page.getByText('Live, second by second').waitFor();
      const ledger = page.getByRole('region', { name: 'Projectors' }).getByRole('region', { name: 'ledger' });
      await ledger.getByText(/\d\/s/).first().waitFor();
    },
  },
  projectors: {
    hash: 'projectors',
    ready: async (page) => {
      await page.getByRole('table', { name: 'Dead letters' }).waitFor();
      await page.getByRole('button', { name: 'Stop ledger' }).waitFor();
    },
  },
  drift: {
    hash: 'projectors',
    ready: async (page) => {
      await page.getByRole('button', { name: 'Check for drift' }).click();
      await page.getByRole('dialog').getByRole('button', { name: 'Check', exact: true }).click();
      await page.getByRole('heading', { name: /^Drift check of/ }).scrollIntoViewIfNeeded();
    },
  },
  confirm: {
    hash: 'projectors',
    ready: async (page) => {
      await page.getByRole('button', { name: 'Stop ledger' }).click();
      await page.getByRole('dialog').waitFor();
    },
  },
  'dead-letter': { hash: 'dead-letters/ledger/default/frozen-account', ready: (page) => page.getByRole('button', { name: 'Replay', exact: true }).waitFor() },
  wallets: {
    hash: 'wallets',
    ready: async (page) => {
      await page.getByLabel('Wallet id or owner').fill('ada lovelace');
      await page.getByRole('button', { name: 'Search' }).click();
      await page.getByRole('table', { name: 'Wallets of ada lovelace' }).waitFor();
    },
  },
  wallet: {
    hash: 'wallets/ada-salary',
    ready: async (page) => {
      await page.getByText('Adds up').waitFor();
      await page.getByRole('table', { name: /^Statement of/ }).waitFor();
      await page.getByRole('region', { name: 'Balance over time' }).getByRole('img').waitFor();
    },
  },
  events: {
    hash: 'wallets/ada-salary',
    ready: async (page) => {
      await page.getByRole('tab', { name: 'Events' }).click();
      await page.getByText('WalletCreated').click();
      await page.getByRole('region', { name: 'event 1' }).waitFor();
    },
  },
  parked: { hash: 'wallets/frozen-account', ready: (page) => page.getByRole('link', { name: 'To the dead letter' }).first().waitFor() },
  transfer: {
    hash: 'wallets/ada-salary',
    ready: async (page) => {
      await page.getByRole('table', { name: /^Statement of/ }).getByRole('link', { name: 'both legs' }).first().click();
      await page.getByRole('region', { name: 'From', exact: true }).waitFor();
    },
  },
  'try-it': {
    hash: 'try/credit/ada-salary',
    ready: async (page) => {
      await page.getByText(/^Holds .*USD/).waitFor();
      await page.getByLabel('Amount', { exact: true }).fill('25');
      await page.getByRole('tabpanel').getByRole('button', { name: 'Credit', exact: true }).click();
      await page.getByRole('dialog').getByRole('button', { name: 'Credit', exact: true }).click();
      await page.getByRole('region', { name: 'Answer', exact: true }).getByText('"balance"').waitFor();
    },
  },
  audit: { hash: 'audit', ready: (page) => page.getByRole('table', { name: 'Audit log, newest first' }).waitFor() },
};

/** Opens a view in a page of its own. */
export async function look(browser, stand, name, options) {
  const { hash = '', signedIn = true, ready } = VIEWS[name];
  const tab = await browser.open(stand, { key: signedIn ? stand.key : undefined, ...options });
  if (hash) await tab.page.goto(`${stand.url}/console#/${hash}`);
  await ready(tab.page);
  await tab.page.evaluate(() => document.fonts.ready);
  return tab;
}
