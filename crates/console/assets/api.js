/** Requests to the server that this page came from. */

import { lose } from './connection.js';
import { Emitter } from './emitter.js';

/**
 * The API key, in this module's memory alone: not in storage, not in a cookie, not in the page. A
 * reload forgets it.
 */
let key = null;

export function setKey(value) {
  key = value;
}

export function hasKey() {
  return key !== null;
}

/** Longer than the server itself waits for anything before it says so. */
const ANSWER_MS_MAX = 30_000;

/** Emits when a credential that was good no longer is, or one is needed by now. */
export const refused = new Emitter();

/** An answer that is not a success, as `application/problem+json` says it. */
class Problem extends Error {
  constructor(status, body, correlationId) {
    super(body.detail ?? body.title ?? `The server answered ${status}`);
    this.status = status;
    this.code = body.code ?? '';
    this.title = body.title ?? `The server answered ${status}`;
    this.detail = body.detail ?? '';
    this.errors = body.errors ?? [];
    this.operationId = body.operationId;
    this.correlationId = correlationId;
  }
}

/** Nobody answered. */
export class Unreachable extends Error {
  constructor() {
    super('The server can’t be reached.');
    this.title = 'The server can’t be reached';
    this.detail = 'This goes on by itself when it is back.';
    this.errors = [];
  }
}

/** A browser takes `.` and `..` out of every path, however they are written. */
class NotAskable extends Error {
  constructor() {
    super('A browser can’t ask for this id.');
    this.title = 'A browser can’t ask for this id';
    this.detail = 'It takes “.” and “..” out of a path. Use curl --path-as-is.';
    this.errors = [];
  }
}

/**
 * One request; resolves to any answer that came.
 * @param {string} path
 * @param {{method?: string, body?: string, headers?: object, signal?: AbortSignal, credential?: string, timeoutMs?: number|null}} [options]
 *   `timeoutMs` is `null` for a stream, which has no end
 */
export async function send(path, { method = 'GET', body, headers = {}, signal, credential = key, timeoutMs = ANSWER_MS_MAX } = {}) {
  const sent = { ...headers };
  if (credential) sent.Authorization = `Bearer ${credential}`;
  if (body !== undefined) sent['Content-Type'] = 'application/json';
  const ends = [signal, timeoutMs && AbortSignal.timeout(timeoutMs)].filter(Boolean);
  try {
    // Nothing of an answer stays in the browser's cache, and no cookie goes along.
    return await fetch(path, { method, body, headers: sent, signal: AbortSignal.any(ends), cache: 'no-store', credentials: 'omit' });
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    lose();
    throw new Unreachable();
  }
}

/** The same; resolves to the JSON of a success, and throws a `Problem` otherwise. */
export async function request(path, options = {}) {
  if (/\/\.{1,2}(?=[/?]|$)/.test(path)) throw new NotAskable();
  const answer = await send(path, options);
  if (answer.ok) return answer.status === 204 ? null : whole(answer);
  const problem = await problemOf(answer);
  if (problem.status === 401 && options.credential === undefined) refused.emit(problem);
  throw problem;
}

/** The JSON of a success; an answer that is cut off in the middle is none. */
async function whole(answer) {
  try {
    return await answer.json();
  } catch (error) {
    if (error.name === 'AbortError' || error instanceof SyntaxError) throw error;
    lose();
    throw new Unreachable();
  }
}

/** What an answer that is no success says. */
export async function problemOf(answer) {
  let body;
  try {
    body = await answer.json();
  } catch {
    body = { title: `The server answered ${answer.status}`, detail: answer.statusText };
  }
  return new Problem(answer.status, body, answer.headers.get('X-Correlation-Id'));
}

/** A path from its parts, each encoded, with what is asked for behind it. */
export function path(segments, query = {}) {
  const asked = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== null && value !== '') asked.set(name, value);
  }
  const tail = asked.size ? `?${asked}` : '';
  return `/${segments.map(encodeURIComponent).join('/')}${tail}`;
}

export const get = (segments, query, signal) => request(path(segments, query), { signal });

export const post = (segments, body, { query, signal } = {}) =>
  request(path(segments, query), {
    method: 'POST',
    body: body === undefined ? undefined : JSON.stringify(body),
    signal,
  });
