/** What is always there: where to go, how the server is, who is signed in. */

import { changes, connection } from '../connection.js';
import { h, replace } from '../dom.js';
import { healthOf } from '../health.js';
import { live, updates } from '../live.js';
import { link } from '../router.js';
import { session } from '../session.js';
import { icon } from './icons.js';

export function header({ signOut }) {
  const nav = document.getElementById('nav');
  const health = document.getElementById('health');
  const identity = document.getElementById('identity');
  let links = new Map();
  let shown = '';

  function tell() {
    const { tone, text, to } = stateOf();
    const now = `${tone}|${text}|${to}`;
    if (now === shown) return;
    shown = now;
    const content = [h('span', { class: 'dot', 'aria-hidden': 'true' }), h('span', { class: 'health-text' }, text)];
    replace(health, text && (to ? h('a', { class: `health health-${tone}`, href: link(...to) }, content) : h('span', { class: `health health-${tone}` }, content)));
  }

  changes.subscribe(tell);
  updates.subscribe(tell);

  return {
    /** Shows the views of `items`, and who is signed in. */
    show(items) {
      links = new Map(items.map(({ id, text }) => [id, h('a', { class: 'nav-link', href: link(id) }, text)]));
      replace(nav, [...links.values()]);
      nav.hidden = !items.length;
      replace(identity, session.who && identityOf(signOut));
      tell();
    },
    select(id) {
      for (const [name, element] of links) {
        if (name === id) element.setAttribute('aria-current', 'page');
        else element.removeAttribute('aria-current');
      }
      links.get(id)?.scrollIntoView({ block: 'nearest', inline: 'nearest' });
    },
  };
}

function stateOf() {
  if (connection.lost) return { tone: 'bad', text: 'Server away' };
  if (!session.who) return { tone: 'none', text: '' };
  if (!session.watches) return { tone: 'ok', text: 'Connected' };
  if (live.state === 'unavailable') return { tone: 'bad', text: 'Database does not answer' };
  if (live.state === 'waiting' || live.state === 'refused') return { tone: 'none', text: 'No live figures' };
  if (live.state === 'paused') return { tone: 'none', text: 'Paused' };
  const { tone, text, items } = healthOf(live.known);
  const to = (items.length === 1 && session.can('admin') && items[0].to) || ['overview'];
  return { tone, text, to };
}

function identityOf(signOut) {
  const { who } = session;
  if (!session.protected) return h('span', { class: 'identity', title: 'This server needs no credential: whoever reaches it may do everything.' }, icon('user'), 'Open server');
  return [
    h('span', { class: 'identity', title: `${who.caller} of the tenant ${who.tenant}; may: ${who.scopes.join(', ')}` }, icon('user'), who.name ?? who.caller),
    h('button', { type: 'button', class: 'button button-plain button-small', on: { click: signOut } }, 'Sign out'),
  ];
}
