import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { exponentOf } from '../assets/currency.js';
import {
  ago,
  amount,
  axisSum,
  duration,
  money,
  parseAmount,
  percent,
  plural,
  toUtc,
  utcTime,
  words,
} from '../assets/format.js';

const MAX = 2n ** 53n - 1n;

describe('exponents', () => {
  it('are those of ISO 4217', () => {
    assert.deepEqual(['JPY', 'USD', 'BHD', 'CLF'].map(exponentOf), [0, 2, 3, 4]);
  });

  it('are unknown for codes that ISO 4217 does not have', () => {
    assert.deepEqual(['POINTS', 'USDC', 'ABC'].map(exponentOf), [null, null, null]);
  });
});

describe('money', () => {
  it('is shown in major units, grouped, with its currency', () => {
    assert.equal(money(123456, 'USD', {}, 'en'), '1,234.56\u00a0USD');
    assert.equal(money(123456, 'JPY', {}, 'en'), '123,456\u00a0JPY');
    assert.equal(money(123456, 'BHD', {}, 'en'), '123.456\u00a0BHD');
    assert.equal(money(123456, 'POINTS', {}, 'en'), '123,456\u00a0POINTS');
  });

  it('follows the locale', () => {
    assert.equal(amount(123456, 'EUR', {}, 'de'), '1.234,56');
  });

  it('keeps leading zeros of the fraction', () => {
    assert.equal(amount(5, 'USD', {}, 'en'), '0.05');
    assert.equal(amount(100, 'USD', {}, 'en'), '1.00');
    assert.equal(amount(0, 'USD', {}, 'en'), '0.00');
  });

  it('shows signs, also of amounts below one', () => {
    assert.equal(amount(-5, 'USD', {}, 'en'), '\u22120.05');
    assert.equal(amount(5, 'USD', { plus: true }, 'en'), '+0.05');
    assert.equal(amount(0, 'USD', { plus: true }, 'en'), '0.00');
  });

  it('is exact for the largest amount and beyond', () => {
    assert.equal(amount(Number(MAX), 'USD', {}, 'en'), '90,071,992,547,409.91');
    assert.equal(amount('170141183460469231731687303715884105727', 'JPY', {}, 'en'), '170,141,183,460,469,231,731,687,303,715,884,105,727');
  });
});

describe('typed amounts', () => {
  const minor = (text, currency) => parseAmount(text, currency).minor;

  it('are read in major units', () => {
    assert.equal(minor('12.5', 'USD'), 1250n);
    assert.equal(minor('12', 'USD'), 1200n);
    assert.equal(minor('0.07', 'USD'), 7n);
    assert.equal(minor('1250', 'JPY'), 1250n);
    assert.equal(minor('1.005', 'BHD'), 1005n);
    assert.equal(minor('7', 'POINTS'), 7n);
  });

  it('never lose a digit', () => {
    assert.equal(minor('90071992547409.91', 'USD'), MAX);
    assert.equal(minor('4.35', 'USD'), 435n);
  });

  it('are refused when they are none', () => {
    for (const text of ['', ' ', '-1', '1,5', '1e3', '.5', '5.', '0x10', '1 000', 'ten']) {
      assert.ok(parseAmount(text, 'USD').error, text);
    }
  });

  it('are refused with more decimals than the currency has', () => {
    for (const [text, currency] of [['1.005', 'USD'], ['1.5', 'JPY'], ['1.5', 'POINTS'], ['1.5', '']]) {
      assert.ok(parseAmount(text, currency).error, `${text} ${currency}`);
    }
  });

  it('are refused above the largest', () => {
    assert.ok(parseAmount('90071992547409.92', 'USD').error);
    assert.ok(parseAmount('9'.repeat(40), 'USD').error);
  });

  it('are shown again as they were typed', () => {
    for (const text of ['0.01', '1.00', '999.99', '1234567.89']) {
      assert.equal(amount(minor(text, 'USD'), 'USD', {}, 'en').replaceAll(',', ''), text);
    }
  });
});

describe('durations', () => {
  const at = (ms) => duration(ms, 'en').replaceAll('\u00a0', ' ');

  it('have their two largest units', () => {
    assert.equal(at(0), '0 ms');
    assert.equal(at(4.25), '4.3 ms');
    assert.equal(at(850), '850 ms');
    assert.equal(at(1500), '1.5 s');
    assert.equal(at(200_000), '3 min 20 s');
    assert.equal(at(180_000), '3 min');
    assert.equal(at(2 * 3_600_000 + 300_000), '2 h 5 min');
    assert.equal(at(86_400_000), '1 d');
  });

  it('round up into the next unit', () => {
    assert.equal(at(59_900), '1 min');
    assert.equal(at(999.7), '1 s');
  });
});

describe('shares', () => {
  it('are never rounded up to all', () => {
    assert.equal(percent(9999, 10_000, 'en'), '99%');
    assert.equal(percent(10, 10, 'en'), '100%');
    assert.equal(percent(71, 1000, 'en'), '7.1%');
    assert.equal(percent(0, 0, 'en'), '0%');
  });
});

describe('other words', () => {
  it('count', () => {
    assert.equal(plural(1, 'event'), '1\u00a0event');
    assert.equal(plural(2000, 'try', 'tries', 'en'), '2,000\u00a0tries');
  });

  it('name actions', () => {
    assert.equal(words('dead_letter.replay'), 'Dead letter replay');
  });

  it('fit on axes', () => {
    assert.equal(axisSum(13_850.5, 'en'), '13,850.5');
    assert.equal(axisSum(1_250_000, 'en'), '1.25M');
  });
});

describe('times', () => {
  it('are told in UTC', () => {
    assert.equal(utcTime('2026-11-29T12:01:02.345+01:00'), '2026-11-29 11:01:02.345 UTC');
  });

  it('are told by how long ago they were', () => {
    const now = Date.parse('2026-11-29T12:00:00Z');
    assert.equal(ago('2026-11-29T11:59:59.500Z', now, 'en'), 'just now');
    assert.equal(ago('2026-11-29T11:57:10Z', now, 'en'), '2\u00a0min ago');
  });

  it('of a form become RFC 3339', () => {
    assert.equal(toUtc(''), undefined);
    assert.equal(toUtc('2026-11-29T12:00'), new Date(2026, 10, 29, 12).toISOString());
  });
});
