/** Explains a balance: which events make it up, and how far each projection has this wallet. */

import { get } from '../../api.js';
import { h } from '../../dom.js';
import { count, plural } from '../../format.js';
import { link } from '../../router.js';
import { session } from '../../session.js';
import { icon } from '../../ui/icons.js';
import { loadable } from '../../ui/loadable.js';
import { bareSum, card, chip } from '../../ui/parts.js';
import { scrolling } from '../../ui/table.js';
import { KINDS } from './kinds.js';

/** @param {(type: string) => void} showOnly shows the lines of one kind in the statement */
export function explanation(wallet, signal, showOnly) {
  const part = loadable({
    signal,
    label: 'explanation',
    load: (s) => get(['wallets', wallet.id, 'explanation'], {}, s),
    render: (told) => [equation(told, showOnly), doubt(told), h('h3', {}, 'Where each projection stands'), projections(told)],
  });
  return card('Explain this balance', { className: 'card-explain', note: `Every event of this wallet, summed up in ${wallet.currency}` }, part.element);
}

function equation(told, showOnly) {
  const caption = 'What the balance is made of';
  const element = h(
    'table',
    { class: 'equation' },
    h('caption', { class: 'visually-hidden' }, caption),
    h('thead', { class: 'visually-hidden' }, h('tr', {}, ['Kind', 'Events', 'Sum'].map((name) => h('th', { scope: 'col' }, name)))),
    h('tbody', {}, inOrder(told.madeOf).map((part) => partRow(part, told.currency, showOnly))),
    h(
      'tfoot',
      {},
      h(
        'tr',
        {},
        h('th', { scope: 'row' }, 'Balance ', verdict(told)),
        h('td', { class: 'num muted' }, plural(told.version, 'event')),
        h('td', { class: 'num' }, bareSum(told.balance, told.currency)),
      ),
    ),
  );
  return scrolling(element, caption);
}

function verdict({ addsUp, unreadableVersion }) {
  if (addsUp) return chip('ok', 'Adds up');
  return unreadableVersion ? chip('warn', 'Incomplete') : chip('bad', 'Does not add up');
}

/** Why the sums do not make the balance. */
function doubt({ addsUp, unreadableVersion }) {
  if (addsUp) return null;
  const why = unreadableVersion
    ? `Version ${count(unreadableVersion)} can’t be read: what comes from it on is missing in the sums.`
    : 'Something else than Wallex has written to the database. A check for drift says where.';
  const way = session.can('admin') && go(...(unreadableVersion ? [link('dead-letters'), 'To the dead letters'] : [link('projectors'), 'Check for drift']));
  return h('p', { class: 'failure small' }, why, ' ', way);
}

/** As a statement is read: what it began with, what came in, what went out. */
function inOrder(madeOf) {
  const order = Object.keys(KINDS);
  return madeOf.toSorted((a, b) => order.indexOf(a.type) - order.indexOf(b.type));
}

function partRow({ type, count: events, sum: minor }, currency, showOnly) {
  const name = KINDS[type].plural;
  const show = h('button', { type: 'button', class: 'link', title: `Show them in the statement`, on: { click: () => showOnly(type) } }, name);
  return h(
    'tr',
    {},
    h('th', { scope: 'row' }, show),
    h('td', { class: 'num muted' }, `${count(events)} ×`),
    h('td', { class: 'num' }, bareSum(minor, currency, { plus: true })),
  );
}

function projections({ projections: items, version, walletId }) {
  return h('ul', { class: 'stands' }, items.map((p) => standing(p, version, walletId)));
}

function standing(p, version, walletId) {
  const [tone, label] = toneOf(p);
  const current = p.version >= version;
  const text = current
    ? `Has all ${plural(p.version, 'event')}.`
    : p.version === 0
      ? 'Has nothing of this wallet yet.'
      : `Has version ${count(p.version)} of ${count(version)}.`;
  return h(
    'li',
    {},
    h('div', { class: 'titled' }, h('strong', {}, p.projector), chip(tone, label)),
    h('p', { class: 'small' }, text, ' ', reasonOf(p), ' ', wayOn(p, walletId)),
  );
}

function toneOf(p) {
  if (p.state === 'parked') return ['bad', 'Parked'];
  if (p.state === 'running') return p.behindEvents ? ['warn', `${plural(p.behindEvents, 'event')} behind`] : ['ok', 'Up to date'];
  const labels = { failing: 'Failing', unheld: 'Nobody runs it', stopped: 'Stopped' };
  return [p.behindEvents ? 'bad' : 'warn', labels[p.state]];
}

function reasonOf(p) {
  if (p.state === 'parked') return `It could not apply version ${p.parkedVersion}, and waits for somebody to settle that.`;
  if (!p.behindEvents) return '';
  const reasons = {
    stopped: 'The projector was stopped by hand.',
    failing: 'The projector fails, and tries again by itself.',
    unheld: 'No process runs the projector.',
    running: 'It follows in a moment.',
  };
  return reasons[p.state];
}

function wayOn(p, walletId) {
  if (!session.can('admin')) return null;
  const tenant = session.who.tenant;
  if (p.state === 'parked') return go(link('dead-letters', p.projector, tenant, walletId), 'To the dead letter');
  return p.state !== 'running' && session.operates ? go(link('projectors'), 'To the projector') : null;
}

function go(href, text) {
  return h('a', { href }, text, icon('arrow'));
}
