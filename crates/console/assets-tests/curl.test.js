import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { describe, it } from 'node:test';

import { curl, shellQuote } from '../assets/curl.js';

/** What a real shell makes of a word. */
const shell = (word) => execFileSync('sh', ['-c', `printf %s ${word}`], { encoding: 'utf8' });

describe('a quoted word', () => {
  it('comes out of a shell as it was', () => {
    for (const text of ['plain', "it's", '$HOME `id` $(id) "x" \\ !', 'a\nb', '', '*', ';rm', "'", "''", '<b>&|']) {
      assert.equal(shell(shellQuote(text)), text);
    }
  });
});

describe('a request as curl', () => {
  const request = { method: 'POST', url: 'http://h/wallets', headers: { 'Idempotency-Key': 'k 1' }, body: '{"a":"it\'s"}', signedIn: true };

  it('names the key and does not have it', () => {
    assert.match(curl(request), /-H "Authorization: Bearer \$WALLEX_KEY"/);
    assert.doesNotMatch(curl({ ...request, signedIn: false }), /Authorization/);
  });

  it('is the request, word for word, for a shell', () => {
    const words = shell(`"$(curl() { printf '%s|' "$@"; }; WALLEX_KEY=s; ${curl(request)})"`);
    assert.equal(words, `-X|POST|http://h/wallets|-H|Authorization: Bearer s|-H|Idempotency-Key: k 1|-d|{"a":"it's"}|`);
  });
});
