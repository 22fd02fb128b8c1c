/** Commands from forms, each shown as curl beside its answer. */

import { h } from '../dom.js';
import { session } from '../session.js';
import { pageHead } from '../ui/parts.js';
import { empty } from '../ui/states.js';
import { tabs } from '../ui/tabs.js';
import { FORMS } from './try/forms.js';
import { commandForm } from './try/command-form.js';

export const title = 'Try it';

export function view({ signal, params }) {
  const head = pageHead('Try it', { lead: 'Each form is one request: see it as curl, send it, and read the answer. It is real: money moves.' });
  const allowed = FORMS.filter((form) => session.can(form.scope));
  if (!allowed.length) return [head, empty('Nothing to try', 'This key has neither wallets:write nor transfers:write.')];
  const asked = allowed.find((form) => form.id === params.form);
  const choose = tabs(
    allowed.map((form) => ({
      id: form.id,
      label: form.label,
      content: () => commandForm(form, form === asked ? params.wallet : undefined, signal),
    })),
    { selected: (asked ?? allowed[0]).id, label: 'Commands' },
  );
  return [head, h('div', { class: 'try' }, choose.element)];
}
