/** Small pieces that every view is made of. */

import { h, uniqueId } from '../dom.js';
import { ago, amount, localTime, money, utcTime } from '../format.js';
import { icon } from './icons.js';
import { announce } from './toasts.js';

/** A moment: local, with UTC on hover and for machines. */
export function time(iso, { relative = false } = {}) {
  const text = relative ? ago(iso) : localTime(iso);
  const title = relative ? `${localTime(iso)} · ${utcTime(iso)}` : utcTime(iso);
  return h('time', { datetime: iso, title }, text);
}

/** A state: its colour never stands alone. */
export function chip(tone, text) {
  return h('span', { class: `chip chip-${tone}` }, h('span', { class: 'dot', 'aria-hidden': 'true' }), text);
}

/** A sum of money; what it is in minor units on hover. */
export function sum(minor, currency, options) {
  return h('span', { class: 'num', title: `${minor} in minor units` }, money(minor, currency, options));
}

/** The same without the currency, for columns that have it in their head. */
export function bareSum(minor, currency, options) {
  return h('span', { class: 'num', title: `${minor} in minor units` }, amount(minor, currency, options));
}

/** A button. `kind`: `primary`, `danger`, or plain. */
export function button(text, { kind = 'plain', glyph, onClick, ...props } = {}) {
  return h(
    'button',
    { type: 'button', class: `button button-${kind}`, on: onClick ? { click: onClick } : {}, ...props },
    glyph && icon(glyph),
    text,
  );
}

/** Copies `text`, and says so; `null` where browsers give no clipboard: plain HTTP from another machine. */
export function copyButton(text, what) {
  if (!navigator.clipboard) return null;
  return iconButton('copy', `Copy ${what}`, async () => {
    await navigator.clipboard.writeText(typeof text === 'function' ? text() : text);
    announce('ok', `Copied ${what}.`);
  });
}

/** A button that is a sign; `label` says what it does. */
export function iconButton(glyph, label, onClick) {
  return h('button', { type: 'button', class: 'icon-button', 'aria-label': label, title: label, on: { click: onClick } }, icon(glyph));
}

/** A field of a form with its label, and a place for what is wrong with it. */
export function field(label, control, { hint } = {}) {
  const id = uniqueId('field');
  control.id = id;
  const note = h('p', { class: 'field-note', id: `${id}-note` }, hint ?? '');
  const row = h('div', { class: 'field' }, h('label', { for: id }, label), control, note);
  control.setAttribute('aria-describedby', note.id);
  return {
    element: row,
    control,
    /** Shows `text` as an error, or the hint again. */
    say(text, error = false) {
      note.textContent = text || hint || '';
      row.classList.toggle('field-wrong', error);
      if (error) control.setAttribute('aria-invalid', 'true');
      else control.removeAttribute('aria-invalid');
    },
  };
}

/** A card with a heading. */
export function card(title, { actions, note, level = 'h2', className = '' } = {}, ...children) {
  const id = uniqueId('card');
  return h(
    'section',
    { class: `card ${className}`, 'aria-labelledby': id },
    h(
      'div',
      { class: 'card-head' },
      h('div', {}, h(level, { id }, title), note && h('p', { class: 'muted small' }, note)),
      actions && h('div', { class: 'actions' }, actions),
    ),
    children,
  );
}

/** Names and values. */
export function facts(pairs, className = '') {
  return h(
    'dl',
    { class: `facts ${className}` },
    pairs.filter(Boolean).map(([name, ...value]) => h('div', {}, h('dt', {}, name), h('dd', {}, value))),
  );
}

/** The heading of a view: what the keyboard's focus goes to when one comes. */
export function pageHead(title, { lead, actions, back, copy } = {}) {
  return h(
    'header',
    { class: 'page-head' },
    h(
      'div',
      {},
      back && h('a', { class: 'back', href: back.href }, icon('back'), back.text),
      h('div', { class: 'title-line' }, h('h1', { tabindex: '-1' }, title), copy),
      lead && h('p', { class: 'lead' }, lead),
    ),
    actions && h('div', { class: 'actions' }, actions),
  );
}
