/** What stands where data would: nothing yet, nothing at all, or what went wrong. */

import { h } from '../dom.js';
import { icon } from './icons.js';

export function skeleton(label) {
  return h(
    'div',
    { class: 'skeleton' },
    h('span', { class: 'visually-hidden' }, `Loading ${label}`),
    [1, 2, 3].map(() => h('span', { class: 'bar', 'aria-hidden': 'true' })),
  );
}

export function empty(title, text, ...actions) {
  return h(
    'div',
    { class: 'empty' },
    icon('empty'),
    h('p', { class: 'empty-title' }, title),
    text && h('p', { class: 'muted' }, text),
    actions.length > 0 && h('div', { class: 'actions' }, actions),
  );
}

/** A read that a projection can't answer yet: no defect, and the way on is known. */
export function behindBox(retry) {
  return empty(
    'The ledger does not have this wallet yet',
    '“Explain this balance” says how far it is, and why. The balance itself is current.',
    h('button', { type: 'button', class: 'button button-plain', on: { click: retry } }, icon('retry'), 'Try again'),
  );
}

/** A problem as the server told it, with what ties it to the server's log. */
export function problemBox(problem, retry) {
  return h(
    'div',
    { class: 'problem', role: 'alert' },
    icon('alert'),
    h(
      'div',
      {},
      h('p', { class: 'problem-title' }, problem.title ?? 'This page has a defect'),
      h('p', {}, problem.detail ?? problem.message),
      problem.errors?.length > 0 &&
        h(
          'ul',
          {},
          problem.errors.map((e) => h('li', {}, h('code', {}, e.pointer || e.parameter || e.header || 'body'), ` ${e.detail}`)),
        ),
      problem.correlationId && h('p', { class: 'small muted' }, 'Correlation id ', h('code', {}, problem.correlationId)),
      retry && h('button', { type: 'button', class: 'button button-plain', on: { click: retry } }, icon('retry'), 'Try again'),
    ),
  );
}
