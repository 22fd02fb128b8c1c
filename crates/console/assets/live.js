/**
 * The server's figures, second by second. An `EventSource` can't send a key, so the stream is read
 * with `fetch`. Nothing is asked for while nobody looks: a hidden page lets go of its stream.
 */

import { problemOf, refused, send } from './api.js';
import { changes, lose } from './connection.js';
import { Emitter } from './emitter.js';
import { sseParser } from './sse.js';

/** What the charts show: fifteen minutes. */
export const WINDOW_SECONDS = 900;
const PAUSE_MS_MIN = 1000;
const PAUSE_MS_MAX = 10_000;
/** The server sends each second; a silence this long means that it is away. */
const SILENCE_MS_MAX = 6000;

/** Emits after every change of `live`. */
export const updates = new Emitter();

export const live = {
  /** Oldest first; none older than the window. */
  samples: [],
  /** `off`, `connecting`, `open`, `paused`, `unavailable` (the database does not answer), `waiting` or `refused`. */
  state: 'off',
  problem: null,
  get last() {
    return live.samples.at(-1);
  },
  /** The newest that knows of the projectors: the database is asked only while somebody follows. */
  get known() {
    return live.samples.findLast((sample) => sample.projectors);
  },
};

let stream = null;

/** Follows the server from now on. */
export function start() {
  stop();
  stream = new AbortController();
  follow(stream.signal);
}

/** Lets go, and forgets what was seen. */
export function stop() {
  stream?.abort();
  stream = null;
  live.samples = [];
  set('off');
}

document.addEventListener('visibilitychange', () => {
  if (live.state === 'off' || live.state === 'refused') return;
  stream?.abort();
  if (document.hidden) {
    set('paused');
    return;
  }
  stream = new AbortController();
  follow(stream.signal);
});

function set(state, problem = null) {
  live.state = state;
  live.problem = problem;
  updates.emit(live);
}

async function follow(signal) {
  let pauseMs = PAUSE_MS_MIN;
  while (!signal.aborted) {
    set('connecting');
    try {
      const answer = await send('/admin/live', { signal, timeoutMs: null, headers: { Accept: 'text/event-stream' } });
      if (!answer.ok && !(await comesAgain(answer))) return;
      if (answer.ok) {
        pauseMs = PAUSE_MS_MIN;
        await read(answer.body);
        // The stream ended: the server goes, or a proxy cut it. Who asks next is told which.
        if (!signal.aborted) lose();
      }
    } catch {
      if (!signal.aborted) lose();
    }
    if (signal.aborted || live.state === 'refused') return;
    await until(pauseMs, signal);
    pauseMs = Math.min(pauseMs * 2, PAUSE_MS_MAX);
  }
}

/** Whether it makes sense to ask again after a refusal. */
async function comesAgain(answer) {
  const problem = await problemOf(answer);
  if (answer.status === 401) refused.emit(problem);
  const later = answer.status === 429 || answer.status >= 500;
  set(later ? 'waiting' : 'refused', problem);
  return later;
}

/** Waits for the time, or for the server to be back, which comes first. */
function until(ms, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    const done = new AbortController();
    const finish = () => {
      clearTimeout(timer);
      done.abort();
      resolve();
    };
    signal.addEventListener('abort', finish, { signal: done.signal });
    changes.subscribe((change) => change === 'back' && finish(), done.signal);
  });
}

async function read(body) {
  const push = sseParser(take);
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  for (;;) {
    const { done, value } = await within(SILENCE_MS_MAX, reader);
    if (done) return;
    push(value);
  }
}

/** The next piece; a server that is away without a word never sends one. */
function within(ms, reader) {
  let timer;
  const silence = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error('The stream fell silent.')), ms);
  });
  return Promise.race([reader.read(), silence]).finally(() => clearTimeout(timer));
}

function take({ type, data }) {
  if (type === 'history') keep(JSON.parse(data).map(sampleOf));
  if (type === 'sample') keep([...live.samples, sampleOf(JSON.parse(data))]);
  if (type === 'unavailable') set('unavailable');
  if (type === 'end') end(JSON.parse(data).reason);
}

function end(reason) {
  if (reason === 'unauthenticated') refused.emit(null);
  if (reason === 'unauthenticated' || reason === 'forbidden') set('refused');
}

function keep(samples) {
  const last = samples.at(-1);
  const oldest = (last?.at ?? 0) - WINDOW_SECONDS;
  live.samples = samples.filter((sample) => sample.at >= oldest);
  // Said before each sample that lacks what only the database knows.
  const silent = live.state === 'unavailable' && last?.projectors === null;
  set(silent ? 'unavailable' : 'open');
}

/** A sample as the charts want it: its time in seconds since 1970. */
function sampleOf(sample) {
  return { ...sample, at: new Date(sample.at).getTime() / 1000 };
}
