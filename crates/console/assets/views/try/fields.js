/** The fields of a command's form: what is in them, and what is wrong with it. */

import { get } from '../../api.js';
import { exponentOf } from '../../currency.js';
import { h } from '../../dom.js';
import { money, parseAmount } from '../../format.js';
import { session } from '../../session.js';
import { field } from '../../ui/parts.js';

/**
 * @param {() => void} edited told of every change
 */
export function formFields(form, walletId, signal, edited) {
  const fields = new Map(form.fields.map((spec) => [spec.name, { spec, ...build(spec) }]));
  /** What is known of the paying wallet; its currency says what an amount means. */
  let wallet = null;
  let asked = '';
  let waiting = false;

  if (walletId) fields.get('walletId').control.value = walletId;

  /** The currency of the amount; empty while it is not known. */
  function currency() {
    const own = fields.get('currency');
    return own ? own.control.value.trim() : (wallet?.currency ?? '');
  }

  async function lookUp({ again = false } = {}) {
    const source = fields.get('walletId');
    const id = source.control.value.trim();
    if (fields.has('currency') || !session.can('wallets:read')) return;
    if (!source.spec.pattern.test(id) || (id === asked && !again)) return;
    asked = id;
    waiting = true;
    try {
      wallet = await get(['wallets', id], {}, signal);
      if (id === asked) source.say(`Holds ${money(wallet.balance, wallet.currency)}, version ${wallet.version}.`);
    } catch (problem) {
      if (signal.aborted || id !== asked) return;
      wallet = null;
      source.say(problem.code === 'wallet-not-found' ? 'There is no wallet of this id.' : (problem.title ?? problem.message), true);
    } finally {
      if (id === asked) waiting = false;
    }
    explainAmount();
    edited();
  }

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
    return { values, wrong, waiting, currency: currency() };
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
      if (spec.name === 'walletId') {
        wallet = null;
        asked = '';
      }
      if (spec.kind !== 'amount') say('');
      explainAmount();
      edited();
    });
  }
  fields.get('walletId').control.addEventListener('change', () => lookUp());
  fields.get(form.money).control.addEventListener('focus', () => lookUp());
  explainAmount();
  lookUp();

  return {
    element: h('div', { class: 'fields' }, [...fields.values()].map(({ element }) => element)),
    read,
    complain,
    /** What the wallet holds by now. */
    refresh: () => lookUp({ again: true }),
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
