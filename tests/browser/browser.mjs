// Debian's Chromium, and what holds of every page that was ever open in it.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { axeSource, chromium } from './modules.mjs';
import { WITHIN_MS } from './stand.mjs';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome-stable', 'google-chrome'];

function executable() {
  if (process.env.CHROMIUM) return process.env.CHROMIUM;
  for (const name of NAMES) {
    try {
      return execFileSync('which', [name], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
    } catch {
      // Not this one.
    }
  }
  throw new Error(`no ${NAMES[0]} on PATH: apt-get install chromium, or name one in CHROMIUM`);
}

/** Of a browser without a certificate's worth of isolation around it: a container's root has no sandbox. */
const ARGS = process.getuid?.() === 0 ? ['--no-sandbox'] : [];

export const DESKTOP = { width: 1280, height: 900 };
export const PHONE = { width: 390, height: 844 };
export const WIDE = { width: 1920, height: 1080 };

export class Browser {
  static async launch() {
    const self = new Browser();
    self.browser = await chromium.launch({ executablePath: executable(), args: ARGS });
    return self;
  }

  /** A page at `stand`, which is signed in when there is a `key`. */
  async open(stand, { key, path = '/console', viewport = DESKTOP, colorScheme = 'light', scale = 1 } = {}) {
    const context = await this.browser.newContext({
      viewport,
      colorScheme,
      deviceScaleFactor: scale,
      locale: 'en-GB',
      timezoneId: 'Europe/Vienna',
      reducedMotion: 'reduce',
      permissions: ['clipboard-read', 'clipboard-write'],
    });
    context.setDefaultTimeout(WITHIN_MS);
    const tab = new Tab(context, await context.newPage(), stand);
    await tab.begin(path);
    if (key) await tab.signIn(key);
    return tab;
  }

  close() {
    return this.browser.close();
  }
}

/** One page, and all that was wrong with it. */
export class Tab {
  #wrong = [];

  constructor(context, page, stand) {
    this.context = context;
    this.page = page;
    this.stand = stand;
  }

  async begin(path) {
    const { page } = this;
    page.on('pageerror', (error) => this.#wrong.push(`uncaught: ${error.stack ?? error}`));
    page.on('console', (message) => {
      // What the server refuses, or can't answer, the browser notes by itself.
      const expected = /^Failed to load resource: /.test(message.text());
      if (['error', 'warning'].includes(message.type()) && !expected) this.#wrong.push(`${message.type()}: ${message.text()}`);
    });
    page.on('request', (request) => {
      const { origin } = new URL(request.url());
      if (origin !== this.stand.url && !request.url().startsWith('data:')) this.#wrong.push(`asks ${request.url()}`);
    });
    await page.addInitScript(() => {
      globalThis.violations = [];
      addEventListener('securitypolicyviolation', (event) => {
        globalThis.violations.push(`${event.effectiveDirective}: ${event.blockedURI} ${event.sample} ${event.sourceFile}:${event.lineNumber}`);
      });
    });
    await page.goto(this.stand.url + path);
  }

  async signIn(key) {
    await this.page.getByLabel('API key').fill(key);
    await this.page.getByRole('button', { name: 'Sign in' }).click();
    await this.page.getByRole('navigation', { name: 'Views' }).waitFor();
  }

  /** Goes to a view by the page's menu. */
  async go(name) {
    await this.page.getByRole('navigation', { name: 'Views' }).getByRole('link', { name, exact: true }).click();
    await this.heading(name);
  }

  /** The page shows what is called so. */
  heading(name) {
    return this.page.getByRole('heading', { level: 1, name, exact: true }).waitFor();
  }

  /** Says yes to what is asked. */
  async confirm(question, action) {
    const dialog = this.page.getByRole('dialog', { name: question });
    await dialog.waitFor();
    await dialog.getByRole('button', { name: action, exact: true }).click();
  }

  /** A message in the corner says so. */
  said(text) {
    return this.page.getByRole('log', { name: 'Messages' }).getByText(text).first().waitFor();
  }

  /** What axe finds, of what matters. */
  async axe(where) {
    // What has just come up fades in: its colours are not yet its own.
    await this.page.evaluate(() => Promise.all(document.getAnimations().map((animation) => animation.finished.catch(() => {}))));
    await this.page.evaluate(axeSource);
    const violations = await this.page.evaluate(async () => {
      const { violations: found } = await globalThis.axe.run(document, { resultTypes: ['violations'] });
      return found.map(({ id, impact, help, nodes }) => ({ id, impact, help, nodes: nodes.map((node) => `${node.target}: ${node.failureSummary}`) }));
    });
    const serious = violations.filter(({ impact }) => ['serious', 'critical'].includes(impact));
    assert.deepEqual(serious, [], `axe on ${where}`);
    return violations;
  }

  /** Nothing went wrong behind the scenes, and nothing of a wallet is left in the browser. */
  async checked() {
    this.#wrong.push(...(await this.page.evaluate(() => globalThis.violations)));
    assert.deepEqual(this.#wrong, [], 'what the browser noted');
    const left = await this.page.evaluate(async () => ({
      search: location.search,
      local: { ...localStorage },
      session: { ...sessionStorage },
      cookies: document.cookie,
      databases: await indexedDB.databases(),
      caches: await caches.keys(),
    }));
    const nothing = { search: '', local: {}, session: {}, cookies: '', databases: [], caches: [] };
    assert.deepEqual(left, nothing, 'what is left in the browser');
  }

  async close() {
    await this.checked();
    await this.context.close();
  }
}
