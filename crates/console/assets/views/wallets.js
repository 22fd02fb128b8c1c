/** Finds wallets by id or owner. */

import { get } from '../api.js';
import { h, replace } from '../dom.js';
import { count } from '../format.js';
import { link } from '../router.js';
import { icon } from '../ui/icons.js';
import { loadable } from '../ui/loadable.js';
import { paged } from '../ui/pager.js';
import { card, pageHead, sum, time } from '../ui/parts.js';
import { empty } from '../ui/states.js';
import { table } from '../ui/table.js';

export const title = 'Wallets';

const WALLET_ID = /^(?!\.{1,2}$)[A-Za-z0-9._:-]{1,128}$/;
const PAGE_LEN = 50;

/**
 * What was looked for last, so that the way back from a wallet leads to it. In memory alone: an
 * owner may be a person's name, which has no business in the browser's history.
 */
let lastTerm = '';

/** Shows an owner's wallets when the view comes up next. */
export function lookFor(term) {
  lastTerm = term;
}

export function view({ signal }) {
  const input = h('input', {
    type: 'search',
    id: 'wallet-search',
    class: 'search-input',
    placeholder: 'wallet-001 or an owner',
    autocomplete: 'off',
    spellcheck: 'false',
    maxlength: '128',
    value: lastTerm,
  });
  const results = h('div', { class: 'stack', 'aria-live': 'polite' });
  let round = null;

  function look() {
    round?.abort();
    lastTerm = input.value.trim();
    if (!lastTerm) {
      replace(results, start());
      return;
    }
    round = new AbortController();
    replace(results, found(lastTerm, AbortSignal.any([signal, round.signal])));
  }

  const form = h(
    'form',
    { class: 'search', role: 'search', on: { submit: (event) => (event.preventDefault(), look()) } },
    h('label', { for: 'wallet-search' }, 'Wallet id or owner'),
    h('div', { class: 'search-line' }, icon('search'), input, h('button', { type: 'submit', class: 'button button-primary' }, 'Search')),
  );
  look();
  return [pageHead('Wallets', { lead: 'Its balance, how it came about, and where each projection stands.' }), form, results];
}

function start() {
  return empty('Look for a wallet', 'Type the exact id of a wallet, or of an owner to see all of theirs.');
}

function found(term, signal) {
  return [WALLET_ID.test(term) && byId(term, signal), byOwner(term, signal)];
}

function byId(id, signal) {
  const part = loadable({
    signal,
    label: 'wallet',
    load: (s) => get(['wallets', id], {}, s),
    render: (wallet) => card('The wallet of this id', {}, list([wallet], 'The wallet of this id')),
    failed: (problem) => problem.code === 'wallet-not-found' && h('p', { class: 'muted' }, `No wallet has the id ${id}.`),
  });
  return part.element;
}

function byOwner(owner, signal) {
  const part = paged({
    signal,
    label: 'wallets of the owner',
    load: (cursor, s) => get(['wallets'], { ownerId: owner, limit: PAGE_LEN, cursor }, s),
    render: (page, first) => {
      if (page.items.length) return list(page.items, `Wallets of ${owner}`);
      return h('p', { class: 'muted' }, first ? `No wallet belongs to an owner called ${owner}.` : 'There are no more.');
    },
  });
  return card(`Wallets of the owner “${owner}”`, { note: 'From the read model, which follows the events a moment later' }, part.element);
}

function list(wallets, caption) {
  return table({
    caption,
    rows: wallets,
    columns: [
      { label: 'Wallet', head: true, cell: (w) => h('a', { class: 'mono', href: link('wallets', w.id) }, w.id) },
      { label: 'Owner', cell: (w) => w.ownerId },
      { label: 'Balance', num: true, cell: (w) => sum(w.balance, w.currency) },
      { label: 'Version', num: true, cell: (w) => count(w.version) },
      { label: 'Last event', cell: (w) => time(w.updatedAt) },
    ],
  });
}
