import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { link, match, parts } from '../assets/router.js';

const ROUTES = [{ pattern: 'wallets' }, { pattern: 'wallets/:id' }, { pattern: 'dead-letters/:projector/:tenant/:wallet' }];

describe('a fragment', () => {
  it('comes back as the parts that it was made of', () => {
    for (const id of ['wallet-1', 'a:b', 'a/b', '100%', 'ü ?#&', '..']) {
      assert.deepEqual(parts(link('wallets', id)), ['wallets', id]);
    }
  });

  it('is none of ours when it is a place on the page, or broken', () => {
    assert.equal(parts('#main'), null);
    assert.equal(parts('#/wallets/%zz'), null);
    assert.deepEqual(parts(''), []);
  });
});

describe('a route', () => {
  it('is found with its parameters', () => {
    assert.deepEqual(match(ROUTES, ['wallets', 'w-1']).params, { id: 'w-1' });
    assert.deepEqual(match(ROUTES, ['dead-letters', 'ledger', 't', 'w']).params, { projector: 'ledger', tenant: 't', wallet: 'w' });
  });

  it('is not found for other paths', () => {
    assert.equal(match(ROUTES, ['wallets', 'a', 'b']), null);
    assert.equal(match(ROUTES, []), null);
  });
});
