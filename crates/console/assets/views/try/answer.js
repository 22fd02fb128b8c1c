/** An answer as it came: status, the headers that matter, the body. */

import { h } from '../../dom.js';
import { duration } from '../../format.js';
import { link } from '../../router.js';
import { icon } from '../../ui/icons.js';
import { json } from '../../ui/json.js';
import { chip, facts } from '../../ui/parts.js';

const HEADERS = ['Location', 'ETag', 'Idempotency-Replayed', 'Retry-After', 'X-Correlation-Id'];

export async function answerOf(answer, ms) {
  const text = await answer.text();
  const headers = HEADERS.map((name) => [name, answer.headers.get(name)]).filter(([, value]) => value);
  const replayed = answer.headers.has('Idempotency-Replayed');
  return [
    h(
      'p',
      { class: 'titled' },
      chip(answer.ok ? 'ok' : 'bad', `${answer.status} ${answer.statusText}`.trim()),
      replayed && chip('none', 'Replayed: the first answer again'),
      h('span', { class: 'small muted num' }, duration(ms)),
    ),
    facts(headers.map(([name, value]) => [name, h('code', {}, value)]), 'facts-inline'),
    json(text, 'the answer'),
    answer.ok && walletsOf(text),
  ];
}

/** Ways to the wallets that the answer is about. */
function walletsOf(text) {
  const body = JSON.parse(text);
  const ids = [body.id, body.fromWallet?.id, body.toWallet?.id].filter(Boolean);
  return h('p', { class: 'links' }, ids.map((id) => h('a', { href: link('wallets', id) }, `Look at ${id}`, icon('arrow'))));
}

export function noAnswer() {
  return h(
    'div',
    { class: 'problem', role: 'alert' },
    icon('alert'),
    h(
      'div',
      {},
      h('p', { class: 'problem-title' }, 'No answer came'),
      h('p', {}, 'It may have been done or not. Send it again with the same key: it is done once at most, and the answer tells.'),
    ),
  );
}
