/** Dead letters on a page of their own: where what needs a look leads to. */

import { link } from '../router.js';
import { pageHead } from '../ui/parts.js';
import { deadLettersCard } from './projectors/dead-letters.js';

export const title = 'Dead letters';

export function view({ signal }) {
  const lead = 'The wallets themselves work, and nothing is lost. Replay one when the cause is cured.';
  return [pageHead('Dead letters', { back: { href: link('projectors'), text: 'Projectors' }, lead }), deadLettersCard(signal).element];
}
