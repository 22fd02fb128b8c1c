/** One wallet: what it holds, how that came about, and its history. */

import { get } from '../api.js';
import { h } from '../dom.js';
import { amount, count } from '../format.js';
import { link } from '../router.js';
import { session } from '../session.js';
import { loadable } from '../ui/loadable.js';
import { card, copyButton, facts, iconButton, pageHead, time } from '../ui/parts.js';
import { empty } from '../ui/states.js';
import { tabs } from '../ui/tabs.js';
import { balanceChart } from './wallet/balance-chart.js';
import { events } from './wallet/events.js';
import { explanation } from './wallet/explanation.js';
import { statement } from './wallet/statement.js';
import { lookFor } from './wallets.js';

export const title = 'Wallet';

export function view({ signal, params }) {
  const { id } = params;
  const part = loadable({
    signal,
    label: 'wallet',
    load: (s) => get(['wallets', id], {}, s),
    render: (wallet) => page(wallet, signal),
    failed: (problem) => (problem.code === 'wallet-not-found' ? unknown(id) : null),
  });
  const head = pageHead(id, {
    back: { href: link('wallets'), text: 'Wallets' },
    copy: copyButton(id, 'the wallet’s id'),
    actions: [iconButton('retry', 'Refresh', () => part.reload()), commands(id)],
  });
  head.querySelector('h1').classList.add('mono');
  return [head, part.element];
}

function unknown(id) {
  return empty(
    'There is no such wallet',
    `No wallet of this tenant has the id ${id}.`,
    h('a', { class: 'button button-plain', href: link('wallets') }, 'Search'),
  );
}

/** Ways to move its money, as far as they are allowed. */
function commands(id) {
  const to = (form, text) => h('a', { class: 'button button-plain', href: link('try', form, id) }, text);
  return [
    session.can('wallets:write') && [to('credit', 'Credit'), to('debit', 'Debit')],
    session.can('transfers:write') && to('transfer', 'Transfer'),
  ];
}

function page(wallet, signal) {
  const lines = statement(wallet, signal);
  const choose = tabs([
    { id: 'statement', label: 'Statement', content: () => lines.element },
    { id: 'events', label: 'Events', content: () => events(wallet, signal) },
  ]);
  const showOnly = (type) => {
    choose.select('statement');
    lines.showOnly(type);
  };
  return [
    h('div', { class: 'grid grid-wallet' }, summary(wallet), balanceCard(wallet, signal), explanation(wallet, signal, showOnly)),
    card('History', { className: 'card-history' }, choose.element),
  ];
}

function balanceCard(wallet, signal) {
  return card('Balance over time', { className: 'card-chart' }, balanceChart(wallet, signal));
}

function summary(wallet) {
  const owner = h('a', { href: link('wallets'), on: { click: () => lookFor(wallet.ownerId) } }, wallet.ownerId);
  return card(
    'Balance',
    { className: 'card-balance' },
    h(
      'p',
      { class: 'balance num', title: `${wallet.balance} in minor units` },
      amount(wallet.balance, wallet.currency),
      h('span', { class: 'currency' }, wallet.currency),
    ),
    facts([
      ['Owner', owner],
      ['Version', h('span', { title: 'How many events made it' }, count(wallet.version))],
      ['Opened', time(wallet.createdAt)],
      ['Last event', time(wallet.updatedAt)],
    ]),
  );
}
