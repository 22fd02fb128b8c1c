/** Results of what was done, seen in a corner and read out by screen readers. */

import { h } from '../dom.js';
import { icon } from './icons.js';

/** How long a good result stays; what went wrong stays until it is closed. */
const SHOWN_MS = 6000;
/** More at once would hide the page. */
const TOASTS_MAX = 4;

const ICONS = { ok: 'check', bad: 'alert', info: 'info' };

/** @param {'ok'|'bad'|'info'} tone */
export function announce(tone, text, detail) {
  const region = document.getElementById('toasts');
  const toast = h(
    'div',
    { class: `toast toast-${tone}` },
    icon(ICONS[tone]),
    h('div', {}, h('strong', {}, text), detail && h('p', {}, detail)),
    h(
      'button',
      { type: 'button', class: 'icon-button', 'aria-label': 'Close this message', on: { click: () => toast.remove() } },
      icon('close'),
    ),
  );
  region.append(toast);
  while (region.childElementCount > TOASTS_MAX) region.firstElementChild.remove();
  if (tone !== 'bad') setTimeout(() => toast.remove(), SHOWN_MS);
}

/** Takes away what was said of acts before. */
export function clearMessages() {
  document.getElementById('toasts').replaceChildren();
}

/** Says that something failed, as its problem tells it. */
export function announceProblem(what, problem) {
  const trace = problem.correlationId ? ` (correlation id ${problem.correlationId})` : '';
  announce('bad', `${what}: ${problem.title ?? problem.message}`, `${problem.detail ?? ''}${trace}`);
}
