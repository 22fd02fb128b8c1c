/** The fields of a command's form: what is in them, and what is wrong with it. */

import { get } from '../../api.js';
import { exponentOf } from '../../currency.js';
import { h } from '../../dom.js';
import { money, parseAmount } from '../../format.js';
import { session } from '../../session.js';
import { field } from '../../ui/parts.js';

/**
 * @param {string} [walletId] what the first wallet's field begins with
 * @param {() => void} edited told of every change
 */
export function formFields(form, walletId, signal, edited) {
  const fields = new Map(form.fields.map((spec) => [spec.name, { spec, ...build(spec) }]));
  /** What is known of the wallets, by field; the paying one's currency says what an amount means. */
  const wallets = new Map();
  const asked = new Map();
  let waiting = 0;

  if (walletId) fields.get('walletId').control.value = walletId;

  /** The currency of the amount; empty while it is not known. */
  function currency() {
    const own = fields.get('currency');
    return own ? own.control.value.trim() : (wallets.get('walletId')?.currency ?? '');
  }

  async function lookUp(name, { again = false } = {}) {
    const { control, spec, say } = fields.get(name);
    const id = control.value.trim();
    if (!spec.pattern.test(id) || (id === asked.get(name) && !again)) return;
    asked.set(name, id);
    waiting += 1;
    try {
      const wallet = await get(['wallets', id], {}, signal);
      if (id !== asked.get(name)) return;
      wallets.set(name, wallet);
      say(`Holds ${money(wallet.balance, wallet.currency)}, version ${wallet.version}.`);
    } catch (problem) {
      if (signal.aborted || id !== asked.get(name)) return;
      wallets.delete(name);
      say(problem.code === 'wallet-not-found' ? 'There is no wallet of this id.' : (problem.title ?? problem.message), true);
    } finally {
      waiting -= 1;
    }
    explainAmount();
    edited();
  }

  /** The fields of wallets that there are already, where they may be looked at. */
  const known = fields.has('currency') || !session.can('wallets:read') ? [] : [...fields.values()].filter(({ spec }) => spec.wallet).map(({ spec }) => spec.name);

  function explainAmount() {
    const entry = fields.get(form.money);
    const code = currency();
    const { minor, error } = parseAmount(entry.control.value, code);
    const unit = unitOf(code);
    const text = entry.control.value.trim() === '' ? unit : error ? error : `Sends ${minor}, which is ${code ? money(minor, code) : 'in minor units'}.`;
    entry.say(text, Boolean(error && entry.control.value.trim()));
  }

  function read() {
    const values = {};
    let wrong = false;
    for (const [name, { spec, control }] of fields) {
      const { value, error } = valueOf(spec, control.value, currency());
      if (value !== undefined) values[name] = value;
      if (error) wrong = true;
    }
    return { values, wrong, waiting: waiting > 0, currency: currency() };
  }

  /** Says what is wrong at each field, and goes to the first. */
  function complain() {
    let first = null;
    for (const { spec, control, say } of fields.values()) {
      const { error } = valueOf(spec, control.value, currency());
      if (!error) continue;
      say(error, true);
      first ??= control;
    }
    first?.focus();
  }

  for (const { spec, control, say } of fields.values()) {
    control.addEventListener('input', () => {
      wallets.delete(spec.name);
      asked.delete(spec.name);
      if (spec.kind !== 'amount') say('');
      explainAmount();
      edited();
    });
  }
  for (const name of known) {
    // What was typed over and back again is no change, but not known any more either.
    for (const event of ['change', 'blur']) fields.get(name).control.addEventListener(event, () => lookUp(name));
    lookUp(name);
  }
  explainAmount();

  return {
    element: h('div', { class: 'fields' }, [...fields.values()].map(({ element }) => element)),
    read,
    complain,
    /** Shows what the wallets hold by now. */
    refresh: () => known.forEach((name) => lookUp(name, { again: true })),
  };
}

function build(spec) {
  const control = h('input', {
    type: 'text',
    inputmode: spec.kind === 'amount' ? 'decimal' : undefined,
    class: spec.mono || spec.kind === 'amount' ? 'mono' : '',
    maxlength: spec.max ? String(spec.max) : undefined,
    autocomplete: 'off',
    autocapitalize: 'off',
    spellcheck: 'false',
    'aria-required': spec.required ? 'true' : undefined,
    value: spec.initial,
  });
  return field(spec.label, control, { hint: spec.hint });
}

function unitOf(code) {
  if (!code) return 'In minor units, until the wallet’s currency is known.';
  const digits = exponentOf(code);
  if (digits === null) return `In units of ${code}, as they are kept: whole numbers.`;
  return digits ? `In ${code}, with up to ${digits} decimals.` : `In ${code}, whole numbers.`;
}

/** A field's value as the request has it; amounts as numbers, which keep every amount exactly. */
function valueOf(spec, typed, currency) {
  const text = typed.trim();
  if (!text) return spec.required ? { error: 'Fill this in.' } : {};
  if (spec.kind === 'amount') {
    const { minor, error } = parseAmount(text, currency);
    if (error) return { error };
    if (minor === 0n && !spec.zero) return { error: 'More than zero.' };
    return { value: Number(minor) };
  }
  return spec.pattern && !spec.pattern.test(text) ? { value: text, error: spec.wrong } : { value: text };
}
