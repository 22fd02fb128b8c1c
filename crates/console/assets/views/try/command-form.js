/** One command: its form, its request, its answer. */

import { path, send } from '../../api.js';
import { h, replace } from '../../dom.js';
import { curl } from '../../curl.js';
import { session } from '../../session.js';
import { uuid } from '../../uuid.js';
import { confirm } from '../../ui/confirm.js';
import { code } from '../../ui/json.js';
import { button, card, copyButton } from '../../ui/parts.js';
import { announce } from '../../ui/toasts.js';
import { answerOf, noAnswer } from './answer.js';
import { formFields } from './fields.js';

/** After these nobody knows whether it was done; the same key tells. */
const UNDECIDED = new Set([408, 429, 500, 502, 503, 504]);

export function commandForm(form, walletId, signal) {
  const fields = formFields(form, walletId, signal, edited);
  const preview = h('div', {});
  const answer = h('div', { class: 'answer', 'aria-live': 'polite' }, h('p', { class: 'muted' }, 'Send the request, and its answer stands here.'));
  const keyText = h('code', { class: 'key-text' });
  const note = h('p', { class: 'small muted' });
  const sendButton = h('button', { type: 'submit', class: 'button button-primary' }, form.label);
  const again = button('Send again with the same key', { glyph: 'retry', hidden: true, onClick: () => submit(true) });
  /** Whose answer is on the page: `null` before the first. */
  let sent = null;
  let key = uuid();

  /** The command as it stands, without its key: what makes it another one. */
  const commandOf = (values) => JSON.stringify([form.path({ walletId: '', ...values }), form.body(values)]);

  function edited() {
    // Another command needs another key; the same key with another body is refused.
    if (sent && sent.command !== commandOf(fields.read().values)) {
      sent = null;
      key = uuid();
    }
    show();
  }

  function show() {
    const { values } = fields.read();
    keyText.textContent = key;
    again.hidden = !sent;
    note.textContent = sent?.undecided
      ? 'It is not known whether the last one was done. Sent again with the same key it is done once at most.'
      : 'Made anew for each command. A retry with the same key gets the first answer again: nothing is done twice.';
    replace(preview, code(curl(requestOf(values)), 'the request as curl'));
  }

  function requestOf(values) {
    return {
      method: 'POST',
      url: location.origin + path(form.path({ walletId: 'WALLET', ...values })),
      headers: { 'Content-Type': 'application/json', 'Idempotency-Key': key },
      body: JSON.stringify(form.body(values)),
      signedIn: session.signedIn,
    };
  }

  async function submit(repeat) {
    const { values, currency, wrong, waiting } = fields.read();
    if (waiting) return;
    if (wrong) {
      fields.complain();
      return;
    }
    if (sent && !sent.undecided && !repeat) key = uuid();
    const same = sent && (repeat || sent.undecided);
    const question = same
      ? { title: 'Send the same request again?', body: [`With its key ${key} it is done once at most: you get the first answer again if there was one.`], action: 'Send again' }
      : { title: form.question(values, currency), body: [`One request with the new idempotency key ${key}.`], action: form.label };
    if (!(await confirm(question)) || signal.aborted) return;
    await run(values);
  }

  async function run(values) {
    sendButton.disabled = true;
    again.disabled = true;
    const began = performance.now();
    try {
      const { url, headers, body } = requestOf(values);
      const got = await send(new URL(url).pathname, { method: 'POST', headers, body, signal });
      sent = { command: commandOf(values), undecided: UNDECIDED.has(got.status) };
      replace(answer, await answerOf(got, performance.now() - began));
      announce(got.ok ? 'ok' : 'bad', got.ok ? `${form.label}: done.` : `${form.label}: answered ${got.status}.`);
    } catch {
      if (signal.aborted) return;
      sent = { command: commandOf(values), undecided: true };
      replace(answer, noAnswer());
    } finally {
      sendButton.disabled = false;
      again.disabled = false;
      show();
      fields.refresh();
    }
  }

  const element = h(
    'div',
    { class: 'grid grid-try' },
    card(
      `${form.label}`,
      {},
      h(
        'form',
        { novalidate: true, on: { submit: (event) => (event.preventDefault(), submit(false)) } },
        fields.element,
        h('div', { class: 'key-line' }, h('span', { class: 'small muted' }, 'Idempotency-Key'), keyText, copyButton(() => key, 'the idempotency key')),
        note,
        h('div', { class: 'actions' }, sendButton, again),
      ),
    ),
    h('div', { class: 'stack' }, card('Request', { note: session.signedIn ? 'Your key is not shown: put it into WALLEX_KEY.' : undefined }, preview), card('Answer', {}, answer)),
  );
  show();
  return element;
}
