/** The list of dead letters. */

import { get, post } from '../../api.js';
import { h } from '../../dom.js';
import { count } from '../../format.js';
import { finished } from '../../operations.js';
import { link } from '../../router.js';
import { session } from '../../session.js';
import { act } from '../../ui/confirm.js';
import { paged } from '../../ui/pager.js';
import { button, card, time } from '../../ui/parts.js';
import { empty } from '../../ui/states.js';
import { table } from '../../ui/table.js';

/** The dead letters that there are; `refresh` asks for them again. */
export function deadLettersCard(signal) {
  const replayAll = session.operates ? replayAllButton(refresh, signal) : null;
  const letters = paged({
    signal,
    label: 'dead letters',
    load: (cursor, s) => get(['admin', 'dead-letters'], { cursor, limit: 50 }, s),
    render(page, first) {
      if (replayAll) replayAll.hidden = first && !page.items.length;
      return page.items.length ? list(page.items) : empty('No dead letters', 'Every projector could apply every event.');
    },
  });

  function refresh() {
    letters.reload({ quiet: true });
  }

  const note = 'Wallets that a projector has parked at an event that it can’t apply. All other wallets go on.';
  return { element: card('Dead letters', { note, actions: replayAll }, letters.element), refresh };
}

/** Where a dead letter's own page is. */
function letterLink({ projector, tenant, walletId }) {
  return link('dead-letters', projector, tenant, walletId);
}

function list(items) {
  return table({
    caption: 'Dead letters',
    rows: items,
    columns: [
      { label: 'Wallet', head: true, cell: (d) => h('a', { class: 'mono', href: letterLink(d) }, d.walletId) },
      session.operates && { label: 'Tenant', className: 'optional', cell: (d) => d.tenant },
      { label: 'Projector', cell: (d) => d.projector },
      { label: 'Event', cell: (d) => `${d.eventType}, version ${d.version}` },
      { label: 'Error', className: 'wide', cell: (d) => d.error },
      { label: 'Waiting behind', num: true, className: 'optional', cell: (d) => count(d.queuedEvents) },
      { label: 'Tried', num: true, className: 'optional', cell: (d) => `${count(d.attempts)} ×` },
      { label: 'Parked', className: 'optional', cell: (d) => time(d.parkedAt, { relative: true }) },
      {
        label: 'What to do',
        cell: (d) =>
          h('a', { class: 'button button-plain button-small', href: letterLink(d), 'aria-label': `Look and replay: ${d.walletId} of ${d.projector}` }, 'Look and replay'),
      },
    ].filter(Boolean),
  });
}

function replayAllButton(done, signal) {
  const trigger = button('Replay all', { glyph: 'retry', hidden: true });
  trigger.addEventListener('click', () =>
    act({
      trigger,
      what: 'Replay of all dead letters',
      question: {
        title: 'Replay every dead letter?',
        body: [
          'Each parked event is tried again, with those behind it. What still can’t be applied stays parked; nothing gets lost.',
          'Those of stopped projectors are left alone.',
        ],
        action: 'Replay all',
      },
      async run() {
        const operation = await post(['admin', 'recovery', 'retry'], undefined, { signal });
        const ended = await finished(operation, signal);
        done();
        const { replayed, parked } = ended.report;
        if (ended.state === 'failed') throw new Error(ended.error);
        return `Replayed ${replayed}; ${parked} ${parked === 1 ? 'is' : 'are'} still parked.`;
      },
    }),
  );
  return trigger;
}
