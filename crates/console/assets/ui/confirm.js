/** Asks once before anything changes. */

import { h } from '../dom.js';
import { button, field } from './parts.js';
import { announce, announceProblem, clearMessages } from './toasts.js';

/** The longest reason that the server takes. */
const REASON_CHARS_MAX = 500;

/**
 * @param {object} question
 * @param {string} question.title what will happen, as a question
 * @param {Array<Node|string>} question.body what it does, in sentences
 * @param {string} question.action the word on the button
 * @param {'primary'|'danger'} [question.kind]
 * @param {string} [question.reason] asks for a reason, under this label
 * @returns {Promise<null|{reason?: string}>} `null` when it was called off
 */
export function confirm({ title, body, action, kind = 'primary', reason }) {
  return new Promise((resolve) => {
    let result = null;
    const why =
      reason &&
      field(reason, h('textarea', { rows: '3', maxlength: String(REASON_CHARS_MAX), required: true }), {
        hint: 'For those who come later: it is kept with the event.',
      });
    const cancel = button('Cancel', { onClick: () => dialog.close() });
    const go = h('button', { type: 'submit', class: `button button-${kind}` }, action);
    const form = h(
      'form',
      { novalidate: true, on: { submit: decide } },
      h('h2', { id: 'confirm-title' }, title),
      body.map((line) => h('p', {}, line)),
      why?.element,
      h('div', { class: 'dialog-actions' }, cancel, go),
    );
    const dialog = h('dialog', { class: 'dialog', 'aria-labelledby': 'confirm-title' }, form);

    function decide(event) {
      event.preventDefault();
      const given = why?.control.value.trim();
      if (why && !given) {
        why.say('Say why: this can’t be taken back.', true);
        why.control.focus();
        return;
      }
      result = { reason: given };
      dialog.close();
    }

    // Escape closes a modal dialog by itself, and the focus goes back to where it was.
    dialog.addEventListener('close', () => {
      dialog.remove();
      resolve(result);
    });
    document.body.append(dialog);
    dialog.showModal();
    if (why) why.control.focus();
    else if (kind === 'danger') cancel.focus();
    else go.focus();
  });
}

/**
 * Asks, does it, and says what came of it.
 * @param {{question: object, run: (given: object) => Promise<string>, what: string, trigger?: HTMLButtonElement}} act
 *   `run` resolves to what was done, in words; `what` names the act for when it fails
 */
export async function act({ question, run, what, trigger }) {
  const given = await confirm(question);
  if (!given) return false;
  clearMessages();
  if (trigger) trigger.disabled = true;
  try {
    announce('ok', await run(given));
    return true;
  } catch (problem) {
    if (problem.name !== 'AbortError') announceProblem(what, problem);
    return false;
  } finally {
    if (trigger) trigger.disabled = false;
  }
}
