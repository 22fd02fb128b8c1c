/** JSON to read: indented, and copied with a click. */

import { h } from '../dom.js';
import { copyButton } from './parts.js';

/** @param {object|string} value a text that is not JSON is shown as it is */
export function json(value, what) {
  const text = typeof value === 'string' ? pretty(value) : JSON.stringify(value, null, 2);
  return code(text, what);
}

/** A block of code that scrolls by itself, and by keyboard. */
export function code(text, what) {
  return h(
    'div',
    { class: 'code' },
    h('pre', { tabindex: '0', role: 'region', 'aria-label': what }, h('code', {}, text)),
    copyButton(text, what),
  );
}

/** Only what survives the way through the parser is indented: nothing stored is shown otherwise than it is. */
function pretty(text) {
  try {
    const value = JSON.parse(text);
    return JSON.stringify(value) === text.replace(/^\s+|\s+$/g, '') ? JSON.stringify(value, null, 2) : text;
  } catch {
    return text;
  }
}
