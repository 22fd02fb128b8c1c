/** One dead letter: the event, what is wrong with it, and the two ways out. */

import { get, post } from '../api.js';
import { h } from '../dom.js';
import { count, plural } from '../format.js';
import { finished } from '../operations.js';
import { deadLetterAdvice } from '../reasons.js';
import { link } from '../router.js';
import { session } from '../session.js';
import { act } from '../ui/confirm.js';
import { icon } from '../ui/icons.js';
import { json } from '../ui/json.js';
import { loadable } from '../ui/loadable.js';
import { button, card, facts, pageHead, time } from '../ui/parts.js';
import { empty } from '../ui/states.js';

export const title = 'Dead letter';

export function view({ signal, params }) {
  const { projector, tenant, wallet } = params;
  const at = ['admin', 'dead-letters', projector, wallet];
  // Only operators may name a tenant; for others it is their own anyway.
  const query = session.operates ? { tenant } : {};
  const part = loadable({
    signal,
    label: 'dead letter',
    load: (s) => get(at, query, s),
    render: (detail) => letter(detail, { at, query, signal, reload: part.reload }),
    failed: (problem) => (problem.code === 'dead-letter-not-found' ? settled(wallet) : null),
  });
  return [
    pageHead(`Dead letter of ${wallet}`, {
      back: { href: link('dead-letters'), text: 'Dead letters' },
      lead: `The projector ${projector} has parked this wallet. The wallet itself works; only what ${projector} keeps of it stands still.`,
    }),
    part.element,
  ];
}

function settled(wallet) {
  return empty(
    'Nothing is parked here',
    'It was replayed or discarded: the projection has what it can have.',
    h('a', { class: 'button button-plain', href: link('wallets', wallet) }, 'To the wallet'),
    h('a', { class: 'button button-plain', href: link('projectors') }, 'To the projectors'),
  );
}

function letter({ deadLetter: d, event }, context) {
  const advice = deadLetterAdvice(d.error);
  return [
    h(
      'div',
      { class: 'grid grid-letter' },
      card(
        'What is wrong',
        {},
        h('div', { class: 'failure' }, h('code', {}, d.error)),
        h('p', {}, advice.cause),
        h('p', { class: 'cure' }, icon('arrow'), advice.cure),
        h('div', { class: 'actions' }, replayButton(d, context), advice.rebuild && rebuildButton(d, context), discardButton(d, context)),
      ),
      card(
        'Where it stands',
        {},
        facts([
          ['Wallet', own(d) ? h('a', { class: 'mono', href: link('wallets', d.walletId) }, d.walletId) : h('span', { class: 'mono' }, d.walletId)],
          ['Projector', d.projector],
          ['Tenant', d.tenant],
          ['Event', `${d.eventType}, version ${d.version}`],
          ['Position', `${count(d.position)} in shard ${d.shard}`],
          ['Waiting behind it', plural(d.queuedEvents, 'event')],
          ['Parked', time(d.parkedAt)],
          ['Last tried', time(d.triedAt), `, ${plural(d.attempts, 'try', 'tries')}`],
        ]),
      ),
    ),
    card(
      'The event as it is stored',
      { note: event ? `Schema version ${event.schemaVersion}` : undefined },
      event ? stored(d, event) : empty('The event is gone', 'There is no row for it in the table of events.'),
    ),
  ];
}

/** Another tenant's wallet can't be looked at, though its dead letter can. */
const own = (d) => d.tenant === session.who.tenant;

function stored(d, event) {
  return [
    facts([
      ['Type', h('code', {}, d.eventType)],
      ['Event id', h('code', {}, d.eventId)],
      ['Recorded', time(event.recordedAt)],
    ]),
    h('h3', {}, 'Payload'),
    json(event.payload, 'payload'),
    h('h3', {}, 'Metadata'),
    json(event.metadata, 'metadata'),
  ];
}

function replayButton(d, { at, query, signal, reload }) {
  const trigger = button('Replay', { kind: 'primary', glyph: 'retry' });
  trigger.addEventListener('click', async () => {
    await act({
      trigger,
      what: 'Replay',
      question: {
        title: 'Replay this event?',
        body: [
          `${d.projector} tries version ${d.version} of ${d.walletId} again, then the ${plural(d.queuedEvents, 'event')} behind it.`,
          'What still can’t be applied stays parked; nothing gets lost.',
        ],
        action: 'Replay',
      },
      async run() {
        const outcome = await post([...at, 'replay'], undefined, { query, signal });
        if (outcome.outcome === 'applied') return `Applied ${plural(outcome.appliedEvents, 'event')}: nothing is parked any more.`;
        const still = outcome.deadLetter;
        const problem = new Error('It is still parked');
        problem.detail = `Version ${still.version}: ${still.error}`;
        throw problem;
      },
    });
    reload({ quiet: true });
  });
  return trigger;
}

function rebuildButton(d, { query, signal, reload }) {
  const trigger = button('Rebuild this wallet');
  trigger.addEventListener('click', async () => {
    await act({
      trigger,
      what: 'Rebuild',
      question: {
        title: `Rebuild ${d.walletId}?`,
        body: ['Its rows in every projection are compared with its events and put right, then what is parked is replayed.'],
        action: 'Rebuild',
      },
      async run() {
        const operation = await post(['admin', 'recovery', 'rebuild'], { walletId: d.walletId, ...query }, { signal });
        const ended = await finished(operation, signal);
        if (ended.state !== 'done') throw new Error(ended.error ?? `The rebuild is ${ended.state}.`);
        return ended.report.parked ? 'Rebuilt; something is still parked.' : 'Rebuilt: nothing is parked any more.';
      },
    });
    reload({ quiet: true });
  });
  return trigger;
}

function discardButton(d, { at, query, signal, reload }) {
  const trigger = button('Discard …', { kind: 'quiet-danger' });
  trigger.addEventListener('click', async () => {
    await act({
      trigger,
      what: 'Discard',
      question: {
        title: 'Leave this event out for ever?',
        body: [
          `Version ${d.version} of ${d.walletId} is left out of ${d.projector}, and the ${plural(d.queuedEvents, 'event')} behind it applied. The event itself stays in the history.`,
          'Do this only when the event can’t be had back: it can’t be undone.',
        ],
        action: 'Discard it',
        kind: 'danger',
        reason: 'Why is it left out?',
      },
      async run({ reason }) {
        await post([...at, 'discard'], { version: d.version, reason }, { query, signal });
        return `Version ${d.version} is left out of ${d.projector}.`;
      },
    });
    reload({ quiet: true });
  });
  return trigger;
}
