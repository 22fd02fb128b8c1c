/** Who is signed in, and what they may do. */

import { hasKey, request, setKey } from './api.js';

/** What `GET /whoami` says; `null` until somebody is known. */
let who = null;

export const session = {
  get who() {
    return who;
  },
  /** Whether the server asks for credentials at all. */
  get protected() {
    return who?.authentication === 'on';
  },
  get signedIn() {
    return hasKey();
  },
  can(scope) {
    return who !== null && (!session.protected || who.scopes.includes(scope));
  },
  /** Operators see to the whole server; an admin of another tenant sees to what is its own. */
  get operates() {
    return who?.isOperator ?? false;
  },
  /** Whether the live figures are theirs to see. */
  get watches() {
    return session.can('metrics:read') || session.operates;
  },
};

/** Asks who this is, without a key or with the one at hand; throws a 401 when one is needed. */
export async function identify(signal) {
  who = await request('/whoami', { signal });
}

/** Signs in with `key`, which is remembered only when it is good. */
export async function signIn(key, signal) {
  who = await request('/whoami', { signal, credential: key });
  setKey(key);
}

/** Forgets the key and everything that it showed. */
export function signOut() {
  setKey(null);
  who = null;
}
