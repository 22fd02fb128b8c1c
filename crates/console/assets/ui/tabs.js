/** Tabs as WAI-ARIA describes them: arrows move, and what is not shown is not loaded. */

import { h, replace, uniqueId } from '../dom.js';

/** @param {Array<{id: string, label: string, content: () => Node|Node[]}>} items */
export function tabs(items, { selected = items[0].id, label = 'Views', onSelect } = {}) {
  const panels = new Map();
  const panelId = uniqueId('panel');
  const buttons = items.map((item) =>
    h(
      'button',
      { type: 'button', role: 'tab', id: `${panelId}-${item.id}`, 'aria-controls': panelId, class: 'tab', on: { click: () => select(item.id) } },
      item.label,
    ),
  );
  const list = h('div', { class: 'tabs', role: 'tablist', 'aria-label': label, on: { keydown: move } }, buttons);
  const panel = h('div', { id: panelId, role: 'tabpanel', tabindex: '-1' });

  function select(id) {
    items.forEach((item, i) => {
      const chosen = item.id === id;
      buttons[i].setAttribute('aria-selected', String(chosen));
      buttons[i].tabIndex = chosen ? 0 : -1;
      if (!chosen) return;
      if (!panels.has(id)) panels.set(id, item.content());
      panel.setAttribute('aria-labelledby', buttons[i].id);
      replace(panel, panels.get(id));
    });
    onSelect?.(id);
  }

  function move(event) {
    const steps = { ArrowRight: 1, ArrowLeft: -1 };
    const at = buttons.indexOf(document.activeElement);
    if (!(event.key in steps) || at < 0) return;
    event.preventDefault();
    const next = (at + steps[event.key] + buttons.length) % buttons.length;
    buttons[next].focus();
    select(items[next].id);
  }

  select(selected);
  return { element: h('div', {}, list, panel), select };
}
