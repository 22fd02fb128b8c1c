// A real server on a database of its own, with keys; it can be killed and started again on its port.

import { spawn, execFile } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { root } from './modules.mjs';

const run = promisify(execFile);
const BINARY = process.env.WALLEX_TEST_BINARY ?? join(root, 'target/debug/wallex');
/** Far more than anything here takes. */
export const WITHIN_MS = 60_000;
const POLL_MS = 50;

export const ALL_SCOPES = 'wallets:read,wallets:write,transfers:write,metrics:read,admin';

/** Asks until `condition` gives something; `what` says what is waited for. */
export async function eventually(what, condition) {
  const deadline = Date.now() + WITHIN_MS;
  let last;
  while (Date.now() < deadline) {
    try {
      const found = await condition();
      if (found) return found;
    } catch (error) {
      last = error;
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  throw new Error(`${what}: not within ${WITHIN_MS} ms`, { cause: last });
}

function psqlPath() {
  const versions = existsSync('/usr/lib/postgresql') ? readdirSync('/usr/lib/postgresql') : [];
  const found = versions.map((version) => `/usr/lib/postgresql/${version}/bin/psql`).filter(existsSync);
  return found.at(-1) ?? 'psql';
}

async function freePort() {
  const probe = createServer();
  await new Promise((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const { port } = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

export class Stand {
  #server = null;
  #ended = null;
  #logs = '';
  #admin;
  #database;
  #environment;

  /** A server that runs, and its operator's key. */
  static async start(environment = {}) {
    const stand = new Stand();
    await stand.#begin(environment);
    return stand;
  }

  async #begin(environment) {
    const url = process.env.WALLEX_TEST_POSTGRES_URL;
    if (!url) throw new Error('run by `just test-browser`, which starts a PostgreSQL server');
    this.#admin = url;
    this.#database = `console_${process.pid}_${Math.floor(performance.now() * 1000)}`;
    await this.#psql(url, `CREATE DATABASE ${this.#database}`);
    const at = new URL(url);
    at.pathname = `/${this.#database}`;
    this.databaseUrl = at.toString();
    this.port = await freePort();
    this.url = `http://127.0.0.1:${this.port}`;
    this.#environment = {
      PATH: process.env.PATH,
      DATABASE_URL: this.databaseUrl,
      WALLEX_LISTEN: `127.0.0.1:${this.port}`,
      WALLEX_LOG: 'warn,wallex::serve=info',
      WALLEX_AUTH_FAILURES_PER_MINUTE: '0',
      ...environment,
    };
    await this.wallex('migrate', 'up');
    this.key = await this.makeKey('operator', ALL_SCOPES);
    await this.serve();
  }

  async #psql(url, sql) {
    const { stdout } = await run(psqlPath(), [url, '-qtAX', '-v', 'ON_ERROR_STOP=1', '-c', sql]);
    return stdout.trim();
  }

  /** Does to the database what nobody should. */
  sql(sql) {
    return this.#psql(this.databaseUrl, sql);
  }

  async wallex(...args) {
    const { stdout } = await run(BINARY, args, { env: { ...this.#environment, WALLEX_LOG: 'error' } });
    return stdout;
  }

  async makeKey(name, scopes, tenant = 'default') {
    const text = await this.wallex('keys', 'create', '--name', name, '--tenant', tenant, '--scopes', scopes, '--json');
    return JSON.parse(text).secret;
  }

  /** Starts the server, and waits until it is ready. */
  async serve(environment = {}) {
    this.#server = spawn(BINARY, ['serve'], { env: { ...this.#environment, ...environment }, stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [this.#server.stdout, this.#server.stderr]) {
      stream.setEncoding('utf8').on('data', (text) => (this.#logs += text));
    }
    const server = this.#server;
    this.#ended = new Promise((resolve) => server.once('exit', resolve));
    await eventually('the server is ready', async () => {
      if (server.exitCode !== null) throw new Error(this.#logs);
      return (await fetch(`${this.url}/readyz`)).ok;
    });
  }

  /** Ends the server: `SIGKILL` as a crash does, `SIGTERM` as an operator. */
  async kill(signal = 'SIGKILL') {
    this.#server.kill(signal);
    await this.#ended;
  }

  get logs() {
    return this.#logs;
  }

  async request(method, path, body, key = this.key) {
    const headers = { Authorization: `Bearer ${key}` };
    if (body) headers['Content-Type'] = 'application/json';
    const answer = await fetch(this.url + path, { method, headers, body: body && JSON.stringify(body) });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
    return text && JSON.parse(text);
  }

  get(path) {
    return this.request('GET', path);
  }

  post(path, body) {
    return this.request('POST', path, body);
  }

  create(walletId, initialBalance, ownerId = 'ada', currency = 'USD') {
    return this.post('/wallets', { walletId, ownerId, initialBalance, currency });
  }

  /** Everything that was committed is projected. */
  projected() {
    return eventually('the projections have caught up', async () => {
      const { items } = await this.get('/admin/projectors');
      return items.every((item) => item.lagEvents === 0);
    });
  }

  /**
   * Leaves a wallet with an event that no projector can apply, as a version of tomorrow would: both
   * projectors park it. `heal` undoes the damage.
   */
  async park(walletId, version) {
    const where = `wallet_id = '${walletId}' AND version = ${version}`;
    await this.post('/admin/projectors/ledger/stop');
    await this.post('/admin/projectors/read_model/stop');
    await eventually('both have stopped', async () => {
      const { items } = await this.get('/admin/projectors');
      return items.every((item) => item.state === 'stopped' && item.holder === null);
    });
    await this.create(walletId, 10_000, 'grace');
    for (let made = 1; made < version + 2; made += 1) await this.post(`/wallets/${walletId}/credit`, { amount: 100 * made, reference: `invoice-${made}` });
    await this.sql(`UPDATE events SET type = 'WalletFrozen' WHERE ${where}`);
    // What this process remembers of its commits is not what stands in the database.
    await this.kill('SIGTERM');
    await this.serve();
    await this.post('/admin/projectors/ledger/start');
    await this.post('/admin/projectors/read_model/start');
    await eventually('both have parked it', async () => (await this.get('/admin/dead-letters')).items.length >= 2);
    return { heal: () => this.sql(`UPDATE events SET type = 'WalletCredited' WHERE ${where}`) };
  }

  /** Ends the server, and leaves nothing. */
  async close() {
    if (this.#server?.exitCode === null && this.#server.signalCode === null) await this.kill('SIGTERM');
    await this.#psql(this.#admin, `DROP DATABASE IF EXISTS ${this.#database} WITH (FORCE)`);
  }
}

/** Commands without end, until `stop` is called; a server that is away is waited for. */
export function traffic(stand, { wallets = ['till', 'shop', 'float'], currency = 'USD', pauseMs = 15 } = {}) {
  let going = true;
  let done = 0;
  const pick = (list) => list[Math.floor(Math.random() * list.length)];
  const amount = () => 100 + Math.floor(Math.random() * 4_900);
  async function one() {
    const what = Math.random();
    const from = pick(wallets);
    if (what < 0.25) await stand.post('/wallets', { ownerId: pick(['ada', 'grace', 'linus']), currency, initialBalance: amount() });
    else if (what < 0.55) await stand.post(`/wallets/${from}/credit`, { amount: amount(), reference: `order-${done}` });
    else if (what < 0.75) await stand.post(`/wallets/${from}/debit`, { amount: amount() });
    else if (what < 0.97) await stand.post(`/wallets/${from}/transfer`, { toWalletId: pick(wallets.filter((id) => id !== from)), amount: amount() });
    else await stand.get('/wallets/nobody');
    done += 1;
  }
  async function go() {
    while (going) {
      await one().catch(() => {});
      await new Promise((resolve) => setTimeout(resolve, pauseMs * (0.5 + Math.random())));
    }
  }
  const ended = Promise.all([go(), go(), go()]);
  return {
    get done() {
      return done;
    },
    async stop() {
      going = false;
      await ended;
    },
  };
}
