/** Begins here: who is it, what do they look at, and is the server there. */

import { refused } from './api.js';
import { h, replace } from './dom.js';
import * as live from './live.js';
import { match, parts } from './router.js';
import { identify, session, signOut } from './session.js';
import { connectionBanner } from './ui/banner.js';
import { header } from './ui/header.js';
import { empty, skeleton } from './ui/states.js';
import { loadable } from './ui/loadable.js';
import { clearMessages } from './ui/toasts.js';
import { signInView } from './views/sign-in.js';
import * as audit from './views/audit.js';
import * as deadLetter from './views/dead-letter.js';
import * as deadLetters from './views/dead-letters.js';
import * as overview from './views/overview.js';
import { forgetOperation } from './views/projectors/recovery.js';
import * as projectors from './views/projectors.js';
import * as transfer from './views/transfer.js';
import * as tryIt from './views/try.js';
import * as wallet from './views/wallet.js';
import * as wallets from './views/wallets.js';

const watches = () => session.watches;
const admin = () => session.can('admin');
const reads = () => session.can('wallets:read');
const writes = () => session.can('wallets:write') || session.can('transfers:write');

/** `allowed` keeps a view from those whose scopes don't cover it; the server decides again. */
const ROUTES = [
  { pattern: 'overview', view: overview.view, title: overview.title, nav: 'overview', allowed: watches },
  { pattern: 'projectors', view: projectors.view, title: projectors.title, nav: 'projectors', allowed: admin },
  { pattern: 'operations/:operation', view: projectors.view, title: projectors.title, nav: 'projectors', allowed: admin },
  { pattern: 'dead-letters', view: deadLetters.view, title: deadLetters.title, nav: 'projectors', allowed: admin },
  { pattern: 'dead-letters/:projector/:tenant/:wallet', view: deadLetter.view, title: deadLetter.title, nav: 'projectors', allowed: admin },
  { pattern: 'wallets', view: wallets.view, title: wallets.title, nav: 'wallets', allowed: reads },
  { pattern: 'wallets/:id', view: wallet.view, title: wallet.title, nav: 'wallets', allowed: reads },
  { pattern: 'transfers/:id', view: transfer.view, title: transfer.title, nav: 'wallets', allowed: reads },
  { pattern: 'try', view: tryIt.view, title: tryIt.title, nav: 'try', allowed: writes },
  { pattern: 'try/:form', view: tryIt.view, title: tryIt.title, nav: 'try', allowed: writes },
  { pattern: 'try/:form/:wallet', view: tryIt.view, title: tryIt.title, nav: 'try', allowed: writes },
  { pattern: 'audit', view: audit.view, title: audit.title, nav: 'audit', allowed: admin },
];

const NAV = [
  { id: 'overview', text: 'Overview', allowed: watches },
  { id: 'projectors', text: 'Projectors', allowed: admin },
  { id: 'wallets', text: 'Wallets', allowed: reads },
  { id: 'try', text: 'Try it', allowed: writes },
  { id: 'audit', text: 'Audit', allowed: admin },
];

const main = document.getElementById('main');
let current = new AbortController();

/** A new view ends everything that the one before had going. */
function freshSignal() {
  current.abort();
  current = new AbortController();
  return current.signal;
}

function show({ focus = true } = {}) {
  const path = parts(location.hash);
  if (path?.length === 0) path.push(NAV.find((item) => item.allowed())?.id ?? 'nothing');
  // Not a view's fragment: a link within the page.
  if (path === null && location.hash !== '' && !location.hash.startsWith('#/')) return;
  const signal = freshSignal();
  const found = path && match(ROUTES, path);
  if (!found || !found.route.allowed()) {
    place('Not here', found ? notAllowed() : notFound(), null, focus);
    return;
  }
  const { route, params } = found;
  place(route.title, route.view({ signal, params }), route.nav, focus);
}

function place(title, content, nav, focus) {
  document.title = `${title} · Wallex`;
  bar.select(nav);
  replace(main, content);
  scrollTo(0, 0);
  clearMessages();
  if (focus) main.querySelector('h1')?.focus({ preventScroll: true });
}

const notFound = () => [h('h1', { class: 'visually-hidden', tabindex: '-1' }, 'Not found'), empty('There is nothing at this address', 'Choose a view from the menu.')];

const notAllowed = () => [
  h('h1', { class: 'visually-hidden', tabindex: '-1' }, 'Not allowed'),
  empty('Your key does not allow this', 'The menu has everything that it does allow.'),
];

/** Shows the console to whoever is signed in. */
function enter() {
  bar.show(NAV.filter((item) => item.allowed()));
  if (session.watches) live.start();
  show({ focus: false });
}

function askToSignIn(note) {
  live.stop();
  signOut();
  wallets.lookFor('');
  forgetOperation();
  bar.show([]);
  document.title = 'Sign in · Wallex';
  replace(main, signInView({ signal: freshSignal(), note, entered: enter }));
  main.querySelector('input').focus();
}

/** Finds out who this is; a server that is not there yet is waited for. */
function begin() {
  const signal = freshSignal();
  const part = loadable({
    signal,
    label: 'console',
    load: identify,
    render: () => (queueMicrotask(enter), skeleton('console')),
    failed: (problem) => (problem.status === 401 ? (queueMicrotask(askToSignIn), skeleton('console')) : null),
  });
  replace(main, part.element);
}

const bar = header({ signOut: () => askToSignIn('You are signed out.') });
connectionBanner();
refused.subscribe(() => session.who && askToSignIn('Your key is no longer good: sign in with another one.'));
addEventListener('hashchange', () => session.who && show());
document.querySelector('.skip').addEventListener('click', (event) => {
  event.preventDefault();
  main.focus();
});
begin();
