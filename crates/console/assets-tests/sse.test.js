import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { sseParser } from '../assets/sse.js';

function parse(...pieces) {
  const events = [];
  const push = sseParser((event) => events.push(event));
  pieces.forEach(push);
  return events;
}

const STREAM = ': beat\n\nevent: sample\ndata: {"a":1}\n\ndata: x\ndata: y\n\n';
const EVENTS = [
  { type: 'sample', data: '{"a":1}' },
  { type: 'message', data: 'x\ny' },
];

describe('a stream of events', () => {
  it('is read whole', () => {
    assert.deepEqual(parse(STREAM), EVENTS);
  });

  it('is read in pieces of any size, with any line ends', () => {
    for (const ends of ['\n', '\r\n', '\r']) {
      const text = `${STREAM.replaceAll('\n', ends)}:${ends}`;
      for (let size = 1; size < text.length; size += 1) {
        const pieces = text.match(new RegExp(`[^]{1,${size}}`, 'g'));
        assert.deepEqual(parse(...pieces), EVENTS, `${JSON.stringify(ends)} in pieces of ${size}`);
      }
    }
  });

  it('has no event before the empty line', () => {
    assert.deepEqual(parse('event: sample\ndata: 1\n'), []);
  });

  it('forgets an event without data', () => {
    assert.deepEqual(parse('event: a\n\ndata: 1\n\n'), [{ type: 'message', data: '1' }]);
  });

  it('takes one space after the colon away, and no more', () => {
    assert.deepEqual(parse('data:  x\n\ndata:y\n\n').map((e) => e.data), [' x', 'y']);
  });
});
