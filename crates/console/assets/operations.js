/** What takes long on the server: asked for until it has come to its end. */

import { get } from './api.js';

/** How often its progress is asked for. */
const POLL_MS = 500;

/** The operation when it no longer runs. */
export async function finished(operation, signal) {
  let now = operation;
  while (now.state === 'running') {
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    now = await get(['admin', 'operations', now.id], {}, signal);
  }
  return now;
}
