/** Values as text. Pure: every function takes the locale last, the browser's own when left out. */

import { exponentOf } from './currency.js';

/** The sign that typesetters use; as wide as a plus. */
const MINUS = '\u2212';
/** Between a number and its unit: they stay on one line. */
const NBSP = '\u00a0';

const formats = new Map();

/** Making an `Intl` format is slow, and the live view asks for thousands. */
function numberFormat(locale, options) {
  const key = `${locale}|${JSON.stringify(options)}`;
  if (!formats.has(key)) formats.set(key, new Intl.NumberFormat(locale, options));
  return formats.get(key);
}

function decimalPoint(locale) {
  const parts = numberFormat(locale, {}).formatToParts(1.1);
  return parts.find((part) => part.type === 'decimal').value;
}

/**
 * An amount in minor units, as the number in major units without the currency: `1,234.50`.
 * @param {number|string|bigint} minor exact: an integer, or the text of one
 * @param {{plus?: boolean}} [options] `plus` shows the sign of what is above zero too
 */
export function amount(minor, currency, { plus = false } = {}, locale) {
  const value = BigInt(minor);
  const digits = exponentOf(currency) ?? 0;
  const unit = 10n ** BigInt(digits);
  const size = value < 0n ? -value : value;
  const whole = numberFormat(locale, {}).format(size / unit);
  const rest = digits ? decimalPoint(locale) + String(size % unit).padStart(digits, '0') : '';
  const sign = value < 0n ? MINUS : plus && value > 0n ? '+' : '';
  return sign + whole + rest;
}

/** The same with its currency: `1,234.50 USD`. */
export function money(minor, currency, options, locale) {
  return amount(minor, currency, options, locale) + NBSP + currency;
}

/**
 * What somebody typed as an amount in major units, in minor ones.
 * @returns {{minor?: bigint, error?: string}}
 */
export function parseAmount(text, currency) {
  const digits = exponentOf(currency) ?? 0;
  const typed = text.trim();
  if (!typed) return { error: 'Say how much.' };
  const match = /^(\d{1,16})(?:\.(\d+))?$/.exec(typed);
  if (!match) return { error: 'Digits only, with a point before decimals: 1250.00' };
  const decimals = match[2] ?? '';
  if (decimals.length > digits) {
    return {
      error: digits
        ? `${currency} has ${digits} decimals at most.`
        : `${currency} has no decimals here: whole numbers only.`,
    };
  }
  const minor = BigInt(match[1] + decimals.padEnd(digits, '0'));
  if (minor > BigInt(Number.MAX_SAFE_INTEGER)) {
    return { error: `At most ${amount(Number.MAX_SAFE_INTEGER, currency)}.` };
  }
  return { minor };
}

/** A whole number, grouped. */
export function count(value, locale) {
  return numberFormat(locale, { maximumFractionDigits: 0 }).format(value);
}

/** A number with its noun: `1 event`, `2,000 events`. */
export function plural(value, one, many = `${one}s`, locale) {
  return `${count(value, locale)}${NBSP}${value === 1 ? one : many}`;
}

/** A rate or a measure: one decimal where it says something. */
export function figure(value, locale) {
  const digits = Math.abs(value) < 10 && !Number.isInteger(value) ? 1 : 0;
  return numberFormat(locale, { maximumFractionDigits: digits }).format(value);
}

/** A number for the axis of a chart: `12k`. */
export function compact(value, locale) {
  const options = { notation: 'compact', maximumFractionDigits: 1 };
  return numberFormat(locale, options).format(value);
}

/** From here on, an axis of money shortens. */
const COMPACT_FROM = 1_000_000;

/** A sum for the axis of a chart, exact enough for steps of a narrow range: `13,850`, `1.25M`. */
export function axisSum(value, locale) {
  const options = { maximumFractionDigits: 2, ...(Math.abs(value) >= COMPACT_FROM && { notation: 'compact', maximumFractionDigits: 3 }) };
  return numberFormat(locale, options).format(value);
}

/** A length of time, in its two largest units: `850 ms`, `12 s`, `3 min 20 s`, `2 h 5 min`. */
export function duration(ms, locale) {
  // What would round to the next unit is told in that.
  if (ms < 999.5) return figure(ms, locale) + NBSP + 'ms';
  const seconds = ms / 1000;
  if (seconds < 59.5) return figure(seconds < 10 ? seconds : Math.round(seconds), locale) + NBSP + 's';
  const whole = Math.round(seconds);
  const units = [
    ['d', 86400],
    ['h', 3600],
    ['min', 60],
    ['s', 1],
  ];
  const first = units.findIndex(([, size]) => whole >= size);
  const [name, size] = units[first];
  const large = Math.floor(whole / size);
  const [smallName, smallSize] = units[first + 1];
  const small = Math.floor((whole % size) / smallSize);
  const rest = small ? ` ${small}${NBSP}${smallName}` : '';
  return `${count(large, locale)}${NBSP}${name}${rest}`;
}

/** A share in percent, never rounded up to "all of it". */
export function percent(done, total, locale) {
  if (!total) return numberFormat(locale, { style: 'percent' }).format(0);
  const share = Math.min(1, done / total);
  const floored = Math.floor(share * 1000) / 1000;
  const options = { style: 'percent', maximumFractionDigits: share < 0.1 ? 1 : 0, roundingMode: 'floor' };
  return numberFormat(locale, options).format(floored);
}

/** A moment in the browser's own zone: `29 Nov 2026, 11:41:39`. */
export function localTime(iso, locale) {
  const options = { dateStyle: 'medium', timeStyle: 'medium' };
  return new Intl.DateTimeFormat(locale, options).format(new Date(iso));
}

/** The same moment in UTC, to the millisecond. */
export function utcTime(iso) {
  return `${new Date(iso).toISOString().replace('T', ' ').replace('Z', '')} UTC`;
}

/** How long ago, in words: `12 s ago`. */
export function ago(iso, now = Date.now(), locale) {
  const ms = now - new Date(iso).getTime();
  return ms < 1000 ? 'just now' : `${duration(Math.floor(ms / 1000) * 1000, locale).split(' ')[0]} ago`;
}

/** A field of a form of kind `datetime-local` (local time, without a zone) in RFC 3339. */
export function toUtc(localValue) {
  return localValue ? new Date(localValue).toISOString() : undefined;
}

/** `key.create` and `transfer_in` as words. */
export function words(name) {
  const text = name.replace(/[._]/g, ' ');
  return text.charAt(0).toUpperCase() + text.slice(1);
}
