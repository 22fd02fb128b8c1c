/** Signing in with an API key. */

import { h } from '../dom.js';
import { signIn } from '../session.js';
import { icon } from '../ui/icons.js';
import { field } from '../ui/parts.js';

export const title = 'Sign in';

/**
 * @param {string} [note] why one has to sign in (again)
 * @param {() => void} entered
 */
export function signInView({ signal, note, entered }) {
  const key = field('API key', h('input', { type: 'password', class: 'mono', autocomplete: 'off', spellcheck: 'false', placeholder: 'wlx_…' }), {
    hint: 'Kept in the memory of this page alone: a reload forgets it.',
  });
  const submit = h('button', { type: 'submit', class: 'button button-primary button-wide' }, 'Sign in');

  async function enter(event) {
    event.preventDefault();
    const value = key.control.value.trim();
    if (!value) return complain('Paste an API key.');
    submit.disabled = true;
    try {
      await signIn(value, signal);
      entered();
    } catch (problem) {
      if (!signal.aborted) complain(problem.status === 401 ? 'This key is not good: it is unknown, revoked or expired.' : (problem.detail ?? problem.message));
    } finally {
      submit.disabled = false;
    }
  }

  function complain(text) {
    key.say(text, true);
    key.control.focus();
  }

  return h(
    'div',
    { class: 'sign-in' },
    h(
      'section',
      { class: 'card' },
      h('img', { src: '/console/favicon.svg', alt: '', width: '44', height: '44' }),
      h('h1', { tabindex: '-1' }, 'Sign in'),
      note && h('p', { class: 'note-line', role: 'status' }, icon('info'), note),
      h('p', { class: 'muted' }, 'What you see and may do is what the scopes of your key allow.'),
      h('form', { novalidate: true, on: { submit: enter } }, key.element, submit),
      h(
        'details',
        {},
        h('summary', {}, 'How do I get a key?'),
        h('p', {}, 'Where the database is, somebody with access to it runs:'),
        h('pre', {}, h('code', {}, 'wallex keys create --name console \\\n  --scopes wallets:read,metrics:read,admin')),
      ),
    ),
  );
}
