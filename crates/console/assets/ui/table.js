/** Tables that become cards where there is no room for columns. */

import { h } from '../dom.js';

/**
 * @param {object} table
 * @param {string} table.caption what it lists; seen by screen readers
 * @param {Array<{label: string, cell: (row: object) => any, num?: boolean, head?: boolean, className?: string}>} table.columns
 * @param {object[]} table.rows
 *
 * Columns of the class `optional` go first where there is little room: what they say stands elsewhere too.
 * The roles are said again because a table whose display was changed by style loses them.
 */
export function table({ caption, columns, rows, className = '' }) {
  const element = h(
    'table',
    { class: `table ${className}`, role: 'table' },
    h('caption', { class: 'visually-hidden' }, caption),
    h('thead', { role: 'rowgroup' }, h('tr', { role: 'row' }, columns.map(headOf))),
    h('tbody', { role: 'rowgroup' }, rows.map((row) => h('tr', { role: 'row' }, columns.map((c) => cellOf(c, row))))),
  );
  return scrolling(element, caption);
}

/** Lets a table scroll by itself where it is wider than its place, so that the page never does. */
export function scrolling(element, caption) {
  const box = h('div', { class: 'table-box' }, element);
  new ResizeObserver(() => scrollByKeyboard(box, caption)).observe(box);
  return box;
}

/** What does not fit scrolls, and then the keyboard must get there. */
function scrollByKeyboard(box, caption) {
  const scrolls = box.scrollWidth > box.clientWidth;
  const attributes = { tabindex: '0', role: 'region', 'aria-label': caption };
  for (const [name, value] of Object.entries(attributes)) {
    if (scrolls) box.setAttribute(name, value);
    else box.removeAttribute(name);
  }
}

function headOf(column) {
  const className = [column.num && 'num', column.className?.includes('optional') && 'optional'].filter(Boolean).join(' ');
  return h('th', { scope: 'col', role: 'columnheader', class: className }, column.label);
}

function cellOf(column, row) {
  const value = column.cell(row);
  const className = [column.num && 'num', value === '' && 'blank', column.className].filter(Boolean).join(' ');
  const content = h('div', { class: 'cell' }, value);
  return column.head
    ? h('th', { scope: 'row', role: 'rowheader', class: className, 'data-label': column.label }, content)
    : h('td', { role: 'cell', class: className, 'data-label': column.label }, content);
}
