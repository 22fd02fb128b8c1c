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
  const fields = formFields(form, walletId, signal, show);
  const preview = h('div', {});
  const answer = h('div', { class: 'answer', 'aria-live': 'polite' }, h('p', { class: 'muted' }, 'Send the request, and its answer stands here.'));
  const keyText = h('code', { class: 'key-text' });
  const note = h('p', { class: 'small muted' });
  const sendButton = h('button', { type: 'submit', class: 'button button-primary' }, form.label);
  const again = button('Send again with the same key', { glyph: 'retry', hidden: true, onClick: () => submit(true) });
  /** What was sent from here: the key of each command, and whether it is unknown what became of it. */
  const sent = new Map();
  /** For the next command that was not sent yet. */
  let fresh = uuid();

  /** The command as it stands, without its key: what makes it another one. */
  const commandOf = (values) => JSON.stringify([form.path({ walletId: '', ...values }), form.body(values)]);

  const sentAs = (values) => sent.get(commandOf(values));
  // Another command needs another key; the same key with another body is refused.
  const keyOf = (values) => sentAs(values)?.key ?? fresh;

  function show() {
    const { values } = fields.read();
    const before = sentAs(values);
    keyText.textContent = keyOf(values);
    again.hidden = !before;
    note.textContent = before?.undecided
      ? 'It is not known whether the last one was done. Sent again with the same key it is done once at most.'
      : 'Made anew for each command. A retry with the same key gets the first answer again: nothing is done twice.';
    replace(preview, code(curl(requestOf(values, keyOf(values))), 'the request as curl'));
  }

  function requestOf(values, key) {
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
    const before = sentAs(values);
    const same = before && (repeat || before.undecided);
    const key = same ? before.key : fresh;
    const question = same
      ? { title: 'Send the same request again?', body: [`With its key ${key} it is done once at most: you get the first answer again if there was one.`], action: 'Send again' }
      : { title: form.question(values, currency), body: [`One request with the new idempotency key ${key}.`], action: form.label };
    if (!(await confirm(question)) || signal.aborted) return;
    await run(values, key);
  }

  async function run(values, key) {
    sendButton.disabled = true;
    again.disabled = true;
    if (key === fresh) fresh = uuid();
    // From now on, and whatever is typed meanwhile, until an answer says more.
    const command = commandOf(values);
    sent.set(command, { key, undecided: true });
    const began = performance.now();
    try {
      const { url, headers, body } = requestOf(values, key);
      const got = await send(new URL(url).pathname, { method: 'POST', headers, body, signal });
      sent.set(command, { key, undecided: UNDECIDED.has(got.status) });
      replace(answer, await answerOf(got, performance.now() - began));
      announce(got.ok ? 'ok' : 'bad', got.ok ? `${form.label}: done.` : `${form.label}: answered ${got.status}.`);
    } catch {
      if (signal.aborted) return;
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
        h('div', { class: 'key-line' }, h('span', { class: 'small muted' }, 'Idempotency-Key'), keyText, copyButton(() => keyText.textContent, 'the idempotency key')),
        note,
        h('div', { class: 'actions' }, sendButton, again),
      ),
    ),
    h('div', { class: 'stack' }, card('Request', { note: session.signedIn ? 'Your key is not shown: put it into WALLEX_KEY.' : undefined }, preview), card('Answer', {}, answer)),
  );
  show();
  return element;
}
