/** Whether the server can be reached: told by every request, asked for while it can't. */

import { Emitter } from './emitter.js';

/** The first pause between two tries, and the longest one. */
const PAUSE_MS_MIN = 1000;
const PAUSE_MS_MAX = 10_000;
/** How long one try may take. */
const TRY_MS_MAX = 5000;

/** Emits `'lost'`, `'waiting'` with the time of the next try in `connection.nextTryAt`, `'back'`. */
export const changes = new Emitter();

export const connection = { lost: false, nextTryAt: 0 };

let pauseMs = PAUSE_MS_MIN;
let timer = 0;

/** A request found nobody at the other end. */
export function lose() {
  if (connection.lost) return;
  connection.lost = true;
  pauseMs = PAUSE_MS_MIN;
  changes.emit('lost');
  wait();
}

/** Looks now instead of at the next time. */
export async function tryNow() {
  clearTimeout(timer);
  try {
    const answer = await fetch('/livez', { signal: AbortSignal.timeout(TRY_MS_MAX), cache: 'no-store' });
    if (!answer.ok) throw new Error(`/livez answered ${answer.status}`);
    connection.lost = false;
    changes.emit('back');
  } catch {
    pauseMs = Math.min(pauseMs * 2, PAUSE_MS_MAX);
    wait();
  }
}

function wait() {
  connection.nextTryAt = Date.now() + pauseMs;
  timer = setTimeout(tryNow, pauseMs);
  changes.emit('waiting');
}
